package controllers_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/test/env"
	"github.com/overwinter/overwinter/test/guest"
	"github.com/overwinter/overwinter/test/guest/controllers"
)

const (
	patience = time.Minute
	master   = "demo-master-0"
	first    = "demo-worker-0"
	second   = "demo-worker-1"
	nameless = "demo-worker-2"
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	ctrl.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// servers is a ServerSource that a test writes to.
type servers struct {
	mu  sync.Mutex
	all []guest.Server
}

func (s *servers) Servers(context.Context) ([]guest.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all, nil
}

func (s *servers) set(all ...guest.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = all
}

func server(name, id string) guest.Server { return guest.Server{ID: id, Name: name, Active: true} }

// TestHarm shows what happens where nobody helps a cluster whose servers have new IDs.
func TestHarm(t *testing.T) {
	g := NewWithT(t)
	ctx := t.Context()
	source := &servers{}
	source.set(server(master, "m"), server(first, "a"), server(second, "b"))
	e, err := env.Start(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = e.Stop() })
	cloud, checks := &controllers.Cloud{Source: source, Period: time.Second}, &controllers.HealthChecks{}
	cluster, err := guest.Start(ctx, e, guest.Options{
		Name: "guest", Source: source, Poll: 100 * time.Millisecond, NotReady: time.Hour,
		Controllers: []guest.Controller{
			controllers.Kubernetes(e, 0, 5*time.Second), cloud.Controller(0), controllers.Machines(source, 0), checks.Controller(0),
		},
	})
	g.Expect(err).NotTo(HaveOccurred())
	c := cluster.Client()
	var before guest.Census
	g.Eventually(func(g Gomega) {
		before, err = cluster.Census(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(before.CSINodes).To(HaveLen(3))
	}).WithTimeout(patience).Should(Succeed())

	// A server that was made anew and one that is away: their Nodes are not Ready, and the one is told so by its kubelet,
	// the other by kube-controller-manager. A Node without a providerID is not deleted.
	node := &corev1.Node{}
	node.Name = nameless
	g.Expect(c.Create(ctx, node)).To(Succeed())
	source.set(server(master, "m"), server(first, "new"))
	g.Eventually(func(g Gomega) {
		after, err := cluster.Census(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(after.Nodes).To(And(HaveLen(2), HaveKey(master), HaveKey(nameless)))
		g.Expect(after.Machines).To(And(HaveLen(1), HaveKey(master)))
		g.Expect(after.CSINodes).To(And(HaveLen(1), HaveKey(master)))
	}).WithTimeout(patience).Should(Succeed())
	g.Expect(checks.Replaced()).To(HaveLen(2))
	asked := cloud.Asked(nameless)
	g.Eventually(func() int { return cloud.Asked(nameless) }).WithTimeout(patience).Should(BeNumerically(">", asked))
	g.Expect(c.Get(ctx, client.ObjectKeyFromObject(node), node)).To(Succeed())
	g.Expect(cluster.Stop()).To(Succeed())
}

// TestCollector sees the stand-in do what the real one does.
func TestCollector(t *testing.T) {
	g := NewWithT(t)
	ctx := t.Context()
	source := &servers{}
	source.set(server(master, "m"), server(first, "a"))
	e, err := env.Start(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = e.Stop() })
	cluster, err := guest.Start(ctx, e, guest.Options{
		Name: "guest", Source: source, Poll: 100 * time.Millisecond, Controllers: []guest.Controller{controllers.Collector(0)},
	})
	g.Expect(err).NotTo(HaveOccurred())
	drivers := func(names ...string) func(g Gomega) {
		return func(g Gomega) {
			now, err := cluster.Census(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now.CSINodes).To(HaveLen(len(names)))
			for _, name := range names {
				g.Expect(now.CSINodes).To(HaveKey(name))
			}
		}
	}
	g.Eventually(drivers(master, first)).WithTimeout(patience).Should(Succeed())
	node := &corev1.Node{}
	node.Name = first
	g.Expect(cluster.Client().Delete(ctx, node)).To(Succeed())
	g.Eventually(drivers(master)).WithTimeout(patience).Should(Succeed())
	g.Expect(cluster.Stop()).To(Succeed())
}
