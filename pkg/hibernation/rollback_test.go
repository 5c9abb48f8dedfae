package hibernation_test

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// slowSnapshots makes room for something to happen while snapshots are taken.
func slowSnapshots(s *setup) { s.cloud.Latencies.SnapshotUpload = time.Minute }

// onceUploading has f called when the first snapshots are being uploaded.
func (r *rig) onceUploading(f func()) {
	var called atomic.Bool // no sync.Once: f may make requests itself
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		images := r.snapshots()
		if strings.HasPrefix(k.Op, "glance.") && len(images) > 0 && images[0].Status == "saving" && called.CompareAndSwap(false, true) {
			f()
		}
		return nil
	})
}

// oncePaused has f called when the first server is paused, before any snapshot.
func (r *rig) oncePaused(f func()) {
	var called atomic.Bool
	r.cloud.Subscribe(func(e cloud.ServerEvent) {
		if e.Kind == cloud.ServerPaused && called.CompareAndSwap(false, true) {
			f()
		}
	})
}

// uploadsEndWithTheirImages lets servers go when the image that they are uploaded to is deleted.
func (r *rig) uploadsEndWithTheirImages() {
	var mu sync.Mutex
	owner := map[string]string{}
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if img, ok := r.cloud.Image(k.Target); ok && k.Op == "glance.image.delete" {
			mu.Lock()
			defer mu.Unlock()
			owner[k.Target] = img.Properties["instance_uuid"]
		}
		return nil
	})
	r.onAnswer(func(k *cloud.Call, _ int) *cloud.Effect {
		mu.Lock()
		defer mu.Unlock()
		if srv, ok := r.cloud.Server(owner[k.Target]); ok && k.Op == "glance.image.delete" {
			r.cloud.SetServerState(srv.ID, srv.Status)
		}
		return nil
	})
}

// oncePausing has f called when the first pause has been asked for.
func (r *rig) oncePausing(f func()) {
	var called atomic.Bool
	r.onAnswer(func(k *cloud.Call, _ int) *cloud.Effect {
		if k.Op == "nova.server.pause" && called.CompareAndSwap(false, true) {
			f()
		}
		return nil
	})
}

// shotOf returns the ID of the image that is being made of a machine.
func (r *rig) shotOf(machine string) string {
	for _, img := range r.snapshots() {
		if strings.HasPrefix(img.Name, machine+"-hibernation-") {
			return img.ID
		}
	}
	r.t.Errorf("there is no snapshot of %s", machine)
	return ""
}

type rollbackCase struct {
	choose func(*setup)
	spoil  func(*rig)
	words  []string
}

// cloudFails are the ways in which OpenStack may fail.
func cloudFails() map[string]rollbackCase {
	refusal := func(op string) func(*rig) {
		return func(r *rig) { r.cloud.AddRule(cloud.Rule{Op: op, Times: 10, Effect: cloud.Answer(403, "")}) }
	}
	return map[string]rollbackCase{
		"a snapshot fails on the hypervisor": {
			spoil: func(r *rig) { r.cloud.FailNextSnapshot(master0) },
			words: []string{master0 + ": its snapshot failed", "Nova reports an error for it"},
		},
		"a snapshot vanishes": {
			choose: slowSnapshots,
			spoil:  func(r *rig) { r.onceUploading(func() { r.cloud.DeleteImage(r.shotOf(master0)) }) },
			words:  []string{master0 + ": its snapshot failed", "the image is gone again"},
		},
		"an image ends in error": {
			choose: slowSnapshots,
			spoil:  func(r *rig) { r.onceUploading(func() { r.cloud.SetImageStatus(r.shotOf(master0), "killed") }) },
			words:  []string{master0 + ": its snapshot came to nothing: its status is killed"},
		},
		"the image quota is used up": {
			spoil: func(r *rig) {
				q := cloud.DefaultQuota()
				q.ImageBytes = 3<<20 + 1
				r.cloud.SetQuota(project, q)
			},
			words: []string{infraID + "-", "its snapshot failed", "storage quota"},
		},
		"createImage is refused": {spoil: refusal("nova.server.createImage"), words: []string{infraID + "-", "its snapshot was refused: create image of server"}},
		"pause is refused":       {spoil: refusal("nova.server.pause"), words: []string{infraID + "-master-", "could not be paused: pause server"}},
		"a pause fails on the hypervisor": {
			spoil: func(r *rig) { r.cloud.FailNextPause(master0) },
			words: []string{master0 + ": its server could not be paused"},
		},
		"the deadline": {
			choose: func(s *setup) { s.cloud.Latencies.SnapshotUpload = 3 * time.Hour },
			spoil:  (*rig).uploadsEndWithTheirImages,
			words:  []string{"not complete after 1h0m0s"},
		},
		"a deadline of one's own": {
			choose: func(s *setup) { s.cloud.Latencies.SnapshotUpload, s.engine.Deadline = time.Hour, 5*time.Minute },
			spoil:  (*rig).uploadsEndWithTheirImages,
			words:  []string{"not complete after 5m0s"},
		},
		"the deadline while pausing": {
			choose: func(s *setup) { s.cloud.Latencies.Pause, s.engine.Deadline = 2*time.Minute, time.Minute },
			words:  []string{"not complete after 1m0s"},
		},
	}
}

