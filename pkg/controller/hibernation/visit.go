package hibernation

import (
	"context"
	"time"

	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// visit is one reconcile of one ClusterDeployment.
type visit struct {
	*Reconciler
	cd       *hivev1.ClusterDeployment
	actuator HibernationActuator
	memo     *memo
	logger   log.FieldLogger
	now      time.Time
	// askedFor is for how long the cloud wants to be left alone.
	askedFor time.Duration
}

func (r *Reconciler) visit(cd *hivev1.ClusterDeployment) *visit {
	return &visit{
		Reconciler: r,
		cd:         cd,
		actuator:   r.Actuators.For(cd),
		memo:       r.memory.of(cd),
		logger:     r.Logger.WithFields(log.Fields{"controller": ControllerName, "namespace": cd.Namespace, "clusterDeployment": cd.Name}),
		now:        r.options.Clock.Now(),
	}
}

// outcome does what can be done now, and returns what it found. An error is one of the Kubernetes API in the
// controller's own work; failures of the actuator are outcomes.
func (v *visit) outcome(ctx context.Context) (Outcome, error) {
	if v.cd.DeletionTimestamp != nil {
		return v.release(ctx)
	}
	for _, guard := range guards() {
		if verdict, err := guard(ctx, v); err != nil || verdict != nil {
			return orNothing(verdict), err
		}
	}
	hibernate, after, err := v.shouldHibernate(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if wait := v.memo.holds(v.cd, v.now); wait > 0 {
		if !hibernate {
			after = soonest(after, v.repairMeanwhile(ctx))
		}
		return Outcome{After: soonest(wait, after)}, nil
	}
	if hibernate {
		return v.stop(ctx)
	}
	outcome, err := v.start(ctx)
	outcome.After = soonest(outcome.After, after)
	return outcome, err
}

// spread returns the time, or somewhat more, so that clusters that failed together are not tried together.
func (v *visit) spread(d time.Duration) time.Duration { return v.options.Jitter(d) }

func (v *visit) key() types.NamespacedName {
	return types.NamespacedName{Namespace: v.cd.Namespace, Name: v.cd.Name}
}

// slept returns the record of the cluster's last hibernation, which ends when the cluster is ready; nil if it is not known.
func (v *visit) slept() *hibernation.Summary { return v.memory.lastSlept(v.key()) }

func (v *visit) setSlept(record *hibernation.Summary) { v.memory.keepSlept(v.key(), record) }

func orNothing(verdict *Outcome) Outcome {
	if verdict == nil {
		return Outcome{}
	}
	return *verdict
}

// actionPowerState is the action in our events.
const actionPowerState = "ChangePowerState"

// persist writes what was found into the status, and tells people about what they wait for.
func (v *visit) persist(ctx context.Context, outcome Outcome) error {
	if outcome.State == StateUnchanged {
		return nil
	}
	before := v.cd.Status.PowerState
	want := statusFor(v.cd, outcome, v.now)
	written, err := v.writeStatus(ctx, want)
	if err != nil || !written {
		return err
	}
	v.logger.WithFields(log.Fields{"powerState": want.powerState, "state": outcome.State}).Info(conditions.Brief(outcome.Message, maxMessage))
	if want.powerState == before {
		return nil
	}
	switch outcome.State {
	case StateHibernating, StateRunning:
		v.event(corev1.EventTypeNormal, string(want.powerState), outcome.Message)
	case StateFailedToStop, StateFailedToStart:
		v.event(corev1.EventTypeWarning, string(want.powerState), outcome.Message)
	default:
	}
	return nil
}

func (v *visit) event(eventType, reason, message string) {
	v.Recorder.Eventf(v.cd, nil, eventType, reason, actionPowerState, "%s", conditions.Brief(message, maxNote))
}
