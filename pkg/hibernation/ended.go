package hibernation

import (
	"context"
	"fmt"
	"slices"
	"time"

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
	outdated, err := s.readLast(ctx, unsure)
	if err != nil {
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
		return Progress{}, blocked("%s", s.wroteMore(lost))
	}
	var waiting []string
	for _, m := range outdated {
		if !m.Ended {
			waiting = append(waiting, m.outdated())
		}
	}
	if len(waiting) > 0 {
		return s.pending(StageWaitingToStop, s.engine.opts.Jitter(unsureFor/4), waiting), nil
	}
	return done(), nil
}

// readLast reads the histories of servers that are gone. It returns the machines whose history is older than what is known of
// them, or is not shown. Where the cloud keeps none there is nothing to be found out.
func (s *Session) readLast(ctx context.Context, machines []*Machine) (outdated []*Machine, err error) {
	if len(machines) == 0 {
		return nil, nil
	}
	histories, err := s.histories(ctx, machines)
	if err != nil {
		return nil, err
	}
	for _, m := range machines {
		h := histories[m.ServerID]
		if !h.known && !s.purged(m) || h.known && !reachesTo(m.Still, h) {
			outdated = append(outdated, m)
			continue
		}
		m.Late = firstSince(m.Still, h)
		m.Ended, m.Unread = m.Late == nil, nil
		s.dirty = true
	}
	return outdated, s.checkCloud(ctx)
}

// purged reports whether Nova keeps no history of a server that is gone. A cell that is down looks the same for a while.
func (s *Session) purged(m *Machine) bool {
	if m.Unread == nil {
		now := s.now().UTC()
		m.Unread, s.dirty = &now, true
	}
	return s.now().Sub(*m.Unread) >= unsureFor
}

// reachesTo reports whether a history shows what is known to have been asked for. One that does not was read from a copy that lags.
func reachesTo(still *Action, h history) bool {
	return still == nil || slices.ContainsFunc(h.entries, still.is)
}

// takeOrders obeys the annotation for machines that wrote more than their snapshots hold, or of which that can't be told, and
// returns the first one that wrote more and of which it does not speak.
func (s *Session) takeOrders() (lost *Machine) {
	for _, m := range s.record.Machines {
		switch {
		case m.Ended:
		case s.toRemake(m):
			m.Late, m.Ended, m.Creation = nil, true, &Creation{}
			s.obey(m)
			s.dirty = true
		case lost == nil && m.Late != nil:
			lost = m
		}
	}
	return lost
}

// outdated says what Nova's history of a machine's server lacks.
func (m *Machine) outdated() string {
	if m.Still == nil || m.Unread != nil {
		return fmt.Sprintf("%s: Nova does not show the history of its server %s: waiting for an answer", m.Name, m.ServerID)
	}
	return fmt.Sprintf("%s: Nova's history of its server %s does not show the %q of %s yet: waiting for a current answer", m.Name, m.ServerID, m.Still.Name, m.Still.At.Format(time.RFC3339))
}

func (s *Session) wroteMore(m *Machine) string {
	danger := ""
	if m.ControlPlane {
		danger = "; a member of the control plane that goes back may break etcd"
	}
	return fmt.Sprintf("%s: somebody asked for %q at %s, after its snapshot %s was made, and its server %s was deleted later: what it wrote in between is lost%s. If it is to be woken from that snapshot all the same, %s",
		m.Name, m.Late.Name, m.Late.At.Format(time.RFC3339), m.Snapshot.Name, m.ServerID, danger, s.howToRemake(m))
}

// firstSince returns the first thing that followed on a known one in a history, newest first, and by which the machine may have
// run; nil if there is none.
func firstSince(still *Action, h history) *Action {
	if still == nil {
		return nil
	}
	var first *Action
	for _, a := range h.touching() {
		if still.is(a) {
			break
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
