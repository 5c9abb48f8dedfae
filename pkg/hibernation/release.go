package hibernation

import (
	"context"
	"fmt"
)

// Release ends Overwinter's part in a cluster whose ClusterDeployment is being deleted. A hibernation of which nothing was
// deleted is rolled back first. Then nothing is created any more: with keep, snapshots and record stay as they are and an
// event says where; otherwise what servers are left of the cluster are brought back, the snapshots are deleted and the record
// goes. Done is true when the ClusterDeployment may go.
func (s *Session) Release(ctx context.Context, keep bool) (Progress, error) {
	s.dropping = !keep
	return s.pace(s.pass(ctx, func(ctx context.Context) (Progress, error) {
		if s.record == nil {
			return s.releaseNothing(ctx), nil
		}
		if p, err := s.undo(ctx); err != nil || !p.Done {
			return p, err
		}
		if err := s.releaseHealthChecks(ctx); err != nil {
			return Progress{}, err
		}
		if keep && (s.record.Sealed != nil || s.record.keeping()) {
			s.event("Normal", "SnapshotsKept", fmt.Sprintf("the cluster's %d snapshots stay in Glance, and the record that wakes it again in Secret %s/%s, which has the finalizer %s", len(s.record.Machines), s.cluster.Namespace, RecordName(s.cluster.Name), RecordFinalizer))
			return done(), nil
		}
		return s.dropSnapshots(ctx)
	}))
}

// undo brings back what is still there of the cluster; Done is true where nothing is to be brought back. One that is half
// asleep and kept is left so: it can be completed, or woken.
func (s *Session) undo(ctx context.Context) (Progress, error) {
	if s.record.irrevocable() && !s.dropping {
		return done(), nil
	}
	if s.record.Cut != nil {
		if p, err := s.rollBack(ctx, byUser); err != nil || !p.Done {
			return p, err
		}
	}
	if s.record.behindSeal() {
		return s.undoSeal(ctx)
	}
	return s.standUp(ctx)
}

// dropSnapshots deletes all snapshots in the record. One that is in use carries the tag by which the installer's destroy
// finds it, and is left to that.
func (s *Session) dropSnapshots(ctx context.Context) (Progress, error) {
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	r := s.record
	if len(r.Machines) > 0 || r.Sealed != nil {
		for _, m := range r.Machines {
			r.giveUpAll(m)
			r.giveUp(m.Shot)
		}
		r.Sealed, r.Opened, r.Cut, r.Machines = nil, nil, nil, nil
		if err := s.save(ctx); err != nil {
			return Progress{}, err
		}
	}
	if err := s.sweep(ctx); err != nil {
		return Progress{}, err
	}
	for _, l := range s.record.Leftovers {
		s.event("Warning", "SnapshotLeft", fmt.Sprintf("snapshot %s (%s) is in use or protected and could not be deleted; its tag %s lets the installer's destroy find it", l.Name, l.ID, clusterTag(s.cluster.InfraID)))
	}
	return done(), s.removeRecord(ctx)
}
