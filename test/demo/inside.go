package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/guest"
)

// lookInside takes down how the cluster's Nodes and Machines are, as its API says while it answers.
func (p *play) lookInside(ctx context.Context, now look) error {
	census, err := p.guest.Census(ctx)
	if err != nil {
		return err
	}
	serving := p.guest.Serving()
	if p.lifecycle.Leads() {
		now.lifecycle["cloud node lifecycle: deletes Nodes whose server is gone"] = "at work"
	}
	for name, node := range census.Nodes {
		now.nodes[short(name)] = stateOf(serving, readiness(node), node.Spec.ProviderID, census.Servers[name])
	}
	for name, machine := range census.Machines {
		phase, id := guest.Field(machine, "status", "phase"), guest.Field(machine, "spec", "providerID")
		now.machines[short(name)] = stateOf(serving, phase, id, census.Servers[name])
	}
	return nil
}

// stateOf says how something is that is to be on a server.
func stateOf(serving bool, state, providerID, server string) string {
	switch {
	case !serving:
		return "API down"
	case providerID != guest.ProviderID(server):
		return "stale ID"
	}
	return state
}

func readiness(node corev1.Node) string {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return "Ready"
		}
	}
	return "NotReady"
}

// printInside shows what the cluster's API holds of its Nodes and Machines.
func printInside(census guest.Census) {
	fmt.Printf("Inside the cluster: %d Nodes, %d Machines\n", len(census.Nodes), len(census.Machines))
	for _, name := range slices.Sorted(maps.Keys(census.Nodes)) {
		node, machine := census.Nodes[name], census.Machines[name]
		fmt.Printf("  %-15s  Node %-8s %s  Machine %-8s %s\n", short(name), readiness(node), shorten(node.Spec.ProviderID),
			guest.Field(machine, "status", "phase"), shorten(guest.Field(machine, "spec", "providerID")))
	}
}

// shorten leaves out most of a providerID's UUID.
func shorten(id string) string {
	if length := len(guest.ProviderPrefix) + 8; len(id) > length {
		return id[:length] + "…"
	}
	return id
}

// printRemembered shows what the record holds of a cluster that sleeps, and returns what it lacks.
func (p *play) printRemembered(ctx context.Context, before guest.Census) error {
	key := types.NamespacedName{Namespace: namespace, Name: hibernation.RecordName(name)}
	secret := &corev1.Secret{}
	if err := p.client.Get(ctx, key, secret); err != nil {
		return fmt.Errorf("read the hibernation record: %w", err)
	}
	record := &hibernation.Record{}
	if err := json.Unmarshal(secret.Data[hibernation.RecordKey], record); err != nil {
		return fmt.Errorf("read the hibernation record: %w", err)
	}
	if record.Observation == nil {
		return fmt.Errorf("the record holds no Nodes: %s", record.Unobserved)
	}
	nodes, machines := record.Observation.Nodes, record.Observation.Machines
	fmt.Printf("Inside the cluster: its API is down; the record holds %d Nodes and %d Machines\n", len(nodes), len(machines))
	for _, node := range nodes {
		fmt.Printf("  %-15s  Node %s, %d labels, %d annotations, %d taints\n", short(node.Name), shorten(node.ProviderID),
			len(node.Labels), len(node.Annotations), len(node.Taints))
	}
	if len(nodes) != len(before.Nodes) || len(machines) != len(before.Machines) {
		return fmt.Errorf("the record lacks some of %d Nodes and %d Machines", len(before.Nodes), len(before.Machines))
	}
	return nil
}

// installed waits until the cluster is as it is some time after its installation, and returns its census.
func (p *play) installed(ctx context.Context) (guest.Census, error) {
	var census guest.Census
	err := p.wait(ctx, "the cluster's Nodes", func(ctx context.Context, _ look) (bool, error) {
		var err error
		census, err = p.guest.Census(ctx)
		return len(census.CSINodes) == len(census.Servers) && len(census.Nodes) == len(census.Servers), err
	})
	return census, err
}

// compare returns how much of the inside is what it was, and what is not.
func (p *play) compare(ctx context.Context, before guest.Census) (guest.Comparison, error) {
	after, err := p.guest.Census(ctx)
	if err != nil {
		return guest.Comparison{}, err
	}
	comparison := before.Compare(after)
	if differences := comparison.Differences; len(differences) > 0 {
		err = fmt.Errorf("the cluster's inside is not what it was\n%s", strings.Join(differences, "\n"))
	}
	return comparison, err
}
