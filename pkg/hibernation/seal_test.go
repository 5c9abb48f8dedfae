package hibernation_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// sealedRig is a cluster whose manager died between the save of the seal and the first delete.
func sealedRig(t *testing.T) *rig {
	t.Helper()
	return sealedRigWith(t, func(*rig) {})
}

// sealedRigWith is sealedRig for a cluster that is prepared first.
func sealedRigWith(t *testing.T, prepare func(*rig)) *rig {
	t.Helper()
	r := newRig(t, 1, 2)
	r.cloud.SetServerState(r.seeded.Workers[1].ID, "SHUTOFF")
	r.remember()
	prepare(r)
	r.kube.afterSave = func() error {
		if record := r.record(); record.Sealed != nil {
			r.dead.Store(true)
			return errDied
		}
		return nil
	}
	r.g.Expect(r.runUntilDeath(hibernate)).To(BeTrue())
	r.restartManager("manager-1")
	r.g.Expect(r.clusterServers()).To(HaveLen(3))
	r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
	return r
}

// What goes wrong between the seal and the first delete is undone as if it had come before.
func TestSealedAndNothingDeleted(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*rig)
		words []string
	}{
		"a snapshot is lost": {func(r *rig) { r.cloud.DeleteImage(r.shotOf(master0)) },
			[]string{master0 + ": its snapshot", "is gone from Glance"}},
		"a snapshot is broken": {func(r *rig) { r.cloud.SetImageStatus(r.shotOf(master0), "deactivated") },
			[]string{master0 + ": its snapshot", "not active"}},
		"a snapshot bears another server's ID": {func(r *rig) { r.cloud.SetImageProperty(r.shotOf(master0), "instance_uuid", "another") },
			[]string{master0 + ": its snapshot"}},
		"a server is started": {func(r *rig) { r.cloud.StartServer(r.seeded.Masters[0].ID) },
			[]string{master0, `"unpause"`}},
		"a server ran for a moment": {func(r *rig) {
			r.cloud.StartServer(r.seeded.Workers[1].ID)
			r.cloud.SetServerState(r.seeded.Workers[1].ID, "SHUTOFF")
		}, []string{infraID + "-worker-0-", `"start"`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := sealedRig(t)
			kept := r.snapshots()
			test.spoil(r)
			r.expectRefused(hibernate, test.words...)
			r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
			for _, img := range kept { // one that does not look like ours any more is not ours to delete
				if img.ID == r.shotIDWithOwner("another") {
					r.cloud.DeleteImage(img.ID)
				}
			}
			r.expectUndone()
			r.clock.Step(10 * time.Minute)
			r.hibernate()
			r.expectAsleep()
			r.resume()
			r.expectClean()
		})
	}
}

// shotIDWithOwner returns the ID of an image that claims to be of that server.
func (r *rig) shotIDWithOwner(serverID string) string {
	for _, img := range r.snapshots() {
		if img.Properties["instance_uuid"] == serverID {
			return img.ID
		}
	}
	return ""
}

func TestPortChangesBeforeTheFirstDelete(t *testing.T) {
	r := sealedRig(t)
	port := r.seeded.Masters[0].Ports[0]
	r.cloud.BindPort(port, "")
	r.expectRefused(hibernate, master0+": its ports were "+port)
	r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
	r.cloud.BindPort(port, r.seeded.Masters[0].ID)
	r.expectUndone()
}

// Who asks for Running before anything was deleted gets the very servers back.
func TestRunningAskedForAfterTheSeal(t *testing.T) {
	r := sealedRig(t)
	r.resume()
	r.expectUndone()
	r.g.Expect(r.secret()).To(BeNil())
	r.hibernate()
	r.expectAsleep()
}

