package hibernation_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// ids returns the IDs of the cluster's servers by their names.
func (r *rig) ids() map[string]string {
	out := map[string]string{}
	for _, s := range r.clusterServers() {
		out[s.Name] = s.ID
	}
	return out
}

// expectStanding: all servers but the named one are the very ones that were there before the hibernation.
func (r *rig) expectStanding(lost string) {
	r.t.Helper()
	for _, s := range r.servers {
		r.g.Expect(r.now(s.Name).ID == s.ID).To(Equal(s.Name != lost), s.Name)
	}
}

// Somebody deletes a server between the seal and the first delete, and the cluster is to run: what stands is brought back, and
// what is gone is made again.
func TestRunningAskedForAfterAServerVanished(t *testing.T) {
	for name, test := range map[string]struct {
		of     func(*rig) cloud.Server
		passes time.Duration
	}{
		"a master":                    {func(r *rig) cloud.Server { return r.seeded.Masters[0] }, time.Minute},
		"a worker":                    {func(r *rig) cloud.Server { return r.seeded.Workers[0] }, time.Minute},
		"a worker that was off":       {func(r *rig) cloud.Server { return r.seeded.Workers[1] }, time.Minute},
		"a master that is just going": {func(r *rig) cloud.Server { return r.seeded.Masters[0] }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := sealedRig(t)
			lost := test.of(r)
			r.cloud.DeleteServer(lost.ID)
			r.clock.Step(test.passes)
			r.resume()
			r.expectStanding(lost.Name)
			r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(Equal(1))
			r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
			r.g.Expect(r.events).To(ContainElement(And(HavePrefix("Warning ServerMadeAgain "+lost.Name), ContainSubstring(lost.ID))))
			r.expectClean()
			r.hibernate()
			r.expectAsleep()
		})
	}
}

// A list that is minutes old still shows the server that is gone.
func TestStaleListAfterAServerVanished(t *testing.T) {
	r := sealedRig(t)
	r.cloud.DeleteServer(r.seeded.Masters[0].ID)
	r.clock.Step(time.Minute)
	rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.list", Times: 1, Effect: cloud.StaleList()})
	r.resume()
	r.g.Expect(rule.Hits()).To(Equal(1))
	r.expectStanding(master0)
	r.expectClean()
}

// Lists that are older than the pause show servers running that are paused: these are brought back all the same.
func TestListFromBeforeThePauseWhileTurningBack(t *testing.T) {
	r := sealedRig(t)
	lost := r.seeded.Workers[0]
	r.cloud.DeleteServer(lost.ID)
	r.clock.Step(time.Minute)
	rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.list", Effect: cloud.OldList(time.Hour)})
	r.passes(4, resume)
	r.g.Expect(rule.Hits()).NotTo(BeZero())
	r.g.Expect(r.now(master0).Status).To(Equal("ACTIVE"))
	rule.Remove()
	r.resume()
	r.expectStanding(lost.Name)
	r.expectClean()
}

// The server that is gone ran before: it is not made again from a snapshot that is older, and the others run all the same.
func TestRunningAskedForAfterAServerRanAndVanished(t *testing.T) {
	r := sealedRig(t)
	r.runAndDelete(r.seeded.Masters[0].ID)
	r.g.Expect(r.until(resume)).To(MatchError(And(ContainSubstring(master0), ContainSubstring(hibernation.RemakeAnnotation))))
	r.cloud.Settle()
	r.g.Expect(r.now(r.seeded.Workers[0].Name).Status).To(Equal("ACTIVE"))
	r.expectBlocked(hibernate, master0, hibernation.RemakeAnnotation)
	r.cluster.Remake = sets.New(master0)
	r.resume()
	r.g.Expect(r.cloud.Regressions()).To(HaveLen(1), "that is what was ordered")
}

