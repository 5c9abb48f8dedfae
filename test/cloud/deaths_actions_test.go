package cloud_test

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// Each death within an action, and what nova-compute makes of it at its start.
func TestComputeDiesWithinAnAction(t *testing.T) {
	type state struct {
		status, task string
		running      bool
	}
	pause := func(r *rig, id string) error { return servers.Pause(r.ctx, r.compute, id).ExtractErr() }
	unpause := func(r *rig, id string) error { return servers.Unpause(r.ctx, r.compute, id).ExtractErr() }
	start := func(r *rig, id string) error { return servers.Start(r.ctx, r.compute, id).ExtractErr() }
	stop := func(r *rig, id string) error { return servers.Stop(r.ctx, r.compute, id).ExtractErr() }
	for point, test := range map[cloud.KillPoint]struct {
		from          string
		ask           func(*rig, string) error
		dead, started state
	}{
		cloud.KillBeforePause:   {"ACTIVE", pause, state{"ACTIVE", "pausing", true}, state{"ACTIVE", "", true}},
		cloud.KillAfterPause:    {"ACTIVE", pause, state{"ACTIVE", "pausing", false}, state{"ACTIVE", "pausing", false}},
		cloud.KillBeforeUnpause: {"PAUSED", unpause, state{"PAUSED", "unpausing", false}, state{"ACTIVE", "", true}},
		cloud.KillAfterUnpause:  {"PAUSED", unpause, state{"PAUSED", "unpausing", true}, state{"ACTIVE", "", true}},
		cloud.KillBeforeStop:    {"ACTIVE", stop, state{"ACTIVE", "powering-off", true}, state{"SHUTOFF", "", false}},
		cloud.KillAfterStop:     {"ACTIVE", stop, state{"ACTIVE", "powering-off", false}, state{"SHUTOFF", "", false}},
		cloud.KillBeforeStart:   {"SHUTOFF", start, state{"SHUTOFF", "powering-on", false}, state{"ACTIVE", "", true}},
		cloud.KillAfterStart:    {"SHUTOFF", start, state{"SHUTOFF", "powering-on", true}, state{"ACTIVE", "", true}},
	} {
		t.Run(string(point), func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: steps})
			id := r.SeedCluster("demo", 1, 0).Masters[0].ID
			r.SetServerState(id, test.from)
			r.KillComputeAt(point, "")
			r.Expect(test.ask(r, id)).To(Succeed())
			r.pass(time.Minute)
			r.Expect(stateOf(r, id)).To(Equal([]any{test.dead.status, test.dead.task, test.dead.running}))
			r.RestartCompute("")
			r.pass(time.Hour)
			r.Expect(stateOf(r, id)).To(Equal([]any{test.started.status, test.started.task, test.started.running}))
		})
	}
}

// stateOf returns a server's status and task, and whether its guest writes.
func stateOf(r *rig, id string) []any {
	s := r.server(id)
	running := false
	r.View(func(v *cloud.View) {
		one, _ := v.Server(id)
		running = one.Running
	})
	return []any{s.Status, s.TaskState, running}
}

func TestComputeDiesWithinASnapshot(t *testing.T) {
	for point, test := range map[cloud.KillPoint]struct{ task, image string }{
		cloud.KillBeforeSnapshot: {"image_snapshot_pending", "queued"}, cloud.KillBeforeExtract: {"image_snapshot", "queued"},
		cloud.KillBeforeUpload: {"image_pending_upload", "queued"}, cloud.KillInUpload: {"image_uploading", "saving"},
	} {
		t.Run(string(point), func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: secondSteps})
			id := pausedServer(r).ID
			r.KillComputeAt(point, "")
			imageID, err := r.snapshot(id, "x", nil)
			r.Expect(err).NotTo(HaveOccurred())
			r.pass(time.Minute)
			r.Expect(stateOf(r, id)).To(Equal([]any{"PAUSED", test.task, false}))
			r.RestartCompute("")
			r.pass(time.Hour)
			r.Expect(stateOf(r, id)).To(Equal([]any{"PAUSED", "", false}))
			r.Expect(r.getImage(imageID).Status).To(BeEquivalentTo(test.image), "for ever")
			again, err := r.snapshot(id, "y", nil)
			r.Expect(err).NotTo(HaveOccurred())
			r.pass(time.Hour)
			r.Expect(r.getImage(again).Status).To(BeEquivalentTo("active"))
		})
	}
}

