package hibernation_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/test/cloud"
)

// The hazards that docs/reliability.md lists, each by its number, as far as the engine sees them.

// A cell that does not answer is no answer: what is paused stays in the record until it is seen to run again.
func TestS01CellDown(t *testing.T) {
	for name, history := range map[string]int{"histories 404": 404, "histories 500": 500} {
		for _, down := range []string{"one", "all"} {
			for calls := range 12 {
				t.Run(fmt.Sprintf("%s, %s, after %d calls", name, down, calls), func(t *testing.T) {
					r := newRig(t, 1, 1)
					r.cloud.SetDownCells(cloud.DownCells{HistoryStatus: history})
					r.downAfter(calls, down)
					for range 40 {
						_, _ = r.once(hibernate) // an error is a visit that is repeated
						r.clock.Step(5 * time.Second)
					}
					r.before = nil
					r.resumeThrough()
					r.cloud.BringCellsUp()
					r.resumeThrough()
					r.expectRunning()
				})
			}
		}
	}
}

// downAfter takes a cell down at a call behind the first pause.
func (r *rig) downAfter(calls int, which string) {
	seen, down := -1, false
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if seen < 0 && k.Op == "nova.server.pause" {
			seen = 0
		}
		if seen >= 0 && !down {
			if seen++; seen > calls {
				down = true
				r.cloud.SetCellDown(true, r.seeded.Masters[0].ID)
				if which == "all" {
					r.cloud.SetCellDown(true, r.seeded.Workers[0].ID)
				}
			}
		}
		return nil
	})
}

// resumeThrough makes some passes, whatever they say.
func (r *rig) resumeThrough() {
	for range 60 {
		if p, err := r.once(resume); err == nil && p.Done {
			return
		}
		r.clock.Step(5 * time.Second)
	}
}

// expectRunning: each machine has one ACTIVE server, and no disk went back in time.
func (r *rig) expectRunning() {
	r.t.Helper()
	for _, was := range r.servers {
		r.g.Expect(r.now(was.Name).Status).To(Equal("ACTIVE"), was.Name)
	}
	r.g.Expect(r.clusterServers()).To(HaveLen(len(r.servers)))
	r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
}

// nova-compute dies when the guest runs and Nova does not know yet: the server in ERROR counts as one that ran. It is made
// again only where somebody orders that, or where it is shown that no guest ever started.
func TestS02RanBeforeLaunched(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	r.cloud.KillComputeAt(cloud.KillBeforeSave, master0)
	r.passes(2, resume)
	r.clock.Step(time.Minute)
	r.cloud.RestartCompute("")
	r.clock.Step(time.Minute)
	failed := r.now(master0)
	r.g.Expect(failed.Status).To(Equal("ERROR"))
	r.g.Expect(failed.Launched).To(BeZero())
	r.expectBlocked(resume, master0, "may have run", "remake-server")
	r.g.Expect(r.now(master0).ID).To(Equal(failed.ID))
	r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
	r.cluster.Remake = sets.New(master0)
	r.g.Expect(r.until(resume)).To(Succeed())
	r.g.Expect(r.now(master0).Status).To(Equal("ACTIVE"))
}

// nova-compute dies when the ports are bound and Nova does not know yet that they were there before the server: the server that is
// made again has them all the same.
func TestPortsOutliveAFailedServer(t *testing.T) {
	r := newRig(t, 1, 0)
	before := r.now(master0)
	r.hibernate()
	r.cloud.KillComputeAt(cloud.KillBeforeNetworkInfo, master0)
	r.passes(2, resume)
	r.clock.Step(time.Minute)
	r.cloud.RestartCompute("")
	r.clock.Step(time.Minute)
	r.g.Expect(r.now(master0).Status).To(Equal("ERROR"))
	r.cluster.Remake = sets.New(master0)
	r.g.Expect(r.until(resume)).To(Succeed())
	after := r.now(master0)
	r.g.Expect(after.Status).To(Equal("ACTIVE"))
	r.g.Expect(after.Ports).To(Equal(before.Ports))
}

// Where the ports may not be changed, the failed server is deleted all the same.
func TestPortsThatMayNotBeReleased(t *testing.T) {
	for _, status := range []int{400, 401, 403} {
		r := newRig(t, 1, 0)
		r.hibernate()
		r.cloud.AddRule(cloud.Rule{Op: "neutron.port.update", Effect: cloud.Answer(status, `{"NeutronError": {"message": "no"}}`)})
		r.cloud.KillComputeAt(cloud.KillBeforeSpawn, master0)
		r.passes(2, resume)
		r.clock.Step(time.Minute)
		r.cloud.RestartCompute("")
		r.clock.Step(time.Minute)
		r.cluster.Remake = sets.New(master0)
		r.g.Expect(r.until(resume)).To(Succeed())
		r.g.Expect(r.now(master0).Status).To(Equal("ACTIVE"))
		r.g.Expect(r.cloud.Ledger().Count("neutron.port.update")).NotTo(BeZero())
	}
}

