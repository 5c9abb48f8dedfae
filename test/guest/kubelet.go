package guest

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// leaseNamespace is where kubelets renew their Leases.
const leaseNamespace = "kube-node-lease"

// machine is a server as the cluster knows it, and the kubelet on it.
type machine struct {
	name string
	// server is the ID of the present server, empty without one.
	server string
	// known says that the server has booted, so that it goes on at once when it runs again; runs, that it is ACTIVE;
	// from, when its kubelet is up; api, when its part of the control plane is.
	known, runs bool
	from, api   time.Time
	// registered says that the kubelet has seen to its Node since it booted, which was at the time since: it never
	// does so again (https://github.com/kubernetes/kubernetes/issues/71398).
	registered bool
	since      time.Time
	// driver is the pod whose CSI driver is registered; refused one that was not taken, and tries again at the time retry.
	driver, refused types.UID
	retry           time.Time
}

// observe takes note of the server, nil if there is none. One that is new boots first; one that was paused goes on at
// once.
func (m *machine) observe(server *Server, now time.Time, boot, api time.Duration) {
	if server == nil || server.ID != m.server {
		*m = machine{name: m.name}
	}
	if server == nil {
		return
	}
	m.server = server.ID
	if server.Active && !m.runs {
		m.from, m.api = now, now
		if !m.known {
			m.from = now.Add(boot)
			m.api = m.from.Add(api)
		}
		m.known = true
	}
	m.runs = server.Active
}

func (m *machine) up(now time.Time) bool { return m.runs && !now.Before(m.from) }

func (m *machine) serves(now time.Time) bool { return m.runs && !now.Before(m.api) }

func (m *machine) controlPlane() bool { return isControlPlane(m.name) }

// work is what a kubelet does every few seconds: it renews its Lease, says how its Node is, and sees to its pods.
func (m *machine) work(ctx context.Context, c client.Client, pods []corev1.Pod, now time.Time, notReady time.Duration) error {
	if err := m.register(ctx, c, now); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	node := &corev1.Node{}
	switch err := c.Get(ctx, client.ObjectKey{Name: m.name}, node); {
	case apierrors.IsNotFound(err):
		// It can report to nobody.
		return nil
	case err != nil:
		return err
	}
	if err := m.renewLease(ctx, c, node, now); err != nil {
		return fmt.Errorf("renew the Lease: %w", err)
	}
	if err := report(ctx, c, node, now, now.Sub(m.since) >= notReady); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("report: %w", err)
	}
	for i := range pods {
		if err := m.tend(ctx, c, node, &pods[i], now); err != nil {
			return fmt.Errorf("tend pod %s: %w", pods[i].Name, err)
		}
	}
	return nil
}

// register is what a kubelet does as it starts: a Node that is there it takes as it is, providerID included; one that is
// gone it makes anew, with the little that it knows itself.
func (m *machine) register(ctx context.Context, c client.Client, now time.Time) error {
	if m.registered {
		return nil
	}
	err := c.Get(ctx, client.ObjectKey{Name: m.name}, &corev1.Node{})
	if apierrors.IsNotFound(err) {
		err = c.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: m.name, Labels: kubeletLabels(m.name)}})
	}
	if err != nil {
		return err
	}
	m.registered, m.since = true, now
	return nil
}

// renewLease renews the kubelet's Lease, or makes it, as the Node's own. An owner once set is never changed (client-go,
// component-helpers/apimachinery/lease).
func (m *machine) renewLease(ctx context.Context, c client.Client, node *corev1.Node, now time.Time) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: leaseNamespace, Name: m.name}}
	err := c.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	lease.Spec.HolderIdentity = ptr.To(m.name)
	lease.Spec.LeaseDurationSeconds = ptr.To[int32](40)
	lease.Spec.RenewTime = ptr.To(metav1.NewMicroTime(now))
	if len(lease.OwnerReferences) == 0 {
		lease.OwnerReferences = []metav1.OwnerReference{ownerReference(node)}
	}
	if apierrors.IsNotFound(err) {
		return c.Create(ctx, lease)
	}
	err = c.Update(ctx, lease)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		// Its old Node's garbage was collected: the next time makes a new one.
		return nil
	}
	return err
}

func ownerReference(node *corev1.Node) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}
}

// report has a Node say whether it is ready.
func report(ctx context.Context, c client.Client, node *corev1.Node, now time.Time, ready bool) error {
	conditions := []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"},
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID"},
	}
	if !ready {
		conditions[0].Status, conditions[0].Reason = corev1.ConditionFalse, "KubeletNotReady"
		conditions[0].Message = "container runtime network not ready"
	}
	for i := range conditions {
		conditions[i].LastHeartbeatTime, conditions[i].LastTransitionTime = metav1.NewTime(now), metav1.NewTime(now)
		for _, old := range node.Status.Conditions {
			if old.Type == conditions[i].Type && old.Status == conditions[i].Status {
				conditions[i].LastTransitionTime = old.LastTransitionTime
			}
		}
	}
	// A kubelet patches: conditions of others, and what others change meanwhile, stay.
	before := client.StrategicMergeFrom(node.DeepCopy())
	node.Status.Conditions = conditions
	return c.Status().Patch(ctx, node, before)
}
