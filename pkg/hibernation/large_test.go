package hibernation_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"

	"github.com/overwinter/overwinter/pkg/bounds"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// inTime repeats a verb until it is done, and checks that each pass stays within its budget.
func (r *rig) inTime(do verb) {
	r.t.Helper()
	for range maxPasses {
		began := time.Now()
		p, err := r.once(do)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.g.Expect(time.Since(began)).To(BeNumerically("<", 30*time.Second))
		r.g.Expect(p.Waiting).NotTo(ContainElement(ContainSubstring("answers slowly")))
		if p.Done {
			return
		}
		<-time.After(p.After)
	}
	r.t.Fatal("not done")
}

// slowCloud answers each request after 0.3 s. Time is that of a bubble in which it passes only while everything waits, so
// that requests that are sent at once take no longer than one.
func slowCloud(s *setup) {
	s.cloud.Clock, s.engine.Clock, s.cloud.Sleep = clock.RealClock{}, clock.RealClock{}, nil
	s.cloud.Latencies.API, s.cloud.Latencies.Op = 300*time.Millisecond, nil
	s.engine.SnapshotsInFlight = 100
}

// A hundred machines are not too many for a pass.
func TestHundredMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3, 97, slowCloud)
		for _, do := range []verb{hibernate, resume, cleanup} {
			r.inTime(do)
		}
		r.expectClean()
	})
}

// Nor are they where something has to be asked about each of them.
func TestHundredMachinesThatAreAskedFor(t *testing.T) {
	for name, spoil := range map[string]func(*rig){
		"they have no tags": func(r *rig) {
			for _, s := range r.seeded.Servers() {
				r.cloud.SetServerTags(s.ID)
			}
		},
		"the manager died before it paused them": func(r *rig) {
			r.kube.afterSave = func() error {
				r.dead.Store(true)
				return errDied
			}
			r.g.Expect(r.runUntilDeath(hibernate)).To(BeTrue())
			r.restartManager("manager-1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 3, 97, slowCloud)
				spoil(r)
				r.inTime(hibernate)
				r.expectAsleep()
			})
		})
	}
}

// Nor do the answers to the requests of one pass over the largest cluster that there can be take more than a third of what the
// controller lets a visit take (24 MiB).
func TestS05LargestClusterStaysWithinItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3, 132, slowCloud)
		budgeted := func(do verb) verb {
			return func(s *hibernation.Session, ctx context.Context) (hibernation.Progress, error) {
				return do(s, bounds.WithBudget(ctx, 8<<20))
			}
		}
		for _, do := range []verb{hibernate, resume, cleanup} {
			r.inTime(budgeted(do))
		}
		r.expectClean()
	})
}
