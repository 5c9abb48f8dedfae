package hibernation_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/test/cloud"
)

// A snapshot that is in use stays in the record, with nothing else, and is deleted in a later cycle; nobody waits for it.
func TestSnapshotsInUse(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cloud.ImagesInUse = true })
	r.hibernate()
	r.resume()
	p, err := r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeTrue())
	r.g.Expect(p.After).To(Equal(time.Hour))
	record := r.record()
	r.g.Expect(record.Leftovers).To(HaveLen(2))
	r.g.Expect(record.Machines).To(BeEmpty())
	r.g.Expect(record.Sealed).To(BeNil())
	r.g.Expect(record.Opened).To(BeNil())
	r.g.Expect(record.Done).NotTo(BeNil())
	summary, err := r.session().Summary(t.Context())
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(summary.Leftovers).To(Equal(2))
	r.expectAwake()
	first := r.snapshots()

	// Asking again changes nothing, and saves nothing.
	saves := r.kube.saves
	r.clock.Step(time.Hour)
	p, err = r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeTrue())
	r.g.Expect(r.kube.saves-saves).To(BeNumerically("<=", 1), "the claim alone")

	// The servers of the next cycle use other images, so these go, and the new ones stay instead.
	r.hibernate()
	for _, img := range first {
		_, there := r.cloud.Image(img.ID)
		r.g.Expect(there).To(BeFalse(), "it goes in the later cycle")
	}
	r.expectAsleep()
	r.resume()
	r.cloud.SetImagesInUse(false)
	r.expectClean()
}

// A leftover that somebody has given another name is his own.
func TestRenamedLeftoverStays(t *testing.T) {
	r := newRig(t, 1, 0)
	r.hibernate()
	r.resume()
	r.cloud.SetImagesInUse(true)
	r.g.Expect(r.until(cleanup)).To(Succeed())
	left := r.record().Leftovers
	r.g.Expect(left).To(HaveLen(1))
	r.cloud.RenameImage(left[0].ID, "mine")
	r.cloud.SetImagesInUse(false)
	r.cleanup()
	img, there := r.cloud.Image(left[0].ID)
	r.g.Expect(there).To(BeTrue())
	r.g.Expect(img.Name).To(Equal("mine"))
	r.g.Expect(r.record()).To(BeNil())
}

func TestProtectedSnapshot(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	kept := r.shotOf(master0)
	r.cloud.SetImageProtected(kept, true)
	r.resume()
	r.cleanup()
	r.g.Expect(r.snapshots()).To(HaveLen(1))
	r.g.Expect(r.record().Leftovers).To(HaveLen(1))
	r.g.Expect(r.record().Leftovers[0].ID).To(Equal(kept))
	r.cloud.SetImageProtected(kept, false)
	r.expectClean()
}

// A Glance in trouble says of whatever it is asked for by ID that it does not exist. Its snapshots are not forgotten for that.
func TestSnapshotsThatAreSaidToBeGone(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.resume()
	for _, op := range []string{"glance.image.delete", "glance.image.get"} {
		r.cloud.AddRule(cloud.Rule{Op: op, Effect: cloud.Answer(404, "")})
	}
	r.passes(5, cleanup)
	r.g.Expect(r.record()).NotTo(BeNil())
	r.cloud.ClearRules()
	r.cleanup()
	r.expectClean()
}

// The snapshots are the last copy until every machine runs.
func TestSnapshotsAreKeptUntilAllRun(t *testing.T) {
	for name, lose := range map[string]func(*rig, cloud.Server){
		"in ERROR": func(r *rig, s cloud.Server) { r.cloud.FailServer(s.ID, "disk full") },
		"gone":     func(r *rig, s cloud.Server) { r.cloud.DeleteServer(s.ID); r.clock.Step(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.hibernate()
			r.resume()
			lose(r, r.now(master0))
			for range 3 {
				p, err := r.once(cleanup)
				r.g.Expect(err).NotTo(HaveOccurred())
				r.g.Expect(p.Done).To(BeFalse())
				r.g.Expect(p.Waiting).To(ConsistOf(HavePrefix(master0 + ": ")))
				r.clock.Step(p.After)
			}
			r.g.Expect(r.snapshots()).To(HaveLen(2))
			r.g.Expect(r.cloud.Ledger().Count("glance.image.delete")).To(BeZero())
		})
	}
}

