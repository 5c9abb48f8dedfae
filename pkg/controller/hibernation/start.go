package hibernation

import (
	"context"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// lookAgain is how often the cloud is asked whether the machines still run while the cluster is waited for.
const lookAgain = time.Minute

// start brings the cluster nearer to being ready. A cluster that is ready costs nothing but, once, its clean-up.
func (v *visit) start(ctx context.Context) (Outcome, error) {
	if shows(v.cd, StateRunning) {
		record, err := v.record(ctx)
		if err != nil {
			return v.quietly(ctx, err), nil
		}
		if !disturbed(record) && !v.newOrder(record) {
			return v.cleanup(ctx, record)
		}
		// A hibernation was ordered and taken back before it showed, or a machine is to be made again.
	}
	if v.lookedLately() {
		return v.ready(ctx)
	}
	waking := false
	if shows(v.cd, StateHibernating) {
		// A cluster that shows as hibernating is not looked at, so it must not show so any more once a machine is started.
		if err := v.persist(ctx, Outcome{State: StateStarting, Message: "Starting the machines"}); err != nil {
			return Outcome{}, err
		}
		waking = true
	}
	if err := v.remember(ctx); err != nil {
		return v.failed(ctx, StateFailedToStart, err), nil
	}
	if slept := v.slept(); waking && slept != nil {
		v.warnExpired(*slept)
	}
	if err := v.actuator.StartMachines(ctx, v.cd, v.Client, v.logger); err != nil {
		return v.failedToStart(ctx, err), nil
	}
	return v.awake(ctx)
}

// record returns what the actuator remembers of the cluster. A ClusterDeployment that was restored from a backup, or made
// anew for a cluster that was preserved, has a record and lacks our finalizer, so that one is looked for once.
func (v *visit) record(ctx context.Context) (hibernation.Summary, error) {
	keeper, ok := v.actuator.(RecordKeeper)
	if !ok {
		return hibernation.Summary{}, nil
	}
	marked := controllerutil.ContainsFinalizer(v.cd, hivev1.FinalizerRecord)
	if !marked && v.memo.recordless == fingerprint(v.cd) {
		return hibernation.Summary{}, nil
	}
	record, err := keeper.Summary(ctx, v.cd, v.Client, v.logger)
	if err == nil {
		v.noteRecord(record)
	}
	switch {
	case err != nil || marked:
	case record.Exists:
		err = v.addFinalizer(ctx)
	default:
		v.memo.recordless = fingerprint(v.cd)
	}
	return record, err
}

// remember keeps what the record says of the cluster as it was before it went to sleep.
func (v *visit) remember(ctx context.Context) error {
	record, err := v.record(ctx)
	if err == nil && (record.Cutting || record.Sealed) {
		v.setSlept(&record)
	}
	return err
}

// disturbed tells whether the record says that the machines may not be running, or that it is not known which servers they
// are, as one that was put back from a backup does.
func disturbed(record hibernation.Summary) bool {
	if record.Cutting || !record.Sealed {
		return record.Cutting
	}
	return !record.Opened || slices.ContainsFunc(record.Machines, func(m hibernation.MachineState) bool { return m.ServerID == "" })
}

// awake follows the cluster from running machines to readiness; it starts nothing.
func (v *visit) awake(ctx context.Context) (Outcome, error) {
	running, waiting, err := v.actuator.MachinesRunning(ctx, v.cd, v.Client, v.logger)
	if err != nil {
		return v.failedToStart(ctx, err), nil
	}
	v.memo.succeeded()
	if !running {
		v.memo.awake = nil
		outcome := v.starting(ctx, waiting)
		outcome.After = soonest(outcome.After, v.repairEarly(ctx))
		return outcome, nil
	}
	v.memo.early = nil
	if v.memo.awake == nil {
		v.memo.awake = &resume{}
	}
	v.memo.awake.seenRunning = v.now
	return v.ready(ctx)
}

// newOrder tells whether the annotation that orders to make machines again was put on a cluster that shows as running, and
// still has its snapshots, or an old order may have been taken back. It is passed on once.
func (v *visit) newOrder(record hibernation.Summary) bool {
	now := fingerprint(v.cd)
	none := v.cd.Annotations[hivev1.AnnotationRemakeServer] == "" && !record.OldOrders
	if none || !record.Sealed || !record.Opened || v.memo.remade == now {
		return false
	}
	v.memo.remade = now
	return true
}

// lookedLately tells whether the machines were seen running a moment ago, in this resume.
func (v *visit) lookedLately() bool {
	return v.memo.awake != nil && v.now.Sub(v.memo.awake.seenRunning) < lookAgain
}

// starting is the outcome while not all machines run.
func (v *visit) starting(ctx context.Context, waiting []string) Outcome {
	progress := v.progress(ctx)
	// It stays at that too where the actuator names no stage.
	outcome := Outcome{State: StateWaitingToStart, Message: lagging("Waiting for machines to run", waiting), After: progress.After}
	switch progress.Stage {
	case hibernation.StageRollingBack:
		outcome.State, outcome.Message = StateStarting, lagging("Undoing the hibernation that was under way", waiting)
	case hibernation.StageStopping, hibernation.StageWaitingToStop:
		outcome.State, outcome.Message = StateStarting, lagging("Finishing the hibernation that was under way, before the machines are started", waiting)
	case hibernation.StageStarting:
		outcome.State, outcome.Message = StateStarting, lagging("Starting the machines", waiting)
	case hibernation.StageWaitingToStart, hibernation.StageCleaning:
	}
	return outcome
}