// othersMeddle are the ways in which somebody else may interfere.
func othersMeddle() map[string]rollbackCase {
	return map[string]rollbackCase{
		"a server is started while the others are paused": {
			choose: func(s *setup) { s.cloud.Latencies.Pause = 10 * time.Second },
			spoil:  func(r *rig) { r.oncePaused(func() { r.cloud.SetServerState(r.seeded.Masters[0].ID, "SHUTOFF") }) },
			words:  []string{master0 + ": its server went from ACTIVE to SHUTOFF"},
		},
		"a server is started while snapshots are taken": {
			choose: slowSnapshots,
			spoil:  func(r *rig) { r.onceUploading(func() { r.cloud.StartServer(r.seeded.Masters[0].ID) }) },
			words:  []string{master0 + ": its server was started while snapshots were taken"},
		},
		"a server ran between two looks": {
			choose: slowSnapshots,
			spoil: func(r *rig) {
				r.onceUploading(func() {
					r.cloud.StartServer(r.seeded.Masters[0].ID)
					r.cloud.SetServerState(r.seeded.Masters[0].ID, "PAUSED")
				})
			},
			words: []string{master0 + `: somebody asked for "unpause" after its snapshot`},
		},
		"a server that was off ran between two looks": {
			choose: slowSnapshots,
			spoil: func(r *rig) {
				r.onceUploading(func() {
					r.cloud.StartServer(r.seeded.Workers[0].ID)
					r.cloud.SetServerState(r.seeded.Workers[0].ID, "SHUTOFF")
				})
			},
			words: []string{infraID + "-worker-0-", `somebody asked for "start" after its snapshot`},
		},
		"a port is detached": {
			choose: slowSnapshots,
			spoil:  func(r *rig) { r.onceUploading(func() { r.cloud.BindPort(r.seeded.Masters[0].Ports[0], "") }) },
			words:  []string{master0 + ": its ports were ", " and are "},
		},
		"a port is attached": {
			choose: slowSnapshots,
			spoil: func(r *rig) {
				r.onceUploading(func() { r.cloud.BindPort(r.seeded.APIPort, r.seeded.Masters[0].ID) })
			},
			words: []string{master0 + ": its ports were ", " and are "},
		},
	}
}

// A hibernation that can't succeed is undone: every server is back in the state in which it was, no image is left, and the
// message names the machine and the cause.
func TestRollback(t *testing.T) {
	t.Parallel()
	cases := cloudFails()
	maps.Copy(cases, othersMeddle())
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, 3, func(s *setup) {
				if test.choose != nil {
					test.choose(s)
				}
			})
			r.cloud.SetServerState(r.seeded.Workers[0].ID, "SHUTOFF")
			r.cloud.SetServerState(r.seeded.Workers[1].ID, "PAUSED")
			r.remember()
			if test.spoil != nil {
				test.spoil(r)
			}
			after := r.expectRefused(hibernate, test.words...)
			r.g.Expect(after).To(BeNumerically("~", 10*time.Minute, 2*time.Second))
			for i := range r.servers {
				r.servers[i].Ports = nil
			}
			r.cloud.Settle()
			r.expectUndone()
			r.g.Expect(r.record().Cut).To(BeNil())
			r.g.Expect(r.record().Machines).To(BeEmpty())
		})
	}
}

func TestServerThatAppearsEndsTheCut(t *testing.T) {
	for name, when := range map[string]func(*rig, func()){
		"while pausing": (*rig).oncePausing, "while snapshots are taken": (*rig).onceUploading,
	} {
		t.Run(name, func(t *testing.T) {
			// Slow enough for the new server to run before all of the others are paused.
			r := newRig(t, 1, 1, slowSnapshots, func(s *setup) { s.cloud.Latencies.Pause = 10 * time.Second })
			port := r.addPort("new")
			when(r, func() {
				r.hand(func() {
					_, err := r.api.CreateServer(t.Context(), r.like(r.seeded.Workers[0], infraID+"-worker-0-new", port))
					r.g.Expect(err).NotTo(HaveOccurred())
				})
			})
			after := r.expectRefused(hibernate, "server "+infraID+"-worker-0-new", "appeared while the cluster was being hibernated")
			r.cloud.Settle()
			r.g.Expect(r.clusterServers()).To(HaveLen(3))
			for _, s := range r.clusterServers() {
				r.g.Expect(s.Status).To(Equal("ACTIVE"))
			}
			r.g.Expect(r.snapshots()).To(BeEmpty())
			r.remember()
			r.clock.Step(after)
			r.hibernate()
			r.expectAsleep()
		})
	}
}

