package hibernation_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// runAndDelete has somebody let a server run and then delete it.
func (r *rig) runAndDelete(id string) {
	r.cloud.StartServer(id)
	r.clock.Step(time.Minute)
	r.cloud.Write(id, 1000)
	r.cloud.DeleteServer(id)
	r.clock.Step(time.Minute)
}

// historiesAsked returns how often the history of a server was asked for.
func (r *rig) historiesAsked() int { return r.cloud.Ledger().Count("nova.instanceaction.list") }

// Somebody unpaused a server behind the seal and deleted it, all of it unseen. Its snapshot is behind what it wrote, and
// nothing is made from that unless it is ordered.
func TestServerRanBehindTheSealAndIsGone(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T) *rig{
		"before the first delete": sealedRig,
		"among the deletes": func(t *testing.T) *rig {
			t.Helper()
			r, rule := halfDeletedRig(t, leftMaster)
			rule.Remove()
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := prepare(t)
			master := r.seeded.Masters[0].ID
			r.runAndDelete(master)
			r.g.Expect(r.until(hibernate)).To(BeAssignableToTypeOf(&hibernation.Blocked{}))
			r.g.Expect(r.clusterServers()).To(BeEmpty())
			for _, do := range []verb{hibernate, resume} {
				r.expectBlocked(do, master0, `"unpause" at 2026-11-23T15:`, master, r.shotOf0(), "etcd", hibernation.RemakeAnnotation, `"`+master0+`"`)
			}
			p, err := r.once(asleep)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(p.Done).To(BeFalse())

			r.cluster.Remake = sets.New(master0)
			r.hibernate()
			r.expectAsleep()
			r.g.Expect(r.events).To(ContainElement(HavePrefix("Warning ServerRemade " + master0)))
			r.resume()
			r.g.Expect(r.cloud.Regressions()).To(HaveLen(1), "that is what was ordered")

			r.cloud.FailServer(r.now(master0).ID, "disk full")
			r.expectBlocked(resume, master0, "disk full", "take it out first")
		})
	}
}

// shotOf0 returns the name of the first master's snapshot.
func (r *rig) shotOf0() string {
	img, _ := r.cloud.Image(r.shotOf(master0))
	return img.Name
}

// A worker is no other matter: it is woken as it was only if that is ordered. What was found out once is not asked again.
func TestWorkerRanBehindTheSealAndIsGone(t *testing.T) {
	r := sealedRig(t)
	worker := r.seeded.Workers[0]
	r.runAndDelete(worker.ID)
	r.g.Expect(r.until(hibernate)).To(MatchError(ContainSubstring(worker.Name)))
	r.restartManager("manager-1")
	r.cloud.Ledger().Reset()
	r.expectBlocked(resume, worker.Name, `"unpause"`)
	r.g.Expect(r.historiesAsked()).To(BeZero())
	r.cluster.Remake = sets.New(worker.Name)
	r.resume()
	r.g.Expect(r.cloud.Regressions()).To(HaveLen(1), "that is what was ordered")
}

// A server that had not run is all in its snapshot, whoever has deleted it. To find that out costs one request for each.
func TestServerIsGoneAndDidNotRun(t *testing.T) {
	for name, lose := range map[string]func(r *rig, id string){
		"it was left to us":   func(*rig, string) {},
		"somebody deleted it": deletedByOthers,
		"answers are lost": func(r *rig, _ string) {
			r.cloud.AddRule(cloud.Rule{Op: "nova.server.delete", Times: 2, Effect: cloud.ResetAfter()})
		},
		"its history was purged": func(r *rig, id string) {
			deletedByOthers(r, id)
			r.cloud.AddRule(cloud.Rule{
				Op: "nova.instanceaction.list", When: func(k *cloud.Call) bool { return k.Target == id },
				Effect: cloud.Answer(404, `{"itemNotFound": {"code": 404, "message": "Instance could not be found."}}`),
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 2)
			r.kube.afterSave = func() error {
				if r.record().Sealed != nil {
					r.kube.afterSave = nil
					lose(r, r.seeded.Masters[0].ID)
				}
				return nil
			}
			r.hibernate()
			if name == "its history was purged" {
				// A cell that is down looks the same for a while.
				r.g.Expect(r.historiesAsked()).To(BeNumerically("<=", 2*len(r.servers)+6))
			} else {
				r.g.Expect(r.historiesAsked()).To(Equal(2 * len(r.servers)))
			}
			r.expectAsleep()
			r.restartManager("manager-1")
			r.cloud.Ledger().Reset()
			r.resume()
			r.g.Expect(r.historiesAsked()).To(BeZero())
			r.expectClean()
		})
	}
}

// Histories that lag show what was asked for long ago, and not that nothing was since: that is no evidence of anything.
func TestHistoryOfAServerThatIsGoneLags(t *testing.T) {
	r := newRig(t, 1, 1)
	for _, srv := range r.servers {
		_, err := r.api.ListServerActions(t.Context(), srv.ID)
		r.g.Expect(err).NotTo(HaveOccurred())
	}
	r.kube.afterSave = func() error {
		if r.record().Sealed != nil {
			r.kube.afterSave = nil
			r.cloud.AddRule(cloud.Rule{Op: "nova.instanceaction.list", Effect: cloud.OldList(time.Hour)})
		}
		return nil
	}
	r.passes(30, hibernate)
	r.g.Expect(r.clusterServers()).To(BeEmpty())
	p, err := r.once(hibernate)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(ConsistOf(ContainSubstring(`the "pause" of `), ContainSubstring(`the "pause" of `)))
	r.cloud.ClearRules()
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// Somebody unpauses a server when everything has been proved, right before it is deleted. Nothing can keep that from happening;
// but it does not go by unseen.
func TestServerRanRightBeforeItsDelete(t *testing.T) {
	r := newRig(t, 1, 2)
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if k.Op == "nova.server.delete" && k.Target == r.seeded.Masters[0].ID {
			r.byHand.Store(true)
			r.cloud.StartServer(k.Target)
		}
		return nil
	})
	r.g.Expect(r.until(hibernate)).To(MatchError(ContainSubstring(`"unpause"`)))
	r.byHand.Store(false)
	r.expectBlocked(resume, master0, `"unpause"`, hibernation.RemakeAnnotation)
	r.cluster.Remake = sets.New(master0)
	r.hibernate()
	r.expectAsleep()
}

func deletedByOthers(r *rig, id string) {
	r.cloud.DeleteServer(id)
	r.clock.Step(5 * time.Second)
}
