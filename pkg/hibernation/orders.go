package hibernation

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
)

// An annotation that was forgotten on a cluster orders nothing of a later hibernation: by then it would destroy what nobody
// meant.

// keepOrders notes, as a hibernation begins, which machines the annotations name already.
func (s *Session) keepOrders() {
	names := sets.New[string]()
	for _, m := range s.record.Machines {
		names.Insert(m.Name)
	}
	// Other names order nothing, and may be many.
	s.record.OldRemakes, s.record.OldLeaveOuts = sets.List(s.cluster.Remake.Intersection(names)), sets.List(s.cluster.LeaveOut.Intersection(names))
}

// forgetOrders forgets of these machines those that an annotation names no more, so that an order is heard when it is given
// anew. It saves that at once: the pass may end Blocked, which saves nothing.
func (s *Session) forgetOrders(ctx context.Context) error {
	if s.record == nil {
		return nil
	}
	remakes, leaveOuts := stillIn(s.record.OldRemakes, s.cluster.Remake), stillIn(s.record.OldLeaveOuts, s.cluster.LeaveOut)
	if len(remakes) == len(s.record.OldRemakes) && len(leaveOuts) == len(s.record.OldLeaveOuts) {
		return nil
	}
	s.record.OldRemakes, s.record.OldLeaveOuts = remakes, leaveOuts
	return s.save(ctx)
}

func stillIn(names []string, in sets.Set[string]) (still []string) {
	for _, name := range names {
		if in.Has(name) {
			still = append(still, name)
		}
	}
	return still
}

// toRemake tells whether a person orders, of this hibernation, to go back to the machine's snapshot.
func (s *Session) toRemake(m *Machine) bool {
	return s.cluster.Remake.Has(m.Name) && !slices.Contains(s.record.OldRemakes, m.Name)
}

// toLeaveOut tells whether a person orders, of this hibernation, to do without the machine.
func (s *Session) toLeaveOut(m *Machine) bool {
	return s.cluster.LeaveOut.Has(m.Name) && !slices.Contains(s.record.OldLeaveOuts, m.Name)
}

// howToRemake says how to order that a machine goes back to its snapshot.
func (s *Session) howToRemake(m *Machine) string {
	return howToOrder(RemakeAnnotation, m.Name, s.cluster.Remake.Has(m.Name))
}

// howToLeaveOut says how to order that the cluster does without a machine.
func (s *Session) howToLeaveOut(m *Machine) string {
	return howToOrder(LeaveOutAnnotation, m.Name, slices.Contains(s.record.OldLeaveOuts, m.Name))
}

func howToOrder(annotation, name string, old bool) string {
	order := fmt.Sprintf("annotate the cluster with %s: %q", annotation, name)
	if old {
		order += " (it bears that from before: take it out first, and put it in again)"
	}
	return order
}
