package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// Two clusters share a quota for one of them. Each of them has got a part of it when they wake, so that neither gets on. Whenever
// one of them is sent back to sleep, the other one wakes.

func contended() shape {
	return shape{name: "contended", masters: 1, workers: 2, clusters: []string{infraID, infraID + "-b"}}
}

// blockedFor is how long both have tried in vain when the reference run ends.
const blockedFor = 5 * time.Minute

// yielding is a flow in which two clusters are woken, and the first is sent back to sleep at the n-th call; at none if it is 0.
func yielding(n int) flow {
	over := func(w *world) bool {
		return w.counted >= n && w.shows(w.shape.clusters[0], hibernating) && w.shows(w.shape.clusters[1], runningNow)
	}
	if n == 0 {
		over = func(w *world) bool { w.wait(blockedFor); return true }
	}
	return flow{
		name: fmt.Sprintf("yield-at-%d", n),
		prepare: func(w *world) {
			asleep(w)
			w.squeeze(w.shape.masters + 1)
			if n > 0 {
				w.disturbers = append(w.disturbers, w.at(n, func() { w.order(w.shape.clusters[0], hibernating) }))
			}
		},
		begin: (*world).contend,
		over:  over,
		ended: func(w *world) { w.finishContended(n) },
	}
}

// squeeze leaves quota for so many servers of the clusters.
func (w *world) squeeze(servers int) {
	q := cloud.DefaultQuota()
	q.Instances = len(w.initial.others) + servers
	w.cloud.SetQuota(cloud.DefaultProject, q)
	w.trace.add("the quota is for %d servers", servers)
}

// contend wakes one cluster as far as the quota lets it, and then the other, for which there is a bit of it by then.
func (w *world) contend() {
	first, second := w.shape.clusters[0], w.shape.clusters[1]
	w.order(first, runningNow)
	w.until(time.Minute, func() bool { return len(w.serversOf(first)) > w.shape.masters })
	w.squeeze(w.shape.masters + w.shape.workers)
	w.order(second, runningNow)
}

// finishContended looks whether one cluster gave way to the other, and wakes both once there is room.
func (w *world) finishContended(n int) {
	first, second := w.shape.clusters[0], w.shape.clusters[1]
	switch {
	case n == 0 && (w.shows(first, runningNow) || w.shows(second, runningNow)):
		w.violate("contention", "there was to be no room for either: %s", w.conditions())
	case n > 0 && !(w.shows(first, hibernating) && w.shows(second, runningNow)):
		w.violate("contention", "one was to give way to the other: %s", w.conditions())
	}
	w.cloud.SetQuota(cloud.DefaultProject, cloud.DefaultQuota())
	w.finish()
}

func TestContention(t *testing.T) {
	s, at := contended(), complete(41)
	calls := reference(t, s, yielding(0))
	for n := 1; n <= len(calls); n += at.now() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			tried.faults.Add(1)
			inWorld(t, s, *first, func(w *world) {
				f := yielding(n)
				w.pass(f, nil)
				w.conclude(f)
			})
		})
	}
}
