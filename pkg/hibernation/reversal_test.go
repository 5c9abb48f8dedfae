package hibernation_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// atEveryPass runs f for each number of passes after which a verb may be interrupted, up to where it is done.
func atEveryPass(t *testing.T, prepare func(t *testing.T) *rig, do verb, f func(r *rig)) {
	t.Helper()
	for n, over := 0, false; !over; n++ {
		t.Run(fmt.Sprintf("after pass %d", n), func(t *testing.T) {
			r := prepare(t)
			over = r.passes(n, do)
			f(r)
		})
		if n > 60 {
			t.Fatal("it has no end")
		}
	}
}

// slowWork makes everything take so long that passes fall into the middle of it.
func slowWork(s *setup) {
	api, op := s.cloud.Latencies.API, s.cloud.Latencies.Op
	s.cloud.Latencies = s.cloud.Latencies.Scaled(8)
	s.cloud.Latencies.API, s.cloud.Latencies.Op = api, op
}

func awakeRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, 2, 2, slowWork)
	r.cloud.SetServerState(r.seeded.Workers[0].ID, "SHUTOFF")
	r.cloud.SetServerState(r.seeded.Workers[1].ID, "PAUSED")
	r.remember()
	return r
}

func asleepRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, 2, 1, slowWork)
	r.hibernate()
	return r
}

// Before the seal everything is undone, the very servers and their states; behind it the cycle is completed and turned round.
func TestRunningAskedForWhileHibernating(t *testing.T) {
	t.Parallel()
	undone, completed := 0, 0
	atEveryPass(t, awakeRig, hibernate, func(r *rig) {
		sealed := r.record() != nil && r.record().Sealed != nil
		r.resume()
		if sealed {
			completed++
			r.expectClean()
			return
		}
		undone++
		r.expectUndone()
		r.g.Expect(r.secret()).To(BeNil(), "a person's wish is no failed try")
		r.hibernate()
		r.expectAsleep()
	})
	NewWithT(t).Expect(undone).To(BeNumerically(">=", 5))
	NewWithT(t).Expect(completed).To(BeNumerically(">=", 3))
}

func TestHibernatingAskedForWhileResuming(t *testing.T) {
	t.Parallel()
	atEveryPass(t, asleepRig, resume, func(r *rig) {
		r.hibernate()
		r.expectAsleep()
		r.resume()
		r.expectClean()
	})
}

// Whoever can't decide loses nothing either.
func TestManyFlips(t *testing.T) {
	t.Parallel()
	for _, lengths := range [][]int{
		{1, 1, 1, 1, 1, 1}, {3, 1, 4, 1, 5, 2}, {2, 1, 6, 3, 1, 1}, {9, 3, 2, 2, 3, 4}, {20, 2, 3, 1, 20, 3}, {20, 3, 4, 3, 2, 1}, {4, 2, 20, 1, 1, 2},
	} {
		t.Run(fmt.Sprint(lengths), func(t *testing.T) {
			r := newRig(t, 1, 2)
			for i, n := range lengths {
				do := hibernate
				if i%2 == 1 {
					do = resume
				}
				r.passes(n, do)
			}
			r.hibernate()
			r.expectAsleep()
			r.resume()
			r.expectClean()
		})
	}
}

// A rollback that the cloud has made necessary is not forgotten by asking for something else in its middle.
func TestFlipsWhileRollingBack(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) *rig {
		t.Helper()
		r := newRig(t, 1, 1, func(s *setup) { s.cloud.Latencies.SnapshotUpload = 15 * time.Second })
		r.onceUploading(func() { r.cloud.DeleteImage(r.shotOf(master0)) })
		return r
	}
	atEveryPass(t, prepare, hibernate, func(r *rig) {
		r.passes(1, resume)
		r.passes(1, hibernate)
		r.resume()
		r.expectUndone()
		r.g.Expect(r.secret()).To(BeNil())
	})
}

// Machines that never started since the last cut keep the snapshot that they have; those that ran are cut anew together.
func TestMachinesThatNeverStartedKeepTheirSnapshot(t *testing.T) {
	r := newRig(t, 2, 2)
	lazy := r.seeded.Workers[0].Name
	r.hibernate()
	old := map[string]string{}
	for _, m := range r.record().Machines {
		old[m.Name] = m.Snapshot.ID
	}
	first := r.record().Sealed.Cycle
	rule := r.cloud.AddRule(cloud.Rule{
		Op: "nova.server.create", Effect: cloud.Answer(403, `{"forbidden": {"code": 403, "message": "Quota exceeded for cores"}}`),
		When: func(k *cloud.Call) bool { return bodyNames(k, lazy) },
	})
	r.passes(6, resume)
	r.g.Expect(r.clusterServers()).To(HaveLen(3))
	r.clock.Step(time.Hour)

	r.hibernate()
	r.expectAsleep()
	second := r.record().Sealed.Cycle
	r.g.Expect(second > first).To(BeTrue())
	for _, m := range r.record().Machines {
		if m.Name == lazy {
			r.g.Expect(m.Snapshot.ID).To(Equal(old[m.Name]))
			r.g.Expect(m.Snapshot.Cycle).To(Equal(first))
			continue
		}
		r.g.Expect(m.Snapshot.ID).NotTo(Equal(old[m.Name]), m.Name)
		r.g.Expect(m.Snapshot.Cycle).To(Equal(second), m.Name)
	}
	rule.Remove()
	r.resume()
	r.expectClean()
}

// None of the machines has started: all snapshots are still good, and nothing is snapshotted.
func TestNobodyStarted(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	before := r.snapshots()
	rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: cloud.Answer(403, "")})
	r.passes(3, resume)
	rule.Remove()
	r.hibernate()
	r.expectAsleep()
	r.g.Expect(r.snapshots()).To(Equal(before))
	r.resume()
	r.expectClean()
}

// The same when the manager stops right after it has saved the new cut.
func TestNobodyStartedAndTheSealWasNotSaved(t *testing.T) {
	for _, next := range []verb{hibernate, resume} {
		r := newRig(t, 1, 1)
		r.hibernate()
		rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.create", Effect: cloud.Answer(403, "")})
		r.passes(3, resume)
		rule.Remove()
		r.kube.afterSave = func() error {
			r.dead.Store(r.record().Cut != nil)
			return nil
		}
		r.kube.beforeSave = func() error {
			if r.dead.Load() {
				return errDied
			}
			return nil
		}
		_, err := r.once(hibernate)
		r.g.Expect(err).To(HaveOccurred())
		r.g.Expect(r.record().Cut).NotTo(BeNil())
		r.restartManager("manager-1")
		r.g.Expect(r.until(next)).To(Succeed())
		r.hibernate()
		r.expectAsleep()
		r.resume()
		r.expectClean()
	}
}

// A machine that the cluster has got since it was woken takes part in the next cut, and is forgotten when that is undone.
func TestMachineThatIsNewSinceTheResume(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) *rig {
		t.Helper()
		r := newRig(t, 1, 1)
		r.hibernate()
		r.resume()
		r.addServer(r.like(r.seeded.Workers[0], infraID+"-worker-0-new", r.addPort("new")))
		images := r.images
		r.remember()
		r.images = images
		return r
	}
	atEveryPass(t, prepare, hibernate, func(r *rig) {
		r.resume()
		p, err := r.once(awake)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.g.Expect(p.Done).To(BeTrue())
		r.hibernate()
		r.expectAsleep()
		r.resume()
		r.expectClean()
	})
}
