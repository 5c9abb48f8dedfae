package hibernation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// kube is a Kubernetes that gives objects UIDs, counts writes and calls hooks around them.
type kube struct {
	client.WithWatch

	mu   sync.Mutex
	made int
	// saves counts the writes.
	saves int
	// last is the record of the Secret that was read last, by its version.
	last        *hibernation.Record
	lastVersion string
	// beforeSave may refuse a save; afterSave may lose its answer.
	beforeSave, afterSave func() error
}

func newKube(t *testing.T) *kube {
	t.Helper()
	scheme := runtime.NewScheme()
	NewWithT(t).Expect(corev1.AddToScheme(scheme)).To(Succeed())
	return &kube{WithWatch: fake.NewClientBuilder().WithScheme(scheme).Build()}
}

// Create makes an object with a UID.
func (k *kube) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	k.mu.Lock()
	k.made++
	obj.SetUID(types.UID(fmt.Sprintf("uid-%d", k.made)))
	k.mu.Unlock()
	return k.write(func() error { return k.WithWatch.Create(ctx, obj, opts...) })
}

// Update replaces an object.
func (k *kube) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return k.write(func() error { return k.WithWatch.Update(ctx, obj, opts...) })
}

func (k *kube) write(do func() error) error {
	if k.beforeSave != nil {
		if err := k.beforeSave(); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	k.mu.Lock()
	k.saves++
	k.mu.Unlock()
	if k.afterSave != nil {
		return k.afterSave()
	}
	return nil
}

// recordIn returns the record in a Secret, nil if it can't be read. It is not to be changed.
func (k *kube) recordIn(s *corev1.Secret) *hibernation.Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	if version := string(s.UID) + "/" + s.ResourceVersion; k.last == nil || version != k.lastVersion {
		record := &hibernation.Record{}
		if json.Unmarshal(s.Data[hibernation.RecordKey], record) != nil {
			return nil
		}
		k.last, k.lastVersion = record, version
	}
	return k.last
}

// secret returns the record's Secret, nil if there is none.
func (r *rig) secret() *corev1.Secret {
	s := &corev1.Secret{}
	key := types.NamespacedName{Namespace: r.cluster.Namespace, Name: hibernation.RecordName(r.cluster.Name)}
	if err := r.kube.Get(r.t.Context(), key, s); err != nil {
		r.g.Expect(client.IgnoreNotFound(err)).To(Succeed())
		return nil
	}
	return s
}

// record returns what is saved, nil if there is nothing.
func (r *rig) record() *hibernation.Record {
	if s := r.secret(); s != nil {
		return r.kube.recordIn(s)
	}
	return nil
}

// putBack replaces the record with an older copy, or one that somebody has edited, as it might be restored from a backup.
func (r *rig) putBack(data []byte) {
	r.t.Helper()
	s := r.secret()
	if s == nil {
		s = &corev1.Secret{}
		s.Namespace, s.Name = r.cluster.Namespace, hibernation.RecordName(r.cluster.Name)
		s.Data = map[string][]byte{hibernation.RecordKey: data}
		r.g.Expect(r.kube.Create(r.t.Context(), s)).To(Succeed())
		return
	}
	s.Data = map[string][]byte{hibernation.RecordKey: data}
	r.g.Expect(r.kube.Update(r.t.Context(), s)).To(Succeed())
}

// edit changes the record by hand.
func (r *rig) edit(change func(*hibernation.Record)) {
	r.t.Helper()
	record := &hibernation.Record{}
	r.g.Expect(json.Unmarshal(r.recordData(), record)).To(Succeed())
	change(record)
	data, err := json.Marshal(record)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.putBack(data)
}

// dropRecord deletes the record for good, finalizer and all.
func (r *rig) dropRecord() {
	r.t.Helper()
	s := r.secret()
	s.Finalizers = nil
	r.g.Expect(r.kube.Update(r.t.Context(), s)).To(Succeed())
	r.g.Expect(r.kube.Delete(r.t.Context(), s)).To(Succeed())
	r.g.Expect(r.secret()).To(BeNil())
}
