package hibernation

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// leftoversRetry is how often what could not be deleted is tried again.
const leftoversRetry = time.Hour

// illFor is how long a cluster whose snapshots are about to go may be ill before that is told.
const illFor = 5 * time.Minute

// cleanup lets go of what was kept in case the resume fails, once the cluster has been ready for long enough. The time is
// counted from the Ready condition, so that a restart changes nothing. The cluster is ready all the while.
func (v *visit) cleanup(ctx context.Context, record hibernation.Summary) (Outcome, error) {
	if !record.Exists {
		return Outcome{}, v.dropFinalizer(ctx)
	}
	cleaner, ok := v.actuator.(Cleaner)
	if !ok {
		return Outcome{}, nil
	}
	if err := v.resumeHealthChecksLate(ctx, record); err != nil {
		return v.quietly(ctx, err), nil
	}
	due := v.cleanupDue(record)
	if left := due.Sub(v.now); left > 0 {
		return Outcome{After: left}, nil
	}
	if is, err := v.standing(ctx); err != nil {
		return v.quietly(ctx, err), nil
	} else if !is.free() {
		return Outcome{After: v.spread(leftoversRetry)}, nil
	}
	if record.Sealed && record.Opened {
		if ill := v.ill(ctx, record); ill != "" {
			v.keepSnapshots(ctx, ill)
			return Outcome{After: v.spread(lookAgain)}, nil
		}
	}
	progress, err := cleaner.Cleanup(ctx, v.cd, v.Client, v.logger)
	if err != nil {
		return v.quietly(ctx, err), nil
	}
	v.memo.succeeded()
	return v.cleaned(ctx, progress)
}

// cleanupDue returns when what was kept may go. There is no need to keep a record that holds no more than what has been done.
func (v *visit) cleanupDue(record hibernation.Summary) time.Time {
	due, _ := readyNow(v.cd)
	if record.Sealed || record.Leftovers > 0 {
		due = due.Add(v.options.CleanupAfter)
	}
	if v.memo.cleanupFrom.After(due) {
		return v.memo.cleanupFrom
	}
	return due
}

// keepSnapshots waits until the cluster is well again. Its owner is told once that lasts: it still shows as running.
func (v *visit) keepSnapshots(ctx context.Context, ill string) {
	v.logger.WithField("why", ill).Info("the snapshots are kept until the cluster is well again")
	if v.memo.illSince.IsZero() {
		v.memo.illSince = v.now
	}
	if v.memo.illTold || v.now.Sub(v.memo.illSince) < illFor {
		return
	}
	_, waiting, err := v.actuator.MachinesRunning(ctx, v.cd, v.Client, v.logger)
	if err != nil {
		v.logger.WithError(err).Info("the machines of a cluster that is not well could not be looked at")
		return
	}
	v.memo.illTold = true
	v.event(corev1.EventTypeWarning, "ClusterNotWell", fmt.Sprintf("The cluster is not as well as it was when it became ready: %s. The snapshots of its machines are kept until it is. To have a machine made again from its snapshot, as old as that is by now, name it in the annotation %s; if it stands there already, take it out first",
		lagging(ill, waiting), hivev1.AnnotationRemakeServer))
}

// ill says why the cluster is not as well as it was when it became ready; nothing else looks at it since. Workers may have
// been taken out meanwhile, so that only the control plane is counted.
func (v *visit) ill(ctx context.Context, record hibernation.Summary) string {
	remote, err := v.Remote.ClientFor(ctx, v.cd)
	if err != nil {
		return err.Error()
	}
	ctx, done := toRemote(ctx)
	defer done()
	nodes, err := readNodes(ctx, remote)
	if err != nil {
		return remoteMessage(v, err)
	}
	if ready := nodes.readyControlPlane(); ready < record.ControlPlane {
		return fmt.Sprintf("%d of %d control plane Nodes are ready", ready, record.ControlPlane)
	}
	if unrepaired := v.repairLate(ctx, remote, nodes, record); len(unrepaired) > 0 {
		return lagging("Not all is repaired", unrepaired)
	}
	if pending := operatorsGood(ctx, v, remote, record); pending != nil {
		return pending.Message
	}
	return ""
}

// repairLate repairs a cluster of which a Node that exists is not its new server's, as one may show as ready whose record was
// lost for a while. It returns what is not done yet. Nodes that are gone by now were taken out.
func (v *visit) repairLate(ctx context.Context, remote client.Client, nodes nodes, record hibernation.Summary) []string {
	plan := planOf(&record)
	for _, e := range plan.Expected() {
		if node := nodes.named(e.Name); node != nil && e.Pending(node) != "" {
			return v.repair(ctx, remote, &record, nil)
		}
	}
	return nil
}

// cleaned ends a pass of the clean-up. Snapshots that it keeps are those of machines that are missing.
func (v *visit) cleaned(ctx context.Context, progress hibernation.Progress) (Outcome, error) {
	record, err := v.record(ctx)
	if err != nil {
		return v.quietly(ctx, err), nil
	}
	if kept := record.Sealed && record.Opened && progress.Stage == hibernation.StageCleaning; kept && !progress.Done {
		v.keepSnapshots(ctx, "Not all machines run")
		if !v.memo.illTold {
			return Outcome{After: v.spread(lookAgain)}, nil
		}
		return Outcome{After: paced(progress)}, nil
	}
	v.memo.illSince, v.memo.illTold = time.Time{}, false
	switch {
	case !record.Exists:
		v.logger.Info("the snapshots and the record of the last hibernation are gone")
		return Outcome{}, v.dropFinalizer(ctx)
	case progress.Done:
		after := max(progress.After, v.spread(leftoversRetry))
		v.memo.cleanupFrom = v.now.Add(after)
		v.logger.WithField("leftovers", record.Leftovers).Info("some snapshots cannot be deleted yet")
		return Outcome{After: after}, nil
	}
	v.progressed(ctx)
	return Outcome{After: v.patient(paced(progress), slowestWait)}, nil
}

// quietly is the outcome of a failure that is no concern of a cluster's users. What waits for a person is told once, in an event.
func (v *visit) quietly(ctx context.Context, err error) Outcome {
	var blocked *hibernation.Blocked
	if errors.As(err, &blocked) && v.memo.blockedTold != blocked.Message {
		v.memo.blockedTold = blocked.Message
		v.event(corev1.EventTypeWarning, "CleanupBlocked", blocked.Message)
	}
	outcome := v.failed(ctx, StateUnchanged, err)
	outcome.Message = ""
	return outcome
}