// What somebody deletes in the middle is gone; its siblings come back, and what there is of its disk is kept.
func TestServerDeletedInTheMiddle(t *testing.T) {
	t.Run("before its snapshot", func(t *testing.T) {
		r := newRig(t, 1, 2)
		r.oncePaused(func() { r.cloud.DeleteServer(r.seeded.Workers[0].ID) })
		r.expectRefused(hibernate, r.seeded.Workers[0].Name)
		r.cloud.Settle()
		r.g.Expect(r.clusterServers()).To(HaveLen(2))
		r.g.Expect(r.snapshots()).To(BeEmpty())
	})
	t.Run("after its snapshot", func(t *testing.T) {
		r := newRig(t, 1, 2, slowSnapshots)
		worker := r.seeded.Workers[0]
		slow := cloud.TestBedLatencies()
		slow.SnapshotUploadOf = func(s cloud.Server) time.Duration {
			if s.ID == worker.ID {
				return time.Second
			}
			return 10 * time.Minute
		}
		r.cloud.SetLatencies(slow)
		var once sync.Once
		r.onRequest(func(*cloud.Call) *cloud.Effect {
			for _, img := range r.snapshots() {
				if img.Machine == worker.Name && img.Status == "active" {
					once.Do(func() { r.cloud.DeleteServer(worker.ID) })
				}
			}
			return nil
		})
		r.hibernate()
		r.expectAsleep()
		r.g.Expect(r.events).To(ContainElement(And(HavePrefix("Warning ServerGone"), ContainSubstring(worker.Name))))
		r.resume()
		r.expectClean()
	})
}

// Each failed try waits twice as long as the one before, up to six hours, and asks the cloud nothing before that; the count
// outlives the manager. A success forgets it.
func TestTriesAreSpreadOut(t *testing.T) {
	r := newRig(t, 1, 0)
	var cycles []string
	for _, minutes := range []time.Duration{10, 20, 40, 80, 160, 320, 360, 360} {
		r.cloud.FailNextSnapshot("")
		after := r.expectRefused(hibernate, "its snapshot failed")
		r.g.Expect(after).To(Equal(minutes * time.Minute))
		cycles = append(cycles, r.record().LastCycle)

		r.engine = r.manager(hibernation.Options{Clock: r.clock, Holder: "manager-1", Jitter: r.options.Jitter})
		r.cloud.Ledger().Reset()
		r.clock.Step(after - time.Second)
		r.expectRefused(hibernate, "its snapshot failed")
		r.g.Expect(r.cloud.Ledger().Entries()).To(BeEmpty())
		r.expectUndone()
		r.clock.Step(time.Second)
	}
	r.hibernate()
	r.g.Expect(r.record().Tries).To(BeNil())
	for i, c := range cycles[1:] {
		r.g.Expect(c > cycles[i]).To(BeTrue(), "a new try is a new cycle")
	}
	r.g.Expect(r.record().Sealed.Cycle > cycles[len(cycles)-1]).To(BeTrue())
	r.resume()
	r.expectClean()
	r.cloud.FailNextSnapshot("")
	r.g.Expect(r.expectRefused(hibernate)).To(Equal(10*time.Minute), "a success begins anew")
}

// Nothing is adopted from an abandoned cut, though an image of it may still be there.
func TestAbandonedCutStaysAbandoned(t *testing.T) {
	r := newRig(t, 1, 1, slowSnapshots)
	r.onceUploading(func() {
		r.cloud.SetImageProtected(r.shotOf(master0), true)
		r.cloud.DeleteImage(r.shotOf(r.seeded.Workers[0].Name))
	})
	after := r.expectRefused(hibernate)
	r.g.Expect(r.snapshots()).To(HaveLen(1))
	old := r.snapshots()[0]
	r.g.Expect(r.record().Leftovers).To(HaveLen(1), "it is deleted when it can be")
	r.clock.Step(after)
	r.hibernate()
	for _, m := range r.record().Machines {
		r.g.Expect(m.Snapshot.ID).NotTo(Equal(old.ID))
		r.g.Expect(m.Snapshot.Cycle).To(Equal(r.record().Sealed.Cycle))
	}
	r.resume()
	r.cloud.SetImageProtected(old.ID, false)
	r.expectClean()
}

// A server that can't be brought back does not keep the others.
func TestRollbackBringsBackWhatItCan(t *testing.T) {
	r := newRig(t, 2, 1)
	r.passesUntil(func() bool { return r.cloud.Ledger().Count("nova.server.createImage") > 0 }, hibernate)
	stuck := r.seeded.Masters[0].ID
	rule := r.cloud.AddRule(cloud.Rule{
		Op: "nova.server.unpause", Effect: cloud.Answer(500, ""), When: func(k *cloud.Call) bool { return k.Target == stuck },
	})
	r.passes(10, resume)
	for _, s := range r.clusterServers() {
		r.g.Expect(s.Status == "ACTIVE").To(Equal(s.ID != stuck), s.Name)
	}
	rule.Remove()
	r.resume()
	r.expectUndone()
}
