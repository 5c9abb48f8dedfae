package noderepair_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/noderepair"
)

const machineNamespace = "openshift-machine-api"

// errDied is what every call returns once the process is dead.
var errDied = errors.New("the process is dead")

// world is a cluster with what its API server does and a fake client does not: it gives UIDs, keeps time, and refuses what
// it would refuse.
type world struct {
	*WithT
	client.Client
	now  time.Time
	uids int
	plan noderepair.Plan

	// noMachineAPI lets the API know no machine API.
	noMachineAPI bool
	// lives is how many calls that change something, or saves of the record, the process lives to make; negative: for ever.
	// lost says that the last of them is carried out.
	lives int
	lost  bool
	made  int
	// reject, unless nil, is asked before a call is carried out.
	reject func(op string, obj client.Object) error
}

func newWorld(t *testing.T) *world {
	scheme := runtime.NewScheme()
	g := NewWithT(t)
	g.Expect(corev1.AddToScheme(scheme)).To(Succeed())
	g.Expect(storagev1.AddToScheme(scheme)).To(Succeed())
	for _, kind := range []string{"Machine", "MachineHealthCheck"} {
		gvk := schema.GroupVersionKind{Group: "machine.openshift.io", Version: "v1beta1", Kind: kind}
		scheme.AddKnownTypeWithName(gvk, &unstructured.Unstructured{})
		gvk.Kind += "List"
		scheme.AddKnownTypeWithName(gvk, &unstructured.UnstructuredList{})
	}
	w := &world{WithT: g, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), lives: -1}
	machine := &unstructured.Unstructured{}
	machine.SetGroupVersionKind(schema.GroupVersionKind{Group: "machine.openshift.io", Version: "v1beta1", Kind: "Machine"})
	w.Client = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(machine).WithInterceptorFuncs(interceptor.Funcs{
		List: w.list, Create: w.create, Delete: w.remove, Patch: w.patch, SubResourcePatch: w.patchStatus,
	}).Build()
	w.plan.Remember = w.remember
	return w
}

// step counts a change, and lets the process die at the one that it does not live to see answered.
func (w *world) step(do func() error) error {
	if w.lives == 0 {
		return errDied
	}
	w.made++
	w.lives--
	if w.lives == 0 && w.lost {
		if err := do(); err != nil {
			return err
		}
		return errDied
	}
	return do()
}

func (w *world) rejected(op string, obj client.Object) error {
	if w.reject == nil {
		return nil
	}
	return w.reject(op, obj)
}

func (w *world) list(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
	if w.lives == 0 {
		return errDied
	}
	if kind := list.GetObjectKind().GroupVersionKind(); w.noMachineAPI && kind.Group == "machine.openshift.io" {
		return &meta.NoKindMatchError{GroupKind: kind.GroupKind()}
	}
	return c.List(ctx, list, opts...)
}

func (w *world) create(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
	options := (&client.CreateOptions{}).ApplyOptions(opts)
	if len(options.DryRun) > 0 {
		if err := w.rejected("dry-run", obj); err != nil {
			return err
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj.DeepCopyObject().(client.Object)); err == nil {
			return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "nodes"}, obj.GetName())
		}
		return nil
	}
	return w.step(func() error {
		if err := w.rejected("create", obj); err != nil {
			return err
		}
		w.uids++
		obj.SetUID(types.UID(fmt.Sprintf("uid-%d", w.uids)))
		if obj.GetCreationTimestamp().Time.IsZero() {
			obj.SetCreationTimestamp(metav1.NewTime(w.now))
		}
		return c.Create(ctx, obj, opts...)
	})
}

func (w *world) remove(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
	return w.step(func() error {
		if err := w.rejected("delete", obj); err != nil {
			return err
		}
		is := obj.DeepCopyObject().(client.Object)
		if err := c.Get(ctx, client.ObjectKeyFromObject(obj), is); err != nil {
			return err
		}
		options := (&client.DeleteOptions{}).ApplyOptions(opts)
		w.Expect(options.Preconditions).NotTo(BeNil(), "what is deleted may be another object by now")
		if p := options.Preconditions; *p.UID != is.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != is.GetResourceVersion() {
			return apierrors.NewConflict(schema.GroupResource{}, obj.GetName(), errors.New("the precondition does not hold"))
		}
		return c.Delete(ctx, is)
	})
}

func (w *world) patch(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return w.step(func() error {
		if err := w.rejected("patch", obj); err != nil {
			return err
		}
		before := &corev1.Node{}
		if node, ok := obj.(*corev1.Node); ok {
			if err := c.Get(ctx, client.ObjectKeyFromObject(node), before); err != nil {
				return err
			}
		}
		if err := c.Patch(ctx, obj, patch, opts...); err != nil {
			return err
		}
		if node, ok := obj.(*corev1.Node); ok && before.Spec.ProviderID != "" {
			w.Expect(node.Spec.ProviderID).To(Equal(before.Spec.ProviderID), "a providerID can't be changed")
		}
		return nil
	})
}

