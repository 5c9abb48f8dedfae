package hibernation_test

import (
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// onceBefore has f called right before the first request of an operation.
func (r *rig) onceBefore(op string, f func()) {
	var called atomic.Bool
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if k.Op == op && called.CompareAndSwap(false, true) {
			f()
		}
		return nil
	})
}

// Somebody changes a server when it has been looked at and is not paused yet. It must not be made again as it was then, and a
// cluster is not kept paused for a server that can't be.
func TestServerIsChangedRightBeforeItsPause(t *testing.T) {
	for name, test := range map[string]struct {
		do, undo func(r *rig, id string)
		words    []string
		becomes  cloud.Server
	}{
		"locked": {
			do:      func(r *rig, id string) { r.cloud.LockServer(id, true, "mine") },
			undo:    func(r *rig, id string) { r.cloud.UnlockServer(id) },
			words:   []string{master0, "was locked", "unlock it"},
			becomes: cloud.Server{Name: master0, FlavorName: "rig.master"},
		},
		"resized": {
			do:      func(r *rig, id string) { r.cloud.ResizeServer(id, "rig.worker") },
			words:   []string{master0, "was resized"},
			becomes: cloud.Server{Name: master0, FlavorName: "rig.worker"},
		},
		"renamed": {
			do:      func(r *rig, id string) { r.cloud.RenameServer(id, infraID+"-master-a") },
			words:   []string{master0, "was renamed to " + infraID + "-master-a"},
			becomes: cloud.Server{Name: infraID + "-master-a", FlavorName: "rig.master"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			master := r.seeded.Masters[0].ID
			r.onceBefore("nova.server.pause", func() { test.do(r, master) })
			began := r.clock.Now()
			after := r.expectRefused(hibernate, test.words...)
			r.g.Expect(r.clock.Since(began)).To(BeNumerically("<", time.Minute))
			for _, s := range r.clusterServers() {
				r.g.Expect(s.Status).To(Equal("ACTIVE"), s.Name)
			}
			r.g.Expect(r.snapshots()).To(BeEmpty())
			if test.undo != nil {
				test.undo(r, master)
			}
			r.clock.Step(after)
			r.hibernate()
			r.expectAsleep()
			r.resume()
			r.g.Expect(r.now(test.becomes.Name).FlavorName).To(Equal(test.becomes.FlavorName))
		})
	}
}

// A server that was locked while it was paused keeps its siblings from nothing, and what is to be done about it is said.
func TestLockedServerIsWaitedFor(t *testing.T) {
	r := newRig(t, 1, 1, slowSnapshots)
	master := r.seeded.Masters[0].ID
	r.onceUploading(func() { r.cloud.LockServer(master, false, "mine") })
	r.passesUntil(func() bool { return r.now(master0).Locked != "" }, hibernate)
	r.clock.Step(2 * time.Minute)
	r.passes(5, resume)
	p, err := r.once(resume)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(ConsistOf(And(HavePrefix(master0+": PAUSED"), HaveSuffix("unlock it"))))
	r.cloud.Ledger().Reset()
	r.passes(5, resume)
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
	r.cloud.UnlockServer(master)
	r.resume()
	r.expectUndone()
}

// Somebody deletes a server when its snapshot is complete and the cut is not sealed. That snapshot is the last copy: the cut is
// sealed with it, and the machine is made again from it, whichever way the cluster is to go.
func TestServerIsDeletedWhenItIsSnapshotted(t *testing.T) {
	for name, workers := range map[string]int{"the only one": 0, "one of two": 1} {
		for turn, do := range map[string]verb{"to sleep": hibernate, "to wake": resume} {
			t.Run(name+" "+turn, func(t *testing.T) {
				r := newRig(t, 1, workers)
				r.passesUntil(func() bool { return len(r.snapshots()) == workers+1 && r.snapshots()[0].Status == "active" }, hibernate)
				deletedByOthers(r, r.seeded.Masters[0].ID)
				r.g.Expect(r.until(do)).To(Succeed())
				r.g.Expect(r.events).To(ContainElement(And(HavePrefix("Warning ServerGone "+master0), ContainSubstring("somebody else"))))
				if workers == 0 || turn == "to sleep" {
					r.g.Expect(r.cloud.Ledger().Count("nova.server.unpause")).To(BeZero())
				} else {
					r.g.Expect(r.now(r.seeded.Workers[0].Name).ID).To(Equal(r.seeded.Workers[0].ID), "the others only go on")
				}
				r.resume()
				r.expectClean()
			})
		}
	}
}

// One that ran before it was deleted is not all in its snapshot, and one whose snapshot is not complete is lost.
func TestServerIsDeletedBeforeItsSnapshotCounts(t *testing.T) {
	for name, test := range map[string]struct {
		when func(r *rig) func() bool
		lose func(r *rig, id string)
		word string
	}{
		"it ran": {
			when: func(r *rig) func() bool {
				return func() bool { return len(r.snapshots()) == 2 && r.snapshots()[0].Status == "active" }
			},
			lose: (*rig).runAndDelete, word: `"unpause"`,
		},
		"not yet snapshotted": {
			when: func(r *rig) func() bool { return func() bool { return r.now(master0).Status == "PAUSED" } },
			lose: deletedByOthers, word: "vanished before it had a snapshot",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.passesUntil(test.when(r), hibernate)
			test.lose(r, r.seeded.Masters[0].ID)
			r.expectRefused(hibernate, master0, test.word)
			r.g.Expect(r.now(r.seeded.Workers[0].Name).Status).To(Equal("ACTIVE"))
		})
	}
}
