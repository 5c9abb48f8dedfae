package hibernation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// sweepEvery is how often the deletion of a snapshot is tried that is in use.
const sweepEvery = time.Hour

// cleanUp gives up the snapshots of machines that all run again, and deletes what has been given up. While the cluster
// sleeps only what earlier cycles left is deleted.
func (s *Session) cleanUp(ctx context.Context) (Progress, error) {
	r := s.record
	if r == nil {
		return done(), nil
	}
	if r.Cut != nil {
		return s.pending(s.stage(), s.soon(), []string{"being hibernated"}), nil
	}
	if r.Sealed != nil && r.Opened != nil {
		if p, err := s.giveUpSnapshots(ctx); err != nil || !p.Done {
			return p, err
		}
	}
	return s.tidyUp(ctx)
}

// tidyUp deletes what has been given up, and the record once it holds nothing any more.
func (s *Session) tidyUp(ctx context.Context) (Progress, error) {
	if err := s.releaseKept(ctx); err != nil {
		return Progress{}, err
	}
	if p, err := s.latePauses(ctx); err != nil || !p.Done {
		return p, err
	}
	left, err := s.giveUpStrays(ctx)
	if err != nil {
		return Progress{}, err
	}
	if err := s.sweep(ctx); err != nil {
		return Progress{}, err
	}
	if left > 0 {
		return Progress{Done: true, After: s.engine.opts.Jitter(left), Stage: StageCleaning}, nil
	}
	if len(s.record.Leftovers) > 0 || s.record.keeping() {
		return Progress{Done: true, After: s.engine.opts.Jitter(sweepEvery), Stage: StageCleaning}, nil
	}
	if s.record.Sealed != nil {
		return done(), nil
	}
	if s.record.HealthChecks != nil {
		return s.pending(StageCleaning, s.engine.opts.Jitter(sweepEvery), []string{"its MachineHealthChecks are still to be un-paused"}), nil
	}
	return done(), s.removeRecord(ctx)
}

// giveUpSnapshots saves, before the first is deleted, that the cluster is awake for good.
func (s *Session) giveUpSnapshots(ctx context.Context) (Progress, error) {
	if lastCopies, err := s.lastCopies(ctx); err != nil || len(lastCopies) > 0 {
		return s.pending(StageCleaning, s.engine.opts.Jitter(sweepEvery), lastCopies), err
	}
	r := s.record
	now := s.now().UTC()
	for _, m := range r.Machines {
		r.giveUpAll(m)
	}
	r.Done, r.Sealed, r.Deleting, r.Opened = &now, nil, nil, nil
	r.Machines, r.Observation, r.Unobserved, r.Tries = nil, nil, "", nil
	return done(), s.save(ctx)
}

// lastCopies names the machines whose snapshot is still the only copy of their disk. A worker that is gone from a cluster
// that is healthy without it was removed on purpose; a member of the control plane never is.
func (s *Session) lastCopies(ctx context.Context) ([]string, error) {
	l, err := s.look(ctx, !s.allPlaced())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range s.record.wanted() {
		if err := s.findAgain(ctx, l, m); err != nil {
			return nil, err
		}
		if m.Creation.ServerID == "" {
			out = append(out, m.Name+": no server yet")
			continue
		}
		srv, err := s.server(ctx, m.Creation.ServerID)
		switch {
		case err != nil:
			return nil, err
		case (!present(srv) || going(srv)) && m.ControlPlane:
			out = append(out, m.Name+": its server is gone, or is being deleted")
		case present(srv) && (!hasRun(srv) || !healthy(srv)):
			out = append(out, lagging(m.Name, srv))
		}
	}
	return out, nil
}

// findAgain finds the server of a machine in a record that does not know it, as one that was put back from a backup.
func (s *Session) findAgain(ctx context.Context, l *look, m *Machine) error {
	if m.Creation == nil {
		m.Creation = &Creation{}
	}
	if m.Creation.ServerID != "" {
		return nil
	}
	return s.adopt(ctx, l, m)
}

// sweepOnce deletes what earlier cycles left, as far as the cloud allows it now. It never waits and never fails: what
// stays is deleted later.
func (s *Session) sweepOnce(ctx context.Context) (Progress, error) {
	if err := s.sweep(ctx); err != nil {
		s.log.WithError(err).Warn("snapshots of earlier cycles are left for later")
	}
	return done(), nil
}

// letGoRenamed drops the leftovers that somebody has given another name: from then on they are theirs, and not ours to delete.
func (s *Session) letGoRenamed(ctx context.Context) error {
	list, err := s.ourImages(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for i := range list {
		names[list[i].ID] = list[i].Name
	}
	s.record.Leftovers = slices.DeleteFunc(slices.Clone(s.record.Leftovers), func(l Leftover) bool {
		name, seen := names[l.ID]
		return seen && name != l.Name
	})
	return nil
}

// sweep tries to delete each leftover once. What is still in use stays in the record.
func (s *Session) sweep(ctx context.Context) error {
	if len(s.record.Leftovers) == 0 {
		return nil
	}
	if err := s.checkCloud(ctx); err != nil {
		return err
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	before := len(s.record.Leftovers)
	if err := s.letGoRenamed(ctx); err != nil {
		return err
	}
	defer s.changed()
	all := s.record.Leftovers
	gone := make([]bool, len(all))
	failure := s.each(ctx, len(all), func(ctx context.Context, i int) (err error) {
		if err := s.inTime(); err != nil {
			return err
		}
		if gone[i], err = s.deleteImage(ctx, all[i].ID); err != nil {
			return fmt.Errorf("snapshot %s (%s) could not be deleted: %w", all[i].Name, all[i].ID, err)
		}
		return nil
	})
	var kept []Leftover
	for i, l := range all {
		if !gone[i] {
			kept = append(kept, l)
		}
	}
	if len(kept) == before {
		return failure
	}
	s.record.Leftovers = kept
	return firstOf(s.save(ctx), failure)
}
