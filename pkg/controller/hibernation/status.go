package hibernation

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
)

// Everything that is ever written to the conditions Hibernating and Ready and to status.powerState is decided in this
// file, from the ClusterDeployment, an outcome and the time alone.

// What the condition that has nothing to say itself says.
const (
	messageSeeReady       = "The cluster is resuming or running; the Ready condition says more"
	messageSeeHibernating = "The cluster is stopping or hibernating; the Hibernating condition says more"
	messageNotEvaluated   = "Not evaluated yet"
)

// view is how a state shows in one condition. An empty status leaves the condition as it is.
type view struct {
	status corev1.ConditionStatus
	reason string
	// other is the message where the outcome's own belongs to the other condition.
	other string
}

// row is how a state shows. An empty powerState leaves it as it is.
type row struct {
	hibernating, ready view
	powerState         hivev1.ClusterPowerState
}

// rowOf returns how a state shows; false for a state that changes nothing.
func rowOf(state State) (row, bool) {
	switch state {
	case StatePaused:
		return row{
			hibernating: view{status: corev1.ConditionUnknown, reason: hivev1.HibernatingReasonPowerStatePaused},
			ready:       view{status: corev1.ConditionUnknown, reason: hivev1.ReadyReasonPowerStatePaused},
			powerState:  hivev1.ClusterPowerStateUnknown,
		}, true
	case StateDeleted:
		return row{
			hibernating: view{status: corev1.ConditionUnknown, reason: hivev1.HibernatingReasonClusterDeploymentDeleted},
			ready:       view{status: corev1.ConditionUnknown, reason: hivev1.ReadyReasonClusterDeploymentDeleted},
			powerState:  hivev1.ClusterPowerStateUnknown,
		}, true
	case StateUnsupported:
		return row{
			hibernating: view{status: corev1.ConditionFalse, reason: hivev1.HibernatingReasonUnsupported},
			ready:       view{status: corev1.ConditionTrue, reason: hivev1.ReadyReasonRunning, other: "The cluster is taken to run"},
			powerState:  hivev1.ClusterPowerStateRunning,
		}, true
	case StateSyncSetsNotApplied:
		return open(hivev1.HibernatingReasonSyncSetsNotApplied, hivev1.ClusterPowerStateSyncSetsNotApplied), true
	case StateSyncSetsApplied:
		return open(hivev1.HibernatingReasonSyncSetsApplied, ""), true
	case StateFailedToStop:
		return open(hivev1.HibernatingReasonFailedToStop, hivev1.ClusterPowerStateFailedToStop), true
	case StateStopping:
		return asleep(corev1.ConditionFalse, hivev1.ClusterPowerStateStopping), true
	case StateWaitingToStop:
		return asleep(corev1.ConditionFalse, hivev1.ClusterPowerStateWaitingForMachinesToStop), true
	case StateHibernating:
		return asleep(corev1.ConditionTrue, hivev1.ClusterPowerStateHibernating), true
	default:
		return awakeRowOf(state)
	}
}

// awakeRowOf is rowOf for the states in which the Ready condition has the word.
func awakeRowOf(state State) (row, bool) {
	switch state {
	case StateStarting:
		return awake(corev1.ConditionFalse, hivev1.ClusterPowerStateStartingMachines), true
	case StateWaitingToStart:
		return awake(corev1.ConditionFalse, hivev1.ClusterPowerStateWaitingForMachines), true
	case StateFailedToStart:
		return awake(corev1.ConditionFalse, hivev1.ClusterPowerStateFailedToStartMachines), true
	case StateWaitingForNodes:
		return awake(corev1.ConditionFalse, hivev1.ClusterPowerStateWaitingForNodes), true
	case StateSettling:
		return awake(corev1.ConditionFalse, hivev1.ClusterPowerStatePausingForClusterOperatorsToSettle), true
	case StateWaitingForOperators:
		return awake(corev1.ConditionFalse, hivev1.ClusterPowerStateWaitingForClusterOperators), true
	case StateRunning:
		return awake(corev1.ConditionTrue, hivev1.ClusterPowerStateRunning), true
	default:
		return row{}, false
	}
}

// asleep is the row of a state that stands in the Hibernating condition. Reason and powerState have the same name.
func asleep(status corev1.ConditionStatus, state hivev1.ClusterPowerState) row {
	return row{
		hibernating: view{status: status, reason: string(state)},
		ready: view{
			status: corev1.ConditionFalse,
			reason: hivev1.ReadyReasonStoppingOrHibernating,
			other:  messageSeeHibernating,
		},
		powerState: state,
	}
}

