package hibernation_test

import (
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// failDeletes lets the first delete of each server fail on its hypervisor: it is accepted, and leaves the server in ERROR
// without its ports.
func (r *rig) failDeletes() {
	stuck := cloud.TestBedLatencies()
	stuck.Delete = 1000 * time.Hour
	r.cloud.SetLatencies(stuck)
	var mu sync.Mutex
	failed := map[string]bool{}
	r.onAnswer(func(k *cloud.Call, status int) *cloud.Effect {
		mu.Lock()
		defer mu.Unlock()
		if k.Op != "nova.server.delete" || status != 204 || failed[k.Target] {
			return nil
		}
		failed[k.Target] = true
		srv, _ := r.cloud.Server(k.Target)
		r.cloud.FailServer(k.Target, "the network could not be deallocated")
		for _, port := range srv.Ports {
			r.cloud.BindPort(port, "")
		}
		if len(failed) == len(r.servers) {
			r.cloud.SetLatencies(cloud.TestBedLatencies())
		}
		return nil
	})
}

// expectNothingUndone: no server was brought back and no snapshot deleted.
func (r *rig) expectNothingUndone() {
	r.t.Helper()
	r.g.Expect(r.cloud.Ledger().Count("nova.server.unpause")).To(BeZero())
	r.g.Expect(r.cloud.Ledger().Count("nova.server.start")).To(BeZero())
	r.g.Expect(r.cloud.Ledger().Count("glance.image.delete")).To(BeZero())
}

// Servers that a failed delete has left in ERROR may have lost their disks. They are deleted again, and never taken for
// servers that could be brought back.
func TestDeletesThatEndInError(t *testing.T) {
	for name, do := range map[string]verb{"hibernate": hibernate, "resume": resume} {
		t.Run(name, func(t *testing.T) {
			r := sealedRig(t)
			r.failDeletes()
			r.passesUntil(func() bool { return r.cloud.Ledger().Count("nova.server.delete") > 0 }, hibernate)
			for _, s := range r.clusterServers() {
				r.g.Expect(s.Status).To(Equal("ERROR"))
			}
			r.clock.Step(5 * time.Second)
			p, err := r.once(do)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(p.Stage).To(Equal(hibernation.StageWaitingToStop))
			r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(Equal(2 * len(r.servers)))
			r.wait(p)
			r.hibernate()
			r.expectNothingUndone()
			r.expectAsleep()
			r.resume()
			r.expectClean()
		})
	}
}

// A list that is minutes old still shows servers whose deletion was asked for.
func TestStaleListAfterTheDeletes(t *testing.T) {
	for name, do := range map[string]verb{"hibernate": hibernate, "resume": resume} {
		t.Run(name, func(t *testing.T) {
			r := sealedRig(t)
			r.passes(1, hibernate)
			r.clock.Step(10 * time.Second)
			r.g.Expect(r.clusterServers()).To(BeEmpty())
			rule := r.cloud.AddRule(cloud.Rule{Op: "nova.server.list", Times: 1, Effect: cloud.StaleList()})
			_, err := r.once(do)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(rule.Hits()).To(Equal(1))
			r.g.Expect(r.record().Sealed).NotTo(BeNil())
			r.g.Expect(r.record().Cut).To(BeNil())
			r.g.Expect(r.cloud.Ledger().Count("glance.image.delete")).To(BeZero())
			r.g.Expect(r.until(do)).To(Succeed())
			r.resume()
			r.expectClean()
		})
	}
}

// Nova queues the deletes, the proxy before it answers 504, and they are carried out between the next pass's list of servers
// and its list of ports. One server is locked and stays.
func TestDeletesThatAreCarriedOutLate(t *testing.T) {
	r := sealedRig(t)
	locked := r.seeded.Workers[0].ID
	var queued []string
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.delete", Times: len(r.servers), Effect: cloud.Answer(504, "")})
	_, err := r.once(hibernate)
	r.g.Expect(err).To(HaveOccurred())
	for _, s := range r.clusterServers() {
		if s.ID != locked {
			queued = append(queued, s.ID)
		}
	}
	r.cloud.LockServer(locked, false, "")
	r.clock.Step(5 * time.Second)
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if k.Op == "neutron.port.list" && len(queued) > 0 {
			for _, id := range queued {
				r.cloud.DeleteServer(id)
			}
			queued = nil
			r.clock.Step(10 * time.Second)
		}
		return nil
	})
	for range 5 {
		r.passes(1, hibernate)
		r.g.Expect(r.record().Sealed).NotTo(BeNil())
		r.g.Expect(r.record().Cut).To(BeNil())
	}
	r.g.Expect(queued).To(BeEmpty())
	r.g.Expect(r.clusterServers()).To(HaveLen(1))
	r.cloud.UnlockServer(locked)
	r.hibernate()
	r.expectNothingUndone()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// Somebody unpaused a server behind the seal, and a new snapshot of it can't be made: it is not deleted with the old one.
