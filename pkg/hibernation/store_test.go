package hibernation

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// shelf is a store with the Kubernetes behind it.
type shelf struct {
	*WithT
	kube    client.WithWatch
	store   *Store
	cluster Cluster
}

func newShelf(t *testing.T, funcs interceptor.Funcs, secrets ...client.Object) *shelf {
	t.Helper()
	scheme := runtime.NewScheme()
	g := NewWithT(t)
	g.Expect(corev1.AddToScheme(scheme)).To(Succeed())
	kube := fake.NewClientBuilder().WithScheme(scheme).WithObjects(secrets...).WithInterceptorFuncs(funcs).Build()
	return &shelf{g, kube, NewStore(kube, kube), Cluster{Namespace: "ns", Name: "demo", InfraID: "demo-x7k2p"}}
}

func (s *shelf) secret(ctx context.Context) *corev1.Secret {
	secret := &corev1.Secret{}
	s.ExpectWithOffset(1, s.kube.Get(ctx, types.NamespacedName{Namespace: "ns", Name: "demo-hibernation"}, secret)).To(Succeed())
	return secret
}

func TestStoreSavesAndLoads(t *testing.T) {
	s := newShelf(t, interceptor.Funcs{})
	none, err := s.store.load(t.Context(), s.cluster)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(none).To(BeNil())

	first, err := s.store.save(t.Context(), s.cluster, nil, fullRecord())
	s.Expect(err).NotTo(HaveOccurred())
	secret := s.secret(t.Context())
	s.Expect(secret.Finalizers).To(Equal([]string{RecordFinalizer}))
	s.Expect(secret.Labels).To(HaveKeyWithValue(InfraIDLabel, "demo-x7k2p"))

	first.record.LastCycle = "20270101-000000"
	second, err := s.store.save(t.Context(), s.cluster, first, first.record)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(second.version()).NotTo(Equal(first.version()))
	loaded, err := s.store.load(t.Context(), s.cluster)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(loaded.record.LastCycle).To(Equal("20270101-000000"))
	s.Expect(loaded.version()).To(Equal(second.version()))
}

func TestStoreKeepsOthersFields(t *testing.T) {
	s := newShelf(t, interceptor.Funcs{})
	_, err := s.store.save(t.Context(), s.cluster, nil, fullRecord())
	s.Expect(err).NotTo(HaveOccurred())
	secret := s.secret(t.Context())
	secret.Finalizers = []string{"example.com/theirs"}
	secret.Annotations = map[string]string{"their": "note"}
	secret.Data["their.key"] = []byte("data")
	s.Expect(s.kube.Update(t.Context(), secret)).To(Succeed())

	loaded, err := s.store.load(t.Context(), s.cluster)
	s.Expect(err).NotTo(HaveOccurred())
	_, err = s.store.save(t.Context(), s.cluster, loaded, loaded.record)
	s.Expect(err).NotTo(HaveOccurred())
	secret = s.secret(t.Context())
	s.Expect(secret.Finalizers).To(Equal([]string{"example.com/theirs", RecordFinalizer}), "ours is put back")
	s.Expect(secret.Annotations).To(HaveKeyWithValue("their", "note"))
	s.Expect(secret.Data).To(HaveKey("their.key"))
}

func TestStoreRefusesToOverwrite(t *testing.T) {
	s := newShelf(t, interceptor.Funcs{})
	was, err := s.store.save(t.Context(), s.cluster, nil, fullRecord())
	s.Expect(err).NotTo(HaveOccurred())
	_, err = s.store.save(t.Context(), s.cluster, was, fullRecord())
	s.Expect(err).NotTo(HaveOccurred())

	_, err = s.store.save(t.Context(), s.cluster, was, fullRecord())
	s.Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	_, err = s.store.save(t.Context(), s.cluster, nil, fullRecord())
	s.Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
	s.Expect(apierrors.IsConflict(s.store.remove(t.Context(), was))).To(BeTrue(), "what somebody wrote since is not removed")
}

