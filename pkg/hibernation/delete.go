package hibernation

import (
	"context"
	"fmt"
	"slices"
)

// deleteServers deletes the servers of a sealed cut, each only by its recorded ID, and only if all that makes this safe is
// seen in this very pass: the seal in an uncached read of the record, every machine's snapshot complete, and the server
// itself still as it was stopped. That servers are deleted is saved before the first one is: the point of no return.
func (s *Session) deleteServers(ctx context.Context) (Progress, error) {
	if err := s.rereadSeal(ctx); err != nil {
		return Progress{}, err
	}
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	left, waiting, err := s.undeleted(ctx)
	if err != nil || len(left) == 0 {
		return s.beingDeleted(waiting), err
	}
	if s.waking && s.record.Deleting == nil {
		return s.turnBack(ctx)
	}
	found, err := s.lookTwice(ctx, left)
	if err != nil {
		return Progress{}, err
	}
	if found.why != "" {
		return s.mend(ctx, found)
	}
	if err := s.deleteAll(ctx, found.ready); err != nil {
		return Progress{}, err
	}
	for _, m := range found.ready {
		waiting = append(waiting, m.Name+": being deleted")
	}
	return s.beingDeleted(append(waiting, found.busy...)), nil
}

// beingDeleted waits for servers to go.
func (s *Session) beingDeleted(waiting []string) Progress {
	if len(waiting) == 0 {
		return done()
	}
	since := s.now()
	if s.record.Deleting != nil {
		since = *s.record.Deleting
	}
	return s.pending(StageWaitingToStop, s.later(since), waiting)
}

// rereadSeal reads the record anew, past every cache and past what this session believes.
func (s *Session) rereadSeal(ctx context.Context) error {
	was := s.stored.version()
	if err := s.reload(ctx); err != nil {
		return err
	}
	if s.record == nil {
		return blocked("the hibernation record vanished while the cluster was being hibernated: restore the Secret from a backup; nothing was touched")
	}
	if s.stored.version() != was {
		s.claimed = false
	}
	if r := s.record; r.Sealed == nil || r.Cut != nil || r.Opened != nil {
		return fmt.Errorf("the hibernation record was changed by somebody else; looking again")
	}
	return s.checkCloud(ctx)
}

// undeleted returns the machines whose servers are still there, and names those that are going. Those that the look does
// not show are asked for one by one; not in vain while others are seen to go.
func (s *Session) undeleted(ctx context.Context) (left []*Machine, waiting []string, err error) {
	var unseen []string
	for _, m := range s.record.Machines {
		srv, ok := s.seen.servers[m.ServerID]
		if !ok {
			srv, ok = s.asked[m.ServerID]
		}
		switch {
		case !ok:
			unseen = append(unseen, m.ServerID)
		case srv == nil, srv.Status == statusSoftDeleted:
			// The next step sees to soft deletes.
		case going(srv):
			waiting = append(waiting, m.Name+": being deleted")
		default:
			left = append(left, m)
		}
	}
	if len(unseen) == 0 || s.record.Deleting != nil && len(left)+len(waiting) > 0 {
		return left, waiting, nil
	}
	if err := s.fetch(ctx, unseen); err != nil {
		return nil, nil, err
	}
	return s.undeleted(ctx)
}

// deleteAll saves that servers are deleted, if it is the first time, and asks for it.
func (s *Session) deleteAll(ctx context.Context, machines []*Machine) error {
	if len(machines) == 0 {
		return nil
	}
	if s.record.Deleting == nil {
		now := s.now().UTC()
		s.record.Deleting = &now
		if err := s.save(ctx); err != nil {
			return err
		}
	}
	return s.end(ctx, machines, s.cloud.DeleteServer)
}

// gone waits until every recorded server answers 404. Deletion may be soft: such a server still holds its quota, and is the
// last copy of its disk if the snapshot was lost.
func (s *Session) gone(ctx context.Context) (Progress, error) {
	var soft []*Machine
	for _, m := range s.record.Machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return Progress{}, err
		}
		if srv != nil && srv.Status == statusSoftDeleted && srv.TaskState == "" {
			soft = append(soft, m)
		}
	}
	if len(soft) == 0 {
		return s.lookGone(ctx)
	}
	waiting := make([]string, len(soft))
	for i, m := range soft {
		waiting[i] = m.Name + ": being deleted"
	}
	// Whether they are gone is looked at by the next pass: a cloud in trouble may say 404 to one question after the other.
	return s.pending(StageWaitingToStop, s.soon(), waiting), s.forceDeleteAll(ctx, soft)
}

func (s *Session) forceDeleteAll(ctx context.Context, soft []*Machine) error {
	list, err := s.ourImages(ctx)
	if err != nil {
		return err
	}
	lost, err := s.lostSnapshots(ctx, list)
	if err != nil {
		return err
	}
	for _, m := range lost {
		if slices.Contains(soft, m) {
			return blocked("%s: its snapshot %s (%s) is gone from Glance or not active, and its server %s is soft-deleted, the last copy of its disk: restore that server; nothing was touched", m.Name, m.Snapshot.Name, m.Snapshot.ID, m.ServerID)
		}
	}
	since, err := s.sinceSeal(ctx, soft)
	if err != nil {
		return err
	}
	var sure []*Machine
	for _, m := range soft {
		switch since[m].doubt {
		case noDoubt:
			sure = append(sure, m)
		case notTold:
		case mayHaveRun, mayBeReplaced:
			return blocked("%s, and its server %s is soft-deleted, the last copy of its disk: restore that server; nothing was touched", since[m].why, m.ServerID)
		}
	}
	return s.end(ctx, sure, s.cloud.ForceDeleteServer)
}

// lookGone tells whether the cluster is asleep. Each recorded server must answer 404: a list proves nothing by leaving it
// out. And no other server of the cluster may be there.
func (s *Session) lookGone(ctx context.Context) (Progress, error) {
	l, err := s.look(ctx, true)
	if err != nil {
		return Progress{}, err
	}
	if err := s.fetch(ctx, serverIDs(s.record.Machines)); err != nil {
		return Progress{}, err
	}
	var waiting []string
	for _, m := range s.record.Machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return Progress{}, err
		}
		switch {
		case srv == nil:
		case conditionOf(srv) == unknown:
			waiting = append(waiting, unanswered(m.Name, srv))
		default:
			waiting = append(waiting, m.Name+": being deleted")
		}
	}
	if len(waiting) > 0 {
		return s.pending(StageWaitingToStop, s.soon(), waiting), nil
	}
	if strange := s.strangers(l); len(strange) > 0 {
		return Progress{}, strangersMessage(strange[0])
	}
	return done(), nil
}
