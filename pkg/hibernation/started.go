package hibernation

import (
	"context"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// Nova starts a guest before it saves that the server is ACTIVE and when it was launched. A compute service that dies in
// between leaves a server in ERROR that was never "launched", and whose guest has run. So a server counts as one that ran
// unless the contrary is shown.

// actionCreate is what made a server.
const actionCreate = "create"

// hasRun reports whether a server is seen to run, or to have run.
func hasRun(srv *openstackclient.Server) bool {
	if !srv.LaunchedAt.IsZero() || srv.Power == openstackclient.PowerRunning {
		return true
	}
	switch conditionOf(srv) {
	case running, paused, off, parked:
		return true
	case unknown, gone, ended, softDeleted, building, failed, changing:
	}
	return false
}

// holdsNothing reports whether Nova shows that a failed server has no disk anywhere: it is on no host, and has no domain.
func holdsNothing(srv *openstackclient.Server) bool {
	return conditionOf(srv) == failed && srv.LaunchedAt.IsZero() && onNoHost(srv)
}

func onNoHost(srv *openstackclient.Server) bool {
	return srv.HostID == "" && srv.Power == openstackclient.PowerNone
}

// neverStarted reports whether it is shown that a server's guest never started: it is on no host, has no domain, and no compute
// service ever began to build it. What can't be read shows nothing.
func (s *Session) neverStarted(ctx context.Context, srv *openstackclient.Server) (bool, error) {
	if hasRun(srv) || !onNoHost(srv) {
		return false, nil
	}
	entries, err := s.cloud.ListServerActions(ctx, srv.ID)
	if isUnreadable(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if len(entries) == 0 {
		// No cell has the server yet: the conductor enters the create action as it hands the server to one.
		return conditionOf(srv) == building, s.checkCloud(ctx)
	}
	return s.neverBuilt(ctx, srv.ID, entries)
}

// neverBuilt reports whether the events of a server's create action show no compute service.
func (s *Session) neverBuilt(ctx context.Context, serverID string, entries []instanceactions.InstanceAction) (bool, error) {
	at := slices.IndexFunc(entries, func(entry instanceactions.InstanceAction) bool { return entry.Action == actionCreate })
	if at < 0 {
		return false, nil
	}
	events, err := s.cloud.ListActionEvents(ctx, serverID, entries[at].RequestID)
	if isUnreadable(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(events, func(event instanceactions.Event) bool { return !beforeHost(event.Event) }) {
		return false, nil
	}
	return true, s.checkCloud(ctx)
}

// isUnreadable reports whether an error says that asking again would not help.
func isUnreadable(err error) bool {
	switch openstackclient.KindOf(err) {
	case openstackclient.KindNotFound, openstackclient.KindForbidden, openstackclient.KindInvalid:
		return true
	case "", openstackclient.KindConflict, openstackclient.KindQuota, openstackclient.KindUnauthorized, openstackclient.KindThrottled, openstackclient.KindTransient:
	}
	return false
}

// beforeHost reports whether an event is of a service that works before a server has a host. Nova puts the service's name
// before the event's (nova/compute/utils.py, EventReporter).
func beforeHost(event string) bool {
	return strings.HasPrefix(event, "api_") || strings.HasPrefix(event, "conductor_") || strings.HasPrefix(event, "scheduler_")
}

// noteFailed notes of a machine whose new server is in ERROR whether that may have run: from then on its snapshot is out of date.
func (s *Session) noteFailed(ctx context.Context, m *Machine, srv *openstackclient.Server) error {
	if m.Creation.Ran {
		return nil
	}
	never, err := s.neverStarted(ctx, srv)
	if err != nil || never {
		return err
	}
	m.Creation.Ran = true
	// The pass may end Blocked, which saves nothing.
	return s.save(ctx)
}
