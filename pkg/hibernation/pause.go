package hibernation

import (
	"context"
	"fmt"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// pause asks for every running server of the cut to be paused, the control plane first: nothing is then left that could
// react to its workers going quiet.
func (s *Session) pause(ctx context.Context) (Progress, error) {
	if s.record.Cut == nil {
		return done(), nil
	}
	if err := s.checkDeadline(); err != nil {
		return Progress{}, err
	}
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	todo, waiting, err := s.unpaused(ctx)
	if err != nil {
		return Progress{}, err
	}
	if len(todo) == 0 && len(waiting) == 0 {
		return done(), nil
	}
	if err := s.intendPauses(ctx, todo); err != nil {
		return Progress{}, err
	}
	for _, group := range byRole(todo) {
		if err := s.act(ctx, group, s.pauseOne); err != nil {
			return Progress{}, err
		}
	}
	for _, m := range todo {
		waiting = append(waiting, m.Name+": being paused")
	}
	return s.pending(StageStopping, s.soon(), waiting), nil
}

// intendPauses saves, before the first request is sent, that servers are paused.
func (s *Session) intendPauses(ctx context.Context, todo []*Machine) error {
	if s.record.Cut.Pausing || len(todo) == 0 {
		return nil
	}
	s.record.Cut.Pausing = true
	return s.save(ctx)
}

func (s *Session) checkDeadline() error {
	if s.pastDeadline() {
		return abandon("the snapshots were not complete after %s", s.engine.opts.Deadline)
	}
	return nil
}

// pastDeadline reports whether the present cut has taken too long.
func (s *Session) pastDeadline() bool {
	cut := s.record.Cut
	return cut != nil && s.now().Sub(cut.StartedAt) > s.engine.opts.Deadline
}

// unpaused returns the machines that are to be paused now, and names those that are not there yet.
func (s *Session) unpaused(ctx context.Context) (todo []*Machine, waiting []string, err error) {
	for _, m := range s.record.inCut() {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return nil, nil, err
		}
		ask, wait, err := s.toPause(ctx, m, srv)
		switch {
		case err != nil:
			return nil, nil, err
		case ask:
			todo = append(todo, m)
		case wait != "":
			waiting = append(waiting, wait)
		}
	}
	return todo, waiting, s.pauseFailed(ctx, todo)
}

// toPause reports whether a machine's server is to be paused now; wait says what is waited for before that can be told.
func (s *Session) toPause(ctx context.Context, m *Machine, srv *openstackclient.Server) (ask bool, wait string, err error) {
	is := conditionOf(srv)
	switch is {
	case unknown:
		return false, unanswered(m.Name, srv), nil
	case gone, ended, softDeleted:
		return false, "", s.endedWhole(ctx, m)
	case running:
		if m.Before != statusActive {
			break
		}
		return s.toPauseRunning(m, srv)
	case building, paused, off, failed, changing, parked:
	}
	if is == stopped(m) {
		return false, "", nil
	}
	return false, "", abandon("%s: its server went from %s to %s while the cluster was being hibernated", m.Name, m.Before, srv.Status)
}

// toPauseRunning is toPause for a server that runs, as it did when the hibernation began.
func (s *Session) toPauseRunning(m *Machine, srv *openstackclient.Server) (ask bool, wait string, err error) {
	switch {
	case s.record.Cut.Shooting:
		return false, "", abandon("%s: its server was started while snapshots were taken, so that they do not fit together", m.Name)
	case srv.TaskState != "":
		return false, fmt.Sprintf("%s: %s", m.Name, srv.TaskState), nil
	case locked(srv):
		return false, "", abandon("%s: its server %s was locked while the cluster was being hibernated, and Nova refuses to pause it; unlock it", m.Name, m.ServerID)
	}
	return true, "", nil
}

// stopped is the condition in which a machine is snapshotted.
func stopped(m *Machine) condition {
	if m.Before == statusActive {
		return paused
	}
	return conditions[m.Before]
}

// pauseFailed finds out whether a server is still active because its hypervisor could not pause it: Nova accepts the
// request all the same, and only says so in the server's actions.
func (s *Session) pauseFailed(ctx context.Context, machines []*Machine) error {
	if s.fresh || len(machines) == 0 {
		return nil
	}
	histories, err := s.histories(ctx, machines)
	if err != nil {
		return err
	}
	for _, m := range machines {
		actions := histories[m.ServerID].entries
		if len(actions) > 0 && actions[0].Action == actionPause && actions[0].Message == actionFailed {
			return abandon("%s: its server could not be paused; its compute host's log says why", m.Name)
		}
	}
	return nil
}

func (s *Session) pauseOne(ctx context.Context, m *Machine) error {
	err := s.cloud.PauseServer(ctx, m.ServerID)
	switch {
	case openstackclient.KindOf(err) == openstackclient.KindConflict, openstackclient.IsNotFound(err):
		// Its state has changed since the look: the next one shows how.
		return nil
	case final(err):
		return abandon("%s could not be paused: %v", m.Name, err)
	}
	return err
}

// byRole splits machines, which are in order, so that the control plane's come first.
func byRole(machines []*Machine) [][]*Machine {
	var control, rest []*Machine
	for _, m := range machines {
		if m.ControlPlane {
			control = append(control, m)
		} else {
			rest = append(rest, m)
		}
	}
	return [][]*Machine{control, rest}
}

// barrier lets nothing pass before every server of the cluster, in a complete list made after the last pause, is seen
// stopped. Once snapshots have been asked for, pause has checked that nothing was started.
func (s *Session) barrier(ctx context.Context) (Progress, error) {
	if s.record.Cut == nil {
		return done(), nil
	}
	l, err := s.look(ctx, !s.record.Cut.Shooting)
	if err != nil {
		return Progress{}, err
	}
	if strange := s.strangers(l); len(strange) > 0 {
		return Progress{}, abandon("server %s appeared while the cluster was being hibernated", strange[0])
	}
	if s.record.Cut.Shooting {
		return done(), nil
	}
	var waiting []string
	for _, m := range s.record.inCut() {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return Progress{}, err
		}
		switch is := conditionOf(srv); {
		case is == unknown:
			waiting = append(waiting, unanswered(m.Name, srv))
		case is != stopped(m) || srv.TaskState != "":
			waiting = append(waiting, m.Name+": being paused")
		}
	}
	if len(waiting) > 0 {
		return s.pending(StageStopping, s.soon(), waiting), nil
	}
	return done(), nil
}
