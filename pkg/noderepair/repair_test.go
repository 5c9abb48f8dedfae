package noderepair_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/noderepair"
)

// loseNode removes a Node as the cloud controller manager does.
func (w *world) loseNode(name string) {
	node := w.getNode(name)
	w.Expect(w.Delete(context.Background(), node, client.Preconditions{UID: &node.UID})).To(Succeed())
}

// expectWhole: a Node is as it was, but for its server and what controllers say of it.
func (w *world) expectWhole(name, providerID string) *corev1.Node {
	node := w.getNode(name)
	w.ExpectWithOffset(1, node).NotTo(BeNil(), name)
	w.ExpectWithOffset(1, node.Spec.ProviderID).To(Equal(providerID))
	w.ExpectWithOffset(1, node.Labels).To(Equal(map[string]string{"kubernetes.io/hostname": name, "mine": "kept"}))
	w.ExpectWithOffset(1, node.Annotations).To(HaveKeyWithValue("marker", "of "+name))
	w.ExpectWithOffset(1, node.Spec.PodCIDRs).To(Equal([]string{podCIDR(name)}))
	w.ExpectWithOffset(1, node.Spec.PodCIDR).To(Equal(podCIDR(name)))
	return node
}

func dedicated() []corev1.Taint {
	return []corev1.Taint{{Key: "dedicated", Value: "db", Effect: corev1.TaintEffectNoSchedule}}
}

func TestNodeGetsItsNewServersID(t *testing.T) {
	tests := map[string]struct {
		providerID, server, want string
	}{
		"its server is there":     {id("old"), "new", id("new")},
		"its server is not there": {id("old"), "", ""},
		"with a region":           {"openstack://RegionOne/old", "new", "openstack://RegionOne/new"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.machine("m-0", tt.server, "older", "old")
			before := w.node("m-0", tt.providerID, func(n *corev1.Node) {
				n.Spec.Unschedulable = true
				n.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: "o"}}
			})
			w.observe()
			w.repaired()
			node := w.expectWhole("m-0", tt.want)
			w.Expect(node.UID).NotTo(Equal(before.UID))
			w.Expect(node.Spec.Taints).To(Equal(dedicated()))
			w.Expect(node.Spec.Unschedulable).To(BeTrue())
			w.Expect(node.OwnerReferences).To(HaveLen(1))
			w.Expect(node.Status).To(Equal(before.Status), "a kubelet that is Ready stays so")

			made := w.made
			w.repaired()
			w.Expect(w.made).To(Equal(made), "what is done is done")
		})
	}
}

func TestNodesThatAreLeftAlone(t *testing.T) {
	tests := map[string]string{
		"it has the right ID":            id("new"),
		"its server is none of ours":     id("strange"),
		"it is of another cloud":         "aws:///eu-west-1a/old",
		"it is not a providerID at all":  "openstack://old",
		"it never had one":               "",
		"our server, of another's cloud": "aws:///new",
	}
	for name, providerID := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.machine("m-0", "new", "old")
			w.node("m-0", providerID)
			w.observe()
			made := w.made
			w.repaired()
			w.Expect(w.made).To(Equal(made))
		})
	}
}

// TestNodeOfAServerThatStayed: after a hibernation that was turned back the servers are the same.
func TestNodeOfAServerThatStayed(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "same", "older")
	w.node("m-0", id("same"))
	w.machineObject("m-0", id("same"), "Running", "")
	w.observe()
	made := w.made
	w.repaired()
	w.Expect(w.made).To(Equal(made))
}

