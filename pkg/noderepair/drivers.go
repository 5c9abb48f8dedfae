package noderepair

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	driverNamespace = "openshift-cluster-csi-drivers"
	driverApp       = "openstack-cinder-csi-driver-node"
)

// restartDrivers has the Cinder CSI driver register again on Nodes that were made again. What it registered with the old
// Node names the old server, can't be changed, and belongs to that Node: it is removed. A pod that is older than its Node is
// deleted, unless it has registered since.
func (r *repair) restartDrivers(ctx context.Context) error {
	swapped := r.swapped()
	if len(swapped) == 0 {
		return nil
	}
	// Pods are read as what they are, and not as our type: that has parts which take a hundred times the memory of their text.
	pods := &unstructured.UnstructuredList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	if err := r.c.List(ctx, pods, client.InNamespace(driverNamespace), client.MatchingLabels{"app": driverApp}); err != nil {
		return fmt.Errorf("list the pods of the Cinder CSI driver: %w", err)
	}
	if len(pods.Items) == 0 {
		return nil
	}
	registered, err := r.dropRegistrations(ctx, swapped)
	if err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		node := swapped[text(pod, "spec", "nodeName")]
		made := pod.GetCreationTimestamp()
		if node == nil || registered[node.Name] || pod.GetDeletionTimestamp() != nil || made.After(node.CreationTimestamp.Time) {
			continue
		}
		uid := pod.GetUID()
		if err := r.c.Delete(ctx, pod, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("restart pod %s: %w", pod.GetName(), err)
		}
	}
	return nil
}

// swapped returns the Nodes that were made again, have their servers' IDs, and whose kubelets report that they are Ready.
func (r *repair) swapped() map[string]*corev1.Node {
	out := map[string]*corev1.Node{}
	for name, node := range r.nodes {
		m := r.plan.machineOfNode(name, node.Spec.ProviderID)
		if m == nil || r.stale(m, node) || node.Annotations[RestoredAnnotation] == "" || !IsReady(node) {
			continue
		}
		if r.plan.Alive == nil || r.plan.Alive(name) {
			out[name] = node
		}
	}
	return out
}

// dropRegistrations deletes the CSINodes that are of the Nodes' predecessors, as the garbage collector does later, and returns
// which of the Nodes have their own.
func (r *repair) dropRegistrations(ctx context.Context, swapped map[string]*corev1.Node) (map[string]bool, error) {
	list := &storagev1.CSINodeList{}
	if err := r.c.List(ctx, list); err != nil {
		return nil, fmt.Errorf("list CSINodes: %w", err)
	}
	registered := map[string]bool{}
	for i := range list.Items {
		csi := &list.Items[i]
		node := swapped[csi.Name]
		switch {
		case node == nil:
		case ownedBy(csi, node):
			registered[node.Name] = len(csi.Spec.Drivers) > 0
		case len(csi.OwnerReferences) > 0:
			if err := r.c.Delete(ctx, csi, client.Preconditions{UID: &csi.UID}); client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("delete CSINode %s: %w", csi.Name, err)
			}
		}
	}
	return registered, nil
}

func ownedBy(obj metav1.Object, node *corev1.Node) bool {
	for _, owner := range obj.GetOwnerReferences() {
		if owner.Kind == "Node" && owner.UID == node.UID {
			return true
		}
	}
	return false
}