func (w *world) patchStatus(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	return w.step(func() error {
		if err := w.rejected("patch "+sub, obj); err != nil {
			return err
		}
		return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
	})
}

// remember is the record: what it holds survives the process, and is there before anything is deleted.
func (w *world) remember(_ context.Context, o hibernation.Observation) (*hibernation.Observation, error) {
	err := w.step(func() error {
		for _, n := range o.Nodes {
			if w.plan.Observation == nil {
				w.plan.Observation = &hibernation.Observation{Late: true}
			}
			if w.plan.Observation.Node(n.Name) == nil {
				w.plan.Observation.Nodes = append(w.plan.Observation.Nodes, n)
			}
		}
		return nil
	})
	return w.plan.Observation, err
}

// repair is one visit.
func (w *world) repair() ([]string, error) {
	return noderepair.Repair(context.Background(), w.Client, w.plan)
}

// repaired visits until nothing is waited for.
func (w *world) repaired() {
	for range 5 {
		waiting, err := w.repair()
		w.ExpectWithOffset(1, err).NotTo(HaveOccurred())
		if len(waiting) == 0 {
			return
		}
	}
	w.Expect("the repair").To(Equal("done"))
}

func id(server string) string { return "openstack:///" + server }

// machine adds a machine to the plan: its present server, and those that it was.
func (w *world) machine(name, server string, old ...string) {
	w.plan.Machines = append(w.plan.Machines, hibernation.MachineState{
		Name: name, ControlPlane: name[0] == 'm', ServerID: server, OldServerIDs: old, Running: server != "",
	})
}

// podCIDR returns the range of a Node's pods, which no other Node has.
func podCIDR(node string) string {
	return fmt.Sprintf("10.128.%d.0/24", crc32.ChecksumIEEE([]byte(node))%256)
}

// node adds a Node as a cluster that wakes shows it.
func (w *world) node(name, providerID string, changes ...func(*corev1.Node)) *corev1.Node {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Labels:      map[string]string{"kubernetes.io/hostname": name, "mine": "kept"},
			Annotations: map[string]string{"marker": "of " + name},
		},
		Spec: corev1.NodeSpec{
			ProviderID: providerID, PodCIDR: podCIDR(name), PodCIDRs: []string{podCIDR(name)},
			Taints: []corev1.Taint{
				{Key: "dedicated", Value: "db", Effect: corev1.TaintEffectNoSchedule},
				{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute},
				{Key: corev1.TaintNodeMemoryPressure, Effect: corev1.TaintEffectNoSchedule},
			},
		},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
	for _, change := range changes {
		change(node)
	}
	w.ExpectWithOffset(1, w.Create(context.Background(), node)).To(Succeed())
	return node
}

func (w *world) machineAPI(kind, name string, content map[string]any) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: content}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Group: "machine.openshift.io", Version: "v1beta1", Kind: kind})
	obj.SetNamespace(machineNamespace)
	obj.SetName(name)
	w.ExpectWithOffset(1, w.Create(context.Background(), obj)).To(Succeed())
	return obj
}

// machineObject adds a Machine in a phase, failed with a message.
func (w *world) machineObject(name, providerID, phase, message string) *unstructured.Unstructured {
	status := map[string]any{"phase": phase, "nodeRef": map[string]any{"kind": "Node", "name": name}}
	if message != "" {
		status["errorMessage"], status["errorReason"] = message, "InvalidConfiguration"
	}
	return w.machineAPI("Machine", name, map[string]any{"spec": map[string]any{"providerID": providerID, "more": "kept"}, "status": status})
}

// observe notes the cluster as it is, as was done before its sleep.
func (w *world) observe() {
	o, err := noderepair.Observe(context.Background(), w.Client)
	w.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	w.plan.Observation = &o
}

// getNode returns a Node, nil if there is none.
func (w *world) getNode(name string) *corev1.Node {
	node := &corev1.Node{}
	err := w.Get(context.Background(), client.ObjectKey{Name: name}, node)
	if apierrors.IsNotFound(err) {
		return nil
	}
	w.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return node
}

func (w *world) getMachine(kind, name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Group: "machine.openshift.io", Version: "v1beta1", Kind: kind})
	w.ExpectWithOffset(1, w.Get(context.Background(), client.ObjectKey{Namespace: machineNamespace, Name: name}, obj)).To(Succeed())
	return obj
}

func field(obj *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(obj.Object, path...)
	return value
}
