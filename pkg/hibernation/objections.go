package hibernation

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// objections are what speaks against deleting the servers of a sealed cut.
type objections struct {
	// left are the machines whose server is there, ready those whose server may go, busy names those that must wait.
	left, ready []*Machine
	busy        []string
	// again are the machines that need a new snapshot: theirs is lost, or their server ran since.
	again []*Machine
	// replaced are the machines whose server may have another disk: it is not deleted, and nothing takes the snapshot's place.
	replaced []*Machine
	// why is the first objection, final one that no new snapshot removes; empty if there is none.
	why, final string
}

func (o *objections) add(why string) {
	if o.why == "" {
		o.why = why
	}
}

// lookTwice returns the objections. What a list says may be minutes old, so that an objection is looked at a second time,
// server by server, before anything is done about it.
func (s *Session) lookTwice(ctx context.Context, left []*Machine) (objections, error) {
	found, err := s.objections(ctx, left)
	if err != nil || found.why == "" {
		return found, err
	}
	if err := s.refresh(ctx, serverIDs(left)); err != nil {
		return found, err
	}
	left, going, err := s.undeleted(ctx)
	if err != nil {
		return found, err
	}
	found, err = s.objections(ctx, left)
	found.busy = append(going, found.busy...)
	return found, err
}

// objections compares everything with how it was sealed.
func (s *Session) objections(ctx context.Context, left []*Machine) (objections, error) {
	found := objections{left: left}
	list, err := s.ourImages(ctx)
	if err != nil {
		return found, err
	}
	lost, err := s.lostSnapshots(ctx, list)
	if err != nil {
		return found, err
	}
	for _, m := range lost {
		found.add(fmt.Sprintf("%s: its snapshot %s (%s) is gone from Glance, not active or without data", m.Name, m.Snapshot.Name, m.Snapshot.ID))
		found.again = append(found.again, m)
	}
	since, err := s.sinceSeal(ctx, left)
	if err != nil {
		return found, err
	}
	var settled []*Machine
	for _, m := range left {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return found, err
		}
		if s.ordersBack(m, since) {
			since[m] = moved{}
		}
		if found.sort(m, srv, since[m], s.record.Deleting != nil) {
			settled = append(settled, m)
		}
	}
	changes, err := s.portChanges(ctx, settled)
	if err != nil {
		return found, err
	}
	for _, why := range changes {
		found.add(why)
		found.final = why + ": give the server back its recorded ports; it is not deleted before that"
	}
	return found, nil
}

// ordersBack reports whether a person orders to go back to the snapshot of a machine whose disk may have been replaced.
func (s *Session) ordersBack(m *Machine, since map[*Machine]moved) bool {
	return since[m].doubt == mayBeReplaced && s.record.Deleting != nil && s.toRemake(m)
}

// sort decides about one server. It returns true for one that stands as it was snapshotted. One that Nova failed to delete
// is in ERROR, without its ports, and is deleted again as long as nothing else was done to it.
func (o *objections) sort(m *Machine, srv *openstackclient.Server, since moved, deleting bool) bool {
	is := conditionOf(srv)
	if !is.exists() {
		return false
	}
	if is == unknown {
		o.busy = append(o.busy, unanswered(m.Name, srv))
		return false
	}
	switch since.doubt {
	case notTold:
		o.busy = append(o.busy, since.why)
		return false
	case mayHaveRun:
		o.add(since.why)
		o.again = append(o.again, m)
		return false
	case mayBeReplaced:
		o.add(since.why)
		o.replaced = append(o.replaced, m)
		return false
	case noDoubt:
	}
	switch {
	case deleting && is == failed:
		o.ready = append(o.ready, m)
	case is == stopped(m) && srv.TaskState != "":
		o.busy = append(o.busy, fmt.Sprintf("%s: %s", m.Name, srv.TaskState))
	case unlikeRecord(m, srv) != "":
		o.add(unlikeRecord(m, srv))
		o.again = append(o.again, m)
	default:
		o.ready = append(o.ready, m)
		return true
	}
	return false
}

// lostSnapshots returns the machines whose snapshot is not there, complete, and of that server.
func (s *Session) lostSnapshots(ctx context.Context, list []images.Image) ([]*Machine, error) {
	var lost []*Machine
	for _, m := range s.record.wanted() {
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
		if img == nil || !m.wholeFor(img) || !isShot(img, m.Snapshot) {
			lost = append(lost, m)
		}
	}
	if err := s.checkCloud(ctx); err != nil {
		return nil, err
	}
	for _, m := range slices.Clone(lost) {
		out, err := s.leftOut(ctx, m)
		if err != nil {
			return nil, err
		}
		if out {
			lost = slices.DeleteFunc(lost, func(other *Machine) bool { return other == m })
		}
	}
	return lost, nil
}

