package guest

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// leaseNamespace is where kubelets renew their Leases.
const leaseNamespace = "kube-node-lease"

// machine is a server as the cluster knows it.
type machine struct {
	name string
	// known says that the server was seen before, so that it need not boot when it runs again; runs, that it is
	// ACTIVE; from, when its kubelet is up.
	known, runs bool
	from        time.Time
}

// observe takes note of the server's state. One that is new boots first; one that was paused goes on at once.
func (m *machine) observe(exists, runs bool, now time.Time, boot time.Duration) {
	switch {
	case !exists:
		m.known, m.runs = false, false
	case runs && !m.runs:
		m.from = now
		if !m.known {
			m.from = now.Add(boot)
		}
		m.known, m.runs = true, true
	case !runs && m.runs:
		m.runs = false
	}
}

func (m *machine) up(now time.Time) bool { return m.runs && !now.Before(m.from) }

func (m *machine) controlPlane() bool { return isControlPlane(m.name) }

func (m *machine) createNode(ctx context.Context, c client.Client) error {
	role := "node-role.kubernetes.io/worker"
	if m.controlPlane() {
		role = "node-role.kubernetes.io/master"
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:   m.name,
		Labels: map[string]string{role: "", corev1.LabelHostname: m.name},
	}}
	if m.controlPlane() {
		node.Labels["node-role.kubernetes.io/control-plane"] = ""
	}
	if err := c.Create(ctx, node); err != nil {
		return err
	}
	m.known = true
	return m.setReady(ctx, c, time.Now())
}

// report does what a kubelet does every few seconds: it renews its Lease and says that its Node is ready.
func (m *machine) report(ctx context.Context, c client.Client, now time.Time) error {
	if err := m.renewLease(ctx, c, now); err != nil {
		return err
	}
	return m.setReady(ctx, c, now)
}

func (m *machine) renewLease(ctx context.Context, c client.Client, now time.Time) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: leaseNamespace, Name: m.name}}
	err := c.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	lease.Spec.HolderIdentity = ptr.To(m.name)
	lease.Spec.LeaseDurationSeconds = ptr.To[int32](40)
	lease.Spec.RenewTime = ptr.To(metav1.NewMicroTime(now))
	if apierrors.IsNotFound(err) {
		return c.Create(ctx, lease)
	}
	return c.Update(ctx, lease)
}

func (m *machine) setReady(ctx context.Context, c client.Client, now time.Time) error {
	node := &corev1.Node{}
	if err := c.Get(ctx, client.ObjectKey{Name: m.name}, node); err != nil {
		return err
	}
	ready := corev1.NodeCondition{
		Type:               corev1.NodeReady,
		Status:             corev1.ConditionTrue,
		Reason:             "KubeletReady",
		Message:            "kubelet is posting ready status",
		LastHeartbeatTime:  metav1.NewTime(now),
		LastTransitionTime: metav1.NewTime(now),
	}
	for _, old := range node.Status.Conditions {
		if old.Type == ready.Type && old.Status == ready.Status {
			ready.LastTransitionTime = old.LastTransitionTime
		}
	}
	node.Status.Conditions = []corev1.NodeCondition{ready}
	return c.Status().Update(ctx, node)
}
