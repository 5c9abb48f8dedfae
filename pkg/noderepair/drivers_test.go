package noderepair_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func (w *world) hasDriver(node string) bool {
	err := w.Get(context.Background(), client.ObjectKey{Namespace: "openshift-cluster-csi-drivers", Name: "driver-" + node}, &corev1.Pod{})
	return err == nil
}

func (w *world) getRegistration(node string) *storagev1.CSINode {
	csi := &storagev1.CSINode{}
	if w.Get(context.Background(), client.ObjectKey{Name: node}, csi) != nil {
		return nil
	}
	return csi
}

func (w *world) hasRegistration(node string) bool { return w.getRegistration(node) != nil }

// TestDriversRegisterAgain on Nodes that were made again, once their kubelets report.
func TestDriversRegisterAgain(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"m-0", "w-0"} {
		w.machine(name, "new-"+name, "old-"+name)
		w.node(name, id("old-"+name))
		w.driver(name)
	}
	w.machine("w-1", "same", "older")
	w.node("w-1", id("same"))
	w.driver("w-1")
	w.Expect(w.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "openshift-cluster-csi-drivers", Name: "other", Labels: map[string]string{"app": "manila"}},
		Spec:       corev1.PodSpec{NodeName: "m-0"},
	})).To(Succeed())
	w.observe()
	alive := map[string]bool{}
	w.plan.Alive = func(name string) bool { return alive[name] }
	w.repaired()
	w.Expect(w.hasDriver("m-0")).To(BeTrue(), "it has not reported yet")

	alive["m-0"], alive["w-1"] = true, true
	w.repaired()
	w.Expect(w.hasDriver("m-0")).To(BeFalse())
	w.Expect(w.hasRegistration("m-0")).To(BeFalse())
	w.Expect(w.hasDriver("w-0")).To(BeTrue())
	w.Expect(w.hasDriver("w-1")).To(BeTrue(), "its Node is the same")
	w.Expect(w.hasRegistration("w-1")).To(BeTrue())
	w.Expect(w.Delete(t.Context(), w.getRegistration("w-1"), client.Preconditions{UID: &w.getRegistration("w-1").UID})).To(Succeed())
	w.repaired()
	w.Expect(w.hasDriver("w-1")).To(BeTrue(), "whatever it has registered")
	w.Expect(w.Get(t.Context(), client.ObjectKey{Namespace: "openshift-cluster-csi-drivers", Name: "other"}, &corev1.Pod{})).To(Succeed())
}

// TestDriversThatNeedNoRestart.
func TestDriversThatNeedNoRestart(t *testing.T) {
	tests := map[string]func(w *world){
		"it has registered since": func(w *world) {
			csi := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: "m-0"}}
			w.Expect(w.Get(context.Background(), client.ObjectKeyFromObject(csi), csi)).To(Succeed())
			csi.OwnerReferences[0].UID = w.getNode("m-0").UID
			w.Expect(w.Update(context.Background(), csi)).To(Succeed())
		},
		"it was restarted": func(w *world) {
			pod := &corev1.Pod{}
			w.Expect(w.Get(context.Background(), client.ObjectKey{Namespace: "openshift-cluster-csi-drivers", Name: "driver-m-0"}, pod)).To(Succeed())
			pod.CreationTimestamp = metav1.NewTime(w.now.Add(time.Minute))
			w.Expect(w.Update(context.Background(), pod)).To(Succeed())
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.machine("m-0", "new", "old")
			w.node("m-0", id("old"))
			w.driver("m-0")
			w.observe()
			alive := false
			w.plan.Alive = func(string) bool { return alive }
			w.repaired()
			change(w)
			alive = true
			w.repaired()
			w.Expect(w.hasDriver("m-0")).To(BeTrue())
		})
	}
}

func TestNotReadyNodesAreNotBothered(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	w.node("m-0", id("old"), func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown })
	w.driver("m-0")
	w.observe()
	w.repaired()
	w.Expect(w.hasDriver("m-0")).To(BeTrue())
}
