package hibernation_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// as runs f with another manager, whose clock is wrong by some time, in place of the rig's own.
func (r *rig) as(engine *hibernation.Engine, f func()) {
	mine := r.engine
	r.engine = engine
	defer func() { r.engine = mine }()
	f()
}

func (r *rig) manager2(by time.Duration) *hibernation.Engine {
	opts := r.options
	opts.Holder, opts.Clock = "manager-2", &skewed{r.clock, by}
	return r.manager(opts)
}

// Another manager acts only when it saw the record unchanged for longer than the claim by its own clock, however wrong that is.
func TestAnotherManagerWaits(t *testing.T) {
	for _, by := range []time.Duration{0, -30 * time.Minute, 30 * time.Minute} {
		t.Run(by.String(), func(t *testing.T) {
			r := newRig(t, 1, 1)
			second := r.manager2(by)
			r.passes(1, hibernate)
			r.as(second, func() {
				for waited := time.Duration(0); waited < time.Minute; waited += 10 * time.Second {
					r.cloud.Ledger().Reset()
					p, err := r.once(hibernate)
					r.g.Expect(err).NotTo(HaveOccurred())
					r.g.Expect(p.Waiting).To(Equal([]string{"the record is claimed by another manager, manager-1"}))
					r.g.Expect(p.After).To(BeNumerically(">", 0))
					r.g.Expect(p.After).To(BeNumerically("<=", 61*time.Second-waited))
					r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
					r.clock.Step(10 * time.Second)
				}
			})
			r.g.Expect(r.record().Claim.Holder).To(Equal("manager-1"))
			r.as(second, func() { r.hibernate() })
			r.g.Expect(r.record().Claim.Holder).To(Equal("manager-2"))
			r.expectAsleep()
			// And the other way round.
			p, err := r.once(resume)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(p.Waiting).To(Equal([]string{"the record is claimed by another manager, manager-2"}))
			r.resume()
			r.expectClean()
		})
	}
}

// As long as the first one goes on saving, the second one goes on waiting.
func TestClaimIsRenewed(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cloud.Latencies.SnapshotUpload = 30 * time.Minute })
	second := r.manager2(0)
	r.passes(1, hibernate)
	for range 10 {
		r.edit(func(record *hibernation.Record) { record.Claim.At = r.clock.Now() })
		r.as(second, func() {
			p, err := r.once(hibernate)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(p.After).To(BeNumerically("~", time.Minute, 2*time.Second))
		})
		r.clock.Step(30 * time.Second)
	}
}

func TestSameHolderGoesOn(t *testing.T) {
	r := newRig(t, 1, 1)
	r.passes(1, hibernate)
	r.restartManager("manager-1")
	p, err := r.once(hibernate)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Waiting).NotTo(ContainElement(ContainSubstring("another manager")))
	r.g.Expect(r.cloud.Ledger().Count("nova.server.createImage")).To(Equal(2))
}

// stallAt lets the manager sleep right after its n-th save, and do nothing meanwhile but what f does. It returns a function
// that tells when it woke up, zero if it never slept.
func (r *rig) stallAt(n int, f func()) func() time.Time {
	var woke time.Time
	r.kube.afterSave = func() error {
		n--
		if n != -1 {
			return nil
		}
		f()
		woke = r.clock.Now()
		return nil
	}
	return func() time.Time { return woke }
}

// A manager that stalls between a save and what it was saved for must not act on what it believed then.
func TestStalledManagerDoesNothing(t *testing.T) {
	t.Parallel()
	for _, verbs := range []struct {
		name     string
		prepare  []verb
		do, back verb
	}{{"hibernate", nil, hibernate, resume}, {"resume", []verb{hibernate}, resume, hibernate}} {
		t.Run(verbs.name, func(t *testing.T) {
			stalled := 0
			for n, slept := 0, true; slept; n++ {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					r := newRig(t, 1, 1)
					for _, do := range verbs.prepare {
						r.g.Expect(r.until(do)).To(Succeed())
					}
					woke := r.stallAt(n, func() { r.clock.Step(31 * time.Second) })
					r.passesUntil(func() bool { return !woke().IsZero() }, verbs.do)
					slept = !woke().IsZero()
					for _, e := range r.cloud.Ledger().Changes() {
						if slept && e.Op != "glance.tag.add" { // a tag does no harm
							r.g.Expect(e.At).To(BeTemporally("<", woke()), "%s after it woke", e.Op)
						}
					}
					r.g.Expect(r.until(verbs.do)).To(Succeed())
					r.g.Expect(r.until(verbs.back)).To(Succeed())
					stalled++
				})
			}
			NewWithT(t).Expect(stalled).To(BeNumerically(">=", 5))
		})
	}
}

// It may sleep so long that another one took over and finished the work.
func TestStalledManagerWakesUpTooLate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(*rig)
		do      verb
	}{{"hibernate", func(*rig) {}, hibernate}, {"resume", (*rig).hibernate, resume}} {
		for n, slept := 0, true; slept; n++ {
			t.Run(fmt.Sprint(test.name, " ", n), func(t *testing.T) {
				r := newRig(t, 1, 1)
				test.prepare(r)
				second := r.manager2(0)
				woke := r.stallAt(n, func() {
					r.as(second, func() { r.g.Expect(r.until(test.do)).To(Succeed()) })
					r.cloud.Ledger().Reset()
				})
				r.passesUntil(func() bool { return !woke().IsZero() }, test.do)
				if slept = !woke().IsZero(); slept {
					r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty(), "what the first one did when it woke")
				}
				r.g.Expect(r.until(test.do)).To(Succeed())
				r.resume()
				r.expectClean()
			})
		}
	}
}

// A conflict ends the pass before anything is done.
func TestConflictingSave(t *testing.T) {
	r := newRig(t, 1, 1)
	once := false
	r.kube.beforeSave = func() error {
		if s := r.secret(); s != nil && !once {
			once = true
			s.Annotations = map[string]string{"touched": "by somebody"}
			return r.kube.WithWatch.Update(t.Context(), s)
		}
		return nil
	}
	for !once {
		r.cloud.Ledger().Reset()
		_, err := r.once(hibernate)
		if once {
			r.g.Expect(err).To(MatchError(ContainSubstring("cannot save the hibernation record, Secret demo/demo-hibernation")))
			r.g.Expect(r.cloud.Ledger().Entries("nova.server.createImage")).To(BeEmpty())
		}
		r.clock.Step(2 * time.Second)
	}
	r.hibernate()
	r.expectAsleep()
}

// An OpenStack that answers slowly does not let a pass run longer than its budget; it goes on in the next.
func TestBudgetOfAPass(t *testing.T) {
	r := newRig(t, 3, 3)
	r.cloud.AddRule(cloud.Rule{Op: "nova.server.pause", Skip: 2, Times: 1, Effect: cloud.Slow(40 * time.Second)})
	p, err := r.once(hibernate)
	r.g.Expect(err).NotTo(HaveOccurred())
	r.g.Expect(p.Done).To(BeFalse())
	r.g.Expect(r.cloud.Ledger().Count("nova.server.pause")).To(BeNumerically("<", 6), "the workers' turn has not come")
	r.hibernate()
	r.expectAsleep()
}
