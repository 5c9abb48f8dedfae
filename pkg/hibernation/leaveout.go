package hibernation

import (
	"context"
	"fmt"
	"slices"
)

// LeaveOutAnnotation names the machines, separated by commas, without which the cluster is to go on: their snapshots are lost,
// and no server of theirs is left. Other machines are not affected. A name that was in it when the hibernation began is not
// obeyed until it was taken out and put in again.
const LeaveOutAnnotation = "hibernation.overwinter.io/leave-out-server"

// leftOut leaves a machine out of which there is no copy any more, if a person orders that and the cluster can live without it.
// It saves that at once: the pass may end Blocked because of another one.
func (s *Session) leftOut(ctx context.Context, m *Machine) (bool, error) {
	if !s.toLeaveOut(m) || s.lastOfControlPlane(m) {
		return false, nil
	}
	if made, err := s.madeAnew(ctx, m); err != nil || made {
		return false, err
	}
	srv, err := s.server(ctx, m.ServerID)
	if err != nil || srv != nil {
		return false, err
	}
	m.Removed = true
	s.event("Warning", "ServerLeftOut", fmt.Sprintf("%s is left out of the cluster, as the annotation orders: its snapshot %s (%s) is lost", m.Name, m.Snapshot.Name, m.Snapshot.ID))
	return true, s.save(ctx)
}

// madeAnew tells whether the machine has a new server, or may get one: that was asked for, or is being deleted. Such a server
// holds the disk, or is not to be left behind without an owner.
func (s *Session) madeAnew(ctx context.Context, m *Machine) (bool, error) {
	if c := m.Creation; c != nil && (c.ServerID != "" || c.Discarded != "" || c.Asked != nil) {
		return true, nil
	}
	l, err := s.look(ctx, true)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(l.named(m.Name), present), nil
}

// lastOfControlPlane tells whether the cluster has no other control plane machine.
func (s *Session) lastOfControlPlane(m *Machine) bool {
	return m.ControlPlane && !slices.ContainsFunc(s.record.wanted(), func(other *Machine) bool { return other.ControlPlane && other != m })
}

// noCopy says what can be done about a machine of which there is no copy any more.
func (s *Session) noCopy(m *Machine) error {
	lost := fmt.Sprintf("%s: its snapshot %s (%s) is gone from Glance or not active, and no server is left to take it from again", m.Name, m.Snapshot.Name, m.Snapshot.ID)
	if s.lastOfControlPlane(m) {
		return blocked("%s: bring that image back; if that is impossible the cluster is lost, since it has no control plane to wake. The other machines' snapshots are kept; nothing was touched", lost)
	}
	return blocked("%s: bring that image back; if that is impossible, and the cluster is to be woken without this machine, %s; nothing was touched", lost, s.howToLeaveOut(m))
}