// What nova-compute is told while it is dead waits: a pause is then made that nobody expects any more, a snapshot is given up.
func TestActionsThatWaitedForCompute(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: steps})
	cluster := r.SeedCluster("demo", 3, 0)
	paused, shot, deleted := cluster.Masters[0].ID, cluster.Masters[1].ID, cluster.Masters[2].ID
	r.KillCompute("")
	r.Expect(servers.Pause(r.ctx, r.compute, paused).ExtractErr()).To(Succeed())
	imageID, err := r.snapshot(shot, "x", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(servers.Delete(r.ctx, r.compute, deleted).ExtractErr()).To(Succeed())
	r.pass(30 * time.Second)
	r.Expect(r.server(paused).TaskState).To(Equal("pausing"))
	r.Expect(r.server(deleted).TaskState).To(Equal("deleting"))
	r.RestartCompute("")
	r.pass(10 * time.Second)
	r.Expect(stateOf(r, paused)).To(Equal([]any{"ACTIVE", "", false}))
	r.Expect(r.server(paused).PowerState).To(BeEquivalentTo(1), "as it was last saved")
	r.Expect(r.lastAction(paused)).To(And(HaveField("Action", "pause"), HaveField("Message", "Error")))
	_, there := r.Image(imageID)
	r.Expect(there).To(BeFalse())
	r.Expect(r.lastAction(shot)).To(And(HaveField("Action", "createImage"), HaveField("Message", "Error")))
	r.Expect(status(servers.Get(r.ctx, r.compute, deleted).Err)).To(Equal(404))
	r.pass(time.Minute)
	r.Expect(r.server(paused).PowerState).To(BeEquivalentTo(3))
}

func TestDeletesOnADeadHost(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: steps})
	cluster := r.SeedCluster("demo", 2, 0)
	first, second := cluster.Masters[0].ID, cluster.Masters[1].ID
	r.KillComputeAt(cloud.KillBeforeDelete, cluster.Masters[0].Name)
	r.Expect(servers.Delete(r.ctx, r.compute, first).ExtractErr()).To(Succeed())
	r.pass(time.Hour)
	r.Expect(r.server(first).TaskState).To(Equal("deleting"))
	r.Expect(servers.Delete(r.ctx, r.compute, second).ExtractErr()).To(Succeed())
	r.Expect(status(servers.Get(r.ctx, r.compute, second).Err)).To(Equal(404), "the API does it, as it knows that the host is down")
	r.RestartCompute("")
	r.Expect(status(servers.Get(r.ctx, r.compute, first).Err)).To(Equal(404))
}

// Deaths on one host leave the others' work alone.
func TestHosts(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: steps, Hosts: []string{"one", "two"}})
	cluster := r.SeedCluster("demo", 2, 0)
	first, second := cluster.Masters[0], cluster.Masters[1]
	r.Expect([]string{first.Host, second.Host}).To(Equal([]string{"one", "two"}))
	r.Expect(r.server(first.ID).HostID).NotTo(Equal(r.server(second.ID).HostID))
	r.KillComputeAt(cloud.KillBeforePause, first.Name)
	for _, s := range cluster.Masters {
		r.Expect(servers.Pause(r.ctx, r.compute, s.ID).ExtractErr()).To(Succeed())
	}
	r.pass(time.Minute)
	r.Expect(r.server(first.ID).TaskState).To(Equal("pausing"))
	r.Expect(r.server(second.ID).Status).To(Equal("PAUSED"))

	r.KillCompute("two")
	r.KillComputeAt(cloud.KillBeforePause, "")
	r.Disarm()
	r.RestartCompute("one")
	r.Expect(servers.Pause(r.ctx, r.compute, first.ID).ExtractErr()).To(Succeed())
	r.pass(time.Minute)
	r.Expect(r.server(first.ID).Status).To(Equal("PAUSED"))
}

func TestPowerStates(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: steps})
	cluster := r.SeedCluster("demo", 1, 0)
	id := cluster.Masters[0].ID
	for state, power := range map[string]int{"ACTIVE": 1, "PAUSED": 3, "SHUTOFF": 4, "SUSPENDED": 4} {
		r.SetServerState(id, state)
		r.Expect(r.server(id).PowerState).To(BeEquivalentTo(power), state)
	}
	r.SetServerState(id, "PAUSED")
	r.SetDomainState(id, 1)
	before, _ := r.Server(id)
	r.Expect(before.PowerState).To(Equal(3), "Nova has not looked yet")
	r.pass(time.Second)
	after, _ := r.Server(id)
	r.Expect(after.Writes).To(Equal(before.Writes + 10))
	r.SyncPowerStates()
	r.Expect(r.server(id)).To(And(HaveField("Status", "PAUSED"), HaveField("PowerState", BeEquivalentTo(1))))

	r.SetPowerState(id, 6)
	r.SyncPowerStates()
	r.Expect(r.server(id)).To(And(HaveField("Status", "SHUTOFF"), HaveField("PowerState", BeEquivalentTo(4))))
	r.SetDomainState(id, 1)
	r.SyncPowerStates()
	r.Expect(stateOf(r, id)).To(Equal([]any{"SHUTOFF", "", false}), "Nova has stopped it again")
}

// A guest that runs behind a PAUSED server writes after the cut, which the next start from the snapshot brings to light.
func TestAPausedServerThatRanGoesBackInTime(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: steps})
	s := pausedServer(r)
	imageID, err := r.snapshot(s.ID, "x", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(time.Minute)
	r.SetDomainState(s.ID, 1)
	r.pass(time.Second)
	r.DeleteServer(s.ID)
	r.pass(time.Minute)
	_, err = r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(time.Minute)
	r.Expect(r.Regressions()).To(ConsistOf(HaveField("Name", s.Name)))
}
