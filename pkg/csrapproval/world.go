package csrapproval

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// aliveWithin is how young a Node's Lease is while its kubelet runs: it renews it every 10 s, and after 40 s without that
// the node lifecycle controller takes it for dead (its --node-monitor-grace-period was 40 s, and is 50 s since 1.32).
const aliveWithin = 40 * time.Second

// World is what requests are judged against: the Nodes and Machines of one cluster, as they were read once.
type World struct {
	nodes    map[string]node
	machines map[string][]machine
}

type node struct {
	// alive: its kubelet talks to the API, so it has a client certificate.
	alive bool
}

type machine struct {
	deleting  bool
	addresses []corev1.NodeAddress
}

func isIP(a corev1.NodeAddress) bool {
	return a.Type == corev1.NodeInternalIP || a.Type == corev1.NodeExternalIP
}

func isDNS(a corev1.NodeAddress) bool {
	return a.Type == corev1.NodeInternalDNS || a.Type == corev1.NodeExternalDNS || a.Type == corev1.NodeHostName
}

// NewWorld returns what the given objects say at the time now. Nodes that are being deleted do not count. Of the Machines
// (machine.openshift.io/v1beta1) only the ones with a status.nodeRef count; what is malformed in them is left out. Their
// phase is of no account: after a hibernation it is Failed just because the old server is gone.
func NewWorld(nodes []corev1.Node, leases []coordinationv1.Lease, machines []unstructured.Unstructured, now time.Time) World {
	world := World{nodes: map[string]node{}, machines: map[string][]machine{}}
	for i := range nodes {
		if nodes[i].DeletionTimestamp == nil {
			world.nodes[nodes[i].Name] = node{}
		}
	}
	for i := range leases {
		if _, ok := world.nodes[leases[i].Name]; ok {
			world.nodes[leases[i].Name] = node{alive: renewedAround(&leases[i], now)}
		}
	}
	for i := range machines {
		if name, _, _ := unstructured.NestedString(machines[i].Object, "status", "nodeRef", "name"); name != "" {
			world.machines[name] = append(world.machines[name], machine{
				deleting:  machines[i].GetDeletionTimestamp() != nil,
				addresses: addressesOf(&machines[i]),
			})
		}
	}
	return world
}

// renewedAround looks both ways: with a clock that is wrong, here or there, no kubelet may look alive for ever.
func renewedAround(lease *coordinationv1.Lease, now time.Time) bool {
	if lease.Spec.RenewTime == nil {
		return false
	}
	return now.Sub(lease.Spec.RenewTime.Time).Abs() < aliveWithin
}

func addressesOf(object *unstructured.Unstructured) []corev1.NodeAddress {
	list, _, _ := unstructured.NestedFieldNoCopy(object.Object, "status", "addresses")
	entries, _ := list.([]any)
	var out []corev1.NodeAddress
	for _, entry := range entries {
		fields, _ := entry.(map[string]any)
		kind, _ := fields["type"].(string)
		address, _ := fields["address"].(string)
		if address != "" {
			out = append(out, corev1.NodeAddress{Type: corev1.NodeAddressType(kind), Address: address})
		}
	}
	return out
}

// machineOf returns the one Machine of a Node that exists, or the rule that it breaks.
func (w World) machineOf(name string) (machine, error) {
	if _, ok := w.nodes[name]; !ok {
		return machine{}, refuse(RuleNode, "no such Node exists")
	}
	of := w.machines[name]
	switch {
	case len(of) == 0:
		return machine{}, refuse(RuleMachine, "no Machine refers to this Node")
	case len(of) > 1:
		return machine{}, refuse(RuleMachine, "several Machines refer to this Node")
	case of[0].deleting:
		return machine{}, refuse(RuleMachine, "the Machine of this Node is being deleted")
	}
	return of[0], nil
}
