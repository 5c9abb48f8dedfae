package noderepair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// repair is one visit to a cluster.
type repair struct {
	c    client.Client
	plan Plan

	nodes    map[string]*corev1.Node
	machines []unstructured.Unstructured
	// machinesUnknown says that the Machines could not be asked for.
	machinesUnknown bool

	waiting  []string
	failures []error
}

// Repair does what can be done now so that the cluster takes its new servers for its own, the control plane first, and
// names what is not done yet. An error means that something failed, which is tried again the next time; the rest was done
// all the same.
//
// Nodes come before Machines: a Node whose old server is gone is deleted once the cloud controller manager leads, while a
// Machine that failed can be taken back.
func Repair(ctx context.Context, c client.Client, plan Plan) (waiting []string, err error) {
	r := &repair{c: c, plan: plan}
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	if err := r.remember(ctx); err != nil {
		r.fail(err)
	}
	for i := range r.plan.Machines {
		m := &r.plan.Machines[i]
		for _, name := range r.nodesOf(m) {
			r.node(ctx, m, name)
		}
	}
	for i := range r.plan.Machines {
		r.machinesOf(ctx, &r.plan.Machines[i])
	}
	if err := r.restartDrivers(ctx); err != nil {
		r.fail(err)
	}
	return r.waiting, errors.Join(r.failures...)
}

func (r *repair) look(ctx context.Context) error {
	nodes := &corev1.NodeList{}
	if err := r.c.List(ctx, nodes); err != nil {
		return fmt.Errorf("list Nodes: %w", err)
	}
	r.nodes = map[string]*corev1.Node{}
	for i := range nodes.Items {
		r.nodes[nodes.Items[i].Name] = &nodes.Items[i]
	}
	r.lookAtMachines(ctx)
	return nil
}

// lookAtMachines reads the Machines; without them Nodes can be repaired that exist. An API server that has just started does
// not serve them at once.
func (r *repair) lookAtMachines(ctx context.Context) {
	machines, err := listMachineAPI(ctx, r.c, "Machine")
	if err != nil {
		r.fail(err)
	}
	r.machines = machines
	r.machinesUnknown = err != nil || len(machines) == 0 && r.plan.Observation != nil && len(r.plan.Observation.Machines) > 0
}

// remember has everything saved that is known of the cluster, if a Node is about to be deleted that the record lacks.
func (r *repair) remember(ctx context.Context) error {
	if r.plan.Remember == nil {
		return nil
	}
	lacks := false
	var nodes []corev1.Node
	for _, node := range r.nodes {
		nodes = append(nodes, *node)
		if m := r.plan.machineOfNode(node.Name, node.Spec.ProviderID); m != nil && !recorded(r.plan.Observation, node) && r.stale(m, node) {
			lacks = true
		}
	}
	if !lacks {
		return nil
	}
	o, err := r.plan.Remember(ctx, observed(nodes, r.machines))
	if err != nil {
		return fmt.Errorf("save what the cluster's Nodes are: %w", err)
	}
	r.plan.Observation = o
	return nil
}

// recorded tells whether the record holds a Node with its providerID, so that it can be made again.
func recorded(o *hibernation.Observation, node *corev1.Node) bool {
	was := o.Node(node.Name)
	return was != nil && was.ProviderID != ""
}

// stale tells whether a Node has to be made again to get its providerID: it has that of another server.
func (r *repair) stale(m *hibernation.MachineState, node *corev1.Node) bool {
	is := ServerID(node.Spec.ProviderID)
	return is != "" && is != m.ServerID
}

// nodesOf returns the names of a machine's Nodes, those that exist and those that are recorded and lost.
func (r *repair) nodesOf(m *hibernation.MachineState) []string {
	var names []string
	for name, node := range r.nodes {
		if r.plan.machineOfNode(name, node.Spec.ProviderID) == m {
			names = append(names, name)
		}
	}
	if r.plan.Observation != nil {
		for _, was := range r.plan.Observation.Nodes {
			if r.nodes[was.Name] == nil && r.plan.machineOf(ServerID(was.ProviderID)) == m {
				names = append(names, was.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func (r *repair) fail(err error) { r.failures = append(r.failures, err) }

func (r *repair) wait(name, what string) { r.waiting = append(r.waiting, name+": "+what) }

// swapReserve is how much of a visit's time there has to be before a Node is deleted that is made again at once.
const swapReserve = 4 * time.Second

// inTime tells whether there is time left to make a Node again.
func inTime(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	ends, limited := ctx.Deadline()
	return !limited || time.Until(ends) >= swapReserve
}
