package noderepair

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// createTries is how often the creation of a Node is tried at once.
const createTries = 4

// swap gives a Node another providerID, which can't be changed: it is deleted and made again. The record holds it, so that it
// is made from that should the process end in between. That the API would take it is found out before.
func (r *repair) swap(ctx context.Context, m *hibernation.MachineState, node *corev1.Node) {
	for try := 1; ; try++ {
		was := r.plan.Observation.Node(node.Name)
		complete := node.DeepCopy()
		inherit(complete, *was)
		next := successor(complete, withServer(node.Spec.ProviderID, m.ServerID))
		mark(next, was.UID)
		if err := r.rehearse(ctx, next); err != nil {
			r.fail(err)
			r.wait(node.Name, "not made again yet")
			return
		}
		if !inTime(ctx) {
			r.wait(node.Name, "its turn comes next")
			return
		}
		err := r.remove(ctx, node)
		switch {
		case err == nil:
			if err := r.create(ctx, next); err != nil {
				r.fail(err)
				r.wait(node.Name, "deleted, and not made again yet")
			}
			return
		case !apierrors.IsConflict(err) || try == tries:
			r.fail(fmt.Errorf("delete Node %s: %w", node.Name, err))
			r.wait(node.Name, "not made again yet")
			// The answer may be lost and not the request: before long a kubelet that boots would register a bare Node.
			if err := r.create(ctx, next); err != nil {
				r.fail(err)
			}
			return
		}
		fresh := &corev1.Node{}
		if err := r.c.Get(ctx, client.ObjectKeyFromObject(node), fresh); err != nil {
			r.fail(fmt.Errorf("read Node %s: %w", node.Name, err))
			return
		}
		if node = fresh; !r.stale(m, node) {
			return
		}
	}
}

// rehearse asks the API whether it would take a Node. That one of its name exists is what it says last.
func (r *repair) rehearse(ctx context.Context, next *corev1.Node) error {
	err := r.c.Create(ctx, next.DeepCopy(), client.DryRunAll)
	if err == nil || apierrors.IsAlreadyExists(err) || apierrors.IsBadRequest(err) {
		// A webhook that can't rehearse is a bad request.
		return nil
	}
	return fmt.Errorf("the cluster's API would not take Node %s again: %w", next.Name, err)
}

// remove deletes a Node as it is at hand. It fails with a conflict if it has changed meanwhile. Finalizers are taken off, so
// that it goes at once: its successor gets them again.
func (r *repair) remove(ctx context.Context, node *corev1.Node) error {
	if node.DeletionTimestamp == nil {
		uid, version := node.UID, node.ResourceVersion
		err := r.c.Delete(ctx, node, client.Preconditions{UID: &uid, ResourceVersion: &version})
		if client.IgnoreNotFound(err) != nil || err != nil && len(node.Finalizers) == 0 {
			return client.IgnoreNotFound(err)
		}
	}
	if len(node.Finalizers) == 0 {
		return nil
	}
	data := fmt.Appendf(nil, `{"metadata":{"uid":%q,"finalizers":null}}`, node.UID)
	return client.IgnoreNotFound(r.c.Patch(ctx, node.DeepCopy(), client.RawPatch(types.MergePatchType, data)))
}

// create makes a Node, whatever becomes of the visit's time. That there is one already is as good: its kubelet was quicker, or
// our own request was answered late.
func (r *repair) create(ctx context.Context, node *corev1.Node) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	var err error
	for range createTries {
		made := node.DeepCopy()
		if err = r.c.Create(ctx, made); err == nil {
			r.nodes[node.Name] = made
			return nil
		}
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		if apierrors.IsInvalid(err) || ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("make Node %s again: %w", node.Name, err)
}
