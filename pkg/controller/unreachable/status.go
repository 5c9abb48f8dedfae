package unreachable

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// What is said of a cluster that answers, and of one that is not asked.
const (
	messageReachable   = "The cluster's API answers"
	messageFake        = "This ClusterDeployment has no cluster, see the annotation " + hivev1.AnnotationFakeCluster
	messageAsleep      = "The cluster hibernates, and its API is not asked"
	messageNotLookedAt = "Not looked at yet"
	messageNoOverride  = "spec.controlPlaneConfig.apiURLOverride is not set"
)

// findings are what came of asking a cluster: why it did not answer, in words that stay the same for as long as the reason
// does. Empty: it answered.
type findings struct {
	primary, secondary string
	// askedSecondary is false where the primary answered, and where it was not the secondary's turn.
	askedSecondary bool
}

// ownStatus is the part of a ClusterDeployment's status that is ours.
type ownStatus struct {
	unreachable, override hivev1.ClusterDeploymentCondition
}

// patch returns what makes our conditions what they are to be; nil if they are so already.
func (s ownStatus) patch(cd *hivev1.ClusterDeployment) (client.Patch, error) {
	return conditions.Patch(cd, nil, s.unreachable, s.override)
}

func statusOf(cd *hivev1.ClusterDeployment) ownStatus {
	return ownStatus{
		unreachable: conditionOf(cd, hivev1.UnreachableCondition),
		override:    conditionOf(cd, hivev1.ActiveAPIURLOverrideCondition),
	}
}

// statusFor returns what our conditions are to be after a decision was carried out.
func statusFor(cd *hivev1.ClusterDeployment, did verb, found findings, now time.Time) ownStatus {
	want := statusOf(cd)
	for _, condition := range []*hivev1.ClusterDeploymentCondition{&want.unreachable, &want.override} {
		if condition.Status == "" {
			set(condition, corev1.ConditionUnknown, hivev1.InitializedConditionReason, messageNotLookedAt, now)
		}
	}
	hasOverride := remoteclient.HasOverride(cd)
	switch did {
	case assumeReachable:
		succeed(&want.unreachable, corev1.ConditionFalse, messageFake, now)
		if hasOverride {
			succeed(&want.override, corev1.ConditionTrue, messageFake, now)
		}
	case assumeUnreachable:
		fail(&want.unreachable, corev1.ConditionTrue, messageAsleep, now)
		if hasOverride {
			fail(&want.override, corev1.ConditionFalse, messageAsleep, now)
		}
	case check:
		checked(&want, hasOverride, found, now)
	case nothing, initialize:
	}
	if !hasOverride && want.override.Status != corev1.ConditionUnknown {
		set(&want.override, corev1.ConditionUnknown, hivev1.InitializedConditionReason, messageNoOverride, now)
	}
	return want
}

// checked is statusFor for a cluster that was asked.
func checked(want *ownStatus, hasOverride bool, found findings, now time.Time) {
	switch {
	case found.primary == "", found.askedSecondary && found.secondary == "":
		// The time of the probe says when the next one is due; it is moved no more often than that.
		if !now.Before(want.unreachable.LastProbeTime.Add(recheckReachable)) {
			set(&want.unreachable, corev1.ConditionFalse, hivev1.UnreachableReasonClusterReachable, messageReachable, now)
		}
		succeed(&want.unreachable, corev1.ConditionFalse, messageReachable, now)
	case found.askedSecondary && found.secondary != found.primary:
		fail(&want.unreachable, corev1.ConditionTrue, "At the URL in spec.controlPlaneConfig.apiURLOverride: "+found.primary+
			"; at the URL in the admin kubeconfig: "+found.secondary, now)
	case found.askedSecondary, !hasOverride:
		fail(&want.unreachable, corev1.ConditionTrue, found.primary, now)
	}
	switch {
	case !hasOverride:
	case found.primary == "":
		succeed(&want.override, corev1.ConditionTrue, messageReachable, now)
	default:
		fail(&want.override, corev1.ConditionFalse, found.primary, now)
	}
}

// succeed says that the cluster answers, unless the condition does so already, in whatever words.
func succeed(condition *hivev1.ClusterDeploymentCondition, status corev1.ConditionStatus, message string, now time.Time) {
	if condition.Status != status {
		set(condition, status, hivev1.UnreachableReasonClusterReachable, message, now)
	}
}

// fail says why the cluster does not answer, unless the condition does so already, in these words.
func fail(condition *hivev1.ClusterDeploymentCondition, status corev1.ConditionStatus, message string, now time.Time) {
	const reason = hivev1.UnreachableReasonErrorConnectingToCluster
	message = conditions.Brief(message, maxMessage)
	if condition.Status != status || condition.Reason != reason || condition.Message != message {
		set(condition, status, reason, message, now)
	}
}

// set writes a condition. lastTransitionTime moves with the status alone.
func set(condition *hivev1.ClusterDeploymentCondition, status corev1.ConditionStatus, reason, message string, now time.Time) {
	message = conditions.Brief(message, maxMessage)
	if condition.Status != status {
		condition.LastTransitionTime = metav1.NewTime(now)
	}
	condition.Status, condition.Reason, condition.Message = status, reason, message
	condition.LastProbeTime = metav1.NewTime(now)
}

// note is an event.
type note struct{ kind, reason, message string }

// eventFor returns what is worth an event in a change of our conditions; false if nothing is. That a cluster which
// hibernates does not answer is no news, nor is that a new one does.
func eventFor(before, after ownStatus) (note, bool) {
	was, is := before.unreachable.Status, after.unreachable.Status
	switch {
	case was != is && is == corev1.ConditionTrue && after.unreachable.Message != messageAsleep:
		return note{corev1.EventTypeWarning, after.unreachable.Reason, after.unreachable.Message}, true
	case was == corev1.ConditionTrue && is == corev1.ConditionFalse:
		return note{corev1.EventTypeNormal, after.unreachable.Reason, after.unreachable.Message}, true
	case was == is && is == corev1.ConditionFalse && before.override.Status != after.override.Status:
		return overrideEvent(before.override.Status, after.override)
	}
	return note{}, false
}

// overrideEvent is eventFor for a cluster that goes on answering, though no longer at the same URL.
func overrideEvent(was corev1.ConditionStatus, is hivev1.ClusterDeploymentCondition) (note, bool) {
	switch is.Status {
	case corev1.ConditionFalse:
		return note{corev1.EventTypeWarning, eventOverrideFailed,
			"The cluster is asked at the URL in its admin kubeconfig, for at that in spec.controlPlaneConfig.apiURLOverride: " + is.Message}, true
	case corev1.ConditionTrue:
		if was == corev1.ConditionFalse {
			return note{corev1.EventTypeNormal, eventOverrideWorks, "The cluster answers at the URL in spec.controlPlaneConfig.apiURLOverride again"}, true
		}
	default:
	}
	return note{}, false
}
