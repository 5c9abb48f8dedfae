package integration

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

func TestDeletionOfASleepingCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "delete-asleep", asleepFromTheStart)
	w.reaches(hibernating)
	w.delete()
	w.eventually(w.isGone).Should(BeTrue(), w.story())
	w.Expect(w.snapshots()).To(BeEmpty())
	w.Expect(apierrors.IsNotFound(w.record())).To(BeTrue())
	w.Expect(w.servers()).To(BeEmpty())
	w.Expect(w.cloud.Ledger().Count("nova.server.create")).To(BeZero())
}

func TestDeletionBeforeThePointOfNoReturn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "delete-midway", asleepFromTheStart, func(s *setup) {
		s.cloud.Latencies.SnapshotUpload = 6 * time.Second
	})
	before := w.servers()
	w.eventually(w.snapshots).Should(HaveLen(len(before)))
	w.delete()
	w.eventually(w.isGone).Should(BeTrue(), w.story())
	w.Expect(w.states()).To(Equal([]string{"ACTIVE"}))
	w.Expect(ids(w.servers())).To(Equal(ids(before)))
	w.Expect(w.snapshots()).To(BeEmpty())
	w.Expect(apierrors.IsNotFound(w.record())).To(BeTrue())
}

func TestDeletionThatPreserves(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"preserve": `{"spec":{"preserveOnDelete":true}}`,
		"relocate": `{"metadata":{"annotations":{"hive.openshift.io/relocate":"other/complete"}}}`,
	}
	for name, patch := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name, asleepFromTheStart)
			w.reaches(hibernating)
			snapshots := w.snapshots()
			w.patch(patch)
			w.delete()
			w.eventually(w.isGone).Should(BeTrue(), w.story())
			w.Expect(w.snapshots()).To(Equal(snapshots))
			w.Expect(w.record()).To(Succeed())
			w.eventually(w.events).Should(ContainElement(ContainSubstring(w.recordKey().Name)))
			w.Expect(w.servers()).To(BeEmpty())
		})
	}
}

func TestTheRecordSurvivesItsDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "record-deleted", asleepFromTheStart)
	before := w.servers()
	w.reaches(hibernating)
	secret := &corev1.Secret{}
	w.Expect(w.Get(context.Background(), w.recordKey(), secret)).To(Succeed())
	w.Expect(w.Delete(context.Background(), secret)).To(Succeed())
	w.order(running)
	w.eventually(w.servers).Should(HaveLen(len(before)), w.story())
	w.eventually(w.states).Should(Equal([]string{"ACTIVE"}), w.story())
	w.expectSame(before)
}

func (w *world) delete() {
	w.t.Helper()
	w.Expect(w.Delete(context.Background(), &hivev1.ClusterDeployment{ObjectMeta: w.meta(w.name)})).To(Succeed())
}

func (w *world) isGone() bool {
	_, err := w.get()
	return apierrors.IsNotFound(err)
}

// look reads an object again.
func (w *world) look(object client.Object) error {
	return w.Get(context.Background(), client.ObjectKeyFromObject(object), object)
}
