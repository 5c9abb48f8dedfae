package hibernation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// turnBack gives a sealed hibernation up of which servers are left. While all of them are there it is rolled back. Otherwise
// the cluster is opened with the servers that it has: they are brought back, and only what is gone is made again.
func (s *Session) turnBack(ctx context.Context) (Progress, error) {
	// A list may be minutes old.
	if err := s.refresh(ctx, serverIDs(s.record.Machines)); err != nil {
		return Progress{}, err
	}
	left, _, err := s.undeleted(ctx)
	switch {
	case err != nil:
		return Progress{}, err
	case s.undoable(left):
		return s.unseal(ctx, byUser)
	}
	now := s.now().UTC()
	s.record.Opened = &now
	for _, m := range s.record.Machines {
		// Whether its server is gone is found out later, and then whether it ran.
		m.Creation = &Creation{ServerID: m.ServerID, Ran: true}
	}
	s.log.Warn("the cluster is woken with the servers that are left of it")
	if err := s.save(ctx); err != nil {
		return Progress{}, err
	}
	return s.pending(StageStarting, s.soon(), []string{byUser}), nil
}

// endCut gives a cut up that somebody wants undone. It is completed first if it is all that is left of a machine: somebody has
// deleted its server when it had been snapshotted.
func (s *Session) endCut(ctx context.Context) (Progress, error) {
	last, err := s.holdsLastCopy(ctx)
	switch {
	case err != nil:
		return Progress{}, err
	case last:
		return s.putToSleep(ctx)
	}
	return s.rollBack(ctx, byUser)
}

func (s *Session) holdsLastCopy(ctx context.Context) (bool, error) {
	if cut := s.record.Cut; cut.Abandoned || !cut.Shooting {
		return false, nil
	}
	if _, err := s.look(ctx, false); err != nil {
		return false, err
	}
	gone, err := s.goneOf(ctx, s.record.inCut())
	if err != nil {
		return false, err
	}
	for _, m := range gone {
		var lost *abandonment
		if err := s.endedWhole(ctx, m); !errors.As(err, &lost) {
			return err == nil, err
		}
	}
	return false, nil
}

// stands tells whether the machine's server, or the one that is taken for it, is the very one that was snapshotted.
func (m *Machine) stands() bool { return m.Creation != nil && m.Creation.ServerID == m.ServerID }

// standing returns the machines of an opened cluster that were not made again.
func (r *Record) standing() []*Machine {
	var out []*Machine
	if r.Opened == nil {
		return nil
	}
	for _, m := range r.wanted() {
		if m.stands() {
			out = append(out, m)
		}
	}
	return out
}

// standUp brings the servers that were not deleted back to the states in which they were. One that is being deleted is left
// to that.
func (s *Session) standUp(ctx context.Context) (Progress, error) {
	machines := s.record.standing()
	if len(machines) == 0 {
		return done(), nil
	}
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	servers, err := s.serversOf(ctx, machines)
	if err != nil {
		return Progress{}, err
	}
	machines = slices.DeleteFunc(machines, func(m *Machine) bool { return servers[m.Name] != nil && going(servers[m.Name]) })
	p, err := s.restore(ctx, machines)
	p.Stage = StageStarting
	return p, err
}

// going tells whether a server is being deleted.
func going(srv *openstackclient.Server) bool {
	return srv.Status == statusDeleted || srv.TaskState == "deleting" || srv.TaskState == "soft-deleting"
}

// goneUnrun makes a machine whose own server is gone one to be made again, if that server did not run since its snapshot.
func (s *Session) goneUnrun(ctx context.Context, m *Machine) (bool, error) {
	if !m.stands() {
		return false, nil
	}
	if !m.Ended {
		if unrun, err := s.deletedUnrun(ctx, m); err != nil || !unrun {
			return false, err
		}
		m.Ended = true
		s.event("Warning", "ServerMadeAgain", fmt.Sprintf("%s: its server %s was deleted by somebody else while the cluster was being hibernated; it has not run since its snapshot %s and is made again from that", m.Name, m.ServerID, m.Snapshot.Name))
	}
	*m.Creation, s.dirty = Creation{}, true
	return true, nil
}

// deletedUnrun tells whether the history of a server that is gone proves that it was deleted, and that nothing else was done to
// it since its snapshot.
func (s *Session) deletedUnrun(ctx context.Context, m *Machine) (bool, error) {
	histories, err := s.histories(ctx, []*Machine{m})
	if err != nil {
		return false, err
	}
	h := histories[m.ServerID]
	deleted := len(h.entries) > 0 && h.entries[0].Action == actionDelete
	return deleted && m.Still != nil && reachesTo(m.Still, h) && firstSince(m.Still, h) == nil, s.checkCloud(ctx)
}
