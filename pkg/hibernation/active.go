package hibernation

import (
	"context"
	"fmt"
	"slices"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// active waits until every server is ACTIVE. After a resume all of them run, those that were off before too.
func (s *Session) active(ctx context.Context) (Progress, error) {
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	stopped := map[string]*openstackclient.Server{}
	var bringUp []*Machine
	var waiting []string
	for _, m := range s.record.wanted() {
		srv, err := s.server(ctx, m.Creation.ServerID)
		if err != nil {
			return Progress{}, err
		}
		if !present(srv) {
			return s.pending(StageWaitingToStart, s.soon(), []string{m.Name + ": its server is gone"}), s.vanished(ctx, m)
		}
		s.noteRan(m, srv)
		switch conditionOf(srv) {
		case running:
			continue
		case paused, off:
			if srv.TaskState == "" && !locked(srv) {
				stopped[m.Name], bringUp = srv, append(bringUp, m)
			}
		case unknown, gone, ended, softDeleted, building, failed, changing, parked:
		}
		waiting = append(waiting, lagging(m.Name, srv))
	}
	if err := s.act(ctx, bringUp, func(ctx context.Context, m *Machine) error { return s.bringBack(ctx, stopped[m.Name]) }); err != nil {
		return Progress{}, err
	}
	if len(waiting) > 0 {
		return s.pending(StageWaitingToStart, s.later(*s.record.Opened), waiting), nil
	}
	return done(), nil
}

// noteRan remembers that a machine has run: from then on its snapshot is out of date.
func (s *Session) noteRan(m *Machine, srv *openstackclient.Server) {
	if hasRun(srv) && !m.Creation.Ran {
		m.Creation.Ran, s.dirty = true, true
	}
}

func lagging(name string, srv *openstackclient.Server) string {
	if srv.TaskState != "" {
		return fmt.Sprintf("%s: %s, %s", name, srv.Status, srv.TaskState)
	}
	if conditionOf(srv) == unknown {
		return unanswered(name, srv)
	}
	if locked(srv) {
		return fmt.Sprintf("%s: %s and locked, so that Nova refuses to start it; unlock it", name, srv.Status)
	}
	return fmt.Sprintf("%s: %s", name, srv.Status)
}

// lookActive looks whether every machine of an opened record has an ACTIVE server.
func (s *Session) lookActive(ctx context.Context) (Progress, error) {
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	var waiting []string
	for _, m := range s.record.wanted() {
		if m.Creation == nil || m.Creation.ServerID == "" {
			waiting = append(waiting, m.Name+": no server yet")
			continue
		}
		srv, err := s.server(ctx, m.Creation.ServerID)
		switch {
		case err != nil:
			return Progress{}, err
		case !present(srv):
			waiting = append(waiting, m.Name+": its server is gone")
		case conditionOf(srv) != running:
			waiting = append(waiting, lagging(m.Name, srv))
		}
	}
	if len(waiting) > 0 {
		return s.pending(StageWaitingToStart, s.later(*s.record.Opened), waiting), nil
	}
	return done(), nil
}

// lookRunning looks whether a cluster without a sealed record runs. What is off there is off by somebody's decision, as
// long as anything runs.
func (s *Session) lookRunning(ctx context.Context) (Progress, error) {
	l, err := s.look(ctx, true)
	if err != nil {
		return Progress{}, err
	}
	if err := s.checkOrphans(ctx, l); err != nil {
		return Progress{}, err
	}
	list := s.liveServers(l)
	if len(list) == 0 {
		return Progress{}, blocked("no server of cluster %s was found in project %s, and there is no record of its hibernation: %s", s.cluster.InfraID, s.project(ctx), adviceNoServers)
	}
	var waiting []string
	for _, srv := range list {
		switch conditionOf(srv) {
		case running, off:
		case unknown, gone, ended, softDeleted, building, paused, failed, changing, parked:
			waiting = append(waiting, lagging(srv.Name, srv))
		}
	}
	if !slices.ContainsFunc(list, func(srv *openstackclient.Server) bool { return conditionOf(srv) == running }) && len(waiting) == 0 {
		for _, srv := range list {
			waiting = append(waiting, lagging(srv.Name, srv))
		}
	}
	if len(waiting) > 0 {
		return s.pending(StageWaitingToStart, s.engine.opts.Jitter(sweepEvery/60), waiting), nil
	}
	return done(), nil
}
