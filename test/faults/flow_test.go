package faults

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
)

const (
	hibernating = hivev1.ClusterPowerStateHibernating
	runningNow  = hivev1.ClusterPowerStateRunning
)

// flow is something that clusters do from beginning to end.
type flow struct {
	name string
	// prepare comes before it, undisturbed.
	prepare func(w *world)
	begin   func(w *world)
	over    func(w *world) bool
	// ended, unless nil, is looked at in the end in place of finish.
	ended func(w *world)
}

// conclude looks at what has to hold when a flow is over.
func (w *world) conclude(f flow) {
	if f.ended != nil {
		f.ended(w)
		return
	}
	w.finish()
}

// flowWithin is how long a flow may take that is disturbed once.
const flowWithin = 3 * time.Hour

func nothing(*world) {}

func settle(w *world) {
	w.mustUntil("the clusters are seen to run", time.Hour, func() bool { return w.allShow(runningNow) })
}

func asleep(w *world) {
	settle(w)
	w.orderAll(hibernating)
	w.mustUntil("the clusters sleep", time.Hour, func() bool { return w.allShow(hibernating) })
}

func awake(w *world) {
	asleep(w)
	w.orderAll(runningNow)
	w.mustUntil("the clusters run again", time.Hour, func() bool { return w.allShow(runningNow) })
}

// mustUntil is until for what nothing disturbs.
func (w *world) mustUntil(what string, limit time.Duration, so func() bool) {
	if !w.until(limit, so) {
		w.violate("undisturbed", "not within %s: %s; %s", limit, what, w.conditions())
	}
}

func hibernateFlow(s shape) flow {
	over := func(w *world) bool { return w.allShow(hibernating) }
	if s.refused {
		over = func(w *world) bool { return w.allShow(hivev1.ClusterPowerStateFailedToStop) && w.awake() }
	}
	return flow{name: "hibernate", prepare: settle, begin: func(w *world) { w.orderAll(hibernating) }, over: over}
}

func resumeFlow() flow {
	return flow{name: "resume", prepare: asleep, begin: func(w *world) {
		if w.shape.cramped {
			w.cramp()
		}
		w.orderAll(runningNow)
	}, over: func(w *world) bool { return w.allShow(runningNow) }}
}

// crampedFor is for how long others use the quota: far longer than the cluster's controllers take to lead.
const crampedFor = 4 * time.Minute

// cramp leaves no quota but for the control plane.
func (w *world) cramp() {
	q := cloud.DefaultQuota()
	q.Instances = len(w.initial.others) + w.shape.masters
	w.cloud.SetQuota(cloud.DefaultProject, q)
	w.trace.add("others have taken the quota")
	w.later(crampedFor, func() {
		w.trace.add("others have given the quota back")
		w.cloud.SetQuota(cloud.DefaultProject, cloud.DefaultQuota())
	})
}

func cleanupFlow() flow {
	return flow{name: "cleanup", prepare: awake, begin: nothing, over: func(w *world) bool { return w.idle() || w.inUse() && w.calmFor(2*time.Hour) }}
}

// flows are those of a shape.
func flows(s shape) []flow {
	if s.refused {
		return []flow{hibernateFlow(s)}
	}
	all := []flow{hibernateFlow(s), resumeFlow(), cleanupFlow()}
	if s.name == "one" {
		all = append(all, timerFlow(), claimFlow())
	}
	return all
}

// timerFlow: hibernateAfter puts the cluster to sleep.
func timerFlow() flow {
	return flow{name: "timer", prepare: settle, begin: func(w *world) {
		w.hub.edit(key(infraID), func(cd *hivev1.ClusterDeployment) {
			cd.Spec.HibernateAfter = &metav1.Duration{Duration: 30 * time.Minute}
		})
	}, over: func(w *world) bool {
		if !w.allShow(hibernating) {
			return false
		}
		w.hub.edit(key(infraID), func(cd *hivev1.ClusterDeployment) { cd.Spec.HibernateAfter = nil })
		return true
	}}
}

// claimFlow: a cluster that sleeps in its pool is claimed.
func claimFlow() flow {
	return flow{name: "claim", prepare: func(w *world) {
		w.hub.edit(key(infraID), func(cd *hivev1.ClusterDeployment) {
			cd.Spec.ClusterPoolRef = &hivev1.ClusterPoolReference{Namespace: "pools", PoolName: "small"}
		})
		asleep(w)
	}, begin: func(w *world) {
		w.hub.edit(key(infraID), func(cd *hivev1.ClusterDeployment) {
			now := metav1.Now()
			cd.Spec.ClusterPoolRef.ClaimName, cd.Spec.ClusterPoolRef.ClaimedTimestamp = "mine", &now
			cd.Spec.PowerState = runningNow
		})
	}, over: func(w *world) bool { return w.allShow(runningNow) }}
}

// calmFor tells whether nothing was called for so long.
func (w *world) calmFor(d time.Duration) bool {
	return time.Since(w.lastCall) >= d
}

// start begins a flow, disturbed from its first call on.
func (w *world) start(f flow, disturb func(c *call, done bool) *fault) {
	f.prepare(w)
	if disturb != nil {
		w.disturbers = append(w.disturbers, disturb)
	}
	w.counting = true
	f.begin(w)
}

// pass runs a flow to its end; whether it is reached in time is not asked here.
func (w *world) pass(f flow, disturb func(c *call, done bool) *fault) {
	w.start(f, disturb)
	w.until(flowWithin, func() bool { return f.over(w) })
	w.counting = false
}
