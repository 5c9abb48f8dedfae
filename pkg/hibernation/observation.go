package hibernation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Observation is what a cluster's own API said of the cluster. The engine keeps it and gives it back: it is for whoever
// makes the cluster take its new servers for its own. It never holds the content of a Secret.
type Observation struct {
	// NodesReady is how many of its Nodes were Ready.
	NodesReady int `json:"nodesReady"`
	// At is when the cluster was asked.
	At time.Time `json:"at,omitzero"`
	// Late says that it was asked only when it was waking: what its Nodes' status says is then from before the sleep.
	Late bool `json:"late,omitempty"`
	// Nodes and Machines are those that it had.
	Nodes    []ObservedNode    `json:"nodes,omitempty"`
	Machines []ObservedMachine `json:"machines,omitempty"`
	// Signers are the certificates that sign the certificates by which the parts of the cluster know each other.
	Signers []Signer `json:"signers,omitempty"`

	unknown unknownFields
}

// ObservedNode is a Node, with all of it that can't be found out again once it is lost.
type ObservedNode struct {
	Name          string            `json:"name"`
	UID           string            `json:"uid,omitempty"`
	ProviderID    string            `json:"providerID,omitempty"`
	Ready         bool              `json:"ready,omitempty"`
	Unschedulable bool              `json:"unschedulable,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
	Taints        []corev1.Taint    `json:"taints,omitempty"`
	PodCIDRs      []string          `json:"podCIDRs,omitempty"`
	Finalizers    []string          `json:"finalizers,omitempty"`

	unknown unknownFields
}

// ObservedMachine is a Machine of OpenShift's machine API.
type ObservedMachine struct {
	Name       string `json:"name"`
	ProviderID string `json:"providerID,omitempty"`
	Phase      string `json:"phase,omitempty"`
	// NodeName is the Node in its nodeRef.
	NodeName string `json:"nodeName,omitempty"`

	unknown unknownFields
}

// Signer is a certificate that signs others.
type Signer struct {
	// Name is the namespace and the name of the Secret that holds it.
	Name string `json:"name"`
	// NotAfter is when it expires.
	NotAfter time.Time `json:"notAfter"`

	unknown unknownFields
}

// RestoredAnnotation is on Nodes that were made again, or completed, after a resume: the UID of the Node whose place it takes.
const RestoredAnnotation = "hibernation.overwinter.io/restored"

// Inherit completes a Node that took the place of an earlier one without anything of it, as one does that its kubelet
// registers: it gets the labels, annotations, taints and pod CIDRs that it lacks. It returns false for one that needs nothing.
func (n *ObservedNode) Inherit(was ObservedNode) bool {
	if was.UID == "" || n.UID == was.UID || n.Annotations[RestoredAnnotation] == was.UID {
		return false
	}
	n.Labels, n.Annotations = completed(n.Labels, was.Labels), completed(n.Annotations, was.Annotations)
	n.Unschedulable = n.Unschedulable || was.Unschedulable
	if len(n.PodCIDRs) == 0 {
		n.PodCIDRs = slices.Clone(was.PodCIDRs)
	}
	for _, taint := range was.Taints {
		if !slices.ContainsFunc(n.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&taint) }) {
			n.Taints = append(n.Taints, taint)
		}
	}
	return true
}

func completed(is, was map[string]string) map[string]string {
	out := maps.Clone(was)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, is)
	return out
}

// Node returns the Node of that name, nil if there is none.
func (o *Observation) Node(name string) *ObservedNode {
	if o == nil {
		return nil
	}
	for i := range o.Nodes {
		if o.Nodes[i].Name == name {
			return &o.Nodes[i]
		}
	}
	return nil
}

// stopped corrects what the cluster said of Nodes whose servers are off: it takes most of a minute to notice.
func (o *Observation) stopped(machines []*Machine) {
	for _, m := range machines {
		if m.Before == statusActive {
			continue
		}
		for i := range o.Nodes {
			if n := &o.Nodes[i]; n.Ready && (n.Name == m.Name || strings.HasSuffix(n.ProviderID, "/"+m.ServerID)) {
				n.Ready = false
				o.NodesReady--
			}
		}
	}
}

// FirstExpiry returns when the first of the signers expires; zero if none is known.
func (o *Observation) FirstExpiry() time.Time {
	var first time.Time
	if o == nil {
		return first
	}
	for _, s := range o.Signers {
		if first.IsZero() || s.NotAfter.Before(first) {
			first = s.NotAfter
		}
	}
	return first
}

// join completes a later observation with what only an earlier one holds: a cluster that is put to sleep again before it
// was well lacks what it will need. A providerID that is empty meanwhile is no better than the one that it was.
func (o *Observation) join(earlier *Observation) {
	if earlier == nil {
		return
	}
	o.NodesReady = max(o.NodesReady, earlier.NodesReady)
	o.Late = o.Late && earlier.Late
	for _, was := range earlier.Nodes {
		is := o.Node(was.Name)
		if is == nil {
			o.Nodes = append(o.Nodes, was)
			continue
		}
		if is.ProviderID == "" {
			is.ProviderID = was.ProviderID
		}
		is.Inherit(was)
		is.Ready, is.unknown = is.Ready || was.Ready, was.unknown
	}
	slices.SortFunc(o.Nodes, func(a, b ObservedNode) int { return strings.Compare(a.Name, b.Name) })
	o.joinMachines(earlier)
	if len(o.Signers) == 0 {
		o.Signers = earlier.Signers
	}
	if o.unknown == nil {
		o.unknown = earlier.unknown
	}
}

// recall completes an observation of a cluster that wakes: what was known of it before wins.
func (o *Observation) recall(before *Observation) {
	if before == nil {
		return
	}
	for _, was := range before.Nodes {
		if is := o.Node(was.Name); is != nil {
			if was.ProviderID == "" {
				was.ProviderID = is.ProviderID
			}
			*is = was
			continue
		}
		o.Nodes = append(o.Nodes, was)
	}
	for _, was := range before.Machines {
		i := slices.IndexFunc(o.Machines, func(is ObservedMachine) bool { return is.Name == was.Name })
		if i < 0 {
			o.Machines = append(o.Machines, was)
			continue
		}
		o.Machines[i] = was
	}
	if len(before.Signers) > 0 {
		o.Signers = before.Signers
	}
	o.unknown = before.unknown
}

// joinMachines keeps what phase a Machine had before it was taken for lost.
func (o *Observation) joinMachines(earlier *Observation) {
	for _, was := range earlier.Machines {
		i := slices.IndexFunc(o.Machines, func(is ObservedMachine) bool { return is.Name == was.Name })
		if i < 0 {
			// A Machine that is gone was removed; only Nodes get lost.
			continue
		}
		o.Machines[i].unknown = was.unknown
		if o.Machines[i].Phase == "Failed" {
			o.Machines[i].Phase = was.Phase
		}
	}
}

// bulky is an annotation of a Node that may be left out.
type bulky struct {
	node, key string
	size      int
}

// fit leaves out annotations of Nodes, the largest first, until the record fits its Secret in the whole of its cycle. It
// returns how many; what does not fit even so is left to checkRoom to refuse.
func (r *Record) fit(limit int) (int, error) {
	if r.Observation == nil {
		return 0, nil
	}
	size, err := r.largestSize()
	if err != nil {
		return 0, err
	}
	over := size - limit
	if over <= 0 {
		return 0, nil
	}
	var all []bulky
	for _, n := range r.Observation.Nodes {
		for key, value := range n.Annotations {
			written, err := json.Marshal(value)
			if err != nil {
				return 0, fmt.Errorf("cannot write the annotation %s of Node %s: %w", key, n.Name, err)
			}
			all = append(all, bulky{node: n.Name, key: key, size: len(key) + len(written)})
		}
	}
	slices.SortFunc(all, func(a, b bulky) int {
		if a.size != b.size {
			return b.size - a.size
		}
		return strings.Compare(a.node+"/"+a.key, b.node+"/"+b.key)
	})
	left := 0
	for _, b := range all {
		if over <= 0 {
			break
		}
		delete(r.Observation.Node(b.node).Annotations, b.key)
		over -= b.size
		left++
	}
	return left, nil
}

// fitObservation is fit, and tells what was left out.
func (s *Session) fitObservation() error {
	left, err := s.record.fit(maxRecord)
	if left > 0 {
		s.event("Warning", "AnnotationsLeftOut", fmt.Sprintf("the record of the cluster's hibernation has no room for the %d largest annotations of its Nodes: a Node that gets lost comes back without them", left))
	}
	return err
}
