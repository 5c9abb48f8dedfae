package hibernation

import (
	"context"
	"errors"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// A step does what can be done now. One that is done lets the next one run in the same pass; one that is not says what it
// waits for.
type step struct {
	name string
	do   func(*Session, context.Context) (Progress, error)
}

// The steps, in order. Each decides from the record's facts and the live cloud whether there is anything for it to do.
//
//nolint:gochecknoglobals // tables that nothing changes
var (
	// cutSteps lead to the seal, and can be undone.
	cutSteps = []step{
		{"late pauses", (*Session).latePauses},
		{"inventory", (*Session).inventory},
		{"health checks", (*Session).pauseHealthChecks},
		{"develop", (*Session).develop},
		{"pause", (*Session).pause},
		{"barrier", (*Session).barrier},
		{"snapshot", (*Session).snapshot},
		{"fitness", (*Session).checkSnapshots},
		{"seal", (*Session).seal},
	}
	// deleteSteps come after the seal, the point of no return.
	deleteSteps = []step{
		{"reopen", (*Session).reopen},
		{"delete", (*Session).deleteServers},
		{"gone", (*Session).gone},
		{"account", (*Session).account},
		{"sweep", (*Session).sweepOnce},
	}
	// rollbackSteps undo a cut that was not sealed.
	rollbackSteps = []step{
		{"abandon", (*Session).abandonCut},
		{"undo", (*Session).undoCut},
		{"forget", (*Session).forgetCut},
	}
	// wakeSteps make the servers again.
	wakeSteps = []step{
		{"open", (*Session).open},
		{"stand up", (*Session).standUp},
		{"create", (*Session).create},
		{"active", (*Session).active},
		{"wired", (*Session).wired},
	}
)

func (s *Session) run(ctx context.Context, steps []step) (Progress, error) {
	for _, st := range steps {
		p, err := st.do(s, ctx)
		if err != nil || !p.Done {
			s.log.WithField("step", st.name).WithField("waiting", p.Waiting).Debug("the pass ends here")
			return p, err
		}
	}
	return done(), nil
}

// Hibernate advances towards all machines being snapshots. A finding that makes the cut impossible is rolled back, and
// comes back as a *Refusal once that is done. Other errors: *Blocked, *openstackclient.Error, Kubernetes' own.
func (s *Session) Hibernate(ctx context.Context) (Progress, error) {
	return s.pace(s.pass(ctx, s.putToSleep))
}

func (s *Session) putToSleep(ctx context.Context) (Progress, error) {
	if s.record != nil && s.record.Cut != nil && s.record.Cut.Abandoned {
		return s.rollBack(ctx, "")
	}
	p, err := s.run(ctx, cutSteps)
	var a *abandonment
	if errors.As(err, &a) && !s.pastDeadline() {
		// An answer may have been wrong. What ends the cut has to be found twice.
		s.changed()
		p, err = s.run(ctx, cutSteps)
	}
	if errors.As(err, &a) {
		return s.rollBack(ctx, a.why)
	}
	if err != nil || !p.Done {
		return p, err
	}
	return s.run(ctx, deleteSteps)
}

// Resume advances towards all machines being active servers. A hibernation of which we deleted nothing is given up; any other
// is completed first. Without a sealed record there is nothing to do, unless that record was lost.
func (s *Session) Resume(ctx context.Context) (Progress, error) {
	s.waking = true
	return s.pace(s.pass(ctx, func(ctx context.Context) (Progress, error) {
		s.endWait()
		if s.record != nil && s.record.Cut != nil && !s.record.irrevocable() {
			if p, err := s.endCut(ctx); err != nil || !p.Done {
				return p, err
			}
		}
		switch {
		case s.record == nil, s.record.Sealed == nil:
			return s.startNothing(ctx)
		case s.record.Opened == nil:
			if p, err := s.putToSleep(ctx); err != nil || !p.Done {
				return p, err
			}
		}
		return s.run(ctx, wakeSteps)
	}))
}

// Cleanup gives up the snapshots of a cluster that has been healthy for long enough, and then the record. A snapshot
// that can't be deleted yet keeps the record, and is no reason to wait: then Done is true and After says when to come back.
func (s *Session) Cleanup(ctx context.Context) (Progress, error) {
	return s.pass(ctx, s.cleanUp)
}

// Asleep looks whether the cluster is asleep: sealed, not opened, every server that is in the record gone and accounted for,
// and no other.
func (s *Session) Asleep(ctx context.Context) (Progress, error) {
	return s.pass(ctx, func(ctx context.Context) (Progress, error) {
		r := s.record
		if r == nil || r.Cut != nil || r.Sealed == nil || r.Opened != nil || !r.accounted() {
			return s.pending(s.stage(), s.soon(), []string{"not hibernated"}), nil
		}
		return s.lookGone(ctx)
	})
}

// Awake looks whether every server that is expected is ACTIVE, and has been seen to have its ports if it was made again.
func (s *Session) Awake(ctx context.Context) (Progress, error) {
	return s.pass(ctx, func(ctx context.Context) (Progress, error) {
		if s.record == nil || s.record.Cut == nil && s.record.Sealed == nil {
			return s.lookRunning(ctx)
		}
		if s.record.Cut != nil || s.record.Opened == nil {
			return s.pending(s.stage(), s.soon(), []string{"hibernated"}), nil
		}
		if p, err := s.lookActive(ctx); err != nil || !p.Done {
			return p, err
		}
		return s.lookWired(), nil
	})
}

// Summary returns what the record says. It makes no request to the cloud.
func (s *Session) Summary(ctx context.Context) (Summary, error) {
	if err := s.load(ctx); err != nil {
		return Summary{}, err
	}
	r := s.record
	if r == nil {
		return Summary{}, nil
	}
	sum := Summary{
		Exists:      true,
		Cutting:     r.Cut != nil,
		Sealed:      r.Sealed != nil,
		Opened:      r.Opened != nil,
		Deleting:    r.Deleting != nil,
		Standing:    len(r.standing()) > 0,
		Observation: r.Observation,
		Unobserved:  r.Unobserved,
		Machines:    r.states(),
		OldOrders:   len(r.OldRemakes)+len(r.OldLeaveOuts) > 0,
		Leftovers:   len(r.Leftovers),
	}
	if r.HealthChecks != nil {
		sum.HealthChecksPaused, sum.HealthChecksFailed = true, r.HealthChecks.Failed
	}
	if r.Sealed != nil {
		sum.SealedAt = r.Sealed.At
	}
	for _, m := range r.wanted() {
		if m.ControlPlane {
			sum.ControlPlane++
		}
	}
	return sum, nil
}

// final tells whether the cloud's answer will stay the same until somebody changes something.
func final(err error) bool {
	switch openstackclient.KindOf(err) {
	case openstackclient.KindQuota, openstackclient.KindForbidden, openstackclient.KindInvalid:
		return true
	case openstackclient.KindNotFound, openstackclient.KindConflict, openstackclient.KindUnauthorized, openstackclient.KindThrottled, openstackclient.KindTransient:
		return false
	}
	return false
}
