package hibernation

import (
	"context"
	"errors"
	"time"

	"github.com/overwinter/overwinter/pkg/hibernation"
)

// defaultPace is when to come back where the actuator does not say.
const defaultPace = 15 * time.Second

// stop brings the cluster nearer to hibernation. A cluster that hibernates already costs nothing.
func (v *visit) stop(ctx context.Context) (Outcome, error) {
	if shows(v.cd, StateHibernating) {
		return v.asleep(ctx), nil
	}
	v.memo.toldLate = false
	if gated, err := v.syncSetsGate(ctx); err != nil || gated != nil {
		return orNothing(gated), err
	}
	if _, ok := v.actuator.(Releaser); ok {
		// From here on there may be a record, which must not be lost with the ClusterDeployment.
		if err := v.addFinalizer(ctx); err != nil {
			return Outcome{}, err
		}
	}
	v.warnYoung()
	stopped, waiting, err := v.stopMachines(ctx)
	if err != nil {
		return v.failedToStop(ctx, err)
	}
	v.memo.succeeded()
	if stopped {
		v.memo.wakeBy = nil
		if slept := v.slept(); slept != nil {
			v.planWarning(*slept)
		}
		after, notes := v.asleep(ctx).After, v.notes()
		// The record has it, and there may be thousands of clusters that sleep.
		v.setSlept(nil)
		return Outcome{State: StateHibernating, Message: "The cluster's machines are stopped" + notes, After: after}, nil
	}
	return v.stopping(ctx, waiting), nil
}

// stopMachines advances stopping the machines and returns whether they are stopped, and which lag.
func (v *visit) stopMachines(ctx context.Context) (bool, []string, error) {
	err := v.actuator.StopMachines(ctx, v.cd, v.Client, v.logger)
	if !isRefusal(err) {
		// Whatever ran may no longer do so. A cluster that was refused runs on, and may be on its way to readiness.
		v.memo.awake, v.memo.early = nil, nil
	}
	if err == nil {
		err = v.remember(ctx)
	}
	if err != nil {
		return false, nil, err
	}
	return v.actuator.MachinesStopped(ctx, v.cd, v.Client, v.logger)
}

func isRefusal(err error) bool {
	var refusal *hibernation.Refusal
	return errors.As(err, &refusal)
}

// stopping is the outcome while machines have not stopped yet.
func (v *visit) stopping(ctx context.Context, waiting []string) Outcome {
	progress := v.progress(ctx)
	// It stays at that too where the actuator names no stage.
	outcome := Outcome{State: StateWaitingToStop, Message: lagging("Waiting for machines to stop", waiting) + v.notes(), After: progress.After}
	switch progress.Stage {
	case hibernation.StageRollingBack:
		outcome.State, outcome.Message = StateFailedToStop, lagging("The hibernation failed and is being undone", waiting)
		outcome.Awake = &Outcome{State: StateStopping, Message: messageSeeHibernating}
	case hibernation.StageStopping:
		outcome.State, outcome.Message = StateStopping, lagging("Stopping the machines", waiting)+v.notes()
	case hibernation.StageWaitingToStop, hibernation.StageStarting, hibernation.StageWaitingToStart, hibernation.StageCleaning:
	}
	return outcome
}

// progress returns what the actuator's verbs say about their pace.
func (v *visit) progress(ctx context.Context) hibernation.Progress {
	var progress hibernation.Progress
	if pacer, ok := v.actuator.(Pacer); ok {
		progress, _ = pacer.Progress(ctx)
	}
	progress.After = paced(progress)
	return progress
}

// paced returns when to come back.
func paced(progress hibernation.Progress) time.Duration {
	if progress.After <= 0 {
		return defaultPace
	}
	return progress.After
}

// failedToStop is the outcome of a failure to hibernate. A cluster that was refused, or rolled back, runs: how ready it is
// stands in the Ready condition, and is followed until it is ready again. One that is half asleep is not ready.
func (v *visit) failedToStop(ctx context.Context, err error) (Outcome, error) {
	outcome := v.failed(ctx, StateFailedToStop, err)
	if outcome.State != StateFailedToStop {
		return outcome, nil
	}
	if isRefusal(err) {
		return v.refusedToStop(ctx, outcome)
	}
	if record, err := v.record(ctx); err == nil && disturbed(record) {
		outcome.Awake = &Outcome{State: StateStopping, Message: messageSeeHibernating}
	}
	return outcome, nil
}

// refusedToStop completes the outcome for a cluster that was refused. Unless it is ready it is visited, and followed, as
// often as one that resumes.
func (v *visit) refusedToStop(ctx context.Context, outcome Outcome) (Outcome, error) {
	if _, ready := readyNow(v.cd); ready {
		return v.unpausedMeanwhile(ctx, outcome), nil
	}
	follow := v.awake
	if v.lookedLately() {
		follow = v.ready
	}
	awake, err := follow(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if awake.State != StateUnchanged {
		outcome.Awake = &awake
	}
	if awake.State != StateRunning {
		outcome.After = soonest(outcome.After, awake.After)
	}
	v.memo.hold(v.cd, v.now.Add(outcome.After))
	return outcome, nil
}
