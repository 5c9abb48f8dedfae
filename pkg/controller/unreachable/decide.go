package unreachable

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/remoteclient"
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
	known := knownOf(cd)
	due := dueAt(is, known, seen, now)
	if now.Before(due) {
		return decision{do: nothing, after: min(due.Sub(now), recheckReachable)}
	}
	// The reference asks at the secondary address as rarely as it asks a cluster that answers; while that one does answer,
	// only the primary is asked for more often.
	anyway := known.primaryActive || known.expired(now) || seen.differs(is) || hurried(is, seen, now)
	return decision{do: check, secondary: is.hasOverride && anyway}
}

// known is what our own conditions say.
type known struct {
	reachable, primaryActive bool
	probed                   time.Time
}

func knownOf(cd *hivev1.ClusterDeployment) known {
	is := statusOf(cd)
	return known{
		reachable:     is.unreachable.Status == corev1.ConditionFalse,
		primaryActive: !remoteclient.HasOverride(cd) || is.override.Status == corev1.ConditionTrue,
		probed:        is.unreachable.LastProbeTime.Time,
	}
}

// expired tells whether the cluster may no longer be taken to answer.
func (k known) expired(now time.Time) bool {
	return !k.reachable || !now.Before(k.probed.Add(recheckReachable))
}

// dueAt returns when a cluster is to be asked.
func dueAt(is outlook, known known, seen memo, now time.Time) time.Time {
	switch {
	case seen.differs(is):
		return now
	case hurried(is, seen, now):
		return seen.checked.Add(recheckResuming)
	case known.reachable && known.primaryActive:
		return known.probed.Add(recheckReachable)
	}
	return seen.checked.Add(seen.retryAfter())
}

// hurried tells whether a cluster wakes and has come a step further not long ago.
func hurried(is outlook, seen memo, now time.Time) bool {
	return is.resuming != "" && now.Before(seen.since(is, now).Add(resumingFor))
}
