package unreachable

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

const (
	// recheckReachable is how long a cluster that answered is taken to answer.
	recheckReachable = 2 * time.Hour
	// firstRetry is when a cluster is asked again that did not answer. It doubles up to lastRetry, which is where the
	// reference's work queue ends, too.
	firstRetry = 10 * time.Second
	lastRetry  = 1000 * time.Second
	// recheckResuming is how often a cluster is asked that wakes, for resumingFor after each step of it that shows in its
	// conditions; from then on it is asked like any other.
	recheckResuming = 15 * time.Second
	resumingFor     = time.Hour
)

// verb is what is to be done for a ClusterDeployment.
type verb int

const (
	// nothing now.
	nothing verb = iota
	// initialize: make sure that the conditions exist.
	initialize
	// assumeReachable and assumeUnreachable: say so without asking.
	assumeReachable
	assumeUnreachable
	// check: ask.
	check
)

// decision says what is to be done now.
type decision struct {
	do verb
	// secondary: ask at the secondary address too if the primary does not answer.
	secondary bool
	// after is when to decide again, if nothing changes before; 0 means never.
	after time.Duration
}

// decide returns what is to be done, by the ClusterDeployment, what is remembered of it, and the time.
func decide(cd *hivev1.ClusterDeployment, seen memo, now time.Time) decision {
	is := outlookOf(cd)
	switch {
	case is.leftAlone:
		return decision{do: nothing}
	case !is.installed:
		return decision{do: initialize}
	case is.fake:
		return decision{do: assumeReachable}
	case is.asleep:
		return decision{do: assumeUnreachable}
	}
	// The reference asks at the secondary address as rarely as it asks a cluster that answers; while it does answer, only
	// the primary is asked for more often.
	unreachable, override := conditionOf(cd, hivev1.UnreachableCondition), conditionOf(cd, hivev1.ActiveAPIURLOverrideCondition)
	reachable := unreachable.Status == corev1.ConditionFalse
	primaryActive := !is.hasOverride || override.Status == corev1.ConditionTrue
	fast := is.resuming != "" && now.Before(seen.since(is, now).Add(resumingFor))
	expired := !reachable || !now.Before(unreachable.LastProbeTime.Add(recheckReachable))
	due := seen.checked.Add(seen.retryAfter())
	switch {
	case seen.differs(is):
		due = now
	case fast:
		due = seen.checked.Add(recheckResuming)
	case reachable && primaryActive:
		due = unreachable.LastProbeTime.Add(recheckReachable)
	}
	if now.Before(due) {
		return decision{do: nothing, after: min(due.Sub(now), recheckReachable)}
	}
	return decision{do: check, secondary: is.hasOverride && (expired || primaryActive || fast || seen.differs(is))}
}