// halfDeletedRig is a cluster that sleeps but for some servers, which Nova does not delete until the rule is removed.
func halfDeletedRig(t *testing.T, left func(*rig) []string) (*rig, *cloud.RuleHandle) {
	t.Helper()
	r := newRig(t, 1, 2)
	stuck := map[string]bool{}
	for _, id := range left(r) {
		stuck[id] = true
	}
	rule := r.cloud.AddRule(cloud.Rule{
		Op: "nova.server.delete", Effect: cloud.Answer(503, ""), When: func(k *cloud.Call) bool { return stuck[k.Target] },
	})
	r.passesUntil(func() bool { return len(r.clusterServers()) == len(stuck) }, hibernate)
	r.g.Expect(r.record().Deleting).NotTo(BeNil())
	return r, rule
}

func leftMaster(r *rig) []string { return []string{r.seeded.Masters[0].ID} }

// Behind the first delete nothing is undone. A server that is still there is snapshotted again if that is needed; its
// siblings keep what they have.
func TestCutAgainBehindTheSeal(t *testing.T) {
	for name, spoil := range map[string]func(*rig){
		"its snapshot is lost":   func(r *rig) { r.cloud.DeleteImage(r.shotOf(master0)) },
		"its snapshot is broken": func(r *rig) { r.cloud.SetImageStatus(r.shotOf(master0), "killed") },
		"it is started":          func(r *rig) { r.cloud.StartServer(r.seeded.Masters[0].ID) },
		"it is started and stopped": func(r *rig) {
			r.cloud.StartServer(r.seeded.Masters[0].ID)
			r.clock.Step(time.Minute)
			r.cloud.SetServerState(r.seeded.Masters[0].ID, "SHUTOFF")
		},
		"it is started and paused": func(r *rig) {
			r.cloud.StartServer(r.seeded.Masters[0].ID)
			r.clock.Step(time.Minute)
			r.hand(func() { r.g.Expect(r.api.PauseServer(r.t.Context(), r.seeded.Masters[0].ID)).To(Succeed()) })
			r.clock.Step(time.Minute)
		},
	} {
		for asked, do := range map[string]verb{"hibernate": hibernate, "resume": resume} {
			t.Run(name+", "+asked, func(t *testing.T) {
				r, rule := halfDeletedRig(t, leftMaster)
				first := r.record().Sealed.Cycle
				spoil(r)
				r.clock.Step(time.Minute)
				rule.Remove()
				r.g.Expect(r.until(do)).To(Succeed())
				if asked == "hibernate" {
					r.expectAsleep()
					for _, m := range r.record().Machines {
						r.g.Expect(m.Snapshot.Cycle > first).To(Equal(m.Name == master0), m.Name)
					}
				}
				r.resume()
				r.expectClean()
			})
		}
	}
}

