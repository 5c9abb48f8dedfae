package guest

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	driverNamespace = "openshift-cluster-csi-drivers"
	driverApp       = "openstack-cinder-csi-driver-node"
	driverName      = "cinder.csi.openstack.org"
	// driverBackoff is how long a container waits that keeps failing (CrashLoopBackOff).
	driverBackoff = 5 * time.Minute
)

func isDriver(pod *corev1.Pod) bool {
	return pod.Namespace == driverNamespace && pod.Labels["app"] == driverApp
}

// newPod returns a pod that is bound to a Node.
func newPod(namespace, node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
		Spec: corev1.PodSpec{
			NodeName:   node,
			Containers: []corev1.Container{{Name: "main", Image: "example.com/main"}},
		},
	}
}

// rollOut does what a DaemonSet's controller does: each Node has a pod of the CSI driver, and one that goes is made again.
func rollOut(ctx context.Context, c client.Client, nodes []corev1.Node, pods []corev1.Pod) error {
	for _, node := range nodes {
		served := slices.ContainsFunc(pods, func(pod corev1.Pod) bool {
			return isDriver(&pod) && pod.Spec.NodeName == node.Name && pod.DeletionTimestamp == nil
		})
		if served {
			continue
		}
		pod := newPod(driverNamespace, node.Name)
		pod.GenerateName, pod.Labels = driverApp+"-", map[string]string{"app": driverApp}
		pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		if err := c.Create(ctx, pod); err != nil {
			return fmt.Errorf("make the CSI driver's pod for %s: %w", node.Name, err)
		}
	}
	return nil
}

// tend does what a kubelet does with a pod of its Node: it starts it, or ends it.
func (m *machine) tend(ctx context.Context, c client.Client, node *corev1.Node, pod *corev1.Pod, now time.Time) error {
	if pod.DeletionTimestamp != nil {
		return m.end(ctx, c, pod)
	}
	if pod.Status.Phase != corev1.PodRunning {
		before := client.MergeFrom(pod.DeepCopy())
		start := metav1.NewTime(now)
		pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &start
		if err := c.Status().Patch(ctx, pod, before); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	if !isDriver(pod) || pod.UID == m.driver || pod.UID == m.refused && now.Before(m.retry) {
		return nil
	}
	err := m.registerDriver(ctx, c, node)
	switch {
	case apierrors.IsInvalid(err):
		m.refused, m.retry = pod.UID, now.Add(driverBackoff)
		return nil
	case apierrors.IsConflict(err), apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err):
		return nil
	case err == nil:
		m.driver = pod.UID
	}
	return err
}

// end takes a pod off that is to go.
func (m *machine) end(ctx context.Context, c client.Client, pod *corev1.Pod) error {
	if pod.UID == m.driver {
		if err := m.unregisterDriver(ctx, c); err != nil {
			return err
		}
		m.driver = ""
	}
	err := c.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	return client.IgnoreNotFound(err)
}

// registerDriver says in the CSINode which instance the driver sees itself on. A CSINode that is there keeps its owner,
// and the API server refuses another node ID for a driver that has one (kubernetes, pkg/volume/csi/nodeinfomanager and
// apis/storage/validation).
func (m *machine) registerDriver(ctx context.Context, c client.Client, node *corev1.Node) error {
	entry := storagev1.CSINodeDriver{Name: driverName, NodeID: m.server}
	csi := &storagev1.CSINode{}
	err := c.Get(ctx, client.ObjectKey{Name: m.name}, csi)
	if apierrors.IsNotFound(err) {
		csi.Name, csi.OwnerReferences = m.name, []metav1.OwnerReference{ownerReference(node)}
		csi.Spec.Drivers = []storagev1.CSINodeDriver{entry}
		return c.Create(ctx, csi)
	}
	if err != nil {
		return err
	}
	csi.Spec.Drivers = append(withoutDriver(csi.Spec.Drivers), entry)
	return c.Update(ctx, csi)
}

// unregisterDriver is what a driver's end comes to.
func (m *machine) unregisterDriver(ctx context.Context, c client.Client) error {
	csi := &storagev1.CSINode{}
	if err := c.Get(ctx, client.ObjectKey{Name: m.name}, csi); err != nil {
		return client.IgnoreNotFound(err)
	}
	csi.Spec.Drivers = withoutDriver(csi.Spec.Drivers)
	return client.IgnoreNotFound(c.Update(ctx, csi))
}

func withoutDriver(drivers []storagev1.CSINodeDriver) []storagev1.CSINodeDriver {
	return slices.DeleteFunc(drivers, func(d storagev1.CSINodeDriver) bool { return d.Name == driverName })
}
