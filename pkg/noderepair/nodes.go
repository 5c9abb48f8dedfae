package noderepair

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// RestoredAnnotation marks a Node that we made again, or completed: its value is the UID of the Node that it takes the place
// of, so that it is done once.
const RestoredAnnotation = hibernation.RestoredAnnotation

// createTimeout bounds the creation of a Node, which goes on when the visit's time is up.
const createTimeout = swapReserve

// node brings one Node of a machine nearer to what it is to be.
func (r *repair) node(ctx context.Context, m *hibernation.MachineState, name string) {
	node, was := r.nodes[name], r.predecessor(name)
	switch {
	case node == nil:
		r.revive(ctx, m, *was)
	case !r.stale(m, node):
		r.complete(ctx, m, node, was)
	case node.DeletionTimestamp != nil && len(r.machines) > 0 && !r.hasMachine(m, name):
		// It goes with its Machine.
	case r.taken(m, name):
		r.wait(name, "another Node has its server's ID")
	case !recorded(r.plan.Observation, node):
		r.wait(name, "not saved in the hibernation record yet")
	default:
		r.swap(ctx, m, node)
	}
}

// predecessor returns the Node of that name as it is recorded, without pod CIDRs that another Node has by now; nil if none is
// recorded.
func (r *repair) predecessor(name string) *hibernation.ObservedNode {
	was := r.plan.Observation.Node(name)
	if was == nil {
		return nil
	}
	free := *was
	for other, node := range r.nodes {
		if other != name && slices.ContainsFunc(node.Spec.PodCIDRs, func(cidr string) bool { return slices.Contains(was.PodCIDRs, cidr) }) {
			free.PodCIDRs = nil
		}
	}
	return &free
}

// taken tells whether another Node has the providerID of the machine's server already.
func (r *repair) taken(m *hibernation.MachineState, name string) bool {
	for other, node := range r.nodes {
		if other != name && m.ServerID != "" && ServerID(node.Spec.ProviderID) == m.ServerID {
			return true
		}
	}
	return false
}

// revive makes a Node from the record that the cluster has lost. One whose Machine was removed, or is, stays away.
func (r *repair) revive(ctx context.Context, m *hibernation.MachineState, was hibernation.ObservedNode) {
	if r.taken(m, was.Name) || r.machinesUnknown || len(r.machines) > 0 && !r.hasMachine(m, was.Name) {
		return
	}
	if err := r.create(ctx, revived(was, withServer(was.ProviderID, m.ServerID))); err != nil {
		r.fail(err)
		r.wait(was.Name, "lost, and not made again yet")
	}
}

// revived returns a Node as it was.
func revived(was hibernation.ObservedNode, providerID string) *corev1.Node {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: was.Name, Labels: maps.Clone(was.Labels), Annotations: maps.Clone(was.Annotations), Finalizers: slices.Clone(was.Finalizers),
		},
		Spec: corev1.NodeSpec{
			ProviderID: providerID, Unschedulable: was.Unschedulable, Taints: lasting(was.Taints),
		},
	}
	setPodCIDRs(node, slices.Clone(was.PodCIDRs))
	mark(node, was.UID)
	return node
}

// successor returns the Node that takes another one's place. Its status is kept, so that a kubelet that reports goes on
// being Ready: the API stores the status of a Node that is created, as kubelets rely on.
func successor(node *corev1.Node, providerID string) *corev1.Node {
	next := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: node.Name, Labels: maps.Clone(node.Labels), Annotations: maps.Clone(node.Annotations),
			OwnerReferences: slices.Clone(node.OwnerReferences), Finalizers: slices.Clone(node.Finalizers),
		},
		Spec:   *node.Spec.DeepCopy(),
		Status: *node.Status.DeepCopy(),
	}
	next.Spec.ProviderID, next.Spec.Taints = providerID, lasting(node.Spec.Taints)
	return next
}

// setPodCIDRs gives a Node the ranges of its pods' addresses. The API takes them for a Node that has none, and never changes
// them (ValidateNodeUpdate in Kubernetes' pkg/apis/core/validation).
func setPodCIDRs(node *corev1.Node, cidrs []string) {
	node.Spec.PodCIDRs = cidrs
	if len(cidrs) > 0 {
		node.Spec.PodCIDR = cidrs[0]
	}
}

func mark(node *corev1.Node, uid string) {
	if uid != "" {
		metav1.SetMetaDataAnnotation(&node.ObjectMeta, RestoredAnnotation, uid)
	}
}

// lasting returns the taints without those by which controllers say how a Node is: they are put on again where they apply.
func lasting(taints []corev1.Taint) []corev1.Taint {
	return slices.DeleteFunc(slices.Clone(taints), func(t corev1.Taint) bool {
		switch t.Key {
		case corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable, corev1.TaintNodeNetworkUnavailable,
			"node.cloudprovider.kubernetes.io/shutdown", "node.kubernetes.io/out-of-disk":
			return true
		}
		return strings.HasPrefix(t.Key, "node.kubernetes.io/") && strings.HasSuffix(t.Key, "-pressure")
	})
}

// complete gives a Node its providerID that has none, and to one that its kubelet has registered anew all that it lost with
// its predecessor. What such a Node has itself wins.
func (r *repair) complete(ctx context.Context, m *hibernation.MachineState, node *corev1.Node, was *hibernation.ObservedNode) {
	if was == nil || node.DeletionTimestamp != nil {
		return
	}
	for try := 1; ; try++ {
		before := node.DeepCopy()
		if node.Spec.ProviderID == "" {
			node.Spec.ProviderID = withServer(was.ProviderID, m.ServerID)
		}
		inherit(node, *was)
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if same(before, node) {
			return
		}
		err := r.c.Patch(ctx, node, patch)
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) || try == tries {
			r.fail(fmt.Errorf("complete Node %s: %w", before.Name, err))
			r.wait(before.Name, "not complete yet")
			return
		}
		if err := r.c.Get(ctx, client.ObjectKeyFromObject(before), node); err != nil {
			r.fail(fmt.Errorf("read Node %s: %w", before.Name, err))
			return
		}
	}
}

// inherit completes a Node with the properties of its predecessor.
func inherit(node *corev1.Node, was hibernation.ObservedNode) {
	is := observedNode(node)
	if !is.Inherit(was) {
		return
	}
	node.Labels, node.Annotations, node.Spec.Unschedulable = is.Labels, is.Annotations, is.Unschedulable
	node.Spec.Taints = append(node.Spec.Taints, lasting(is.Taints[len(node.Spec.Taints):])...)
	setPodCIDRs(node, is.PodCIDRs)
	mark(node, was.UID)
}

func same(a, b *corev1.Node) bool {
	return a.Spec.ProviderID == b.Spec.ProviderID && a.Annotations[RestoredAnnotation] == b.Annotations[RestoredAnnotation]
}
