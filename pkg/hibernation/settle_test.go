package hibernation_test

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// inBuild makes a worker that stays in BUILD for ever.
func (r *rig) inBuild() {
	r.t.Helper()
	name := infraID + "-worker-0-slow1"
	r.cloud.ForgetNextBuild(name)
	r.hand(func() {
		_, err := r.api.CreateServer(r.t.Context(), r.like(r.seeded.Workers[0], name, r.addPort("port-slow")))
		r.g.Expect(err).NotTo(HaveOccurred())
	})
}

// What the inventory waits for may never come: it is refused after minutes, at a pace that grows, also where the manager is
// started anew meanwhile.
func TestS11WaitsBeforeTheFirstPauseEnd(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*rig)
		restart bool
		words   []string
	}{
		"a server in BUILD":          {(*rig).inBuild, false, []string{"worker-0-slow1"}},
		"the manager comes and goes": {(*rig).inBuild, true, []string{"worker-0-slow1"}},
		"a task that never ends": {func(r *rig) {
			slow := cloud.TestBedLatencies()
			slow.Stop = 24 * time.Hour
			r.cloud.SetLatencies(slow)
			r.hand(func() { r.g.Expect(r.api.StopServer(r.t.Context(), r.seeded.Workers[0].ID)).To(Succeed()) })
		}, false, []string{"powering-off"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			test.prepare(r)
			r.cloud.Ledger().Reset()
			began := r.clock.Now()
			var refusal *hibernation.Refusal
			for passes := 0; refusal == nil; passes++ {
				r.g.Expect(passes).To(BeNumerically("<", 20))
				p, err := r.once(hibernate)
				if !errors.As(err, &refusal) {
					r.g.Expect(err).NotTo(HaveOccurred())
					r.g.Expect(p.Waiting).NotTo(BeEmpty())
					r.wait(p)
				}
				if test.restart {
					r.restartManager("manager-1")
				}
			}
			r.g.Expect(r.clock.Since(began)).To(BeNumerically("~", 11*time.Minute, 2*time.Minute))
			for _, w := range append(test.words, "not come to rest within 10m0s") {
				r.g.Expect(refusal.Message).To(ContainSubstring(w))
			}
			r.g.Expect(refusal.After).To(Equal(10 * time.Minute))
			r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())

			r.cloud.Ledger().Reset()
			for r.clock.Since(began) < 6*time.Hour {
				p, err := r.once(hibernate)
				if errors.As(err, &refusal) {
					p.After = refusal.After
				}
				r.wait(p)
			}
			r.g.Expect(len(r.cloud.Ledger().Entries())).To(BeNumerically("<", 600))
		})
	}
}

// A list of server groups that contradicts the servers is waited for in the same way.
func TestS11ContradictionsEnd(t *testing.T) {
	r := newRig(t, 1, 1)
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if k.Op == "nova.servergroup.list" {
			e := cloud.Answer(200, `{"server_groups": []}`)
			return &e
		}
		return nil
	})
	r.expectRefused(hibernate, "which Nova's list leaves out", "not come to rest")
	r.before = nil
	r.clock.Step(10 * time.Minute)
	r.hibernate()
	r.expectAsleep()
	r.g.Expect(r.record().WaitingSince).To(BeNil())
}

// An order to run ends the wait: the next one has all of its time again.
func TestS11RunningEndsTheWait(t *testing.T) {
	r := newRig(t, 1, 1)
	r.inBuild()
	r.passes(3, hibernate)
	r.g.Expect(r.record().WaitingSince).NotTo(BeNil())
	r.resume()
	r.g.Expect(r.secret()).To(BeNil())
	r.clock.Step(time.Hour)
	p, err := r.once(hibernate)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).NotTo(BeEmpty())
}

// Behind the point of no return nothing ends a wait, but its pace grows to two minutes.
func TestS11PaceOfOtherWaitsGrows(t *testing.T) {
	r := newRig(t, 1, 1)
	slow := cloud.TestBedLatencies()
	slow.Delete = 48 * time.Hour
	r.cloud.SetLatencies(slow)
	r.passesUntil(func() bool { return r.record() != nil && r.record().Deleting != nil }, hibernate)
	last := hibernation.Progress{}
	for began := r.clock.Now(); r.clock.Since(began) < time.Hour; {
		var err error
		last, err = r.once(hibernate)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.g.Expect(last.Done).To(BeFalse())
		r.wait(last)
	}
	r.g.Expect(last.After).To(Equal(2 * time.Minute))
}
