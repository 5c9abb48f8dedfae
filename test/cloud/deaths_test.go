package cloud_test

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// steps makes each part of a build, an action and a delete take a second.
var steps = cloud.Latencies{
	Schedule: time.Second, Spawn: time.Second, Save: time.Second, Pause: time.Second, Unpause: time.Second, Start: time.Second,
	Stop: time.Second, Delete: time.Second, PowerSync: time.Minute,
}

// started begins a server in place of one that is gone.
func started(r *rig) string {
	s, imageID := freed(r)
	id, err := r.create(s, imageID)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return id
}

// events returns the names and the results of the events of a server's create, and the hosts.
func (r *rig) createEvents(id string) (names, results []string, hosts []string) {
	page, err := instanceactions.List(r.compute, id, nil).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	actions, err := instanceactions.ExtractInstanceActions(page)
	r.Expect(err).NotTo(HaveOccurred())
	for _, a := range actions {
		if a.Action != "create" {
			continue
		}
		detail, err := instanceactions.Get(r.ctx, r.compute, id, a.RequestID).Extract()
		r.Expect(err).NotTo(HaveOccurred())
		for _, e := range *detail.Events {
			names, results, hosts = append(names, e.Event), append(results, e.Result), append(hosts, *e.HostID)
		}
	}
	return names, results, hosts
}

const buildEvent = "compute__do_build_and_run_instance"

func TestABuildAsItIsSeen(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: steps, WriteInterval: 100 * time.Millisecond})
	id := started(r)
	code, history := r.raw("GET", "servers/"+id+"/os-instance-actions")
	r.Expect(code).To(Equal(200))
	r.Expect(history).To(ContainSubstring(`"instanceActions":[]`), "no cell has it yet")

	r.pass(time.Second) // on its host
	s := r.server(id)
	r.Expect(s).To(And(HaveField("Status", "BUILD"), HaveField("TaskState", "spawning"), HaveField("HostID", Not(BeEmpty())), HaveField("LaunchedAt", BeZero())))
	names, results, hosts := r.createEvents(id)
	r.Expect(names).To(Equal([]string{buildEvent}))
	r.Expect(results).To(Equal([]string{""}))
	r.Expect(hosts).To(Equal([]string{s.HostID}))
	before, _ := r.Server(id)
	r.Expect(before.Ran).To(BeFalse())

	r.pass(time.Second) // the guest starts
	r.pass(time.Second / 2)
	s = r.server(id)
	r.Expect(s).To(And(HaveField("Status", "BUILD"), HaveField("LaunchedAt", BeZero()), HaveField("PowerState", BeEquivalentTo(0))))
	now, _ := r.Server(id)
	r.Expect(now.Ran).To(BeTrue())
	r.Expect(now.Writes - before.Writes).To(BeEquivalentTo(6))

	r.pass(time.Second)
	r.Expect(r.server(id)).To(And(HaveField("Status", "ACTIVE"), HaveField("LaunchedAt", Not(BeZero())), HaveField("PowerState", BeEquivalentTo(1))))
	_, results, _ = r.createEvents(id)
	r.Expect(results).To(Equal([]string{"Success"}))
}

