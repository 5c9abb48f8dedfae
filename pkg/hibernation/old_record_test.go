package hibernation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// protectSnapshots lets Glance refuse to delete the snapshots there are, as it does while servers use them.
func (r *rig) protectSnapshots(protected bool) {
	for _, img := range r.snapshots() {
		r.cloud.SetImageProtected(img.ID, protected)
	}
}

// openedCopy returns the record as it is when servers are about to be made and none is known.
func (r *rig) openedCopy() (opened []byte) {
	r.t.Helper()
	r.kube.afterSave = func() error {
		if r.record().Opened != nil && opened == nil {
			opened = r.recordData()
		}
		return nil
	}
	r.resume()
	r.kube.afterSave = nil
	return opened
}

// An old copy of the record is put back while the snapshots of a later cycle are all that there is of the machines. Those that
// the copy names are still there too: nothing but the later ones shows that they are out of date.
func TestRecordIsOlderThanTheSnapshots(t *testing.T) {
	for name, opened := range map[string]bool{"asleep": false, "opened": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, 1)
			r.hibernate()
			old, first := r.recordData(), r.record().Sealed.Cycle
			r.protectSnapshots(true)
			if copied := r.openedCopy(); opened {
				old = copied
			}
			r.clock.Step(10 * time.Minute)
			r.hibernate()
			right, second := r.recordData(), r.record().Sealed.Cycle
			r.g.Expect(r.snapshots()).To(HaveLen(6))

			r.putBack(old)
			r.clock.Step(10 * time.Minute)
			verbs := []verb{resume}
			if opened {
				verbs = append(verbs, hibernate)
			}
			for _, do := range verbs {
				r.expectBlocked(do, first, second, "old copy of the record", "demo/demo-hibernation")
			}
			r.g.Expect(r.recordData()).To(Equal(old), "it is not opened either")
			r.g.Expect(r.snapshots()).To(HaveLen(6))
			r.putBack(right)
			r.resume()
			r.protectSnapshots(false)
			r.expectClean()
		})
	}
}

// A copy from before the snapshots is put back, whose cycle was given up since. An image of that time, which could not be
// deleted, has the very name, cycle and server of the new one, and would be taken for it where an answer is lost.
func TestImageOfAnAbandonedCutIsNotAdopted(t *testing.T) {
	r := newRig(t, 2, 0)
	var before []byte
	r.passesUntil(func() bool {
		if cut := r.record(); cut != nil && !cut.Cut.Shooting {
			before = r.recordData()
		}
		return len(r.snapshots()) == 2
	}, hibernate)
	r.clock.Step(10 * time.Second)
	r.cloud.Settle()
	old := r.snapshots()
	r.protectSnapshots(true)
	r.resume()
	r.g.Expect(r.snapshots()).To(HaveLen(2))
	r.clock.Step(5 * time.Minute)

	r.putBack(before)
	for _, img := range old {
		r.g.Expect(img.Status).To(Equal("active"))
	}
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.createImage", Times: 1, Effect: cloud.ResetBefore()})
	r.cloud.Ledger().Reset()
	after := r.expectRefused(hibernate, infraID+"-master-", "exists before it was asked for", "old copy")
	r.g.Expect(r.cloud.Ledger().Count("nova.server.createImage")).To(BeZero())
	r.g.Expect(r.snapshots()).To(HaveLen(2), "they can't be deleted")
	r.clock.Step(after)
	r.hibernate()
	for _, m := range r.record().Machines {
		for _, img := range old {
			r.g.Expect(m.Snapshot.ID).NotTo(Equal(img.ID))
		}
	}
	for _, img := range old {
		r.cloud.SetImageProtected(img.ID, false)
	}
	r.resume()
	r.expectClean()
}

// A save that failed may have been carried out, and another manager may have the record by now. A session in which that
// happened believes neither its record nor its claim any more.
func TestFailedSaveDropsTheClaim(t *testing.T) {
	r := newRig(t, 1, 1)
	s := r.session()
	_, err := s.Hibernate(t.Context())
	r.g.Expect(err).NotTo(HaveOccurred())
	r.cloud.Settle()
	r.kube.beforeSave = func() error { return errors.New("etcd is down") }
	_, err = s.Hibernate(t.Context())
	r.g.Expect(err).To(MatchError(ContainSubstring("etcd is down")))
	r.kube.beforeSave = nil

	r.edit(func(record *hibernation.Record) { record.Claim.Holder = "manager-2" })
	r.cloud.Ledger().Reset()
	p, err := s.Hibernate(t.Context())
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).To(Equal([]string{"the record is claimed by another manager, manager-2"}))
	r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
	r.clock.Step(2 * time.Minute)
	r.hibernate()
	r.expectAsleep()
}

// meddled is a Kubernetes in which somebody is quick to act after a deletion.
type meddled struct {
	*kube
	afterDelete func()
}

// Delete deletes an object, and somebody acts at once.
func (k *meddled) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	err := k.kube.Delete(ctx, obj, opts...)
	k.afterDelete()
	return err
}

// What is written into the record after it was deleted, and before our finalizer is taken off, is not lost.
func TestRecordWrittenWhileItIsDeleted(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	asleepCopy := r.recordData()
	r.resume()
	written := 0
	r.engine = hibernation.New(hibernation.NewStore(r.kube, &meddled{r.kube, func() {
		written++
		r.putBack(asleepCopy)
	}}), r.options)
	for written == 0 {
		p, err := r.once(cleanup)
		if written > 0 {
			r.g.Expect(err).To(MatchError(ContainSubstring("changed by somebody else")))
		}
		r.wait(p)
	}
	r.g.Expect(r.secret()).NotTo(BeNil())
	r.g.Expect(r.secret().Finalizers).To(ContainElement(hibernation.RecordFinalizer))
	r.g.Expect(r.recordData()).To(Equal(asleepCopy))
}
