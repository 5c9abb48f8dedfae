package hibernation

import (
	"context"
	"fmt"
)

// stillAsleep is sortAwake, once the record is seen to be the latest and servers that were to be brought back are.
func (s *Session) stillAsleep(ctx context.Context, l *look) (keep []*Machine, waiting []string, err error) {
	if err := s.checkLatest(ctx); err != nil {
		return nil, nil, err
	}
	if p, err := s.standUp(ctx); err != nil || !p.Done {
		return nil, p.Waiting, err
	}
	return s.sortAwake(ctx, l)
}

// sortAwake sorts the machines of an opened record for a new cut. It returns those that have not started since their
// snapshot, which they keep; those that run are found among the live servers. It names what has to settle first: a server
// that boots will have run, and one that failed is deleted.
func (s *Session) sortAwake(ctx context.Context, l *look) (keep []*Machine, waiting []string, err error) {
	for _, m := range s.record.wanted() {
		if m.Creation == nil {
			m.Creation = &Creation{}
		}
		srv, wait, err := s.place(ctx, l, m)
		switch {
		case err != nil:
			return nil, nil, s.leaveOut(m, err)
		case m.Removed:
		case wait != "":
			waiting = append(waiting, m.Name+": "+wait)
		case srv == nil && !s.stopWaiting(m):
			waiting = append(waiting, m.Name+": waiting whether its server appears, since the answer to the request is not known")
		case srv == nil:
			keep = append(keep, sleeping(m))
		case conditionOf(srv) == unknown:
			waiting = append(waiting, unanswered(m.Name, srv))
		case !hasRun(srv):
			waiting = append(waiting, fmt.Sprintf("%s: its server is still %s", m.Name, srv.Status))
		}
	}
	if len(waiting) > 0 {
		return nil, waiting, nil
	}
	return keep, nil, nil
}

// sleeping returns the machine outside a cut, with the snapshot that it has.
func sleeping(m *Machine) *Machine {
	out := *m
	out.InCut, out.Shot, out.Creation = false, nil, nil
	return &out
}

// leaveOut explains to whoever wants to hibernate why a machine without its server keeps the cluster from it.
func (s *Session) leaveOut(m *Machine, err error) error {
	return fmt.Errorf("the cluster can't be hibernated before %s is accounted for: %w", m.Name, err)
}

// stopWaiting ends the wait for a server whose request got no answer, and returns false until then. It notes that it may appear all
// the same.
func (s *Session) stopWaiting(m *Machine) bool {
	asked := m.Creation.Attempt.Asked != nil
	if !s.settle(&m.Creation.Attempt) {
		return false
	}
	m.LateServer = m.LateServer || asked
	return true
}
