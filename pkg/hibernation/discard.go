package hibernation

import (
	"context"
	"fmt"
	"slices"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// discard deletes a server that never ran, or that an annotation gives up, so that it can be made again. That it is ours
// to delete is saved first.
func (s *Session) discard(ctx context.Context, m *Machine, srv *openstackclient.Server) error {
	c := m.Creation
	wait := min(firstRemake<<min(c.Failures, 6), lastRemake)
	at := s.now().Add(wait).UTC()
	c.Discarded, c.Fault, c.NotBefore = srv.ID, srv.Fault.Message, &at
	c.Failures++
	if err := s.save(ctx); err != nil {
		return err
	}
	return s.deleteFailed(ctx, m, srv.ID)
}

// deleteFailed deletes a server that failed to start, and leaves the machine's ports.
func (s *Session) deleteFailed(ctx context.Context, m *Machine, id string) error {
	return s.act(ctx, []*Machine{m}, func(ctx context.Context, _ *Machine) error {
		if err := s.releasePorts(ctx, m, id); err != nil {
			return err
		}
		err := s.cloud.DeleteServer(ctx, id)
		if openstackclient.IsNotFound(err) || openstackclient.KindOf(err) == openstackclient.KindConflict {
			return nil
		}
		return err
	})
}

// discarded waits until a server that was given up answers 404; wait is empty when it does.
func (s *Session) discarded(ctx context.Context, m *Machine) (wait string, err error) {
	c := m.Creation
	srv, err := s.server(ctx, c.Discarded)
	switch {
	case err != nil:
		return "", err
	case srv == nil && c.Ran && !c.Remade:
		// It started to run when it was already given up.
		c.ServerID, c.Discarded, s.dirty = c.Discarded, "", true
		return "its server is gone", s.vanished(ctx, m)
	case srv == nil:
		m.former(c.Discarded)
		c.Discarded, c.ServerID, c.Ran, s.dirty = "", "", false, true
		return "", nil
	case hasRun(srv) && !c.Ran && !c.Remade:
		c.Ran, s.dirty = true, true
	case srv.TaskState != "", srv.Status == statusDeleted:
	case locked(srv):
		return fmt.Sprintf("its failed server %s is locked, so that Nova refuses to delete it; unlock it", srv.ID), nil
	case srv.Status == statusSoftDeleted:
		return "its failed server is being deleted", s.forceDelete(ctx, m, srv.ID)
	default:
		return "its failed server is being deleted", s.deleteFailed(ctx, m, srv.ID)
	}
	return "its failed server is being deleted", nil
}

func (s *Session) forceDelete(ctx context.Context, m *Machine, id string) error {
	return s.act(ctx, []*Machine{m}, func(ctx context.Context, _ *Machine) error {
		err := s.cloud.ForceDeleteServer(ctx, id)
		if openstackclient.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// releasePorts takes the machine's ports from a server that is to be deleted. Nova keeps the ports that were there before the
// server, but learns which these are only when it has bound them all: a compute service that dies before has them deleted.
// Seen on Nova 26.
func (s *Session) releasePorts(ctx context.Context, m *Machine, serverID string) error {
	ports, err := s.cloud.ListPorts(ctx, openstackclient.ListPortsOpts{DeviceIDs: []string{serverID}})
	if err != nil {
		return err
	}
	for i := range ports {
		if !slices.ContainsFunc(m.Spec.Ports, func(own Port) bool { return own.ID == ports[i].ID }) {
			continue
		}
		if err := s.releasePort(ctx, ports[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// releasePort releases a port where the cloud allows that. Where it does not, the port is at stake only if a compute service has
// died at a bad moment, and the machine would else never be made again.
func (s *Session) releasePort(ctx context.Context, id string) error {
	err := s.cloud.ReleasePort(ctx, id)
	switch openstackclient.KindOf(err) {
	case openstackclient.KindForbidden, openstackclient.KindUnauthorized, openstackclient.KindInvalid:
		s.log.WithError(err).WithField("port", id).Warn("a failed server's port could not be taken from it")
		return nil
	case openstackclient.KindNotFound:
		return nil
	case openstackclient.KindConflict, openstackclient.KindQuota, openstackclient.KindThrottled, openstackclient.KindTransient:
	}
	return err
}