// A machine that was brought back and is then lost is made again from its snapshot if that is ordered. That is not asked for again
// when the cluster goes back to sleep before there was room for the server.
func TestOrderOfAStandingMachineIsObeyedOnce(t *testing.T) {
	r := sealedRig(t)
	r.cloud.DeleteServer(r.seeded.Workers[0].ID)
	r.clock.Step(time.Minute)
	r.resume()
	r.expectStanding(r.seeded.Workers[0].Name)
	r.cloud.DeleteServer(r.now(master0).ID)
	r.clock.Step(time.Minute)
	r.expectBlocked(resume, master0, hibernation.RemakeAnnotation)
	r.cluster.Remake = sets.New(master0)
	rule := r.cloud.AddRule(cloud.Rule{
		Op: "nova.server.create", Effect: cloud.Answer(403, ""), When: func(k *cloud.Call) bool { return bodyNames(k, master0) },
	})
	r.passes(3, resume)
	r.g.Expect(rule.Hits()).NotTo(BeZero())
	r.hibernate()
	r.expectAsleep()
	rule.Remove()
	r.resume()
	r.g.Expect(r.cloud.Regressions()).To(HaveLen(1), "that is what was ordered")
}

// A machine that never started since the hibernation before has no server to bring back.
func TestRunningAskedForAfterAPartialCut(t *testing.T) {
	r := newRig(t, 2, 2)
	lazy := r.seeded.Workers[0].Name
	r.hibernate()
	rule := r.cloud.AddRule(cloud.Rule{
		Op: "nova.server.create", Effect: cloud.Answer(403, ""), When: func(k *cloud.Call) bool { return bodyNames(k, lazy) },
	})
	r.passes(6, resume)
	before := r.ids()
	r.g.Expect(before).To(HaveLen(3))
	r.kube.afterSave = func() error {
		if record := r.record(); record.Sealed != nil && record.Opened == nil {
			r.dead.Store(true)
			return errDied
		}
		return nil
	}
	r.g.Expect(r.runUntilDeath(hibernate)).To(BeTrue())
	r.restartManager("manager-1")
	rule.Remove()
	r.cloud.Ledger().Reset()

	r.resume()
	r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(Equal(1))
	r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
	r.g.Expect(r.events).To(BeEmpty())
	for name, id := range before {
		r.g.Expect(r.ids()).To(HaveKeyWithValue(name, id))
	}
	r.expectClean()
}

// Whoever changes his mind again gets what he asked for, wherever it had come to.
func TestHibernatingAskedForWhileTurningBack(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{master0, ""} {
		prepare := func(t *testing.T) *rig {
			t.Helper()
			r := newRig(t, 1, 2, slowWork)
			if lost == "" {
				lost = r.seeded.Workers[0].Name
			}
			r.kube.afterSave = func() error {
				r.dead.Store(r.record().Sealed != nil)
				return nil
			}
			r.g.Expect(r.runUntilDeath(hibernate)).To(BeTrue())
			r.restartManager("manager-1")
			r.cloud.DeleteServer(r.now(lost).ID)
			r.clock.Step(time.Minute)
			return r
		}
		atEveryPass(t, prepare, resume, func(r *rig) {
			r.hibernate()
			r.expectAsleep()
			r.resume()
			r.expectClean()
		})
		atEveryPass(t, prepare, resume, func(r *rig) {
			r.destroyed = true
			r.g.Expect(r.until(release)).To(Succeed())
			for _, s := range r.clusterServers() {
				r.g.Expect(s.Status).NotTo(Equal("PAUSED"), s.Name)
			}
			r.g.Expect(r.snapshots()).To(BeEmpty())
			r.g.Expect(r.secret()).To(BeNil())
		})
	}
}

// A snapshot that is taken again behind the seal is given up too, as long as we have deleted nothing.
func TestRunningAskedForWhileCutAgain(t *testing.T) {
	r := sealedRig(t)
	r.cloud.DeleteServer(r.seeded.Workers[0].ID)
	r.clock.Step(time.Minute)
	r.cloud.DeleteImage(r.shotOf(master0))
	slow := cloud.TestBedLatencies()
	slow.SnapshotUpload = 3 * time.Hour
	r.cloud.SetLatencies(slow)
	r.uploadsEndWithTheirImages()
	r.passesUntil(func() bool { return r.record().Cut != nil && r.record().Cut.Shooting }, hibernate)
	asked := r.clock.Now()
	r.resume()
	r.g.Expect(r.clock.Since(asked)).To(BeNumerically("<", time.Minute))
	r.expectStanding(r.seeded.Workers[0].Name)
	r.expectClean()
}