// awake is the row of a state that stands in the Ready condition.
func awake(status corev1.ConditionStatus, state hivev1.ClusterPowerState) row {
	return row{
		hibernating: view{
			status: corev1.ConditionFalse,
			reason: hivev1.HibernatingReasonResumingOrRunning,
			other:  messageSeeReady,
		},
		ready:      view{status: status, reason: string(state)},
		powerState: state,
	}
}

// open is the row of a state that says nothing about how ready the cluster is.
func open(reason string, state hivev1.ClusterPowerState) row {
	return row{hibernating: view{status: corev1.ConditionFalse, reason: reason}, powerState: state}
}

// ownStatus is the part of a ClusterDeployment's status that is ours.
type ownStatus struct {
	powerState         hivev1.ClusterPowerState
	hibernating, ready hivev1.ClusterDeploymentCondition
}

// statusFor returns what our part of the status is to be after an outcome.
func statusFor(cd *hivev1.ClusterDeployment, outcome Outcome, now time.Time) ownStatus {
	want := ownStatus{
		powerState:  cd.Status.PowerState,
		hibernating: conditionOf(cd, hivev1.ClusterHibernatingCondition, now),
		ready:       conditionOf(cd, hivev1.ClusterReadyCondition, now),
	}
	row, ok := rowOf(outcome.State)
	if !ok {
		return want
	}
	if row.powerState != "" {
		want.powerState = row.powerState
	}
	readyMessage := outcome.Message
	if outcome.Awake != nil && row.ready.status == "" {
		if inner, ok := rowOf(outcome.Awake.State); ok {
			row.ready, readyMessage = inner.ready, outcome.Awake.Message
		}
	}
	want.hibernating = changed(want.hibernating, row.hibernating, outcome.Message, now)
	want.ready = changed(want.ready, row.ready, readyMessage, now)
	return want
}

// changed returns the condition as the view wants it. lastProbeTime is when it last became what it says; lastTransitionTime
// moves with the status alone.
func changed(condition hivev1.ClusterDeploymentCondition, want view, message string, now time.Time) hivev1.ClusterDeploymentCondition {
	if want.status == "" {
		return condition
	}
	if want.other != "" {
		message = want.other
	}
	message = conditions.Brief(message, maxMessage)
	if condition.Status == want.status && condition.Reason == want.reason && condition.Message == message {
		return condition
	}
	if condition.Status != want.status {
		condition.LastTransitionTime = metav1.NewTime(now)
	}
	condition.Status, condition.Reason, condition.Message = want.status, want.reason, message
	condition.LastProbeTime = metav1.NewTime(now)
	return condition
}

// conditionOf returns a condition as it is, or the one that a condition begins as.
func conditionOf(cd *hivev1.ClusterDeployment, kind hivev1.ClusterDeploymentConditionType, now time.Time) hivev1.ClusterDeploymentCondition {
	if i := conditions.Index(cd, kind); i >= 0 {
		return cd.Status.Conditions[i]
	}
	return hivev1.ClusterDeploymentCondition{
		Type:               kind,
		Status:             corev1.ConditionUnknown,
		Reason:             hivev1.InitializedConditionReason,
		Message:            messageNotEvaluated,
		LastProbeTime:      metav1.NewTime(now),
		LastTransitionTime: metav1.NewTime(now),
	}
}

// shows tells whether the status says that the cluster is in this state, in status and reason of both conditions and in
// powerState.
func shows(cd *hivev1.ClusterDeployment, state State) bool {
	row, ok := rowOf(state)
	if !ok || cd.Status.PowerState != row.powerState {
		return false
	}
	return conditionShows(cd, hivev1.ClusterHibernatingCondition, row.hibernating) &&
		conditionShows(cd, hivev1.ClusterReadyCondition, row.ready)
}

func conditionShows(cd *hivev1.ClusterDeployment, kind hivev1.ClusterDeploymentConditionType, want view) bool {
	i := conditions.Index(cd, kind)
	if i < 0 {
		return false
	}
	c := cd.Status.Conditions[i]
	return c.Status == want.status && c.Reason == want.reason
}

// readyNow tells whether the Ready condition is True, and since when.
func readyNow(cd *hivev1.ClusterDeployment) (time.Time, bool) {
	i := conditions.Index(cd, hivev1.ClusterReadyCondition)
	if i < 0 || cd.Status.Conditions[i].Status != corev1.ConditionTrue {
		return time.Time{}, false
	}
	return cd.Status.Conditions[i].LastTransitionTime.Time, true
}