// TestLateWorker: its Node waits without an ID, which it gets by a patch when its server is there.
func TestLateWorker(t *testing.T) {
	w := newWorld(t)
	w.machine("w-0", "", "old")
	w.node("w-0", id("old"))
	w.machineObject("w-0", id("old"), "Running", "")
	w.observe()
	w.repaired()
	node := w.expectWhole("w-0", "")
	w.Expect(field(w.getMachine("Machine", "w-0"), "spec", "providerID")).To(Equal(id("old")), "an empty one would be looked up by nothing")

	w.plan.Machines[0].ServerID = "new"
	w.repaired()
	w.Expect(w.expectWhole("w-0", id("new")).UID).To(Equal(node.UID))
	w.Expect(field(w.getMachine("Machine", "w-0"), "spec", "providerID")).To(Equal(id("new")))
}

// TestServerThatWasMadeTwice: the first one failed when its Node bore its ID already.
func TestServerThatWasMadeTwice(t *testing.T) {
	w := newWorld(t)
	w.machine("w-0", "first", "old")
	w.node("w-0", id("old"))
	w.observe()
	w.repaired()
	w.expectWhole("w-0", id("first"))
	w.plan.Machines[0].ServerID, w.plan.Machines[0].OldServerIDs = "", []string{"old", "first"}
	w.repaired()
	w.expectWhole("w-0", "")
	w.plan.Machines[0].ServerID = "second"
	w.repaired()
	w.expectWhole("w-0", id("second"))
}

func TestLostNodeComesBack(t *testing.T) {
	tests := map[string]struct {
		server  string
		machine func(w *world)
		back    bool
	}{
		"its Machine exists":                    {"new", func(w *world) { w.machineObject("w-0", id("old"), "Running", "") }, true},
		"its Machine knows its new server":      {"new", func(w *world) { w.machineObject("w-0", id("new"), "Running", "") }, true},
		"its server is not there":               {"", func(w *world) { w.machineObject("w-0", id("old"), "Running", "") }, true},
		"there are no Machines":                 {"new", func(*world) {}, true},
		"there is no machine API":               {"new", func(w *world) { w.noMachineAPI = true }, true},
		"its Machine is gone, others are there": {"new", func(w *world) { w.machineObject("w-9", id("other"), "Running", "") }, false},
		"its Machine is being deleted": {"new", func(w *world) {
			obj := w.machineObject("w-0", id("old"), "Running", "")
			obj.SetFinalizers([]string{"machine.machine.openshift.io"})
			w.Expect(w.Update(context.Background(), obj)).To(Succeed())
			uid := obj.GetUID()
			w.Expect(w.Delete(context.Background(), obj, client.Preconditions{UID: &uid})).To(Succeed())
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.machine("w-0", tt.server, "old")
			w.node("w-0", id("old"), func(n *corev1.Node) { n.Finalizers = nil })
			w.observe()
			w.loseNode("w-0")
			tt.machine(w)
			w.repaired()
			if !tt.back {
				w.Expect(w.getNode("w-0")).To(BeNil())
				return
			}
			want := ""
			if tt.server != "" {
				want = id(tt.server)
			}
			w.Expect(w.expectWhole("w-0", want).Spec.Taints).To(Equal(dedicated()))
		})
	}
}

// TestMachinesThatAreNotServedYet: an API server that has just started knows no Machines, though the cluster has some.
func TestMachinesThatAreNotServedYet(t *testing.T) {
	w := newWorld(t)
	w.machine("w-0", "new", "old")
	w.node("w-0", id("old"))
	w.machineObject("w-0", id("old"), "Running", "")
	w.observe()
	w.loseNode("w-0")
	w.noMachineAPI = true
	w.repaired()
	w.Expect(w.getNode("w-0")).To(BeNil())
	w.noMachineAPI = false
	w.repaired()
	w.expectWhole("w-0", id("new"))
}

// TestNodeThatItsKubeletRegistered: a kubelet that finds no Node as it boots makes one with what little it knows.
func TestNodeThatItsKubeletRegistered(t *testing.T) {
	for name, providerID := range map[string]string{"it has no ID": "", "the cloud controller manager gave it its ID": id("new")} {
		t.Run(name, func(t *testing.T) { isCompleted(t, providerID) })
	}
}

