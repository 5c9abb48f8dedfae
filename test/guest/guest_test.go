package guest_test

import (
	"context"
	"maps"
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
	mu     sync.Mutex
	active map[string]bool
}

func (s *servers) Active(context.Context) (map[string]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.active), nil
}

func (s *servers) set(active bool, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.active[name] = active
	}
}

func (s *servers) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.active)
}

func TestGuestFollowsItsServers(t *testing.T) {
	g := NewWithT(t)
	ctx := t.Context()
	masters := []string{"demo-master-0", "demo-master-1", "demo-master-2"}
	source := &servers{active: map[string]bool{}}
	source.set(true, append(masters, "demo-worker-0")...)
	e, err := env.Start(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = e.Stop() })
	cluster, err := guest.Start(ctx, e, guest.Options{
		Name: "guest", Source: source, Poll: 50 * time.Millisecond, Settle: time.Second,
	})
	g.Expect(err).NotTo(HaveOccurred())
	c := remoteClient(g, cluster)

	nodes := &corev1.NodeList{}
	g.Expect(c.List(ctx, nodes)).To(Succeed())
	g.Expect(nodes.Items).To(HaveLen(4))
	g.Expect(progressing(ctx, c)()).To(Equal("False"))
	g.Eventually(renewed(ctx, c, "demo-worker-0")).ShouldNot(BeZero())

	// One control plane server less does no harm, two do.
	source.set(false, "demo-master-0")
	before := renewed(ctx, c, "demo-worker-0")()
	g.Eventually(renewed(ctx, c, "demo-worker-0")).WithTimeout(time.Minute).Should(BeTemporally(">", before))
	source.set(false, "demo-master-1")
	g.Eventually(cluster.Serving).WithTimeout(time.Minute).Should(BeFalse())
	g.Expect(c.List(ctx, nodes)).NotTo(Succeed())

	// The API comes back with the control plane; a worker that stays away does not report.
	source.remove()
	g.Consistently(cluster.Serving, "200ms").Should(BeFalse())
	before = renewed(ctx, cluster.Client(), "demo-worker-0")()
	source.set(true, masters...)
	g.Eventually(progressing(ctx, c)).WithTimeout(time.Minute).Should(Equal("True"))
	g.Eventually(progressing(ctx, c)).WithTimeout(time.Minute).Should(Equal("False"))
	g.Eventually(renewed(ctx, c, "demo-master-2")).WithTimeout(time.Minute).Should(BeTemporally(">", before))
	g.Expect(renewed(ctx, c, "demo-worker-0")()).To(BeTemporally("==", before))
	g.Expect(cluster.Stop()).To(Succeed())
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
