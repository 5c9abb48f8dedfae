package noderepair_test

import (
	"context"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/noderepair"
)

// patient is a cluster in which everything is to be repaired that may be. Without a record it is repaired from what its API
// holds.
func patient(t *testing.T, recorded bool) *world {
	w := newWorld(t)
	w.machine("m-0", "new-m-0", "old-m-0")
	w.machine("m-1", "new-m-1", "older-m-1", "old-m-1")
	w.machine("w-0", "", "old-w-0")
	w.machine("w-1", "new-w-1", "old-w-1")
	w.machine("w-2", "same-w-2", "old-w-2")
	w.machine("w-3", "new-w-3", "old-w-3")
	for name, finalizers := range map[string][]string{"m-0": nil, "m-1": {"example.com/mine"}, "w-0": nil, "w-1": nil, "w-2": nil, "w-3": nil} {
		server := "old-" + name
		if name == "w-2" {
			server = "same-w-2"
		}
		w.node(name, id(server), func(n *corev1.Node) { n.Finalizers = finalizers })
		w.machineObject(name, id(server), "Running", "")
		w.driver(name)
	}
	w.node("strange", id("strange"))
	if recorded {
		w.observe()
		// Without a record nobody would know of a Node that is gone.
		w.loseNode("w-1")
	}
	w.fail("m-0", lostInstance)
	w.fail("w-3", "invalid configuration")
	return w
}

func (w *world) fail(machine, message string) {
	obj := w.getMachine("Machine", machine)
	obj.Object["status"] = map[string]any{"phase": "Failed", "errorMessage": message, "nodeRef": map[string]any{"name": machine}}
	w.Expect(w.Status().Update(context.Background(), obj)).To(Succeed())
}

// driver adds a Node's CSI driver, and what it has registered.
func (w *world) driver(node string) {
	w.Expect(w.Create(context.Background(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "openshift-cluster-csi-drivers", Name: "driver-" + node, Labels: map[string]string{"app": "openstack-cinder-csi-driver-node"},
			CreationTimestamp: metav1.NewTime(w.now.AddDate(0, -1, 0)),
		},
		Spec: corev1.PodSpec{NodeName: node},
	})).To(Succeed())
	csi := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: node}, Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "cinder.csi.openstack.org", NodeID: "x"}}}}
	csi.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node, UID: w.getNode(node).UID}}
	w.Expect(w.Create(context.Background(), csi)).To(Succeed())
}

// picture returns all that the cluster is, but for what differs from one way to the same end to another.
func (w *world) picture() map[string]any {
	ctx := context.Background()
	out := map[string]any{}
	nodes, pods, csi := &corev1.NodeList{}, &corev1.PodList{}, &storagev1.CSINodeList{}
	machines := &unstructured.UnstructuredList{}
	machines.SetGroupVersionKind(w.getMachine("Machine", "m-0").GroupVersionKind())
	w.lives = -1
	for _, list := range []client.ObjectList{nodes, pods, csi, machines} {
		w.Expect(w.List(ctx, list)).To(Succeed())
	}
	for _, n := range nodes.Items {
		delete(n.Annotations, noderepair.RestoredAnnotation)
		out["node "+n.Name] = []any{n.Labels, n.Annotations, n.Spec, n.Finalizers}
	}
	for _, p := range pods.Items {
		out["pod "+p.Name] = p.Spec.NodeName
	}
	for _, c := range csi.Items {
		out["csi "+c.Name] = len(c.Spec.Drivers)
	}
	for _, m := range machines.Items {
		out["machine "+m.GetName()] = []any{m.Object["spec"], m.Object["status"]}
	}
	return out
}

// TestCrashes: a process that dies after any of its changes, whether or not it saw the answer, leaves what another one brings
// to the same end.
func TestCrashes(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		whole := patient(t, recorded)
		seeded := whole.made
		whole.repaired()
		changes, want := whole.made-seeded, whole.picture()
		whole.Expect(changes).To(BeNumerically(">", 12))
		for _, lost := range []bool{false, true} {
			for k := 1; k <= changes; k++ {
				t.Run(fmt.Sprintf("recorded %t, dead after %d, its answer lost %t", recorded, k, lost), func(t *testing.T) {
					w := patient(t, recorded)
					w.lives, w.lost = k, lost
					_, _ = w.repair()
					w.Expect(w.lives).To(BeZero())
					w.lives = -1
					w.repaired()
					got := w.picture()
					dropAlive(got, want)
					w.Expect(got).To(Equal(want))
				})
			}
		}
	}
}

// dropAlive leaves out what a Node's status alone decides: one that is made from the record has no status until its kubelet
// reports, and its driver is restarted after that.
func dropAlive(got, want map[string]any) {
	for key := range got {
		if _, both := want[key]; !both && (key[:4] == "pod " || key[:4] == "csi ") {
			delete(got, key)
		}
	}
}

// TestPauseCrashes is the same for the MachineHealthChecks.
func TestPauseCrashes(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for k := 1; k <= 4; k++ {
			w := newWorld(t)
			for _, name := range []string{"a", "b", "c", "d"} {
				w.healthCheck(name, nil)
			}
			w.healthCheck("theirs", map[string]string{pausedAnnotation: ""})
			for _, do := range []func(context.Context, client.Client) error{noderepair.PauseHealthChecks, noderepair.ResumeHealthChecks} {
				w.lives, w.lost = k, lost
				_ = do(t.Context(), w.Client)
				w.lives = -1
				w.Expect(do(t.Context(), w.Client)).To(Succeed())
			}
			for _, name := range []string{"a", "b", "c", "d"} {
				w.Expect(w.annotationsOf(name)).To(BeEmpty())
			}
			w.Expect(w.annotationsOf("theirs")).To(Equal(map[string]string{pausedAnnotation: ""}))
		}
	}
}
