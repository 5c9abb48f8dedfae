package hibernation

import (
	"context"
	"fmt"
)

// pauseHealthChecks has the cluster's MachineHealthChecks paused before its servers go. That it may have been done is in the
// record already. It is tried once in each cut: a cluster that does not answer is hibernated all the same.
func (s *Session) pauseHealthChecks(ctx context.Context) (Progress, error) {
	r := s.record
	if r.Cut == nil || r.HealthChecks == nil || r.HealthChecks.Asked == r.Cut.Cycle || s.cluster.PauseHealthChecks == nil || r.Unobserved != "" {
		return done(), nil
	}
	if err := s.claim(ctx); err != nil {
		return Progress{}, err
	}
	failed := ""
	if err := s.cluster.PauseHealthChecks(ctx); err != nil {
		if ctx.Err() != nil {
			return Progress{}, err
		}
		failed = err.Error()
		s.event("Warning", "HealthChecksNotPaused", fmt.Sprintf("the cluster's MachineHealthChecks could not all be paused, and may replace machines while it wakes: %v", err))
	}
	r.HealthChecks.Asked, r.HealthChecks.Failed = r.Cut.Cycle, failed
	// Saved before the first pause: a paused cluster would not answer another try.
	return done(), s.save(ctx)
}

// ResumeHealthChecks has the MachineHealthChecks un-paused that were paused for a hibernation, and remembers that. It does
// nothing while a hibernation is under way, or the cluster is asleep.
func (s *Session) ResumeHealthChecks(ctx context.Context) error {
	return s.endHealthChecks(ctx, s.cluster.ResumeHealthChecks)
}

// ForgetHealthChecks gives up un-pausing MachineHealthChecks: nothing else keeps the record for them.
func (s *Session) ForgetHealthChecks(ctx context.Context) error {
	return s.endHealthChecks(ctx, nil)
}

func (s *Session) endHealthChecks(ctx context.Context, do func(context.Context) error) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.record != nil && (s.record.Cut != nil || s.record.behindSeal()) {
		return nil
	}
	if s.record != nil {
		// Another manager may be about to put the cluster to sleep again.
		if err := s.yield(); err != nil {
			return err
		}
	}
	if do != nil {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return s.healthChecksEnded(ctx)
}

func (s *Session) healthChecksEnded(ctx context.Context) error {
	if s.record == nil || s.record.HealthChecks == nil {
		return nil
	}
	s.record.HealthChecks = nil
	return s.save(ctx)
}

// releaseHealthChecks tries once to un-pause the MachineHealthChecks of a cluster that stays when its ClusterDeployment goes.
func (s *Session) releaseHealthChecks(ctx context.Context) error {
	if s.record.HealthChecks == nil || s.cluster.ResumeHealthChecks == nil || s.dropping || s.record.behindSeal() {
		return nil
	}
	if err := s.cluster.ResumeHealthChecks(ctx); err != nil {
		s.event("Warning", "HealthChecksPaused", fmt.Sprintf("the MachineHealthChecks that were paused for the hibernation stay paused, since the cluster could not be asked to un-pause them: %v", err))
		return nil
	}
	return s.healthChecksEnded(ctx)
}

// Remember saves what a cluster that wakes says of itself, as far as the record does not hold it yet, before anything of it is
// changed there. It fails where there is no record.
func (s *Session) Remember(ctx context.Context, o Observation) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.record == nil {
		return blocked("the hibernation record is gone: restore the Secret from a backup; nothing was touched")
	}
	was := s.record.Observation
	if was == nil || len(was.Nodes) == 0 {
		o.Late, o.At = true, s.now().UTC()
	} else {
		o.NodesReady, o.Late, o.At, o.Signers = was.NodesReady, was.Late, was.At, was.Signers
	}
	now := &o
	now.recall(was)
	s.record.Observation = now
	if err := s.fitObservation(); err != nil {
		return err
	}
	if err := s.record.checkRoom(); err != nil {
		// It wakes without what there is no room for.
		s.event("Warning", "NodesNotRemembered", "the record of the cluster's hibernation has no room for its Nodes and Machines as they are now: those that get lost while it wakes come back without their labels")
		s.record.Observation = was
	}
	return s.save(ctx)
}
