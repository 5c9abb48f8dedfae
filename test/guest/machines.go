package guest

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	machineNamespace = "openshift-machine-api"
	roleLabel        = "machine.openshift.io/cluster-api-machine-role"

	// MachineFinalizer is what the machine controller holds a Machine by until it has seen to its deletion.
	MachineFinalizer = "machine.machine.openshift.io"
	// PausedAnnotation on a MachineHealthCheck keeps it from doing anything.
	PausedAnnotation = "cluster.x-k8s.io/paused"
)

// The MachineHealthChecks: that of the control plane is paused, by the cluster's owner.
const (
	PausedHealthCheck = "control-plane"
	HealthCheck       = "workers"
)

// installMachines makes the Machines of servers that run, and what watches over them.
func installMachines(ctx context.Context, c client.Client, machines []*machine) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: machineNamespace}}
	if err := c.Create(ctx, namespace); err != nil {
		return fmt.Errorf("make namespace %s: %w", machineNamespace, err)
	}
	for _, m := range machines {
		if err := installMachine(ctx, c, m); err != nil {
			return fmt.Errorf("make Machine %s: %w", m.name, err)
		}
	}
	for name, role := range map[string]string{PausedHealthCheck: "master", HealthCheck: "worker"} {
		check := newObject(HealthCheckKind(), machineNamespace, name)
		if name == PausedHealthCheck {
			check.SetAnnotations(map[string]string{PausedAnnotation: "", "example.com/why": "being looked at"})
		}
		check.Object["spec"] = map[string]any{
			"maxUnhealthy": "100%",
			"selector":     map[string]any{"matchLabels": map[string]any{roleLabel: role}},
		}
		if err := c.Create(ctx, check); err != nil {
			return fmt.Errorf("make MachineHealthCheck %s: %w", name, err)
		}
	}
	return nil
}

func installMachine(ctx context.Context, c client.Client, m *machine) error {
	node := &corev1.Node{}
	if err := c.Get(ctx, client.ObjectKey{Name: m.name}, node); err != nil {
		return err
	}
	role := "worker"
	if m.controlPlane() {
		role = "master"
	}
	object := newObject(MachineKind(), machineNamespace, m.name)
	object.SetLabels(map[string]string{roleLabel: role, "machine.openshift.io/cluster-api-machine-type": role})
	object.SetFinalizers([]string{MachineFinalizer})
	object.Object["spec"] = map[string]any{
		"lifecycleHooks": map[string]any{}, "metadata": map[string]any{},
		"providerID": ProviderID(m.server),
	}
	if err := c.Create(ctx, object); err != nil {
		return err
	}
	object.Object["status"] = map[string]any{"phase": "Running", "nodeRef": NodeReference(node)}
	return c.Status().Update(ctx, object)
}

// NodeReference is what a Machine's status.nodeRef says of its Node.
func NodeReference(node *corev1.Node) map[string]any {
	return map[string]any{"kind": "Node", "name": node.Name, "uid": string(node.UID)}
}

// Machines returns the cluster's Machines.
func Machines(ctx context.Context, c client.Client) ([]unstructured.Unstructured, error) {
	return list(ctx, c, MachineKind().Kind)
}

// HealthChecks returns the cluster's MachineHealthChecks.
func HealthChecks(ctx context.Context, c client.Client) ([]unstructured.Unstructured, error) {
	return list(ctx, c, HealthCheckKind().Kind)
}

func list(ctx context.Context, c client.Client, kind string) ([]unstructured.Unstructured, error) {
	all := &unstructured.UnstructuredList{}
	all.SetGroupVersionKind(MachineKind().GroupVersion().WithKind(kind + "List"))
	if err := c.List(ctx, all, client.InNamespace(machineNamespace)); err != nil {
		return nil, fmt.Errorf("list %ss: %w", kind, err)
	}
	return all.Items, nil
}

// Field returns a string in an object, empty if it is not there.
func Field(object unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(object.Object, path...)
	return value
}
