package hibernation

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/noderepair"
)

// verdict tells whether the Nodes that are expected are ready, and else what is waited for: those that were when the cluster
// went to sleep, or was about to; where only their number is known, so many; where nothing is, every Node there is whose
// server is not off, and a full control plane.
func (n nodes) verdict(atFirst map[string]time.Time, record hibernation.Summary, repaired bool) (string, bool) {
	plan := planOf(&record)
	expected := slices.DeleteFunc(plan.Expected(), func(e noderepair.ExpectedNode) bool { return !e.Ready })
	switch {
	case len(expected) > 0 && record.Observation.Late:
		if message, full := n.controlPlaneFull(record); !full {
			return message, false
		}
		return n.allReady(atFirst, n.withOthers(expected), repaired)
	case len(expected) > 0:
		return n.allReady(atFirst, expected, repaired)
	case len(n.stillThere(record)) > 0:
		return n.allReady(atFirst, n.stillThere(record), false)
	case record.Observation != nil && !record.Observation.Late:
		return n.soManyReady(atFirst, record.Observation.NodesReady)
	}
	if message, full := n.controlPlaneFull(record); !full {
		return message, false
	}
	if len(n.items) == 0 {
		return "The cluster has no Node yet", false
	}
	return n.allReady(atFirst, slices.DeleteFunc(n.withOthers(nil), offIn(record)), false)
}

// offIn tells of which Nodes the servers stay off: they were when a hibernation began that was given up.
func offIn(record hibernation.Summary) func(noderepair.ExpectedNode) bool {
	return func(e noderepair.ExpectedNode) bool {
		return slices.ContainsFunc(record.Machines, func(m hibernation.MachineState) bool {
			return m.Off && (m.Name == e.Name || noderepair.ServerID(e.ProviderID) == m.ServerID)
		})
	}
}

// stillThere returns those Nodes of a cluster whose hibernation was given up that were ready before and exist. It has lost no
// server: a Node that is gone was removed, and one that was not ready, as of a server that is off, is not waited for.
func (n nodes) stillThere(record hibernation.Summary) []noderepair.ExpectedNode {
	if record.Sealed || record.Observation == nil {
		return nil
	}
	var expected []noderepair.ExpectedNode
	for _, was := range record.Observation.Nodes {
		if was.Ready && n.named(was.Name) != nil {
			expected = append(expected, noderepair.ExpectedNode{Name: was.Name, ProviderID: was.ProviderID})
		}
	}
	return expected
}

// withOthers adds the Nodes that exist and are not among the expected.
func (n nodes) withOthers(expected []noderepair.ExpectedNode) []noderepair.ExpectedNode {
	for i := range n.items {
		name := n.items[i].Name
		if !slices.ContainsFunc(expected, func(e noderepair.ExpectedNode) bool { return e.Name == name }) {
			expected = append(expected, noderepair.ExpectedNode{Name: name, ProviderID: n.items[i].Spec.ProviderID})
		}
	}
	return expected
}

// allReady waits for Nodes by name. Those that are repaired have to have the IDs of their servers too.
func (n nodes) allReady(atFirst map[string]time.Time, expected []noderepair.ExpectedNode, repaired bool) (string, bool) {
	var lag []string
	for _, e := range expected {
		node := n.named(e.Name)
		if node == nil {
			lag = append(lag, e.Name+": the Node does not exist")
			continue
		}
		why := n.lags(node, atFirst)
		if why == "" && repaired {
			why = e.Pending(node)
		}
		if why != "" {
			lag = append(lag, e.Name+": "+why)
		}
	}
	return lagging(fmt.Sprintf("%d of %d Nodes are ready", len(expected)-len(lag), len(expected)), sorted(lag)), len(lag) == 0
}

// soManyReady waits for a number of Nodes.
func (n nodes) soManyReady(atFirst map[string]time.Time, expected int) (string, bool) {
	var lag []string
	for i := range n.items {
		if why := n.lags(&n.items[i], atFirst); why != "" {
			lag = append(lag, n.items[i].Name+": "+why)
		}
	}
	ready := len(n.items) - len(lag)
	return lagging(fmt.Sprintf("%d of %d Nodes are ready", ready, expected), sorted(lag)), ready >= expected
}

// lags says why a Node is not ready; empty if it is. Until its kubelet has renewed its Lease, what the API says of it is from
// before the sleep.
func (n nodes) lags(node *corev1.Node, atFirst map[string]time.Time) string {
	switch {
	case !n.renewed(node.Name, atFirst):
		return "has not reported since the resume"
	case !noderepair.IsReady(node):
		return "not ready"
	}
	return ""
}

func (n nodes) named(name string) *corev1.Node {
	for i := range n.items {
		if n.items[i].Name == name {
			return &n.items[i]
		}
	}
	return nil
}

func (n nodes) controlPlaneFull(record hibernation.Summary) (string, bool) {
	exist := 0
	for i := range n.items {
		if isControlPlane(&n.items[i]) {
			exist++
		}
	}
	if exist < record.ControlPlane {
		return fmt.Sprintf("%d of %d control plane Nodes exist", exist, record.ControlPlane), false
	}
	return "", true
}
