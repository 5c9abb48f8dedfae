package hibernation

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// visitsIn returns how often a cluster is visited in a time, and the longest time between two visits.
func (b *bench) visitsIn(d time.Duration) (int, time.Duration) {
	visits, longest := 0, time.Duration(0)
	for end := b.clock.Now().Add(d); b.clock.Now().Before(end); visits++ {
		after := b.visit()
		b.ExpectWithOffset(1, after).To(BeNumerically(">", 0), "it waits, and nobody comes back")
		longest = max(longest, after)
		b.pass(after)
	}
	return visits, longest
}

func bad() error {
	return &openstackclient.Error{Kind: openstackclient.KindTransient, Op: "list servers", Message: "bad gateway"}
}

// TestS11WaitsSlowDown: a cluster that waits for something that never comes costs few visits, whatever it waits for.
func TestS11WaitsSlowDown(t *testing.T) {
	hibernate := func(b *bench) { b.orderPowerState(hivev1.ClusterPowerStateHibernating) }
	opened := hibernation.Summary{Exists: true, Sealed: true, Opened: true}
	for name, set := range map[string]func(b *bench){
		"a server stays in BUILD, at the inventory": func(b *bench) {
			hibernate(b)
			b.actuator.waiting = []string{"m-0: BUILD"}
			b.actuator.progress = hibernation.Progress{Stage: hibernation.StageStopping, After: 2 * time.Second}
		},
		"a server is never gone": func(b *bench) {
			hibernate(b)
			b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Deleting: true}
			b.actuator.waiting = []string{"m-0: being deleted"}
			b.actuator.progress = hibernation.Progress{Stage: hibernation.StageWaitingToStop, After: 2 * time.Second}
		},
		"a server never runs": func(b *bench) {
			b.actuator.summary = opened
			b.actuator.waiting = []string{"m-0: BUILD"}
			b.actuator.progress = hibernation.Progress{Stage: hibernation.StageWaitingToStart, After: 2 * time.Second}
		},
		"the cluster never answers": func(b *bench) {
			b.actuator.summary, b.actuator.running = opened, true
			b.remote.err = context.DeadlineExceeded
		},
		"it never answers to a request": func(b *bench) {
			b.actuator.summary, b.actuator.running = opened, true
			gu := newGuest(b.WithT)
			gu.err = context.DeadlineExceeded
			b.remote.cluster = gu
		},
		"the cloud fails":     func(b *bench) { b.actuator.summary, b.actuator.startErr = opened, bad() },
		"the hub is in error": func(b *bench) { b.reconciler.Client = noStatus{b.hub} },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, installedCD(showing(StateWaitingToStart, time.Minute), withFinalizer))
			set(b)
			_, _ = b.visitsIn(time.Hour)
			visits, longest := b.visitsIn(time.Hour)
			b.Expect(visits).To(BeNumerically("<=", 65))
			b.Expect(longest).To(BeNumerically("<=", 6*time.Minute))
		})
	}
}

// TestS17PausedClusterIsVisitedEvery30s: while servers are held paused no wait grows, however long it lasts, unless the cloud
// asks for more.
func TestS17PausedClusterIsVisitedEvery30s(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		record hibernation.Summary
		most   time.Duration
	}{
		"the cloud fails":            {bad(), hibernation.Summary{Exists: true, Cutting: true}, pausedRetry},
		"a person has to act":        {&hibernation.Blocked{Message: "no"}, hibernation.Summary{Exists: true, Cutting: true}, pausedRetry},
		"a rollback behind the seal": {bad(), hibernation.Summary{Exists: true, Sealed: true, Opened: true, Standing: true}, pausedRetry},
		"the cloud asks for time": {&openstackclient.Error{Kind: openstackclient.KindThrottled, RetryAfter: 90 * time.Second},
			hibernation.Summary{Exists: true, Cutting: true}, 90 * time.Second},
		"nothing fails": {nil, hibernation.Summary{Exists: true, Cutting: true}, pausedRetry},
	} {
		for _, want := range []hivev1.ClusterPowerState{hivev1.ClusterPowerStateHibernating, hivev1.ClusterPowerStateRunning} {
			t.Run(name+", "+string(want), func(t *testing.T) {
				b := newBench(t, installedCD(showing(StateStopping, time.Minute), wanting(want), withFinalizer))
				b.actuator.summary, b.actuator.stopErr, b.actuator.startErr = tt.record, tt.err, tt.err
				b.actuator.waiting = []string{"m-0: being paused"}
				b.actuator.progress = hibernation.Progress{Stage: hibernation.StageStopping, After: 2 * time.Second}
				_, longest := b.visitsIn(2 * time.Hour)
				b.Expect(longest).To(BeNumerically("<=", tt.most))
				visits, _ := b.visitsIn(time.Hour)
				b.Expect(visits).To(BeNumerically("<=", 125))
			})
		}
	}
}

// TestS17UnreadableRecordCountsAsPaused: what is not known is no reason to come late.
func TestS17UnreadableRecordCountsAsPaused(t *testing.T) {
	b := newBench(t, installedCD(showing(StateStopping, time.Minute), wanting(hivev1.ClusterPowerStateHibernating), withFinalizer))
	b.actuator.stopErr, b.actuator.summaryErr = bad(), context.DeadlineExceeded
	_, longest := b.visitsIn(2 * time.Hour)
	b.Expect(longest).To(BeNumerically("<=", pausedRetry))
}

// TestS17ProgressResetsThePace: a visit that gets something done before it fails is repeated soon; one that repeats what was
// done before is not.
func TestS17ProgressResetsThePace(t *testing.T) {
	b := newBench(t, installedCD(showing(StateStarting, time.Minute), withFinalizer))
	b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Opened: true}
	b.actuator.startErr = bad()
	made, fresh := 0, true
	b.actuator.acts = func() string {
		if fresh {
			made++
		}
		return fmt.Sprintf("create w-%d", made)
	}
	for range 20 {
		after := b.visit()
		b.Expect(after).To(BeNumerically("<=", firstRetry*6/5))
		b.pass(after)
	}
	fresh = false
	_, longest := b.visitsIn(2 * time.Hour)
	b.Expect(longest).To(BeNumerically(">=", lastRetry))
}
