package hibernation_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// When the ClusterDeployment goes before the seal, everything is undone first; behind it, nothing is created any more and
// the snapshots go. Either way no image and no record is left.
func TestReleaseWhileHibernating(t *testing.T) {
	t.Parallel()
	atEveryPass(t, awakeRig, hibernate, func(r *rig) {
		sealed := r.record() != nil && r.record().Sealed != nil
		r.g.Expect(r.until(release)).To(Succeed())
		r.g.Expect(r.secret()).To(BeNil())
		r.g.Expect(r.snapshots()).To(BeEmpty())
		r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(BeZero())
		if !sealed {
			r.expectUndone()
		}
	})
}

func TestReleaseWhileResuming(t *testing.T) {
	t.Parallel()
	atEveryPass(t, asleepRig, resume, func(r *rig) {
		before := r.cloud.Ledger().Count("nova.server.create")
		r.g.Expect(r.until(release)).To(Succeed())
		r.g.Expect(r.cloud.Ledger().Count("nova.server.create")).To(Equal(before))
		r.g.Expect(r.secret()).To(BeNil())
		r.g.Expect(r.snapshots()).To(BeEmpty())
	})
}

// With preserveOnDelete everything behind the seal stays as it is, and an event says where; before it, it is undone.
func TestReleaseKeeping(t *testing.T) {
	t.Parallel()
	atEveryPass(t, awakeRig, hibernate, func(r *rig) {
		sealed := r.record() != nil && r.record().Sealed != nil
		images := r.snapshots()
		r.g.Expect(r.until(releaseKeeping)).To(Succeed())
		if !sealed {
			r.expectUndone()
			r.g.Expect(r.secret()).To(BeNil())
			return
		}
		r.g.Expect(r.snapshots()).To(Equal(images))
		r.g.Expect(r.events).To(ContainElement(And(HavePrefix("Normal SnapshotsKept"), ContainSubstring("Secret demo/demo-hibernation"))))
		r.resume()
		r.expectClean()
	})
}

func TestReleaseAsleep(t *testing.T) {
	t.Run("keeping", func(t *testing.T) {
		r := asleepRig(t)
		r.cloud.Ledger().Reset()
		p, err := r.once(releaseKeeping)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.g.Expect(p.Done).To(BeTrue())
		r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
		r.expectAsleep()
	})
	t.Run("an image is in use", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		used := r.shotOf(master0)
		r.cloud.SetImageProtected(used, true)
		r.g.Expect(r.until(release)).To(Succeed())
		r.g.Expect(r.secret()).To(BeNil())
		r.g.Expect(r.snapshots()).To(HaveLen(1))
		r.g.Expect(r.snapshots()[0].Tags).To(ContainElement("openshiftClusterID="+infraID), "the installer's destroy finds it")
		r.g.Expect(r.events).To(ContainElement(And(HavePrefix("Warning SnapshotLeft"), ContainSubstring(used))))
	})
	t.Run("the cloud does not answer", func(t *testing.T) {
		r := newRig(t, 1, 1)
		r.hibernate()
		rule := r.cloud.AddRule(cloud.Rule{Op: "glance.image.delete", Effect: cloud.Answer(503, "")})
		_, err := r.once(release)
		r.g.Expect(err).To(MatchError(ContainSubstring("could not be deleted")))
		r.g.Expect(r.secret()).NotTo(BeNil())
		rule.Remove()
		r.clock.Step(time.Minute)
		r.g.Expect(r.until(release)).To(Succeed())
		r.g.Expect(r.snapshots()).To(BeEmpty())
	})
}

// The installer destroys the servers while an unfinished hibernation of theirs is undone: then there is nothing to undo, and
// nothing to keep.
func TestReleaseWhileTheServersAreDestroyed(t *testing.T) {
	r := newRig(t, 1, 1)
	r.passes(2, hibernate)
	r.destroyed = true
	r.hand(func() {
		for _, srv := range r.clusterServers() {
			r.cloud.DeleteServer(srv.ID)
		}
	})
	r.clock.Step(time.Minute)
	r.g.Expect(r.until(release)).To(Succeed())
	r.g.Expect(r.snapshots()).To(BeEmpty())
	r.g.Expect(r.secret()).To(BeNil())
}
