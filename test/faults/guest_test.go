package faults

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
)

const (
	// kubeletStarts is from a server being active to its Node being ready, operatorsReport to the ClusterOperators being good.
	kubeletStarts     = 8 * time.Second
	slowKubeletStarts = 210 * time.Second
	operatorsReport   = 40 * time.Second
)

// guest is a cluster itself: what its API says follows its servers.
type guest struct {
	infraID string
	// up is since when a machine's server runs, server which one it is; seen is when it last did.
	up, seen map[string]time.Time
	server   map[string]string
	// slow are kubelets of workers that take minutes to start, longer than the cluster's controllers take to lead.
	slow bool
	// expired says that the kubelets' certificates expire in each sleep.
	expired bool
	begun   time.Time
	// bulk is how many bytes of annotations each Node has.
	bulk   int
	inside *inside
}

// watchGuests follows the servers.
func (w *world) watchGuests() {
	w.cloud.Subscribe(func(e cloud.ServerEvent) {
		for _, g := range w.guests {
			if strings.HasPrefix(e.Server.Hostname, g.infraID+"-") && e.Server.Metadata["openshiftClusterID"] == g.infraID {
				g.inside.catchUp(w, e.At)
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
			g.inside.join(len(g.seen), name)
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

func newGuest(infraID string, s shape, servers []cloud.Server) *guest {
	g := &guest{infraID: infraID, slow: s.lateWorkers, expired: s.expired, bulk: s.nodeBytes, begun: time.Now(), up: map[string]time.Time{}, seen: map[string]time.Time{}, server: map[string]string{}}
	for _, s := range servers {
		g.seen[s.Name] = time.Now()
		if s.Status == "ACTIVE" {
			g.up[s.Name] = time.Now().Add(-time.Hour)
		}
		g.server[s.Name] = s.ID
	}
	g.inside = newInside(g)
	return g
}

func (g *guest) controlPlane(name string) bool { return strings.HasPrefix(name, g.infraID+"-master-") }

// answers tells whether the API does: most of the control plane has to run.
func (g *guest) answers(now time.Time) bool {
	all, up := 0, 0
	for name := range g.seen {
		if g.controlPlane(name) {
			all++
			if g.boots(name, now) {
				up++
			}
		}
	}
	return up > all/2
}

// starts is how long it takes a machine from being active to its Node being ready.
func (g *guest) starts(name string) time.Duration {
	if g.slow && !g.controlPlane(name) {
		return slowKubeletStarts
	}
	return kubeletStarts
}

// boots tells whether a machine has started: its kubelet runs.
func (g *guest) boots(name string, now time.Time) bool {
	since, ok := g.up[name]
	return ok && now.Sub(since) >= g.starts(name)
}

func (g *guest) ready(name string, now time.Time) bool {
	return g.boots(name, now) && g.certified(name)
}

func (g *guest) names() []string {
	var names []string
	for name := range g.seen {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// shownReady tells what the API says of a Node: for a while that is what was so before the sleep.
func (g *guest) shownReady(i *inside, name string, now time.Time) bool {
	return g.ready(name, now) || now.Sub(i.serving) < staleReady
}

// nodes returns the Nodes with the status that the API shows.
func (g *guest) nodes(now time.Time) []corev1.Node {
	var nodes []corev1.Node
	for _, name := range g.names() {
		is := g.inside.node(name)
		if is == nil {
			continue
		}
		node := is.DeepCopy()
		status := corev1.ConditionUnknown
		if g.shownReady(g.inside, name, now) {
			status = corev1.ConditionTrue
		}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}
		nodes = append(nodes, *node)
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

// guestClient is a cluster as one process sees it.
type guestClient struct {
	client.Client
	guest   *guest
	process *process
}

var errUnreachable = errors.New("dial tcp 203.0.113.5:6443: connect: no route to host")

// call makes one call to the cluster's API.
func (c *guestClient) call(ctx context.Context, verb, target string, do func(now time.Time) error) error {
	k := &call{process: c.process, service: guestAPI, op: "guest." + verb, target: c.guest.infraID + " " + target, changes: verb != "list" && verb != "get"}
	w := c.process.world
	if err := w.pause(ctx, c.process.latency(5*time.Millisecond)); err != nil {
		return err
	}
	if f := w.begin(k); f != nil && f.refuse != nil {
		return f.refuse(k)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.cloud.Advance()
	now := time.Now()
	c.guest.inside.catchUp(w, now)
	err := errUnreachable
	if c.guest.answers(now) {
		err = do(now)
	}
	if f := w.end(k, reason(err)); f != nil && f.lose != nil {
		return f.lose(k)
	}
	return err
}

// List lists objects of a cluster.
func (c *guestClient) List(ctx context.Context, list client.ObjectList, _ ...client.ListOption) error {
	return c.call(ctx, "list", strings.TrimSuffix(kindOf(list), "List"), func(now time.Time) error {
		return c.list(list, now)
	})
}

func kindOf(obj runtime.Object) string {
	if kind := obj.GetObjectKind().GroupVersionKind().Kind; kind != "" {
		return kind
	}
	return reflect.TypeOf(obj).Elem().Name()
}

func (c *guestClient) list(list client.ObjectList, now time.Time) error {
	switch out := list.(type) {
	case *corev1.NodeList:
		out.Items = c.guest.nodes(now)
	case *coordinationv1.LeaseList:
		out.Items = c.guest.leases(now)
	case *storagev1.CSINodeList:
		out.Items = stored[storagev1.CSINode](c.guest.inside)
	case *certificatesv1.CertificateSigningRequestList:
		out.Items = stored[certificatesv1.CertificateSigningRequest](c.guest.inside)
	case *metav1.PartialObjectMetadataList:
	case *unstructured.UnstructuredList:
		switch kind := strings.TrimSuffix(out.GetKind(), "List"); kind {
		case "ClusterOperator":
			out.Items = c.guest.operators(now)
		case "Pod":
			out.Items = untypedPods(stored[corev1.Pod](c.guest.inside))
		default:
			out.Items = slices.DeleteFunc(stored[unstructured.Unstructured](c.guest.inside), func(u unstructured.Unstructured) bool { return u.GetKind() != kind })
		}
	default:
		return fmt.Errorf("nobody lists %T", list)
	}
	return nil
}

func untypedPods(pods []corev1.Pod) []unstructured.Unstructured {
	out := make([]unstructured.Unstructured, len(pods))
	for i := range pods {
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&pods[i])
		must(err)
		out[i].SetUnstructuredContent(object)
		out[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	}
	return out
}

// stored returns copies of the objects of a type, by name.
func stored[T any](i *inside) []T {
	var found []client.Object
	for _, obj := range i.objects {
		if _, ok := any(obj).(*T); ok {
			found = append(found, obj)
		}
	}
	slices.SortFunc(found, func(a, b client.Object) int { return strings.Compare(a.GetName(), b.GetName()) })
	out := make([]T, len(found))
	for n, obj := range found {
		out[n] = *any(obj.DeepCopyObject()).(*T)
	}
	return out
}

// Get reads an object.
func (c *guestClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return c.call(ctx, "get", kindOf(obj)+" "+key.Name, func(time.Time) error { return c.guest.inside.Get(ctx, key, obj, opts...) })
}

// Create makes an object, unless it is a rehearsal.
func (c *guestClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	options := client.CreateOptions{}
	options.ApplyOptions(opts)
	return c.call(ctx, "create", kindOf(obj)+" "+obj.GetName(), func(time.Time) error {
		if c.guest.inside.objects[placeOf(obj)] != nil {
			return apierrors.NewAlreadyExists(resourceOf(obj), obj.GetName())
		}
		if len(options.DryRun) == 0 {
			c.guest.inside.install(obj)
		}
		return nil
	})
}

// Patch patches an object but for its status.
func (c *guestClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return c.call(ctx, "patch", kindOf(obj)+" "+obj.GetName(), func(time.Time) error { return c.guest.inside.Patch(ctx, obj, patch, opts...) })
}

// Delete deletes an object.
func (c *guestClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	return c.call(ctx, "delete", kindOf(obj)+" "+obj.GetName(), func(time.Time) error { return c.guest.inside.Delete(ctx, obj, opts...) })
}

// Status returns the writer of the status.
func (c *guestClient) Status() client.SubResourceWriter { return &guestStatus{client: c} }

type guestStatus struct {
	client.SubResourceWriter
	client *guestClient
}

// Patch patches the status.
func (s *guestStatus) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	return s.client.call(ctx, "patch.status", kindOf(obj)+" "+obj.GetName(), func(time.Time) error {
		return s.client.guest.inside.Status().Patch(ctx, obj, patch, opts...)
	})
}
