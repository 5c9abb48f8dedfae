package guest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Census is what there is of a cluster at one moment, by name.
type Census struct {
	// Servers are the IDs of its servers.
	Servers  map[string]string
	Nodes    map[string]corev1.Node
	Machines map[string]unstructured.Unstructured
	CSINodes map[string]storagev1.CSINode
	// Pods are those of somebody, not the cluster's own.
	Pods map[string]types.UID
}

// Comparison says how much of a cluster is what it was.
type Comparison struct {
	// Nodes, Machines, Drivers and Pods count those that are: Ready or Running, on their present server, and otherwise
	// the same. A driver is right when its CSINode belongs to the present Node and names the present server.
	Nodes, Machines, Drivers, Pods int
	// Differences name the others.
	Differences []string
}

// Census takes the cluster's census; its API need not answer to others.
func (g *Guest) Census(ctx context.Context) (Census, error) {
	c := Census{
		Servers: map[string]string{}, Nodes: map[string]corev1.Node{}, Machines: map[string]unstructured.Unstructured{},
		CSINodes: map[string]storagev1.CSINode{}, Pods: map[string]types.UID{},
	}
	servers, err := g.options.Source.Servers(ctx)
	if err != nil {
		return c, fmt.Errorf("ask for the cluster's servers: %w", err)
	}
	for _, server := range servers {
		c.Servers[server.Name] = server.ID
	}
	nodes, csiNodes, pods := &corev1.NodeList{}, &storagev1.CSINodeList{}, &corev1.PodList{}
	if err := errors.Join(g.client.List(ctx, nodes), g.client.List(ctx, csiNodes), g.client.List(ctx, pods)); err != nil {
		return c, fmt.Errorf("take the cluster's census: %w", err)
	}
	for _, node := range nodes.Items {
		c.Nodes[node.Name] = node
	}
	for _, node := range csiNodes.Items {
		c.CSINodes[node.Name] = node
	}
	for _, pod := range pods.Items {
		if !isDriver(&pod) {
			c.Pods[pod.Name] = pod.UID
		}
	}
	machines, err := Machines(ctx, g.client)
	for _, machine := range machines {
		c.Machines[machine.GetName()] = machine
	}
	return c, err
}

// Compare compares the cluster with what it is later.
func (c Census) Compare(after Census) Comparison {
	var result Comparison
	count := func(n *int, kind, name string, differences []string) {
		if len(differences) == 0 {
			*n++
			return
		}
		result.Differences = append(result.Differences, fmt.Sprintf("%s %s: %s", kind, name, strings.Join(differences, ", ")))
	}
	for name, node := range c.Nodes {
		count(&result.Nodes, "Node", name, compareNodes(node, after.Nodes[name], after.Servers[name]))
	}
	for name, machine := range c.Machines {
		count(&result.Machines, "Machine", name, compareMachines(machine, after.Machines[name], after.Servers[name]))
	}
	for name := range c.CSINodes {
		count(&result.Drivers, "CSINode", name, compareDrivers(after.CSINodes[name], after.Nodes[name], after.Servers[name]))
	}
	for name, uid := range c.Pods {
		var gone []string
		if after.Pods[name] != uid {
			gone = []string{"gone"}
		}
		count(&result.Pods, "pod", name, gone)
	}
	slices.Sort(result.Differences)
	return result
}

// differences collects what is not as it should be.
type differences []string

func (d *differences) expect(what string, is, should any) {
	if fmt.Sprint(is) != fmt.Sprint(should) {
		*d = append(*d, fmt.Sprintf("%s is %v, not %v", what, is, should))
	}
}

func compareNodes(was, is corev1.Node, server string) []string {
	if is.Name == "" {
		return []string{"gone"}
	}
	var d differences
	d.expect("providerID", is.Spec.ProviderID, ProviderID(server))
	for key, value := range was.Labels {
		d.expect("label "+key, is.Labels[key], value)
	}
	for key, value := range was.Annotations {
		d.expect("annotation "+key, is.Annotations[key], value)
	}
	d.expect("taints", lasting(is.Spec.Taints), lasting(was.Spec.Taints))
	d.expect("unschedulable", is.Spec.Unschedulable, was.Spec.Unschedulable)
	d.expect("podCIDRs", is.Spec.PodCIDRs, was.Spec.PodCIDRs)
	ready := corev1.ConditionUnknown
	for _, c := range is.Status.Conditions {
		if c.Type == corev1.NodeReady {
			ready = c.Status
		}
	}
	d.expect("Ready", ready, corev1.ConditionTrue)
	return d
}

// lasting returns the taints that don't follow from how a Node is just now, by key.
func lasting(taints []corev1.Taint) []string {
	var all []string
	for _, taint := range taints {
		if !strings.HasPrefix(taint.Key, "node.kubernetes.io/") && !strings.HasPrefix(taint.Key, "node.cloudprovider.kubernetes.io/") {
			all = append(all, taint.ToString())
		}
	}
	slices.Sort(all)
	return all
}

func compareMachines(was, is unstructured.Unstructured, server string) []string {
	if is.Object == nil {
		return []string{"gone"}
	}
	var d differences
	d.expect("UID", is.GetUID(), was.GetUID())
	d.expect("providerID", Field(is, "spec", "providerID"), ProviderID(server))
	d.expect("phase", Field(is, "status", "phase"), "Running")
	d.expect("errorMessage", Field(is, "status", "errorMessage"), "")
	d.expect("nodeRef", Field(is, "status", "nodeRef", "name"), Field(was, "status", "nodeRef", "name"))
	d.expect("deletion", is.GetDeletionTimestamp(), was.GetDeletionTimestamp())
	return d
}

func compareDrivers(is storagev1.CSINode, node corev1.Node, server string) []string {
	if is.Name == "" {
		return []string{"gone"}
	}
	var d differences
	d.expect("drivers", is.Spec.Drivers, []storagev1.CSINodeDriver{{Name: driverName, NodeID: server}})
	owner := types.UID("")
	for _, reference := range is.OwnerReferences {
		owner = reference.UID
	}
	d.expect("owner", owner, node.UID)
	return d
}