func TestSnapshotsAreKeptWhileServersBuild(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cloud.Latencies.Spawn = time.Minute })
	r.hibernate()
	p, err := r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeTrue(), "asleep there is nothing to clean up")
	r.g.Expect(r.snapshots()).To(HaveLen(2))
	r.passes(2, resume)
	p, err = r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeFalse())
	r.g.Expect(r.snapshots()).To(HaveLen(2))
	r.resume()
	r.expectClean()
}

func TestNoCleanupWhileHibernating(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.resume()
	r.passes(2, hibernate)
	r.g.Expect(r.record().Cut).NotTo(BeNil())
	before := len(r.snapshots())
	p, err := r.once(cleanup)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeFalse())
	r.g.Expect(len(r.snapshots())).To(BeNumerically(">=", before))
	r.g.Expect(r.cloud.Ledger().Count("glance.image.delete")).To(BeZero())
	r.resume()
	r.expectClean()
}

// A cleanup that was cut short goes on, also when the cluster is put to sleep again meanwhile.
func TestCleanupCutShort(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.resume()
	old := r.snapshots()
	rule := r.cloud.AddRule(cloud.Rule{Op: "glance.image.delete", Effect: cloud.Answer(503, "")})
	_, err := r.once(cleanup)
	r.g.Expect(err).To(HaveOccurred())
	r.g.Expect(r.record().Leftovers).To(HaveLen(2))
	rule.Remove()
	r.clock.Step(time.Minute)
	r.hibernate()
	r.expectAsleep()
	for _, img := range old {
		_, there := r.cloud.Image(img.ID)
		r.g.Expect(there).To(BeFalse())
	}
	r.resume()
	r.expectClean()
}

// An image that a user makes of a resumed server inherits our marks, and is the user's all the same.
func TestUsersOwnImageIsKept(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.resume()
	var own string
	r.hand(func() {
		id, err := r.api.CreateServerImage(t.Context(), r.now(master0).ID, imageOpts("my-backup"))
		r.g.Expect(err).NotTo(HaveOccurred())
		own = id
	})
	r.clock.Step(time.Minute)
	img, ok := r.cloud.Image(own)
	r.g.Expect(ok).To(BeTrue())
	r.g.Expect(img.Properties).To(HaveKeyWithValue("overwinter_infra_id", infraID), "it inherits")
	r.images = append(r.images, img)
	r.cleanup()
	r.hibernate()
	r.expectAsleep()
	r.resume()
	r.expectClean()
	_, ok = r.cloud.Image(own)
	r.g.Expect(ok).To(BeTrue())
}

// A cloud that deletes softly keeps servers and their quota: they are deleted for good, each once, however long it takes.
func TestSoftDelete(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) {
		s.cloud.ReclaimInterval, s.cloud.Latencies.Delete = 24*time.Hour, 30*time.Second
	})
	r.hibernate()
	r.g.Expect(r.cloud.Ledger().Count("nova.server.forceDelete")).To(Equal(2))
	r.g.Expect(r.cloud.Usage(project).Instances).To(BeZero())
	r.expectAsleep()
	r.resume()
	r.expectClean()
}

// So is a server that is given up because an annotation orders to make it again.
func TestSoftDeleteOfADiscardedServer(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) {
		s.cloud.ReclaimInterval, s.cloud.Latencies.Delete = 24*time.Hour, 30*time.Second
	})
	r.hibernate()
	r.resume()
	r.cloud.FailServer(r.now(master0).ID, "the host died")
	r.cluster.Remake = sets.New(master0)
	r.cloud.Ledger().Reset()
	r.resume()
	r.g.Expect(r.cloud.Ledger().Count("nova.server.delete")).To(Equal(1))
	r.g.Expect(r.cloud.Ledger().Count("nova.server.forceDelete")).To(Equal(1))
	r.g.Expect(r.cloud.Usage(project).Instances).To(Equal(2))
}
