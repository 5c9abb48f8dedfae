package remoteclient

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func untyped(group, version, kind string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: version, Kind: kind})
	return object
}

func untypedList(group, version, kind string) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: version, Kind: kind + "List"})
	return list
}

// mirror is a cluster that answers everything with one object, and keeps what it was asked.
func mirror(t *testing.T, answer runtime.Object) (client.Client, *[]string) {
	asked := &[]string{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		query.Del("timeout") // every request bears it
		r.URL.RawQuery = query.Encode()
		*asked = append(*asked, r.Method+" "+r.URL.RequestURI())
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	secrets := fake.NewClientBuilder().WithObjects(kubeconfigSecret(kubeconfig(server.URL, "", insecure))).Build()
	c, err := New(secrets, "test").ClientFor(t.Context(), clusterDeployment())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return c, asked
}

// kindRequest is something that is asked of a cluster, and what goes over the wire for it.
type kindRequest struct {
	answer runtime.Object
	do     func(context.Context, client.Client) error
	asks   string
}

// kubernetesRequests are those for the kinds that our types know.
func kubernetesRequests() map[string]kindRequest {
	named := metav1.ObjectMeta{Name: "n", ResourceVersion: "1"}
	inNamespace := metav1.ObjectMeta{Name: "n", Namespace: "ns", ResourceVersion: "1"}
	key := types.NamespacedName{Namespace: "ns", Name: "n"}
	status := &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}
	return map[string]kindRequest{
		"create a Node": {&corev1.Node{ObjectMeta: named}, func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}})
		}, "POST /api/v1/nodes"},
		"delete a Node": {status, func(ctx context.Context, c client.Client) error {
			return c.Delete(ctx, &corev1.Node{ObjectMeta: named})
		}, "DELETE /api/v1/nodes/n"},
		"get a Lease": {&coordinationv1.Lease{ObjectMeta: inNamespace}, func(ctx context.Context, c client.Client) error {
			return c.Get(ctx, key, &coordinationv1.Lease{})
		}, "GET /apis/coordination.k8s.io/v1/namespaces/ns/leases/n"},
		"list Pods": {&corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}, func(ctx context.Context, c client.Client) error {
			return c.List(ctx, untypedList("", "v1", "Pod"), client.InNamespace("ns"), client.MatchingLabels{"app": "csi"})
		}, "GET /api/v1/namespaces/ns/pods?labelSelector=app%3Dcsi&limit=50"},
		"delete a Pod": {status, func(ctx context.Context, c client.Client) error {
			pod := untyped("", "v1", "Pod")
			pod.SetNamespace("ns")
			pod.SetName("n")
			return c.Delete(ctx, pod)
		}, "DELETE /api/v1/namespaces/ns/pods/n"},
		"list CSINodes": {&storagev1.CSINodeList{}, func(ctx context.Context, c client.Client) error {
			return c.List(ctx, &storagev1.CSINodeList{})
		}, "GET /apis/storage.k8s.io/v1/csinodes?limit=50"},
		"list CSRs": {&certificatesv1.CertificateSigningRequestList{}, func(ctx context.Context, c client.Client) error {
			return c.List(ctx, &certificatesv1.CertificateSigningRequestList{}, client.Limit(500))
		}, "GET /apis/certificates.k8s.io/v1/certificatesigningrequests?limit=500"},
		"approve a CSR": {&certificatesv1.CertificateSigningRequest{ObjectMeta: named}, func(ctx context.Context, c client.Client) error {
			return c.SubResource("approval").Update(ctx, &certificatesv1.CertificateSigningRequest{ObjectMeta: named})
		}, "PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/n/approval"},
	}
}

// untypedRequests are those for OpenShift's kinds, and for metadata alone.
func untypedRequests() map[string]kindRequest {
	const machineAPI, version = "machine.openshift.io", "v1beta1"
	machine, check := untyped(machineAPI, version, "Machine"), untyped(machineAPI, version, "MachineHealthCheck")
	for _, object := range []*unstructured.Unstructured{machine, check} {
		object.SetName("n")
		object.SetNamespace("ns")
	}
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	namespace := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	empty := client.RawPatch(types.MergePatchType, []byte("{}"))
	return map[string]kindRequest{
		"list Machines": {untypedList(machineAPI, version, "Machine"), func(ctx context.Context, c client.Client) error {
			return c.List(ctx, untypedList(machineAPI, version, "Machine"), client.InNamespace("ns"))
		}, "GET /apis/machine.openshift.io/v1beta1/namespaces/ns/machines?limit=50"},
		"patch a Machine": {machine, func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, machine.DeepCopy(), empty)
		}, "PATCH /apis/machine.openshift.io/v1beta1/namespaces/ns/machines/n"},
		"patch a Machine's status": {machine, func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, machine.DeepCopy(), empty)
		}, "PATCH /apis/machine.openshift.io/v1beta1/namespaces/ns/machines/n/status"},
		"patch a MachineHealthCheck": {check, func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, check.DeepCopy(), empty)
		}, "PATCH /apis/machine.openshift.io/v1beta1/namespaces/ns/machinehealthchecks/n"},
		"metadata of Secrets": {secrets, func(ctx context.Context, c client.Client) error {
			return c.List(ctx, secrets.DeepCopy(), client.InNamespace("ns"))
		}, "GET /api/v1/namespaces/ns/secrets?limit=50"},
		"metadata of a Namespace": {namespace, func(ctx context.Context, c client.Client) error {
			return c.Get(ctx, types.NamespacedName{Name: "n"}, namespace.DeepCopy())
		}, "GET /api/v1/namespaces/n"},
		"list ClusterOperators": {untypedList("config.openshift.io", "v1", "ClusterOperator"), func(ctx context.Context, c client.Client) error {
			return c.List(ctx, untypedList("config.openshift.io", "v1", "ClusterOperator"))
		}, "GET /apis/config.openshift.io/v1/clusteroperators?limit=50"},
	}
}

// TestKinds: what is asked of clusters is asked at once, where Kubernetes and OpenShift serve it, and no cluster is asked
// first which APIs it has.
func TestKinds(t *testing.T) {
	tests := kubernetesRequests()
	maps.Copy(tests, untypedRequests())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			c, asked := mirror(t, tt.answer)
			g.Expect(tt.do(t.Context(), c)).To(Succeed())
			g.Expect(*asked).To(Equal([]string{tt.asks}))
		})
	}
}
