package guest

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// marker is an annotation with a value that nobody but the Node's first object knows.
const marker = "example.com/only-the-original"

// kubeletLabels are those that a kubelet gives its Node by itself.
func kubeletLabels(name string) map[string]string {
	return map[string]string{
		corev1.LabelHostname:   name,
		corev1.LabelOSStable:   "linux",
		corev1.LabelArchStable: "amd64",
	}
}

// installNode makes the Node of a machine that runs, with what an owner and the cluster's operators have put on it by
// then. index tells the machines of a role apart.
func installNode(ctx context.Context, c client.Client, m *machine, index int, last bool) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: m.name, Labels: kubeletLabels(m.name), Annotations: map[string]string{
		marker:                         rand.Text(),
		"machine.openshift.io/machine": machineNamespace + "/" + m.name,
		"example.com/a-note":           "What its owner\nwrote on it: äöü, {\"json\": true}",
		"machineconfiguration.openshift.io/state": "Done",
	}}}
	node.Labels[corev1.LabelTopologyZone] = "nova"
	node.Labels[corev1.LabelInstanceTypeStable] = "m1.large"
	node.Labels["example.com/rack"] = fmt.Sprintf("r%d", index)
	node.Spec.ProviderID = ProviderID(m.server)
	if m.controlPlane() {
		node.Labels["node-role.kubernetes.io/master"] = ""
		node.Labels["node-role.kubernetes.io/control-plane"] = ""
		node.Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/master", Effect: corev1.TaintEffectNoSchedule}}
		node.Spec.PodCIDR = fmt.Sprintf("10.128.%d.0/24", index)
	} else {
		node.Labels["node-role.kubernetes.io/worker"] = ""
		node.Spec.PodCIDR = fmt.Sprintf("10.129.%d.0/24", index)
	}
	node.Spec.PodCIDRs = []string{node.Spec.PodCIDR}
	if last && !m.controlPlane() {
		// Somebody has taken it out of service, and it is for somebody only.
		node.Spec.Unschedulable = true
		node.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: "reports", Effect: corev1.TaintEffectNoExecute}}
	}
	if err := c.Create(ctx, node); err != nil {
		return fmt.Errorf("make Node %s: %w", m.name, err)
	}
	m.known, m.registered = true, true
	return report(ctx, c, node, time.Now(), true)
}
