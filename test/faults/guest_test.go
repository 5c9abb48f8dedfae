package faults

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
)

const (
	// kubeletStarts is from a server being active to its Node being ready, operatorsReport to the ClusterOperators being good.
	kubeletStarts   = 20 * time.Second
	operatorsReport = 40 * time.Second
)

// guest is a cluster itself: what its API says follows its servers.
type guest struct {
	infraID string
	// up is since when a machine's server runs, server which one it is; seen is when it last did.
	up, seen map[string]time.Time
	server   map[string]string
}

// watchGuests follows the servers.
func (w *world) watchGuests() {
	w.cloud.Subscribe(func(e cloud.ServerEvent) {
		for _, g := range w.guests {
			if strings.HasPrefix(e.Server.Hostname, g.infraID+"-") && e.Server.Metadata["openshiftClusterID"] == g.infraID {
				g.follow(e)
			}
		}
	})
}

func (g *guest) follow(e cloud.ServerEvent) {
	// A Node is called as its host is, whatever the server is called.
	name := e.Server.Hostname
	if e.Kind == cloud.ServerActive {
		if _, ok := g.up[name]; !ok {
			g.up[name], g.server[name] = e.At, e.Server.ID
		}
		if _, ok := g.seen[name]; !ok {
			g.seen[name] = e.At
		}
		return
	}
	if g.server[name] != e.Server.ID {
		return
	}
	if _, ok := g.up[name]; ok {
		g.seen[name] = e.At
	}
	delete(g.up, name)
}

func newGuest(infraID string, servers []cloud.Server) *guest {
	g := &guest{infraID: infraID, up: map[string]time.Time{}, seen: map[string]time.Time{}, server: map[string]string{}}
	for _, s := range servers {
		g.seen[s.Name] = time.Now()
		if s.Status == "ACTIVE" {
			g.up[s.Name], g.server[s.Name] = time.Now().Add(-time.Hour), s.ID
		}
	}
	return g
}

func (g *guest) controlPlane(name string) bool { return strings.HasPrefix(name, g.infraID+"-master-") }

// answers tells whether the API does: most of the control plane has to run.
func (g *guest) answers(now time.Time) bool {
	all, up := 0, 0
	for name := range g.seen {
		if g.controlPlane(name) {
			all++
			if g.ready(name, now) {
				up++
			}
		}
	}
	return up > all/2
}

func (g *guest) ready(name string, now time.Time) bool {
	since, ok := g.up[name]
	return ok && now.Sub(since) >= kubeletStarts
}

func (g *guest) names() []string {
	var names []string
	for name := range g.seen {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (g *guest) nodes(now time.Time) []corev1.Node {
	var nodes []corev1.Node
	for _, name := range g.names() {
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
		if g.controlPlane(name) {
			node.Labels["node-role.kubernetes.io/master"] = ""
		}
		status := corev1.ConditionFalse
		if g.ready(name, now) {
			status = corev1.ConditionTrue
		}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}
		nodes = append(nodes, node)
	}
	return nodes
}

func (g *guest) leases(now time.Time) []coordinationv1.Lease {
	var leases []coordinationv1.Lease
	for _, name := range g.names() {
		renewed := metav1.NewMicroTime(g.seen[name])
		if g.ready(name, now) {
			renewed = metav1.NewMicroTime(now)
		}
		leases = append(leases, coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: name},
			Spec:       coordinationv1.LeaseSpec{RenewTime: &renewed},
		})
	}
	return leases
}

func (g *guest) operators(now time.Time) []unstructured.Unstructured {
	good := true
	for _, name := range g.names() {
		since, up := g.up[name]
		if g.controlPlane(name) && (!up || now.Sub(since) < operatorsReport) {
			good = false
		}
	}
	condition := func(kind string, is bool) any {
		return map[string]any{"type": kind, "status": map[bool]string{true: "True", false: "False"}[is]}
	}
	return []unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "config.openshift.io/v1", "kind": "ClusterOperator", "metadata": map[string]any{"name": "etcd"},
		"status": map[string]any{"conditions": []any{condition("Available", good), condition("Progressing", false), condition("Degraded", !good)}},
	}}}
}

// remote is the factory of clients to the clusters, for one process.
type remote struct{ process *process }

// ClientFor returns a client to a cluster.
func (r *remote) ClientFor(_ context.Context, cd *hivev1.ClusterDeployment) (client.Client, error) {
	for _, g := range r.process.world.guests {
		if g.infraID == cd.Spec.ClusterMetadata.InfraID {
			return &guestClient{guest: g, process: r.process}, nil
		}
	}
	return nil, fmt.Errorf("there is no cluster %s", cd.Spec.ClusterMetadata.InfraID)
}

// Forget does nothing: nothing is kept.
func (r *remote) Forget(types.NamespacedName) {}

// guestClient is a cluster as one process sees it. Only lists are asked for.
type guestClient struct {
	client.Client
	guest   *guest
	process *process
}

var errUnreachable = errors.New("dial tcp 203.0.113.5:6443: connect: no route to host")

// List lists what the readiness steps ask for.
func (c *guestClient) List(ctx context.Context, list client.ObjectList, _ ...client.ListOption) error {
	k := &call{process: c.process, service: guestAPI, op: "guest.list", target: fmt.Sprintf("%s %T", c.guest.infraID, list)}
	if err := pause(ctx, c.process.latency(5*time.Millisecond)); err != nil {
		return err
	}
	w := c.process.world
	if f := w.begin(k); f != nil && f.refuse != nil {
		return f.refuse(k)
	}
	w.cloud.Advance()
	now := time.Now()
	var err error
	if !c.guest.answers(now) {
		err = errUnreachable
	} else {
		switch out := list.(type) {
		case *corev1.NodeList:
			out.Items = c.guest.nodes(now)
		case *coordinationv1.LeaseList:
			out.Items = c.guest.leases(now)
		case *unstructured.UnstructuredList:
			out.Items = c.guest.operators(now)
		default:
			err = fmt.Errorf("nobody lists %T", list)
		}
	}
	if f := w.end(k, reason(err)); f != nil && f.lose != nil {
		return f.lose(k)
	}
	return err
}