// One is lost and another one has run: both are snapshotted again.
func TestCutSeveralAgainBehindTheSeal(t *testing.T) {
	r, rule := halfDeletedRig(t, func(r *rig) []string { return []string{r.seeded.Masters[0].ID, r.seeded.Workers[0].ID} })
	r.cloud.DeleteImage(r.shotOf(master0))
	r.cloud.StartServer(r.seeded.Workers[0].ID)
	r.clock.Step(time.Minute)
	rule.Remove()
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// What only a person can mend stops everything: nothing else is deleted.
func TestBlockedBehindTheSeal(t *testing.T) {
	for name, test := range map[string]struct {
		spoil, mend func(*rig)
		words       []string
	}{
		"a snapshot is lost and its server is gone": {
			spoil: func(r *rig) { r.cloud.SetImageStatus(r.shotOf(r.seeded.Workers[0].Name), "deactivated") },
			mend:  func(r *rig) { r.cloud.SetImageStatus(r.shotOf(r.seeded.Workers[0].Name), "active") },
			words: []string{infraID + "-worker-0-", "no server is left to take it from again"},
		},
		"a port was taken away": {
			spoil: func(r *rig) { r.cloud.BindPort(r.seeded.Masters[0].Ports[0], "") },
			mend:  func(r *rig) { r.cloud.BindPort(r.seeded.Masters[0].Ports[0], r.seeded.Masters[0].ID) },
			words: []string{master0 + ": its ports were ", "give the server back its recorded ports"},
		},
		"a server is suspended": {
			spoil: func(r *rig) { r.cloud.SetServerState(r.seeded.Masters[0].ID, "SUSPENDED") },
			mend:  func(r *rig) { r.cloud.SetServerState(r.seeded.Masters[0].ID, "PAUSED") },
			words: []string{master0, "SUSPENDED", "repair it"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, rule := halfDeletedRig(t, leftMaster)
			rule.Remove()
			test.spoil(r)
			r.expectBlocked(hibernate, test.words...)
			r.expectBlocked(resume, test.words...)
			_, there := r.cloud.Server(r.seeded.Masters[0].ID)
			r.g.Expect(there).To(BeTrue())
			test.mend(r)
			r.hibernate()
			r.expectAsleep()
			r.resume()
			r.expectClean()
		})
	}
}

// A server that Nova failed to delete is in ERROR; it is deleted again, and is not taken for one that ran.
func TestFailedDeleteIsRepeated(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	rule.Remove()
	r.cloud.FailServer(r.seeded.Masters[0].ID, "the volume could not be detached")
	r.cloud.BindPort(r.seeded.Masters[0].Ports[0], "")
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

func TestLockedBehindTheSeal(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	rule.Remove()
	r.cloud.LockServer(r.seeded.Masters[0].ID, false, "")
	_, err := r.once(hibernate)
	r.g.Expect(err).To(MatchError(And(ContainSubstring(master0), ContainSubstring("unlock it if it is locked"))))
	r.cloud.UnlockServer(r.seeded.Masters[0].ID)
	r.hibernate()
	r.expectAsleep()
}

// A new snapshot behind the seal that fails too is tried again later; the server stays.
func TestCutAgainFails(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	rule.Remove()
	r.cloud.DeleteImage(r.shotOf(master0))
	r.cloud.FailNextSnapshot(master0)
	for range 20 {
		p, err := r.once(hibernate)
		r.g.Expect(err == nil && p.Done).To(BeFalse())
		r.clock.Step(10 * time.Second)
	}
	r.g.Expect(r.now(master0).Status).To(Equal("PAUSED"))
	r.g.Expect(r.record().Tries).NotTo(BeNil())
	r.clock.Step(10 * time.Minute)
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// With soft deletes the server may still be the last copy.
func TestSoftDeletedServerIsTheLastCopy(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cloud.ReclaimInterval = 24 * time.Hour })
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if k.Op == "nova.server.forceDelete" {
			e := cloud.Answer(503, "")
			return &e
		}
		return nil
	})
	r.passesUntil(func() bool { return r.cloud.Ledger().Count("nova.server.forceDelete") >= 2 }, hibernate)
	r.before = nil
	r.cloud.SetImageStatus(r.shotOf(master0), "deactivated")
	r.expectBlocked(hibernate, master0, "soft-deleted, the last copy of its disk")
	r.cloud.SetImageStatus(r.shotOf(master0), "active")
	r.hibernate()
	r.expectAsleep()
}

// Right before servers are deleted the record is read again: what somebody did to it since the seal counts.
func TestRecordIsReadAgainBeforeTheDelete(t *testing.T) {
	for name, test := range map[string]struct {
		meddle func(*rig)
		why    string
	}{
		"it vanished": {(*rig).dropRecord, "vanished while the cluster was being hibernated"},
		"it is opened": {func(r *rig) {
			r.edit(func(record *hibernation.Record) { record.Opened = &record.Sealed.At })
		}, "was changed by somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.kube.afterSave = func() error {
				if r.record().Sealed != nil {
					r.kube.afterSave = nil
					test.meddle(r)
				}
				return nil
			}
			var err error
			for r.kube.afterSave != nil {
				_, err = r.once(hibernate)
				r.clock.Step(2 * time.Second)
			}
			r.g.Expect(err).To(MatchError(ContainSubstring(test.why)))
			r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
			r.g.Expect(r.snapshots()).To(HaveLen(2))
		})
	}
}