// mend deals with what speaks against deleting servers behind the seal. As long as none was deleted, the whole cut is
// undone. Later, machines whose server is still there are cut anew. Whatever can't be mended waits for a person.
func (s *Session) mend(ctx context.Context, found objections) (Progress, error) {
	if s.undoable(found.left) {
		return s.unseal(ctx, found.why)
	}
	if len(found.replaced) > 0 {
		return s.replaced(ctx, found)
	}
	if found.final != "" {
		return Progress{}, blocked("%s", found.final)
	}
	for _, m := range found.again {
		if !slices.Contains(found.left, m) {
			return Progress{}, s.noCopy(m)
		}
		srv, err := s.server(ctx, m.ServerID)
		switch {
		case err != nil:
			return Progress{}, err
		case conditionOf(srv) == unknown:
			return s.pending(StageWaitingToStop, s.soon(), []string{unanswered(m.Name, srv)}), nil
		case !healthy(srv):
			return Progress{}, blocked("%s; and server %s (%s) can't be snapshotted as it is: repair it, so that it is ACTIVE, PAUSED or SHUTOFF; nothing was touched", found.why, m.Name, m.ServerID)
		}
	}
	return s.cutAgain(ctx, found.again, found.why)
}

// replaced deals with servers whose disks may be others than those that were snapshotted. Which of the two is right only a
// person can say. A cluster that is to run gets its servers back as they are.
func (s *Session) replaced(ctx context.Context, found objections) (Progress, error) {
	if s.waking {
		return s.turnBack(ctx)
	}
	m := found.replaced[0]
	return Progress{}, blocked("%s: its disk may be another one since, so that its server %s is not deleted, and its snapshot %s (%s) is kept. If the snapshot is right, %s; if the server is right as it is, set powerState to Running: the cluster then wakes with it", found.why, m.ServerID, m.Snapshot.Name, m.Snapshot.ID, s.howToRemake(m))
}

// undoable tells whether a sealed cut can still be rolled back: nothing was ever asked to be deleted, every server is there,
// and none of the machines was asleep already.
func (s *Session) undoable(left []*Machine) bool {
	r := s.record
	return r.Deleting == nil && len(left) == len(r.Machines) &&
		!slices.ContainsFunc(r.Machines, func(m *Machine) bool { return m.Snapshot.Cycle != r.Sealed.Cycle })
}

// undoSeal begins to give a sealed cut up that somebody wants undone; Done is true where it is too late for that.
func (s *Session) undoSeal(ctx context.Context) (Progress, error) {
	if err := s.rereadSeal(ctx); err != nil {
		return Progress{}, err
	}
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	left, _, err := s.undeleted(ctx)
	if err != nil || len(left) == 0 {
		return done(), err
	}
	return s.turnBack(ctx)
}

// unseal turns a sealed cut of which nothing was deleted back into one that is rolled back. The save says that it is
// abandoned before any server is unpaused.
func (s *Session) unseal(ctx context.Context, why string) (Progress, error) {
	r := s.record
	r.Cut = &Cut{Cycle: r.Sealed.Cycle, StartedAt: r.Sealed.At, Shooting: true, Abandoned: true, Why: why, Counted: why != byUser}
	r.Sealed = nil
	for _, m := range r.Machines {
		m.Shot, m.Snapshot, m.InCut = m.Snapshot, nil, true
	}
	if err := s.save(ctx); err != nil {
		return Progress{}, err
	}
	return s.pending(StageRollingBack, s.soon(), []string{why}), nil
}

// tooSoon tells whether a new snapshot behind the seal has to wait. The long waits are to spare a cluster that people use, and
// this one is not: who wants to wake it waits no longer than a failing cloud has to be spared.
func (s *Session) tooSoon(t *Tries) bool {
	if s.waking {
		since := s.now().Sub(t.At)
		return since >= 0 && since < wakingBackoff
	}
	return s.now().Before(t.NotBefore)
}

// cutAgain begins a cut of some machines behind the seal: of one whose snapshot was lost and whose server still stands
// paused, or of one that ran again. Its siblings are followers that lag, or were stopped all the time.
func (s *Session) cutAgain(ctx context.Context, machines []*Machine, why string) (Progress, error) {
	r := s.record
	if r.Tries != nil && s.tooSoon(r.Tries) {
		return Progress{}, blocked("%s; a new snapshot of it could not be made (%s), and is tried again later", why, r.Tries.Why)
	}
	now := s.now().UTC()
	r.Cut = &Cut{Cycle: nextCycle(now, r.LastCycle), StartedAt: now}
	r.LastCycle = r.Cut.Cycle
	for _, m := range machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return Progress{}, err
		}
		switch {
		case conditionOf(srv) == unknown:
			return s.pending(StageWaitingToStop, s.soon(), []string{unanswered(m.Name, srv)}), nil
		case srv.Status != statusPaused:
			m.Before = srv.Status
		case m.Before == statusShutoff:
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
