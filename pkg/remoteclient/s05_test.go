package remoteclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hostileAnswers are answers of an API that wants the memory of the manager, each as large as it may be or larger.
func hostileAnswers() map[string]string {
	// fill writes a list of empty objects.
	fill := func(head, tail string, size int) string {
		const item = `{}`
		return head + strings.Repeat(item+",", size/(len(item)+1)) + item + tail
	}
	const list = `{"kind":"NodeList","apiVersion":"v1","items":[`
	const inNode = list + `{"metadata":{"name":"n","managedFields":[`
	answers := map[string]string{
		"empty Nodes":            fill(list, `]}`, 3<<20),
		"empty Nodes, many keys": `{"kind":"NodeList","apiVersion":"v1"` + strings.Repeat(`,"items":[{},{},{},{},{}]`, 100_000) + `}`,
		"conditions":             fill(list+`{"status":{"conditions":[`, `]}}]}`, 3<<20),
		"images":                 fill(list+`{"status":{"images":[`, `]}}]}`, 3<<20),
		"taints":                 fill(list+`{"spec":{"taints":[`, `]}}]}`, 3<<20),
		"managed fields":         fill(inNode, `]}}]}`, 3<<20),
		"labels":                 `{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"labels":{` + manyKeys(3<<20) + `}}}]}`,
		"one long name":          list + `{"metadata":{"name":"` + strings.Repeat("x", 3<<20) + `"}}]}`,
		"spaces":                 list + strings.Repeat(" ", 3<<20) + `]}`,
		"deep":                   list + strings.Repeat(`[`, 1<<20) + strings.Repeat(`]`, 1<<20) + `]}`,
		"another kind":           fill(`{"kind":"PodList","apiVersion":"v1","items":[{"spec":{"containers":[`, `]}}]}`, 50_000),
		"a Status":               fill(`{"kind":"Status","apiVersion":"v1","details":{"causes":[`, `]}}`, 3<<20),
	}
	// At the bounds, and so accepted.
	answers["conditions at the bound"] = fill(list+`{"status":{"conditions":[`, `]}}]}`, 29_000)
	answers["labels at the bound"] = `{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"labels":{` + manyKeys(200_000) + `}}}]}`
	answers["Nodes at the bound"] = fill(list, `]}`, 1200)
	answers["a name at the bound"] = list + `{"metadata":{"name":"` + strings.Repeat("x", 1<<20-200) + `"}}]}`
	return answers
}

func manyKeys(size int) string {
	var out strings.Builder
	for i := 0; out.Len() < size; i++ {
		fmt.Fprintf(&out, `"%x":"",`, i)
	}
	out.WriteString(`"z":""`)
	return out.String()
}

// hostileAPI answers every request with what is set, page after page without end.
func hostileAPI(t *testing.T, answer func() (kind, body string)) *httptest.Server {
	t.Helper()
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		kind, body := answer()
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(api.Close)
	return api
}

// lists are what is listed of clusters.
func lists() []client.ObjectList {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	return []client.ObjectList{
		&corev1.NodeList{}, &coordinationv1.LeaseList{}, &storagev1.CSINodeList{}, &certificatesv1.CertificateSigningRequestList{}, secrets,
		untypedList("", "v1", "Pod"), untypedList("machine.openshift.io", "v1beta1", "Machine"), untypedList("config.openshift.io", "v1", "ClusterOperator"),
	}
}

// memoryLimit is that of the pod, by config/manager/deployment.yaml; workers are the clusters that are talked to at once, by the
// defaults of cmd/manager: a fifth of the memory is left to each half of the two controllers' work.
const (
	memoryLimit = 512 << 20
	workers     = 10
	probers     = 20
)

// heapOf returns by how much the heap grows, at its highest, while something is done, garbage included.
func heapOf(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestS05ClusterAPIBounded: whatever a cluster's API answers, to whatever is asked, what is made of it fits the pod's memory with
// all workers at it. That no garbage is collected meanwhile is assumed.
func TestS05ClusterAPIBounded(t *testing.T) {
	for name, body := range hostileAnswers() {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			// The server's own copy of the answer is made beforehand.
			c := clientTo(t, hostileAPI(t, func() (string, string) { return "application/json", body }))
			_ = askedWith(t, c)
			for _, list := range lists() {
				used := heapOf(func() { _ = c.List(t.Context(), list) })
				g.Expect(used).To(BeNumerically("<", memoryLimit/2/workers), "%T", list)
			}
			namespace := &metav1.PartialObjectMetadata{}
			namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
			used := heapOf(func() { _ = c.Get(t.Context(), client.ObjectKey{Name: "default"}, namespace) })
			g.Expect(used).To(BeNumerically("<", memoryLimit/4/probers))
			used = heapOf(func() { _ = c.Get(t.Context(), client.ObjectKey{Name: "n"}, &corev1.Node{}) })
			g.Expect(used).To(BeNumerically("<", memoryLimit/2/workers))
		})
	}
}

func isTooLarge(err error) bool {
	var large *TooLarge
	return errors.As(err, &large)
}