func isCompleted(t *testing.T, providerID string) {
	w := newWorld(t)
	w.machine("w-0", "new", "old")
	w.node("w-0", id("old"), func(n *corev1.Node) { n.Spec.Unschedulable = true })
	w.observe()
	w.loseNode("w-0")
	bare := w.node("w-0", providerID, func(n *corev1.Node) {
		n.Labels, n.Annotations = map[string]string{"kubernetes.io/hostname": "w-0"}, map[string]string{"marker": "its own"}
		n.Spec.Taints = []corev1.Taint{{Key: "node.cloudprovider.kubernetes.io/uninitialized", Value: "true", Effect: corev1.TaintEffectNoSchedule}}
		n.Spec.PodCIDR, n.Spec.PodCIDRs = "", nil
	})
	w.repaired()
	node := w.getNode("w-0")
	w.Expect(node.UID).To(Equal(bare.UID))
	w.Expect(node.Spec.ProviderID).To(Equal(id("new")))
	w.Expect(node.Labels).To(HaveKeyWithValue("mine", "kept"))
	w.Expect(node.Annotations).To(HaveKeyWithValue("marker", "its own"), "what it has itself wins")
	w.Expect(node.Spec.Taints).To(HaveLen(2))
	w.Expect(node.Spec.Unschedulable).To(BeTrue())
	w.Expect(node.Spec.PodCIDRs).To(Equal([]string{podCIDR("w-0")}))
	w.Expect(node.Spec.PodCIDR).To(Equal(podCIDR("w-0")))

	delete(node.Labels, "mine")
	w.Expect(w.Update(context.Background(), node)).To(Succeed())
	w.repaired()
	w.Expect(w.getNode("w-0").Labels).NotTo(HaveKey("mine"), "it is completed once")
}

// TestPodCIDRsThatAnotherNodeHas are not given twice.
func TestPodCIDRsThatAnotherNodeHas(t *testing.T) {
	w := newWorld(t)
	w.machine("w-0", "new", "old")
	w.node("w-0", id("old"))
	w.observe()
	w.loseNode("w-0")
	w.node("w-9", id("nine"), func(n *corev1.Node) { n.Spec.PodCIDR, n.Spec.PodCIDRs = podCIDR("w-0"), []string{podCIDR("w-0")} })
	w.node("w-0", "", func(n *corev1.Node) { n.Spec.PodCIDR, n.Spec.PodCIDRs = "", nil })
	w.repaired()
	node := w.getNode("w-0")
	w.Expect(node.Spec.ProviderID).To(Equal(id("new")))
	w.Expect(node.Spec.PodCIDRs).To(BeEmpty())
}

// TestWhatIsLiveWins over what was recorded.
func TestWhatIsLiveWins(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	node := w.node("m-0", id("old"))
	w.observe()
	delete(node.Labels, "mine")
	node.Annotations["marker"] = "changed since"
	w.Expect(w.Update(context.Background(), node)).To(Succeed())
	w.repaired()
	node = w.getNode("m-0")
	w.Expect(node.Labels).NotTo(HaveKey("mine"))
	w.Expect(node.Annotations).To(HaveKeyWithValue("marker", "changed since"))
}

// TestNothingIsDeletedThatIsNotSaved.
func TestNothingIsDeletedThatIsNotSaved(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	before := w.node("m-0", id("old"))
	w.plan.Remember = nil
	waiting, err := w.repair()
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(waiting).To(Equal([]string{"m-0: not saved in the hibernation record yet"}))
	w.Expect(w.getNode("m-0").UID).To(Equal(before.UID))

	w.plan.Remember = w.remember
	w.reject = func(op string, _ client.Object) error {
		if op == "delete" {
			w.Expect(w.plan.Observation.Node("m-0").Annotations).To(HaveKeyWithValue("marker", "of m-0"))
		}
		return nil
	}
	w.repaired()
	w.expectWhole("m-0", id("new"))
}

