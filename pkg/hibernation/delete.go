package hibernation

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// deleteServers deletes the servers of a sealed cut, each only by its recorded ID, and only if all that makes this safe is
// seen in this very pass: the seal in an uncached read of the record, every machine's snapshot complete, and the server
// itself still as it was stopped.
func (s *Session) deleteServers(ctx context.Context) (Progress, error) {
	if err := s.rereadSeal(ctx); err != nil {
		return Progress{}, err
	}
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	left, waiting := s.undeleted()
	if len(left) == 0 {
		if len(waiting) > 0 {
			return s.pending(StageWaitingToStop, s.soon(), waiting), nil
		}
		return done(), nil
	}
	if p, err := s.checkDeletable(ctx, left); err != nil || !p.Done {
		return p, err
	}
	if err := s.act(ctx, left, s.deleteOne); err != nil {
		return Progress{}, err
	}
	for _, m := range left {
		waiting = append(waiting, m.Name+": being deleted")
	}
	return s.pending(StageWaitingToStop, s.soon(), waiting), nil
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

// undeleted returns the machines whose servers are still there, and names those that are going.
func (s *Session) undeleted() (left []*Machine, waiting []string) {
	for _, m := range s.record.Machines {
		srv, ok := s.seen.servers[m.ServerID]
		switch {
		case !ok:
		case srv.Status == statusDeleted, srv.TaskState == "deleting", srv.TaskState == "soft-deleting":
			waiting = append(waiting, m.Name+": being deleted")
		case srv.Status == statusSoftDeleted:
			// The next step, which sees to those, also finds the ones that lists leave out.
		default:
			left = append(left, m)
		}
	}
	return left, waiting
}

// checkDeletable proves that the servers may go. What speaks against it is mended if it can be.
func (s *Session) checkDeletable(ctx context.Context, left []*Machine) (Progress, error) {
	list, err := s.ourImages(ctx)
	if err != nil {
		return Progress{}, err
	}
	lost, err := s.lostSnapshots(ctx, list)
	if err != nil {
		return Progress{}, err
	}
	var ran []*Machine
	var problems, busy []string
	for _, m := range left {
		srv := s.seen.servers[m.ServerID]
		if srv.Status == stopped(m) && srv.TaskState != "" {
			busy = append(busy, fmt.Sprintf("%s: %s", m.Name, srv.TaskState))
			continue
		}
		if why := unlikeRecord(m, srv); why != "" {
			ran, problems = append(ran, m), append(problems, why)
		}
	}
	changes, err := s.portChanges(ctx, left)
	if err != nil {
		return Progress{}, err
	}
	problems = append(problems, changes...)
	for _, m := range lost {
		problems = append(problems, fmt.Sprintf("%s: its snapshot %s (%s) is gone from Glance or not active", m.Name, m.Snapshot.Name, m.Snapshot.ID))
	}
	switch {
	case len(problems) == 0 && len(busy) == 0:
		return done(), nil
	case len(problems) == 0:
		return s.pending(StageWaitingToStop, s.soon(), busy), nil
	}
	return s.mend(ctx, left, append(lost, ran...), len(changes) > 0, problems[0])
}

// lostSnapshots returns the machines whose snapshot is not there, complete, and of that server.
func (s *Session) lostSnapshots(ctx context.Context, list []images.Image) ([]*Machine, error) {
	var lost []*Machine
	for _, m := range s.record.Machines {
		at := slices.IndexFunc(list, func(img images.Image) bool { return img.ID == m.Snapshot.ID })
		var img *images.Image
		if at >= 0 {
			img = &list[at]
		} else {
			var err error
			img, err = s.cloud.GetImage(ctx, m.Snapshot.ID)
			if err != nil && !openstackclient.IsNotFound(err) {
				return nil, err
			}
		}
		if img == nil || !finished(img) || !isShot(img, m.Snapshot) {
			lost = append(lost, m)
		}
	}
	return lost, s.checkCloud(ctx)
}

// mend deals with what speaks against deleting servers behind the seal. As long as none was deleted, the whole cut is
// undone. Later, machines whose server is still there are cut anew. Whatever can't be mended waits for a person.
func (s *Session) mend(ctx context.Context, left, again []*Machine, portsChanged bool, why string) (Progress, error) {
	if len(left) == len(s.record.Machines) && s.oneCycle() {
		return s.unseal(ctx, why)
	}
	for _, m := range again {
		if !slices.Contains(left, m) {
			return Progress{}, blocked("%s, and no server is left to take it from again: look for a copy of that image; nothing was touched", why)
		}
	}
	if portsChanged {
		return Progress{}, blocked("%s: give the server back its recorded ports; it is not deleted before that", why)
	}
	return s.cutAgain(ctx, again, why)
}

func (s *Session) oneCycle() bool {
	return !slices.ContainsFunc(s.record.Machines, func(m *Machine) bool { return m.Snapshot.Cycle != s.record.Sealed.Cycle })
}

// unseal turns a sealed cut of which nothing was deleted back into one that is rolled back. The save says that it is
// abandoned before any server is unpaused.
func (s *Session) unseal(ctx context.Context, why string) (Progress, error) {
	r := s.record
	r.Cut = &Cut{Cycle: r.Sealed.Cycle, StartedAt: r.Sealed.At, Shooting: true, Abandoned: true, Why: why, Counted: true}
	r.Sealed = nil
	for _, m := range r.Machines {
		m.Shot, m.Snapshot, m.InCut = m.Snapshot, nil, true
	}
	if err := s.save(ctx); err != nil {
		return Progress{}, err
	}
	return s.pending(StageRollingBack, s.soon(), []string{why}), nil
}

// cutAgain begins a cut of some machines behind the seal: of one whose snapshot was lost and whose server still stands
// paused, or of one that ran again. Its siblings are followers that lag, or were stopped all the time.
func (s *Session) cutAgain(ctx context.Context, machines []*Machine, why string) (Progress, error) {
	r := s.record
	if r.Tries != nil {
		if left := r.Tries.NotBefore.Sub(s.now()); left > 0 {
			return Progress{}, &Refusal{Message: r.Tries.Why, After: left}
		}
	}
	now := s.now().UTC()
	r.Cut = &Cut{Cycle: nextCycle(now, r.LastCycle), StartedAt: now}
	r.LastCycle = r.Cut.Cycle
	for _, m := range machines {
		if srv := s.seen.servers[m.ServerID]; srv.Status == statusActive {
			m.Before = statusActive
		}
		m.InCut = true
		m.Shot = &Snapshot{Name: SnapshotName(m.Name, r.Cut.Cycle), Cycle: r.Cut.Cycle, ServerID: m.ServerID}
	}
	s.log.WithField("why", why).Warn("taking snapshots again behind the seal")
	if err := s.save(ctx); err != nil {
		return Progress{}, err
	}
	return s.pending(StageWaitingToStop, s.soon(), []string{why}), nil
}

func (s *Session) deleteOne(ctx context.Context, m *Machine) error {
	err := s.cloud.DeleteServer(ctx, m.ServerID)
	if openstackclient.IsNotFound(err) {
		return nil
	}
	if openstackclient.KindOf(err) == openstackclient.KindConflict {
		return fmt.Errorf("%s: Nova does not delete its server now, unlock it if it is locked: %w", m.Name, err)
	}
	return err
}

// gone waits until every recorded server answers 404. Deletion may be soft: such a server still holds its quota.
func (s *Session) gone(ctx context.Context) (Progress, error) {
	var soft []*Machine
	for _, m := range s.record.Machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return Progress{}, err
		}
		if srv == nil {
			continue
		}
		if srv.Status == statusSoftDeleted {
			soft = append(soft, m)
		}
	}
	err := s.act(ctx, soft, func(ctx context.Context, m *Machine) error {
		err := s.cloud.ForceDeleteServer(ctx, m.ServerID)
		if openstackclient.IsNotFound(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return Progress{}, err
	}
	return s.lookGone(ctx)
}

// lookGone tells whether the cluster is asleep. Each recorded server must answer 404: a list proves nothing by leaving it
// out. And no other server of the cluster may be there.
func (s *Session) lookGone(ctx context.Context) (Progress, error) {
	l, err := s.look(ctx, true)
	if err != nil {
		return Progress{}, err
	}
	var waiting []string
	for _, m := range s.record.Machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return Progress{}, err
		}
		if srv != nil {
			waiting = append(waiting, m.Name+": being deleted")
		}
	}
	if len(waiting) > 0 {
		return s.pending(StageWaitingToStop, s.soon(), waiting), nil
	}
	if strange := s.strangers(l); len(strange) > 0 {
		return Progress{}, blocked("the cluster is hibernated, and yet it has server %s, which is not in the record: delete it, or restore the record that belongs to it; nothing was touched", strange[0])
	}
	return done(), nil
}