func TestDeletedRecordStaysReadable(t *testing.T) {
	s := newShelf(t, interceptor.Funcs{})
	_, err := s.store.save(t.Context(), s.cluster, nil, fullRecord())
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(s.kube.Delete(t.Context(), s.secret(t.Context()))).To(Succeed())
	s.Expect(s.secret(t.Context()).DeletionTimestamp).NotTo(BeNil())

	loaded, err := s.store.load(t.Context(), s.cluster)
	s.Expect(err).NotTo(HaveOccurred())
	loaded.record.LastCycle = "20270101-000000"
	saved, err := s.store.save(t.Context(), s.cluster, loaded, loaded.record)
	s.Expect(err).NotTo(HaveOccurred(), "a cycle goes on with it")
	s.Expect(s.store.remove(t.Context(), saved)).To(Succeed())
	loaded, err = s.store.load(t.Context(), s.cluster)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(loaded).To(BeNil())
}

func TestTerminatingRecordGetsNoFinalizer(t *testing.T) {
	data, err := encode(fullRecord())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	now := metav1.Now()
	s := newShelf(t, interceptor.Funcs{}, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "demo-hibernation", DeletionTimestamp: &now, Finalizers: []string{"example.com/theirs"}},
		Data:       map[string][]byte{RecordKey: data},
	})
	loaded, err := s.store.load(t.Context(), s.cluster)
	s.Expect(err).NotTo(HaveOccurred())
	_, err = s.store.save(t.Context(), s.cluster, loaded, loaded.record)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(s.secret(t.Context()).Finalizers).To(Equal([]string{"example.com/theirs"}), "Kubernetes takes no new one then")
}

func TestUnusableRecordIsBlockedNotAbsent(t *testing.T) {
	foreign := fullRecord()
	foreign.InfraID = "other-abcde"
	foreignData, err := encode(foreign)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, test := range map[string]struct {
		data map[string][]byte
		why  string
	}{
		"no key":          {map[string][]byte{"other": []byte("x")}, "has no key hibernation.json"},
		"no data":         {nil, "has no key hibernation.json"},
		"malformed":       {map[string][]byte{RecordKey: []byte("{")}, "ns/demo-hibernation key hibernation.json, can't be used: it is not JSON"},
		"another version": {map[string][]byte{RecordKey: []byte(`{"version": 7}`)}, "its version is 7"},
		"foreign":         {map[string][]byte{RecordKey: foreignData}, `is of cluster "other-abcde" and not of "demo-x7k2p"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, interceptor.Funcs{}, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "demo-hibernation"}, Data: test.data,
			})
			_, err := s.store.load(t.Context(), s.cluster)
			s.Expect(err).To(BeAssignableToTypeOf(&Blocked{}))
			s.Expect(err).To(MatchError(ContainSubstring(test.why)))
		})
	}
}

func TestUnreadableKubernetesIsNotAbsence(t *testing.T) {
	down := apierrors.NewServiceUnavailable("etcd is down")
	s := newShelf(t, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		},
	})
	_, err := s.store.load(t.Context(), s.cluster)
	s.Expect(err).To(MatchError(down))
}

func TestReplacedRecordIsNotReleased(t *testing.T) {
	var s *shelf
	replaced := false
	s = newShelf(t, interceptor.Funcs{
		// Somebody else deletes the Secret and makes another, right after ours was deleted.
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			secret := s.secret(ctx)
			if err := c.Delete(ctx, obj, opts...); err != nil {
				return err
			}
			terminating := s.secret(ctx)
			terminating.Finalizers = nil
			s.Expect(c.Update(ctx, terminating)).To(Succeed())
			secret.UID, secret.ResourceVersion = "another", ""
			replaced = true
			return c.Create(ctx, secret)
		},
	})
	was, err := s.store.save(t.Context(), s.cluster, nil, fullRecord())
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(s.store.remove(t.Context(), was)).To(MatchError(ContainSubstring("was changed by somebody else")))
	s.Expect(replaced).To(BeTrue())
	s.Expect(s.secret(t.Context()).Finalizers).To(ContainElement(RecordFinalizer))
}