// TestFinalizersDoNotKeepANode from being made again, and it has them again.
func TestFinalizersDoNotKeepANode(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	w.node("m-0", id("old"), func(n *corev1.Node) { n.Finalizers = []string{"example.com/mine"} })
	w.observe()
	w.repaired()
	w.Expect(w.expectWhole("m-0", id("new")).Finalizers).To(Equal([]string{"example.com/mine"}))
}

// TestNodeThatIsBeingDeleted: we, or somebody else, had it deleted, and its finalizers keep it. With its Machine it goes.
func TestNodeThatIsBeingDeleted(t *testing.T) {
	for name, machineStays := range map[string]bool{"its Machine stays": true, "its Machine goes too": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.machine("w-0", "new", "old")
			before := w.node("w-0", id("old"), func(n *corev1.Node) { n.Finalizers = []string{"example.com/mine"} })
			obj := w.machineObject("w-0", id("old"), "Running", "")
			if !machineStays {
				obj.SetFinalizers([]string{"machine.machine.openshift.io"})
				w.Expect(w.Update(t.Context(), obj)).To(Succeed())
				uid := obj.GetUID()
				w.Expect(w.Delete(t.Context(), obj, client.Preconditions{UID: &uid})).To(Succeed())
			}
			w.observe()
			w.loseNode("w-0")
			w.repaired()
			if !machineStays {
				w.Expect(w.getNode("w-0").UID).To(Equal(before.UID))
				return
			}
			w.Expect(w.expectWhole("w-0", id("new")).Finalizers).To(Equal([]string{"example.com/mine"}))
		})
	}
}

// TestNodeThatTheAPIWouldNotTake is not deleted.
func TestNodeThatTheAPIWouldNotTake(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	before := w.node("m-0", id("old"))
	w.observe()
	w.reject = func(op string, obj client.Object) error {
		if op == "dry-run" {
			return apierrors.NewInvalid(schema.GroupKind{Kind: "Node"}, obj.GetName(), nil)
		}
		return nil
	}
	waiting, err := w.repair()
	w.Expect(err).To(MatchError(ContainSubstring("would not take Node m-0")))
	w.Expect(waiting).To(HaveLen(1))
	w.Expect(w.getNode("m-0").UID).To(Equal(before.UID))
}

// TestNoTimeLeft: a Node is not deleted that could not be made again in this visit.
func TestNoTimeLeft(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	before := w.node("m-0", id("old"))
	w.observe()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	waiting, err := noderepair.Repair(ctx, w.Client, w.plan)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(waiting).To(Equal([]string{"m-0: its turn comes next"}))
	w.Expect(w.getNode("m-0").UID).To(Equal(before.UID))
}

// TestCreateIsTriedAtOnce, several times: until it succeeds there is no Node.
func TestCreateIsTriedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	w.node("m-0", id("old"))
	w.observe()
	failures := 3
	w.reject = func(op string, _ client.Object) error {
		if op == "create" && failures > 0 {
			failures--
			return errors.New("connection reset by peer")
		}
		return nil
	}
	waiting, err := w.repair()
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(waiting).To(BeEmpty())
	w.expectWhole("m-0", id("new"))
}

// TestChangedMeanwhile: a Node that somebody changes between our look and its deletion keeps that change.
func TestChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	w.node("m-0", id("old"))
	w.observe()
	changed := false
	w.reject = func(op string, _ client.Object) error {
		if op == "delete" && !changed {
			changed = true
			node := w.getNode("m-0")
			node.Annotations["late"] = "change"
			w.Expect(w.Update(context.Background(), node)).To(Succeed())
		}
		return nil
	}
	w.repaired()
	w.Expect(w.expectWhole("m-0", id("new")).Annotations).To(HaveKeyWithValue("late", "change"))
}

