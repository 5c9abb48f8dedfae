package hibernation

import (
	"context"
	"fmt"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// end asks for the end of servers that were seen in this pass as they were snapshotted.
func (s *Session) end(ctx context.Context, machines []*Machine, ask func(context.Context, string) error) error {
	if len(machines) == 0 {
		return nil
	}
	return s.act(ctx, machines, func(ctx context.Context, m *Machine) error {
		err := ask(ctx, m.ServerID)
		switch {
		case openstackclient.IsNotFound(err):
			return nil
		case openstackclient.KindOf(err) == openstackclient.KindConflict:
			return fmt.Errorf("%s: Nova does not delete its server now, unlock it if it is locked: %w", m.Name, err)
		}
		return err
	})
}

// account finds out of the servers that are gone whether they were left as they were snapshotted until then. One that ran may
// have written what its snapshot does not hold; and it may have run at the last moment, between our last look and our request to
// delete it.
func (s *Session) account(ctx context.Context) (Progress, error) {
	var unsure []*Machine
	for _, m := range s.record.Machines {
		if !m.Ended && m.Late == nil {
			unsure = append(unsure, m)
		}
	}
	if err := s.readLast(ctx, unsure); err != nil {
		return Progress{}, err
	}
	lost := s.takeOrders()
	if s.dirty {
		// The pass may end Blocked, which saves nothing.
		if err := s.save(ctx); err != nil {
			return Progress{}, err
		}
	}
	if lost != nil {
		return Progress{}, blocked("%s", wroteMore(lost))
	}
	return done(), nil
}

// readLast reads the histories of servers that are gone. Where the cloud has none any more there is nothing to be found out.
func (s *Session) readLast(ctx context.Context, machines []*Machine) error {
	if len(machines) == 0 {
		return nil
	}
	histories, err := s.histories(ctx, machines)
	if err != nil {
		return err
	}
	for _, m := range machines {
		m.Late = firstSince(m.Still, histories[m.ServerID])
		m.Ended = m.Late == nil
	}
	s.dirty = true
	return s.checkCloud(ctx)
}

// takeOrders obeys the annotation for machines that wrote more than their snapshots hold, and returns the first of which it
// does not speak.
func (s *Session) takeOrders() (lost *Machine) {
	for _, m := range s.record.Machines {
		switch {
		case m.Late == nil:
		case s.cluster.Remake.Has(m.Name):
			m.Late, m.Ended, m.Creation = nil, true, &Creation{}
			s.obey(m)
		case lost == nil:
			lost = m
		}
	}
	return lost
}

func wroteMore(m *Machine) string {
	danger := ""
	if m.ControlPlane {
		danger = "; a member of the control plane that goes back may break etcd"
	}
	return fmt.Sprintf("%s: somebody asked for %q at %s, after its snapshot %s was made, and its server %s was deleted later: what it wrote in between is lost%s. If it is to be woken from that snapshot all the same, annotate the cluster with %s: %q",
		m.Name, m.Late.Name, m.Late.At.Format(time.RFC3339), m.Snapshot.Name, m.ServerID, danger, RemakeAnnotation, m.Name)
}

// firstSince returns the first thing that followed on a known one in a history, newest first, and by which the machine may have
// run; nil if there is none.
func firstSince(still *Action, history []instanceactions.InstanceAction) *Action {
	if still == nil {
		return nil
	}
	var first *Action
	for _, a := range history {
		if still.is(a) {
			break
		}
		if !letsRun(a.Action) {
			continue
		}
		first = actionOf(a)
	}
	return first
}

// accounted tells whether it is known of every server how it ended.
func (r *Record) accounted() bool {
	for _, m := range r.Machines {
		if !m.Ended {
			return false
		}
	}
	return true
}