// That Nova says 404 does not prove a deletion of which the server's history knows nothing: no second server is made.
func TestServerThatOnlySeemsToHaveVanished(t *testing.T) {
	r := sealedRig(t)
	master := r.seeded.Masters[0].ID
	r.cloud.DeleteServer(r.seeded.Workers[0].ID)
	r.clock.Step(time.Minute)
	r.cloud.SetDownCells(cloud.DownCells{HistoryStatus: 404})
	r.cloud.SetCellDown(true, master)
	rule := r.cloud.AddRule(cloud.Rule{
		Op: "nova.server.get", When: func(k *cloud.Call) bool { return k.Target == master },
		Effect: cloud.Answer(404, `{"itemNotFound": {"code": 404, "message": "Instance could not be found."}}`),
	})
	r.g.Expect(r.until(resume)).To(MatchError(And(ContainSubstring(master), ContainSubstring("may have run"))))
	rule.Remove()
	r.cloud.SetCellDown(false, master)
	r.resume()
	r.expectStanding(r.seeded.Workers[0].Name)
	r.expectClean()
}

// A new cut of servers that were not brought back yet does not take them for paused by their owner.
func TestReleaseOfANewCutAfterTurningBack(t *testing.T) {
	for name, do := range map[string]verb{"release": release, "resume": resume} {
		t.Run(name, func(t *testing.T) {
			r := sealedRig(t)
			r.destroyed = name == "release"
			r.cloud.DeleteServer(r.seeded.Workers[0].ID)
			r.clock.Step(time.Minute)
			r.passesUntil(func() bool { return r.record().Opened != nil }, resume)
			r.g.Expect(r.now(master0).Status).To(Equal("PAUSED"))
			r.passesUntil(func() bool { return r.record().Cut != nil && r.record().Cut.Shooting }, hibernate)
			r.g.Expect(machineOf(r.record(), r.seeded.Masters[0].ID).Before).To(Equal("ACTIVE"))
			r.g.Expect(r.until(do)).To(Succeed())
			r.g.Expect(r.now(master0).Status).To(Equal("ACTIVE"))
			r.g.Expect(r.now(master0).ID).To(Equal(r.seeded.Masters[0].ID))
		})
	}
}

// Somebody made another server in place of the one that vanished: there are not to be two.
func TestVanishedServerWasReplacedByHand(t *testing.T) {
	r := sealedRig(t)
	r.cloud.DeleteServer(r.seeded.Masters[0].ID)
	r.clock.Step(time.Minute)
	other := r.addServer(r.like(r.seeded.Masters[0], master0, r.addPort("new")))
	r.g.Expect(r.until(resume)).To(MatchError(And(ContainSubstring(other.ID), ContainSubstring("was not made from the machine's snapshot"))))
	r.g.Expect(r.now(r.seeded.Workers[0].Name).Status).To(Equal("ACTIVE"))
	r.cloud.DeleteServer(other.ID)
	r.clock.Step(time.Minute)
	r.resume()
	r.expectStanding(master0)
}

// However the manager dies after a server vanished, the next one brings what was asked for to its end.
func TestCrashesAfterAServerVanished(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do    verb
		check func(*rig)
	}{
		"resume":    {resume, (*rig).expectClean},
		"hibernate": {hibernate, func(r *rig) { r.expectAsleep(); r.resume(); r.expectClean() }},
		"release": {release, func(r *rig) {
			r.g.Expect(r.now(r.seeded.Workers[0].Name).Status).To(Equal("ACTIVE"))
			r.g.Expect(r.now(r.seeded.Workers[1].Name).Status).To(Equal("SHUTOFF"))
			r.g.Expect(r.snapshots()).To(BeEmpty())
			r.g.Expect(r.secret()).To(BeNil())
		}},
	} {
		for _, after := range []bool{false, true} {
			for n, died := 0, true; died; n++ {
				t.Run(fmt.Sprintf("%s, %d, after %v", name, n, after), func(t *testing.T) {
					r := sealedRig(t)
					r.destroyed = name == "release"
					r.cloud.DeleteServer(r.seeded.Masters[0].ID)
					r.clock.Step(time.Minute)
					r.dieAt(n, after)
					died = r.runUntilDeath(test.do)
					r.restartManager("manager-2")
					r.g.Expect(r.until(test.do)).To(Succeed())
					test.check(r)
				})
			}
		}
	}
}