// TestControlPlaneFirst, and Nodes before Machines.
func TestControlPlaneFirst(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"m-0", "m-1", "w-0"} {
		w.machine(name, "new-"+name, "old-"+name)
		w.node(name, id("old-"+name))
		w.machineObject(name, id("old-"+name), "Running", "")
	}
	w.observe()
	var order []string
	w.reject = func(op string, obj client.Object) error {
		if op == "delete" || op == "patch" {
			order = append(order, op+" "+obj.GetName())
		}
		return nil
	}
	w.repaired()
	w.Expect(order).To(Equal([]string{"delete m-0", "delete m-1", "delete w-0", "patch m-0", "patch m-1", "patch w-0"}))
}

// TestOneFailureDoesNotKeepTheOthers.
func TestOneFailureDoesNotKeepTheOthers(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"m-0", "m-1"} {
		w.machine(name, "new-"+name, "old-"+name)
		w.node(name, id("old-"+name))
		w.machineObject(name, id("old-"+name), "Running", "")
	}
	w.observe()
	w.reject = func(op string, obj client.Object) error {
		if obj.GetName() == "m-0" && (op == "delete" || op == "patch") {
			return errors.New("admission webhook does not answer")
		}
		return nil
	}
	waiting, err := w.repair()
	w.Expect(err).To(HaveOccurred())
	w.Expect(waiting).To(Equal([]string{"m-0: not made again yet", "m-0: its Machine is not repaired yet"}))
	w.expectWhole("m-1", id("new-m-1"))
	w.Expect(field(w.getMachine("Machine", "m-1"), "spec", "providerID")).To(Equal(id("new-m-1")))
}

// TestTwoNodesOfOneServer: the one that has its ID stays, the other is not made its twin.
func TestTwoNodesOfOneServer(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new", "old")
	w.node("m-0", id("new"))
	stale := w.node("m-0-renamed", id("old"))
	w.observe()
	waiting, err := w.repair()
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(waiting).To(Equal([]string{"m-0-renamed: another Node has its server's ID"}))
	w.Expect(w.getNode("m-0-renamed").UID).To(Equal(stale.UID))
}

func TestExpected(t *testing.T) {
	w := newWorld(t)
	w.machine("m-0", "new-m-0", "old-m-0")
	w.machine("w-0", "", "old-w-0")
	w.machine("w-1", "new-w-1", "old-w-1")
	w.node("w-0", id("old-w-0"), func(n *corev1.Node) { n.Status.Conditions = nil })
	w.node("m-0", id("old-m-0"))
	w.node("w-9", id("removed"))
	w.observe()
	w.Expect(w.plan.Expected()).To(Equal([]noderepair.ExpectedNode{
		{Name: "m-0", Machine: "m-0", ControlPlane: true, Ready: true, ProviderID: id("new-m-0")},
		{Name: "w-0", Machine: "w-0", ProviderID: ""},
	}))
	for providerID, want := range map[string]string{
		id("new-m-0"): "", id("old-m-0"): "it does not have its new server's ID yet", "": "it does not have its new server's ID yet",
	} {
		node := &corev1.Node{Spec: corev1.NodeSpec{ProviderID: providerID}}
		w.Expect(w.plan.Expected()[0].Pending(node)).To(Equal(want))
	}
	w.Expect(w.plan.Expected()[1].Pending(&corev1.Node{Spec: corev1.NodeSpec{ProviderID: id("old-w-0")}})).To(ContainSubstring("no server yet"))
}

func TestServerID(t *testing.T) {
	g := NewWithT(t)
	for providerID, want := range map[string]string{
		"openstack:///a-b": "a-b", "openstack://region/a-b": "a-b", "openstack:///": "", "openstack://": "", "": "", "openstack:/a": "", "aws:///a": "", "a": "",
	} {
		g.Expect(noderepair.ServerID(providerID)).To(Equal(want), providerID)
	}
}
