package hibernation

import (
	"context"
	"fmt"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// RemakeAnnotation names the machines, separated by commas, that may be made again from a snapshot older than what they
// last wrote. Each is obeyed once, and not in a hibernation that began when the name was in it already;
// for another time it has to be taken out and put in again.
const RemakeAnnotation = "hibernation.overwinter.io/remake-server"

// ordered tells whether a person orders to make the machine again, and that was not done yet.
func (s *Session) ordered(m *Machine) bool {
	return s.toRemake(m) && !m.Creation.Remade
}

// noteOrder forgets that an order was obeyed once it is taken back. It saves that at once: as long as the machine waits for a
// new order, the pass ends Blocked.
func (s *Session) noteOrder(ctx context.Context, m *Machine) error {
	if !m.Creation.Remade || s.cluster.Remake.Has(m.Name) {
		return nil
	}
	m.Creation.Remade = false
	return s.save(ctx)
}

func (s *Session) obey(m *Machine) {
	m.Creation.Remade, s.dirty = true, true
	s.event("Warning", "ServerRemade", fmt.Sprintf("%s is made again from its snapshot %s, as the annotation orders: what it wrote since is lost", m.Name, m.Snapshot.Name))
}

// mayRemake fails for a server that has run and failed, unless an annotation orders to go back.
func (s *Session) mayRemake(m *Machine, srv *openstackclient.Server) error {
	if !m.Creation.Ran {
		return nil
	}
	if !s.ordered(m) {
		return blocked("%s: its server %s may have run since the cluster was woken and is now in ERROR (%s). It is not made again from its snapshot %s, which is older: repair the server; or, if going back is right for this machine, %s", m.Name, srv.ID, srv.Fault.Message, m.Snapshot.Name, s.howToRemake(m))
	}
	s.obey(m)
	return nil
}

// vanished says what becomes of a machine whose server is gone although it had been made. A worker that has run was taken
// out by somebody, or by the cluster itself: it is left out. A member of the control plane is missed.
func (s *Session) vanished(ctx context.Context, m *Machine) error {
	unrun, err := s.goneUnrun(ctx, m)
	switch {
	case err != nil || unrun:
		return err
	case s.ordered(m):
		s.obey(m)
		// What the server wrote that was snapshotted is given up with this: it is not asked for a second time.
		m.Ended = m.Ended || m.stands()
		m.former(m.Creation.ServerID)
		*m.Creation = Creation{Remade: true}
		return nil
	case m.Creation.Ran && !m.ControlPlane:
		m.Removed, s.dirty = true, true
		s.event("Warning", "ServerRemoved", fmt.Sprintf("%s: its server %s has run since the cluster was woken and is gone; it is taken for removed on purpose, and its snapshot %s goes with the others", m.Name, m.Creation.ServerID, m.Snapshot.Name))
		return nil
	}
	return blocked("%s: its server %s is gone, and may have run since its snapshot %s was made. It is not made again from that by itself: find out who deleted it; if going back is right for this machine, %s", m.Name, m.Creation.ServerID, m.Snapshot.Name, s.howToRemake(m))
}
