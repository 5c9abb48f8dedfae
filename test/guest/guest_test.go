package guest_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/test/env"
	"github.com/overwinter/overwinter/test/guest"
)

// servers is a ServerSource that a test writes to.
type servers struct {
	mu  sync.Mutex
	all map[string]guest.Server
	ids int
}

func (s *servers) Servers(context.Context) ([]guest.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.all)), nil
}

// set makes servers that don't exist.
func (s *servers) set(active bool, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		server, exists := s.all[name]
		if !exists {
			s.ids++
			server = guest.Server{ID: fmt.Sprintf("server-%d", s.ids), Name: name}
		}
		server.Active = active
		s.all[name] = server
	}
}

func (s *servers) remove(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		delete(s.all, name)
	}
}

// start starts a cluster of three masters and a worker.
func start(t *testing.T, options guest.Options) (*servers, *guest.Guest) {
	g := NewWithT(t)
	source := &servers{all: map[string]guest.Server{}}
	source.set(true, append(masters(), worker)...)
	e, err := env.Start(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = e.Stop() })
	options.Name, options.Source, options.Poll = "guest", source, 50*time.Millisecond
	cluster, err := guest.Start(t.Context(), e, options)
	g.Expect(err).NotTo(HaveOccurred())
	return source, cluster
}

func masters() []string { return []string{"demo-master-0", "demo-master-1", "demo-master-2"} }

const worker = "demo-worker-0"

func TestGuestFollowsItsServers(t *testing.T) {
	g := NewWithT(t)
	ctx := t.Context()
	source, cluster := start(t, guest.Options{Settle: time.Second})
	c := remoteClient(g, cluster)

	nodes := &corev1.NodeList{}
	g.Expect(c.List(ctx, nodes)).To(Succeed())
	g.Expect(nodes.Items).To(HaveLen(4))
	g.Expect(progressing(ctx, c)()).To(Equal("False"))
	g.Eventually(renewed(ctx, c, worker)).ShouldNot(BeZero())

	// One control plane server less does no harm, two do.
	source.set(false, "demo-master-0")
	before := renewed(ctx, c, worker)()
	g.Eventually(renewed(ctx, c, worker)).WithTimeout(time.Minute).Should(BeTemporally(">", before))
	source.set(false, "demo-master-1")
	g.Eventually(cluster.Serving).WithTimeout(time.Minute).Should(BeFalse())
	g.Expect(c.List(ctx, nodes)).NotTo(Succeed())

	// The API comes back with the control plane; a worker that stays away does not report.
	source.remove(append(masters(), worker)...)
	g.Consistently(cluster.Serving, "200ms").Should(BeFalse())
	before = renewed(ctx, cluster.Client(), worker)()
	source.set(true, masters()...)
	g.Eventually(progressing(ctx, c)).WithTimeout(time.Minute).Should(Equal("True"))
	g.Eventually(progressing(ctx, c)).WithTimeout(time.Minute).Should(Equal("False"))
	g.Eventually(renewed(ctx, c, "demo-master-2")).WithTimeout(time.Minute).Should(BeTemporally(">", before))
	g.Expect(renewed(ctx, c, worker)()).To(BeTemporally("==", before))
	g.Expect(cluster.Stop()).To(Succeed())
}

func TestANodeBelongsToItsServer(t *testing.T) {
	g := NewWithT(t)
	ctx := t.Context()
	source, cluster := start(t, guest.Options{NotReady: time.Second})
	c := cluster.Client()
	before := settled(g, cluster)
	g.Expect(before.Compare(before)).To(Equal(guest.Comparison{Nodes: 4, Machines: 4, Drivers: 4, Pods: 1}))

	// A new server's kubelet takes the Node as it is, which names the old server, and says before long that it is ready.
	source.remove(worker)
	g.Eventually(func(g Gomega) { g.Expect(census(g, cluster).Servers).NotTo(HaveKey(worker)) }).Should(Succeed())
	stopped := renewed(ctx, c, worker)()
	source.set(true, worker)
	// The old server's kubelet may have renewed the Lease a last time; only the new one says in between that it is not ready.
	g.Eventually(readySince(ctx, c, worker)).WithTimeout(time.Minute).Should(BeTemporally(">", stopped))
	g.Eventually(func(g Gomega) {
		g.Expect(before.Compare(census(g, cluster)).Differences).To(ConsistOf(
			ContainSubstring("Node demo-worker-0: providerID is openstack:///server-4, not openstack:///server-5"),
			ContainSubstring("Machine demo-worker-0: providerID is openstack:///server-4, not openstack:///server-5"),
			ContainSubstring("CSINode demo-worker-0: drivers"),
		))
	}).WithTimeout(time.Minute).Should(Succeed())

	// A Node that goes stays away while its kubelet runs; one that starts makes a Node, which is not the old one.
	node := &corev1.Node{}
	g.Expect(c.Get(ctx, client.ObjectKey{Name: worker}, node)).To(Succeed())
	g.Expect(c.Delete(ctx, node)).To(Succeed())
	g.Consistently(func(g Gomega) { g.Expect(census(g, cluster).Nodes).NotTo(HaveKey(worker)) }, "500ms").Should(Succeed())
	source.remove(worker)
	source.set(true, worker)
	g.Eventually(func(g Gomega) { g.Expect(census(g, cluster).Nodes).To(HaveKey(worker)) }).WithTimeout(time.Minute).Should(Succeed())
	after := census(g, cluster)
	g.Expect(after.Nodes[worker].Spec.ProviderID).To(BeEmpty())
	g.Expect(after.Nodes[worker].Annotations).NotTo(HaveKey("example.com/only-the-original"))
	g.Expect(before.Compare(after).Nodes).To(Equal(3))
	g.Expect(cluster.Stop()).To(Succeed())
}

