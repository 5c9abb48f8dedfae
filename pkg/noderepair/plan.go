package noderepair

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// Plan is what is known of a cluster from outside of it.
type Plan struct {
	// Machines are the cluster's, the control plane first.
	Machines []hibernation.MachineState
	// Observation is what the record holds of the cluster; nil if it could not be asked. It is only read.
	Observation *hibernation.Observation
	// Remember saves what the cluster says of itself now, as far as the record does not hold it, and returns what it then
	// holds. It is called before a Node is deleted of which the record says nothing; without it such a Node stays as it is.
	Remember func(ctx context.Context, o hibernation.Observation) (*hibernation.Observation, error)
	// Alive tells whether a Node's kubelet has reported since the cluster wakes; nil means that all have.
	Alive func(node string) bool
}

// machineOf returns the machine that a server is, or was; nil if it is none of the cluster's machines.
func (p *Plan) machineOf(server string) *hibernation.MachineState {
	if server == "" {
		return nil
	}
	for i := range p.Machines {
		m := &p.Machines[i]
		if m.ServerID == server {
			return m
		}
		for _, old := range m.OldServerIDs {
			if old == server {
				return m
			}
		}
	}
	return nil
}

// machineOfNode returns the machine of a Node, by its own providerID or, where that is empty, by the recorded one.
func (p *Plan) machineOfNode(name, providerID string) *hibernation.MachineState {
	if providerID == "" {
		if was := p.Observation.Node(name); was != nil {
			providerID = was.ProviderID
		}
	}
	return p.machineOf(ServerID(providerID))
}

// ExpectedNode is a Node that the cluster had and has to have again.
type ExpectedNode struct {
	Name string
	// Ready tells that it was Ready when the cluster went to sleep, or that it is not known.
	Ready        bool
	ControlPlane bool
	// ProviderID is the one that it is to have; empty while its machine has no server, or if it never had one.
	ProviderID string
	// Machine is whose server the Node runs on.
	Machine string
}

// Expected returns the Nodes in the record whose machines the cluster still has, in the machines' order.
func (p *Plan) Expected() []ExpectedNode {
	if p.Observation == nil {
		return nil
	}
	var out []ExpectedNode
	for i := range p.Machines {
		m := &p.Machines[i]
		for _, n := range p.Observation.Nodes {
			if p.machineOf(ServerID(n.ProviderID)) == m {
				out = append(out, ExpectedNode{
					Name: n.Name, Machine: m.Name, ControlPlane: m.ControlPlane,
					Ready:      n.Ready || p.Observation.Late,
					ProviderID: withServer(n.ProviderID, m.ServerID),
				})
			}
		}
	}
	return out
}

// Pending says in what a Node that exists is not repaired yet; empty if it is.
func (e ExpectedNode) Pending(node *corev1.Node) string {
	switch {
	case e.ProviderID == node.Spec.ProviderID:
		return ""
	case e.ProviderID == "":
		return "its machine has no server yet"
	}
	return "it does not have its new server's ID yet"
}