// TestS05TooLargeSaysSo: the error is one that names the cluster's API, and what is too large.
func TestS05TooLargeSaysSo(t *testing.T) {
	for name, says := range map[string]string{
		"empty Nodes": "items", "conditions": "values", "labels": "values", "one long name": "bytes", "spaces": "bytes", "deep": "deep",
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			body := hostileAnswers()[name]
			err := askedWith(t, clientTo(t, hostileAPI(t, func() (string, string) { return "application/json", body })))
			g.Expect(err).To(MatchError(And(ContainSubstring("the cluster's API sends too much"), ContainSubstring(says))))
			g.Expect(Explain(err)).To(And(ContainSubstring("The cluster's API sends more than is read of it"), ContainSubstring(says)))
		})
	}
}

// TestS05ListWithoutEnd: pages that go on for ever end where there is no more room, or after so many.
func TestS05ListWithoutEnd(t *testing.T) {
	for name, item := range map[string]string{
		"large items": `{"metadata":{"name":"` + strings.Repeat("x", 100_000) + `"}}`,
		"no items":    "",
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			body := `{"kind":"NodeList","apiVersion":"v1","metadata":{"continue":"more"},"items":[` + item + `]}`
			err := askedWith(t, clientTo(t, hostileAPI(t, func() (string, string) { return "application/json", body })))
			g.Expect(err).To(Satisfy(isTooLarge))
		})
	}
}

// TestS05OtherEncodings: answers in protobuf or anything else are not read: they could not be counted.
func TestS05OtherEncodings(t *testing.T) {
	g := NewWithT(t)
	nodes := append([]byte("k8s\x00\x0a\x0e\x0a\x02v1\x12\x08NodeList\x12\xff\xff\x03"), bytes.Repeat([]byte{0x12, 0}, 32_000)...)
	for _, kind := range []string{"application/vnd.kubernetes.protobuf", "application/yaml", "application/cbor", "text/html", "nonsense;;"} {
		c := clientTo(t, hostileAPI(t, func() (string, string) { return kind, string(nodes) }))
		for _, list := range lists() {
			g.Expect(c.List(t.Context(), list)).To(MatchError(errNotJSON), "%s %T", kind, list)
		}
	}
}

// TestS05HeadersAreBounded: nothing of client-go does that.
func TestS05HeadersAreBounded(t *testing.T) {
	g := NewWithT(t)
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 200 {
			w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("x", 1<<10))
		}
	}))
	t.Cleanup(api.Close)
	g.Expect(askedWith(t, clientTo(t, api))).To(MatchError(ContainSubstring("response headers exceeded")))
}

// openshiftNode is a Node as OpenShift's are, with what makes them large.
func openshiftNode(name string) corev1.Node {
	node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}}}
	for i := range 30 {
		node.Labels[fmt.Sprintf("node.openshift.io/label-%d", i)] = "value"
		node.Annotations[fmt.Sprintf("k8s.ovn.org/annotation-%d", i)] = strings.Repeat("x", 150)
	}
	for i := range 50 {
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
			Names:     []string{"quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:" + strings.Repeat("a", 64), "<none>@<none>"},
			SizeBytes: int64(i),
		})
	}
	fields := `{"f:metadata":{"f:annotations":{".":{},` + strings.Repeat(`"f:a":{},`, 100) + `"f:z":{}}}}`
	for range 4 {
		node.ManagedFields = append(node.ManagedFields, metav1.ManagedFieldsEntry{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(fields)})
	}
	node.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("32Gi")}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return node
}

// TestS05LargeClustersAreRead: the bounds are far from what a cluster really has, also where its objects are large ones.
func TestS05LargeClustersAreRead(t *testing.T) {
	g := NewWithT(t)
	const count = 250
	var mu sync.Mutex
	var limits []string
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		limit, _ := strconv.Atoi(query.Get("limit"))
		from, _ := strconv.Atoi(query.Get("continue"))
		mu.Lock()
		limits = append(limits, query.Get("limit"))
		mu.Unlock()
		list := corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}}
		for i := from; i < min(from+limit, count); i++ {
			list.Items = append(list.Items, openshiftNode(fmt.Sprintf("node-%03d", i)))
		}
		if from+limit < count {
			list.Continue = strconv.Itoa(from + limit)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	}))
	t.Cleanup(api.Close)
	var nodes corev1.NodeList
	g.Expect(clientTo(t, api).List(t.Context(), &nodes)).To(Succeed())
	g.Expect(nodes.Items).To(HaveLen(count))
	for i := range nodes.Items {
		node := &nodes.Items[i]
		g.Expect(node.Name).To(Equal(fmt.Sprintf("node-%03d", i)))
		g.Expect(node.Labels).To(HaveLen(30))
		g.Expect(node.ManagedFields).To(BeEmpty())
		g.Expect(node.Status.Images).To(BeEmpty())
	}
	g.Expect(limits[:2]).To(Equal([]string{"50", "12"}), "fifty of these are too large an answer")
}