func TestADriverRegistersWhenItsPodStarts(t *testing.T) {
	g := NewWithT(t)
	ctx := t.Context()
	_, cluster := start(t, guest.Options{})
	c := cluster.Client()
	before := settled(g, cluster)

	// A CSINode that goes is not missed by a driver that runs.
	csi := before.CSINodes[worker]
	g.Expect(c.Delete(ctx, &csi)).To(Succeed())
	g.Consistently(func(g Gomega) { g.Expect(census(g, cluster).CSINodes).NotTo(HaveKey(worker)) }, "500ms").Should(Succeed())
	pods := &corev1.PodList{}
	g.Expect(c.List(ctx, pods, client.MatchingLabels{"app": "openstack-cinder-csi-driver-node"})).To(Succeed())
	g.Expect(pods.Items).To(HaveLen(4))
	for _, pod := range pods.Items {
		if pod.Spec.NodeName == worker {
			g.Expect(c.Delete(ctx, &pod)).To(Succeed())
		}
	}
	g.Eventually(func(g Gomega) {
		g.Expect(before.Compare(census(g, cluster)).Differences).To(BeEmpty())
	}).WithTimeout(time.Minute).Should(Succeed())
	g.Expect(cluster.Stop()).To(Succeed())
}

// readySince returns since when a Node has been ready; the zero time if it is not.
func readySince(ctx context.Context, c client.Client, name string) func(g Gomega) time.Time {
	return func(g Gomega) time.Time {
		node := &corev1.Node{}
		g.Expect(c.Get(ctx, client.ObjectKey{Name: name}, node)).To(Succeed())
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return condition.LastTransitionTime.Time
			}
		}
		return time.Time{}
	}
}

func census(g Gomega, cluster *guest.Guest) guest.Census {
	c, err := cluster.Census(context.Background())
	g.Expect(err).NotTo(HaveOccurred())
	return c
}

// settled returns the cluster's census once all of its drivers are registered.
func settled(g Gomega, cluster *guest.Guest) guest.Census {
	var c guest.Census
	g.Eventually(func(g Gomega) {
		c = census(g, cluster)
		g.Expect(c.CSINodes).To(HaveLen(len(c.Nodes)))
	}).WithTimeout(time.Minute).Should(Succeed())
	return c
}

// remoteClient goes through the virtual IP address, as the product does.
func remoteClient(g Gomega, cluster *guest.Guest) client.Client {
	content, err := cluster.Kubeconfig()
	g.Expect(err).NotTo(HaveOccurred())
	config, err := clientcmd.RESTConfigFromKubeConfig(content)
	g.Expect(err).NotTo(HaveOccurred())
	c, err := client.New(config, client.Options{Scheme: scheme.Scheme})
	g.Expect(err).NotTo(HaveOccurred())
	return c
}

// renewed returns when a Node's Lease was last renewed.
func renewed(ctx context.Context, c client.Client, node string) func() time.Time {
	return func() time.Time {
		lease := &coordinationv1.Lease{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: "kube-node-lease", Name: node}, lease); err != nil {
			return time.Time{}
		}
		return lease.Spec.RenewTime.Time
	}
}

// progressing returns whether a ClusterOperator is at work.
func progressing(ctx context.Context, c client.Client) func() string {
	return func() string {
		operator := &unstructured.Unstructured{}
		operator.SetGroupVersionKind(schema.GroupVersionKind{
			Group: "config.openshift.io", Version: "v1", Kind: "ClusterOperator",
		})
		if err := c.Get(ctx, client.ObjectKey{Name: "etcd"}, operator); err != nil {
			return err.Error()
		}
		conditions, _, _ := unstructured.NestedSlice(operator.Object, "status", "conditions")
		for _, condition := range conditions {
			if c, ok := condition.(map[string]any); ok && c["type"] == "Progressing" {
				return c["status"].(string)
			}
		}
		return "there is no such condition"
	}
}