// The server in ERROR without launched_at runs on, and what is made anew of its snapshot goes back in time.
func TestComputeDiesBetweenSpawnAndSave(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: steps})
	cluster := r.SeedCluster("demo", 1, 0)
	old := cluster.Masters[0]
	r.DeleteServer(old.ID)
	r.Settle()
	r.KillComputeAt(cloud.KillBeforeSave, old.Name)
	id, err := r.create(old, cluster.ImageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(time.Minute)
	r.Expect(r.server(id).Status).To(Equal("BUILD"), "nobody says otherwise while nova-compute is dead")
	r.RestartCompute("")
	s := r.server(id)
	r.Expect(s).To(And(HaveField("Status", "ERROR"), HaveField("TaskState", ""), HaveField("LaunchedAt", BeZero()),
		HaveField("HostID", Not(BeEmpty())), HaveField("PowerState", BeEquivalentTo(0)), HaveField("Fault.Message", "")))
	first, _ := r.Server(id)
	r.pass(time.Minute)
	later, _ := r.Server(id)
	r.Expect(later.Writes).To(BeNumerically(">", first.Writes), "its guest runs")
	r.Expect(r.server(id).PowerState).To(BeEquivalentTo(1), "nova-compute has looked by now")
	r.Expect(r.port(old.Ports[0]).DeviceID).To(Equal(id))
	names, _, _ := r.createEvents(id)
	r.Expect(names).To(Equal([]string{buildEvent}))

	r.Expect(servers.Delete(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.pass(time.Second)
	_, err = r.create(old, cluster.ImageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(time.Minute)
	r.Expect(r.Regressions()).To(ContainElement(HaveField("Name", old.Name)))
}

func TestBuildsThatEndBeforeTheGuestRuns(t *testing.T) {
	type end struct {
		host, event bool
		ran         bool
	}
	for name, test := range map[string]struct {
		prepare func(r *rig)
		want    end
	}{
		"no host":                                     {func(r *rig) { r.FailNextSchedule("", "No valid host was found.") }, end{}},
		"the scheduler is down":                       {func(r *rig) { r.KillScheduler() }, end{}},
		"on its host":                                 {func(r *rig) { r.FailNextSpawn("", "no disk") }, end{event: true}},
		"when the guest has run":                      {func(r *rig) { r.FailNextGuest("", "no network") }, end{event: true, ran: true}},
		"nova-compute dies before claim":              {func(r *rig) { r.KillComputeAt(cloud.KillBeforeClaim, "") }, end{event: true}},
		"nova-compute dies before it saves the ports": {func(r *rig) { r.KillComputeAt(cloud.KillBeforeNetworkInfo, "") }, end{event: true, host: true}},
		"nova-compute dies before spawn":              {func(r *rig) { r.KillComputeAt(cloud.KillBeforeSpawn, "") }, end{event: true, host: true}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: steps})
			s, imageID := freed(r)
			test.prepare(r)
			id, err := r.create(s, imageID)
			r.Expect(err).NotTo(HaveOccurred())
			r.pass(2 * time.Minute)
			r.RestartCompute("")
			got := r.server(id)
			r.Expect(got).To(And(HaveField("Status", "ERROR"), HaveField("LaunchedAt", BeZero()), HaveField("PowerState", BeEquivalentTo(0))))
			names, _, _ := r.createEvents(id)
			copied, _ := r.Server(id)
			r.Expect(end{host: got.HostID != "", event: len(names) > 0 && names[0] == buildEvent, ran: copied.Ran}).To(Equal(test.want))
			if !test.want.event {
				r.Expect(names).To(Equal([]string{"conductor_schedule_and_build_instances"}))
			}
			r.Expect(servers.Delete(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
			r.pass(time.Minute)
			r.Expect(status(servers.Get(r.ctx, r.compute, id).Err)).To(Equal(404))
		})
	}
}

// A nova-compute that starts gives a build up of which it finds the message right after.
func TestABuildThatWaitedForCompute(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: steps})
	s, imageID := freed(r)
	r.KillCompute("")
	id, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.pass(30 * time.Second)
	r.Expect(r.server(id)).To(And(HaveField("Status", "BUILD"), HaveField("HostID", "")))
	var seen []cloud.EventKind
	defer r.Subscribe(func(e cloud.ServerEvent) { seen = append(seen, e.Kind) })()
	r.RestartCompute("")
	r.pass(time.Minute)
	r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
	r.Expect(seen).To(Equal([]cloud.EventKind{cloud.ServerFailed, cloud.ServerActive}))
}

func TestSchedulerAndConductorThatComeBack(t *testing.T) {
	for name, test := range map[string]struct{ kill, restart func(r *rig) }{
		"scheduler": {func(r *rig) { r.KillScheduler() }, func(r *rig) { r.RestartScheduler() }},
		"conductor": {func(r *rig) { r.KillConductor() }, func(r *rig) { r.RestartConductor() }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: steps})
			test.kill(r)
			id := started(r)
			r.pass(30 * time.Second)
			r.Expect(r.server(id)).To(And(HaveField("Status", "BUILD"), HaveField("TaskState", "scheduling"), HaveField("HostID", "")))
			test.restart(r)
			r.pass(time.Minute)
			r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
			r.pass(time.Hour)
			r.Expect(r.server(id).Status).To(Equal("ACTIVE"))
		})
	}
	r := newRig(t, cloud.Options{Latencies: steps})
	id := started(r)
	r.KillConductor()
	r.RestartConductor()
	r.pass(time.Hour)
	r.Expect(r.server(id)).To(And(HaveField("Status", "BUILD"), HaveField("HostID", "")), "nobody remembers it")
	r.Expect(servers.Delete(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.pass(time.Minute)
	r.Expect(status(servers.Get(r.ctx, r.compute, id).Err)).To(Equal(404))
}
