package noderepair_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/noderepair"
)

func (w *world) signer(namespace, name, notAfter string) {
	w.Expect(w.Create(context.Background(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{"auth.openshift.io/certificate-not-after": notAfter}},
		Data:       map[string][]byte{"tls.key": []byte("not for anyone")},
	})).To(Succeed())
}

func TestObserve(t *testing.T) {
	w := newWorld(t)
	w.node("w-0", id("b"), func(n *corev1.Node) { n.Status.Conditions = nil; n.Spec.Unschedulable = true; n.Spec.PodCIDRs = nil })
	m := w.node("m-0", id("a"), func(n *corev1.Node) { n.Finalizers = []string{"f/f"} })
	w.machineObject("m-0", id("a"), "Running", "")
	w.signer("openshift-kube-controller-manager-operator", "csr-signer", "2026-12-20T10:00:00Z")
	w.signer("openshift-kube-controller-manager-operator", "another", "2026-11-25T10:00:00Z")
	w.signer("openshift-kube-apiserver-operator", "kube-apiserver-to-kubelet-signer", "2027-11-20T10:00:00+01:00")
	w.signer("openshift-kube-apiserver-operator", "aggregator-client-signer", "soon")
	o, err := noderepair.Observe(t.Context(), w.Client)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(o.NodesReady).To(Equal(1))
	w.Expect(o.Nodes).To(HaveLen(2))
	w.Expect(o.Nodes[0]).To(Equal(hibernation.ObservedNode{
		Name: "m-0", UID: string(m.UID), ProviderID: id("a"), Ready: true, Labels: m.Labels, Annotations: m.Annotations,
		Taints: m.Spec.Taints, PodCIDRs: m.Spec.PodCIDRs, Finalizers: m.Finalizers,
	}))
	w.Expect(o.Nodes[1].Unschedulable).To(BeTrue())
	w.Expect(o.Nodes[1].PodCIDRs).To(Equal([]string{podCIDR("w-0")}))
	w.Expect(o.Machines).To(Equal([]hibernation.ObservedMachine{{Name: "m-0", ProviderID: id("a"), Phase: "Running", NodeName: "m-0"}}))
	w.Expect(o.Signers).To(Equal([]hibernation.Signer{
		{Name: "openshift-kube-apiserver-operator/kube-apiserver-to-kubelet-signer", NotAfter: time.Date(2027, 11, 20, 9, 0, 0, 0, time.UTC)},
		{Name: "openshift-kube-controller-manager-operator/csr-signer", NotAfter: time.Date(2026, 12, 20, 10, 0, 0, 0, time.UTC)},
	}))
	w.Expect(o.FirstExpiry()).To(Equal(o.Signers[1].NotAfter))
}

// TestObserveWhatThereIs: of a cluster that answers little that little is known.
func TestObserveWhatThereIs(t *testing.T) {
	g := NewWithT(t)
	refused := func(what string) client.Client {
		return fake.NewClientBuilder().WithScheme(newWorld(t).Scheme()).WithObjects(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "m-0"}}).
			WithInterceptorFuncs(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if _, nodes := list.(*corev1.NodeList); nodes == (what == "nodes") {
					return errors.New("no")
				}
				return c.List(ctx, list, opts...)
			}}).Build()
	}
	o, err := noderepair.Observe(t.Context(), refused("all else"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(o.Nodes).To(HaveLen(1))
	g.Expect(o.Machines).To(BeEmpty())
	g.Expect(o.Signers).To(BeEmpty())
	_, err = noderepair.Observe(t.Context(), refused("nodes"))
	g.Expect(err).To(HaveOccurred())

	w := newWorld(t)
	w.noMachineAPI = true
	o, err = noderepair.Observe(t.Context(), w.Client)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(o.Machines).To(BeEmpty())
}