func TestOutdatedSnapshotIsNotEnough(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	rule.Remove()
	master := r.seeded.Masters[0].ID
	r.cloud.StartServer(master)
	r.clock.Step(time.Minute)
	r.cloud.Write(master, 1000)
	r.cloud.FailNextSnapshot(master0)
	deletes := r.cloud.Ledger().Count("nova.server.delete")
	r.passesUntil(func() bool { return r.record().Tries != nil }, hibernate)
	for range 8 {
		r.clock.Step(time.Minute)
		r.expectBlocked(hibernate, master0, "is tried again later")
	}
	r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeNumerically("<=", deletes))
	r.g.Expect(r.now(master0).ID).To(Equal(master))
	r.clock.Step(3 * time.Minute)
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// Who wants to wake the cluster does not wait for the time that a new try to hibernate would.
func TestNewSnapshotIsTriedOftenWhileWaking(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	rule.Remove()
	r.cloud.DeleteImage(r.shotOf(master0))
	for range 4 {
		r.cloud.FailNextSnapshot(master0)
		r.cloud.Ledger().Reset()
		r.g.Expect(r.until(resume)).To(MatchError(ContainSubstring("its snapshot failed")))
		r.g.Expect(r.cloud.Ledger().Count("nova.server.createImage")).To(Equal(1))
		r.clock.Step(50 * time.Second)
		r.expectBlocked(resume, master0, "is tried again later")
		r.clock.Step(10 * time.Second)
	}
	r.g.Expect(r.record().Tries.NotBefore.Sub(r.clock.Now())).To(BeNumerically(">", time.Hour), "what a hibernation would wait for")
	r.expectBlocked(hibernate, master0, "is tried again later")
	r.resume()
	r.expectClean()
}

// runAndPauseAgain lets every server run for a while and leaves it as it was found.
func (r *rig) runAndPauseAgain() {
	for _, s := range r.clusterServers() {
		r.cloud.StartServer(s.ID)
		r.clock.Step(time.Minute)
		r.cloud.Write(s.ID, 1000)
		if s.Status == "PAUSED" {
			r.hand(func() { r.g.Expect(r.api.PauseServer(r.t.Context(), s.ID)).To(Succeed()) })
			r.clock.Step(time.Minute)
			continue
		}
		r.cloud.SetServerState(s.ID, s.Status)
	}
}

// The manager crashed or stalled between the seal and the deletes. What the servers wrote meanwhile is in no snapshot, though
// they look as if nothing had happened.
func TestServersRanBetweenSealAndDelete(t *testing.T) {
	t.Run("before it was saved that they are deleted", func(t *testing.T) {
		r := sealedRig(t)
		r.runAndPauseAgain()
		r.expectRefused(hibernate, "after its snapshot")
		r.expectUndone()
		r.clock.Step(10 * time.Minute)
		r.hibernate()
		r.resume()
		r.expectClean()
	})
	for name, do := range map[string]verb{"hibernate": hibernate, "resume": resume} {
		t.Run("after that, "+name, func(t *testing.T) {
			r := sealedRig(t)
			r.kube.afterSave = func() error {
				r.dead.Store(r.record().Deleting != nil)
				return nil
			}
			r.g.Expect(r.runUntilDeath(hibernate)).To(BeTrue())
			r.restartManager("manager-1")
			r.g.Expect(r.record().Deleting).NotTo(BeNil())
			first := r.record().Sealed.Cycle
			r.runAndPauseAgain()
			r.g.Expect(r.until(do)).To(Succeed())
			r.hibernate()
			r.expectAsleep()
			for _, m := range r.record().Machines {
				r.g.Expect(m.Snapshot.Cycle > first).To(BeTrue(), m.Name)
			}
			r.resume()
			r.expectClean()
		})
	}
}

// A host that loses its power leaves no trace in a server's history. What is not as it was snapshotted is snapshotted again.
func TestServerIsOffBehindTheSeal(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	rule.Remove()
	first := r.record().Sealed.Cycle
	r.cloud.SetServerState(r.seeded.Masters[0].ID, "SHUTOFF")
	r.hibernate()
	r.expectAsleep()
	r.g.Expect(r.record().Sealed.Cycle > first).To(BeTrue())
	r.resume()
	r.expectClean()
}