// A compute service that dies before there is a guest has touched the build all the same.
func TestS02DeathsInABuild(t *testing.T) {
	for _, point := range []cloud.KillPoint{cloud.KillBeforeClaim, cloud.KillBeforeNetworkInfo, cloud.KillBeforeSpawn, cloud.KillBeforeSave} {
		t.Run(string(point), func(t *testing.T) {
			r := newRig(t, 1, 0)
			r.hibernate()
			r.cloud.KillComputeAt(point, master0)
			r.passes(2, resume)
			r.clock.Step(time.Minute)
			r.cloud.RestartCompute("")
			r.clock.Step(time.Minute)
			for range 40 {
				_, _ = r.once(resume) // Blocked is an answer, too
				r.clock.Step(15 * time.Second)
			}
			r.g.Expect(r.cloud.Regressions()).To(BeEmpty())
		})
	}
}

// The hypervisor contradicts Nova: the server says PAUSED and its guest runs. No snapshot is taken of it.
func TestS14PowerStateDisagrees(t *testing.T) {
	r := newRig(t, 1, 0)
	r.oncePausing(func() { r.cloud.Settle() })
	r.passesUntil(func() bool { return r.now(master0).Status == "PAUSED" }, hibernate)
	r.g.Expect(r.record().Cut.Shooting).To(BeFalse())
	r.cloud.SetPowerState(r.now(master0).ID, 1)
	for range 20 {
		p, err := r.once(hibernate)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.g.Expect(p.Waiting).To(ConsistOf(And(HavePrefix(master0), ContainSubstring("waiting until they agree"))))
		r.clock.Step(time.Minute)
	}
	r.g.Expect(r.cloud.Ledger().Count("nova.server.createImage")).To(BeZero())
	r.cloud.SetPowerState(r.now(master0).ID, 3)
	r.hibernate()
	r.expectAsleep()
}

// Behind the seal somebody works on a server that is still there. What can't change its disk ends nothing; what lets it run costs
// a new snapshot; what may replace its disk is left to a person, and the sealed snapshot stays.
func TestS03ActionsBehindTheSeal(t *testing.T) {
	for name, test := range map[string]struct {
		act func(c *cloud.Cloud, id string)
		// anew says that a new snapshot is taken; asks that a person is asked.
		anew, asks bool
	}{
		"live migration":      {act: func(c *cloud.Cloud, id string) { c.LiveMigrateServer(id) }},
		"lock and unlock":     {act: func(c *cloud.Cloud, id string) { c.LockByHand(id, false, "mine"); c.UnlockByHand(id) }},
		"a backup of others'": {act: func(c *cloud.Cloud, id string) { c.BackupServer(id, "nightly", "daily", 1) }},
		"started":             {act: func(c *cloud.Cloud, id string) { c.StartServer(id) }, anew: true},
		"rebooted hard":       {act: func(c *cloud.Cloud, id string) { c.RebootServer(id, true) }, anew: true},
		"rebuilt": {act: func(c *cloud.Cloud, id string) {
			s, _ := c.Server(id)
			c.StartServer(id)
			c.RebuildServer(id, s.ImageID)
		}, asks: true},
		"state reset": {act: func(c *cloud.Cloud, id string) { c.ResetServerState(id, "error") }, asks: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, rule := halfDeletedRig(t, leftMaster)
			first := r.record().Sealed.Cycle
			shot := r.shotOf(master0)
			test.act(r.cloud, r.seeded.Masters[0].ID)
			r.clock.Step(time.Minute)
			r.cloud.Settle()
			rule.Remove()
			if test.asks {
				r.expectBlocked(hibernate, master0, "may be another one", "remake-server")
				_, there := r.cloud.Image(shot)
				r.g.Expect(there).To(BeTrue())
				r.g.Expect(r.now(master0).ID).To(Equal(r.seeded.Masters[0].ID))
				return
			}
			r.hibernate()
			for _, img := range r.snapshots() {
				if img.Name == "nightly" {
					r.cloud.DeleteImage(img.ID)
				}
			}
			r.expectAsleep()
			for _, m := range r.record().Machines {
				r.g.Expect(m.Snapshot.Cycle > first).To(Equal(test.anew && m.Name == master0), m.Name)
			}
			r.resume()
			r.expectRunning()
		})
	}
}

// An image that is active and holds nothing is no snapshot: no server is deleted because of it.
func TestS13ImageWithoutData(t *testing.T) {
	t.Run("before the seal", func(t *testing.T) {
		r := newRig(t, 1, 1)
		emptied := false
		r.onRequest(func(k *cloud.Call) *cloud.Effect {
			if k.Op == "glance.image.list" && !emptied && r.record() != nil && r.record().Cut != nil {
				for _, img := range r.snapshots() {
					emptied = emptied || img.Status == "active" && r.cloud.EmptyImage(img.ID)
				}
			}
			return nil
		})
		r.expectRefused(hibernate, "came to nothing", "holds no data")
		r.g.Expect(emptied).To(BeTrue())
		r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
		r.before, r.after = nil, nil
		r.cloud.Settle()
		r.expectRunning()
	})
	t.Run("behind the seal", func(t *testing.T) {
		r, rule := halfDeletedRig(t, leftMaster)
		r.cloud.EmptyImage(r.shotOf(master0))
		rule.Remove()
		r.hibernate()
		r.expectAsleep()
		r.resume()
		r.expectRunning()
	})
}
