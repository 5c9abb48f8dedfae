package hibernation

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

const (
	// healthChecksHold is for how long a cluster that is well otherwise is not ready because its MachineHealthChecks can't be
	// un-paused.
	healthChecksHold = 10 * time.Minute
	// healthChecksRetry is how often it is tried for one that is ready.
	healthChecksRetry = 5 * time.Minute
	// healthChecksBound is after how long a cluster's being ready it is given up.
	healthChecksBound = 24 * time.Hour
)

// healthChecksResumed un-pauses the MachineHealthChecks that were paused for the hibernation: by now nothing is left for them
// to remediate that the hibernation has caused.
func healthChecksResumed(ctx context.Context, v *visit, _ client.Client, record hibernation.Summary) *Outcome {
	if skipsRepair(v.cd) && !record.HealthChecksPaused {
		return nil
	}
	err := v.resumeHealthChecks(ctx)
	if err == nil {
		v.memo.healthChecksSince = time.Time{}
		return nil
	}
	if v.memo.healthChecksSince.IsZero() {
		v.memo.healthChecksSince = v.now
	}
	if v.now.Sub(v.memo.healthChecksSince) >= healthChecksHold {
		v.event(corev1.EventTypeWarning, "HealthChecksPaused", "The cluster is ready, and its MachineHealthChecks are still paused: "+remoteWords(err))
		return nil
	}
	return &Outcome{
		State:   StateWaitingForOperators,
		Message: "The cluster's MachineHealthChecks could not be un-paused yet: " + remoteWords(err),
		After:   v.spread(operatorsPoll),
	}
}

// unpausedMeanwhile un-pauses them for a cluster that is ready all the while, and is put to sleep only at the next try.
func (v *visit) unpausedMeanwhile(ctx context.Context, outcome Outcome) Outcome {
	record, err := v.record(ctx)
	if err == nil && record.HealthChecksPaused {
		err = v.resumeHealthChecks(ctx)
	}
	if err != nil {
		outcome.After = soonest(outcome.After, v.spread(healthChecksRetry))
		v.memo.hold(v.cd, v.now.Add(outcome.After))
	}
	return outcome
}

// resumeHealthChecks un-pauses them, and has that remembered.
func (v *visit) resumeHealthChecks(ctx context.Context) error {
	caretaker, ok := v.actuator.(Caretaker)
	if !ok {
		return nil
	}
	err := caretaker.ResumeHealthChecks(ctx, v.cd, v.Client, v.logger)
	if err != nil {
		v.logger.WithError(err).Info("the cluster's MachineHealthChecks could not be un-paused")
	}
	return err
}

// resumeHealthChecksLate does so for a cluster that shows as ready, whose record stays until it is done, and gives it up in the
// end.
func (v *visit) resumeHealthChecksLate(ctx context.Context, record hibernation.Summary) error {
	caretaker, ok := v.actuator.(Caretaker)
	if !ok || !record.HealthChecksPaused {
		return nil
	}
	err := v.resumeHealthChecks(ctx)
	ready, _ := readyNow(v.cd)
	if err == nil || v.now.Sub(ready) < healthChecksBound {
		return nil
	}
	v.event(corev1.EventTypeWarning, "HealthChecksPaused", "The cluster's MachineHealthChecks stay paused, since they could not be un-paused for a day: remove the annotations cluster.x-k8s.io/paused and hibernation.overwinter.io/paused from them: "+remoteWords(err))
	return caretaker.ForgetHealthChecks(ctx, v.cd, v.Client, v.logger)
}