// A server that ran behind the seal and broke holds what no snapshot does.
func TestServerRanAndBrokeBehindTheSeal(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	rule.Remove()
	master := r.seeded.Masters[0].ID
	r.cloud.StartServer(master)
	r.clock.Step(time.Minute)
	r.cloud.FailServer(master, "the host is on fire")
	for _, do := range []verb{hibernate, resume} {
		r.expectBlocked(do, master0, master, "repair it")
	}
	r.cloud.SetServerState(master, "ACTIVE")
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// A server is found by its ID, whatever becomes of its marks.
func TestMarksRemovedMeanwhile(t *testing.T) {
	t.Run("behind the seal", func(t *testing.T) {
		r := sealedRig(t)
		for _, s := range r.seeded.Servers() {
			r.cloud.SetServerTags(s.ID)
		}
		r.hibernate()
		r.expectAsleep()
		r.resume()
		r.expectClean()
	})
	t.Run("while it is paused", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.passesUntil(func() bool { return r.now(master0).Status == "PAUSED" }, hibernate)
		r.cloud.SetServerTags(r.seeded.Masters[0].ID)
		r.cloud.SetServerMetadata(r.seeded.Masters[0].ID, "openshiftClusterID", "")
		r.resume()
		r.cloud.Settle()
		master, _ := r.cloud.Server(r.seeded.Masters[0].ID)
		r.g.Expect(master.Status).To(Equal("ACTIVE"))
		r.g.Expect(r.now(r.seeded.Workers[0].Name).Status).To(Equal("ACTIVE"))
		r.g.Expect(r.snapshots()).To(BeEmpty())
	})
}

// A ClusterDeployment that goes between the seal and the first delete leaves its servers as they were.
func TestReleaseAfterTheSeal(t *testing.T) {
	for name, do := range map[string]verb{"deleting": release, "keeping": releaseKeeping} {
		t.Run(name, func(t *testing.T) {
			r := sealedRig(t)
			r.g.Expect(r.until(do)).To(Succeed())
			r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(BeZero())
			r.g.Expect(r.secret()).To(BeNil())
			r.expectUndone()
		})
	}
}

// So it does with those that are left, if somebody deleted one of them. What was kept can still be woken.
func TestReleaseAfterAServerVanished(t *testing.T) {
	for name, do := range map[string]verb{"deleting": release, "keeping": releaseKeeping} {
		t.Run(name, func(t *testing.T) {
			r := sealedRig(t)
			r.destroyed = true
			r.cloud.DeleteServer(r.seeded.Masters[0].ID)
			r.clock.Step(time.Minute)
			r.g.Expect(r.until(do)).To(Succeed())
			r.g.Expect(r.clusterServers()).To(HaveLen(2))
			r.g.Expect(r.now(r.seeded.Workers[0].Name).Status).To(Equal("ACTIVE"))
			r.g.Expect(r.now(r.seeded.Workers[1].Name).Status).To(Equal("SHUTOFF"), "as it was")
			r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(BeZero())
			if name == "deleting" {
				r.g.Expect(r.snapshots()).To(BeEmpty())
				r.g.Expect(r.secret()).To(BeNil())
				return
			}
			r.g.Expect(r.snapshots()).To(HaveLen(3))
			sum, err := r.session().Summary(t.Context())
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(sum.Final()).To(BeFalse(), "the cloud has to be asked")
			r.resume()
			r.expectClean()
		})
	}
}

// A server that is being deleted is left to that, however long it takes.
func TestReleaseDoesNotWaitForDeletes(t *testing.T) {
	r := sealedRig(t)
	r.destroyed = true
	stuck := cloud.TestBedLatencies()
	stuck.Delete = 1000 * time.Hour
	r.cloud.SetLatencies(stuck)
	r.cloud.DeleteServer(r.seeded.Masters[0].ID)
	r.g.Expect(r.until(release)).To(Succeed())
	r.g.Expect(r.now(r.seeded.Workers[0].Name).Status).To(Equal("ACTIVE"))
	r.g.Expect(r.now(master0).TaskState).To(Equal("deleting"))
	r.g.Expect(r.snapshots()).To(BeEmpty())
}

// Once servers were deleted nothing is made again when the ClusterDeployment goes; what is still there is not left paused.
func TestReleaseAfterTheFirstDelete(t *testing.T) {
	r, _ := halfDeletedRig(t, leftMaster)
	r.g.Expect(r.until(release)).To(Succeed())
	r.g.Expect(r.clusterServers()).To(HaveLen(1))
	r.g.Expect(r.now(master0).Status).To(Equal("ACTIVE"))
	r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(BeZero())
	r.g.Expect(r.snapshots()).To(BeEmpty())
	r.g.Expect(r.secret()).To(BeNil())
}

// One that is kept half asleep stays so, and asks nothing of the cloud: its credentials may be gone.
func TestReleaseKeepsHalfDeleted(t *testing.T) {
	r, rule := halfDeletedRig(t, leftMaster)
	before := r.recordData()
	r.cloud.Ledger().Reset()
	r.g.Expect(r.until(releaseKeeping)).To(Succeed())
	r.g.Expect(r.cloud.Ledger().Entries()).To(BeEmpty())
	r.g.Expect(r.recordData()).To(Equal(before))
	rule.Remove()
	r.hibernate()
	r.expectAsleep()
}
