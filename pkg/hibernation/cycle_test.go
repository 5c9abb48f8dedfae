package hibernation_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

func TestCycle(t *testing.T) {
	r := newRig(t, 3, 3)
	before := r.cloud.Usage(project)
	r.hibernate()
	r.expectAsleep()
	r.g.Expect(r.cloud.Usage(project).Instances).To(BeZero())
	r.resume()
	r.g.Expect(r.cloud.Usage(project)).To(Equal(before))
	r.expectClean()
}

func TestRequestsOfACycle(t *testing.T) {
	r := newRig(t, 3, 3)
	ledger := r.cloud.Ledger()
	r.hibernate()
	t.Log("hibernate:", ledger.Counts())
	r.g.Expect(ledger.Count("keystone.token.create")).To(Equal(1))
	r.g.Expect(ledger.Count()).To(BeNumerically("<=", 59))
	ledger.Reset()
	r.resume()
	t.Log("resume:", ledger.Counts())
	r.g.Expect(ledger.Count("keystone.*")).To(BeZero())
	r.g.Expect(ledger.Count()).To(BeNumerically("<=", 25))
	r.expectAwake()
}

func TestQuietWhenDone(t *testing.T) {
	r := newRig(t, 1, 1)
	r.hibernate()
	r.resume()
	r.cleanup()
	r.cloud.Ledger().Reset()
	writes := r.kube.saves
	for _, do := range []verb{resume, cleanup, release} {
		p, err := r.once(do)
		r.g.Expect(err).NotTo(HaveOccurred())
		r.g.Expect(p.Done).To(BeTrue())
	}
	r.g.Expect(r.cloud.Ledger().Entries()).To(BeEmpty())
	r.g.Expect(r.kube.saves).To(Equal(writes))
}

// A stable cluster is only looked at: nothing is changed and nothing is saved, however often.
func TestStableClustersAreOnlyLookedAt(t *testing.T) {
	r := newRig(t, 1, 1)
	look := func(verbs ...verb) {
		t.Helper()
		r.cloud.Ledger().Reset()
		writes := r.kube.saves
		for _, do := range verbs {
			p, err := r.once(do)
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(p.Done).To(BeTrue(), "%v", p.Waiting)
		}
		r.g.Expect(r.cloud.Ledger().Changes()).To(BeEmpty())
		r.g.Expect(r.kube.saves).To(Equal(writes))
	}
	look(awake, resume)
	r.hibernate()
	look(hibernate, asleep)
	r.resume()
	look(resume, awake)
}

func TestControlPlaneComesFirst(t *testing.T) {
	r := newRig(t, 3, 3)
	r.hibernate()
	r.resume()
	masters := map[string]bool{}
	for _, m := range r.seeded.Masters {
		masters[m.ID], masters[m.Name] = true, true
	}
	for _, op := range []string{"nova.server.pause", "nova.server.create"} {
		entries := r.cloud.Ledger().Entries(op)
		r.g.Expect(entries).To(HaveLen(6))
		for i, e := range entries {
			r.g.Expect(masters[e.Target] || masters[e.Name]).To(Equal(i < 3), "%s %d", op, i)
		}
	}
}

// All pauses are over before the first snapshot is asked for, and the record is sealed before the first delete. The guard of
// the rig checks the same at every request.
func TestOneConsistentCut(t *testing.T) {
	r := newRig(t, 3, 3)
	var lastPause time.Time
	r.cloud.Subscribe(func(e cloud.ServerEvent) {
		if e.Kind == cloud.ServerPaused && e.At.After(lastPause) {
			lastPause = e.At
		}
	})
	sealed := false
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if k.Op == "nova.server.delete" {
			record := r.record()
			sealed = record.Sealed != nil && record.Cut == nil && record.Opened == nil
			r.g.Expect(sealed).To(BeTrue())
		}
		return nil
	})
	r.hibernate()
	r.g.Expect(sealed).To(BeTrue())
	r.g.Expect(r.snapshots()).To(HaveLen(6))
	for _, img := range r.snapshots() {
		r.g.Expect(img.CutRunning).To(BeFalse(), img.Machine)
		r.g.Expect(img.CutAt).To(BeTemporally(">", lastPause), img.Machine)
		r.g.Expect(img.Writes).To(Equal(r.cloud.Written(project, img.Machine)), img.Machine)
	}
	pauses, snapshots := r.cloud.Ledger().Entries("nova.server.pause"), r.cloud.Ledger().Entries("nova.server.createImage")
	r.g.Expect(pauses[len(pauses)-1].Seq).To(BeNumerically("<", snapshots[0].Seq))
	r.resume()
	r.expectAwake()
}

func TestSnapshotsCarryTheirMarks(t *testing.T) {
	r := newRig(t, 1, 1)
	marks := 0
	r.onAnswer(func(k *cloud.Call, status int) *cloud.Effect {
		if k.Op != "nova.server.createImage" || status != 202 {
			return nil
		}
		// They are there from the moment at which the image exists.
		for _, img := range r.snapshots() {
			r.g.Expect(img.Properties).To(HaveKeyWithValue("overwinter_infra_id", infraID))
			r.g.Expect(img.Properties).To(HaveKeyWithValue("overwinter_cycle", r.record().Cut.Cycle))
			marks++
		}
		return nil
	})
	r.hibernate()
	r.g.Expect(marks).To(BeNumerically(">=", 2))
	cycle := r.record().Sealed.Cycle
	for _, img := range r.snapshots() {
		r.g.Expect(img.Name).To(Equal(hibernation.SnapshotName(img.Machine, cycle)))
		r.g.Expect(img.Tags).To(ContainElement("openshiftClusterID=" + infraID))
	}
}

func TestEachCycleIsLaterThanAllBefore(t *testing.T) {
	manager := &skewed{}
	r := newRig(t, 1, 0, func(s *setup) {
		manager.PassiveClock = s.engine.Clock
		s.engine.Clock = manager
	})
	var cycles []string
	for range 3 {
		r.hibernate()
		cycles = append(cycles, r.record().Sealed.Cycle)
		r.resume()
		// The manager's clock is set back: the next cycle is later all the same.
		manager.by -= 2 * time.Hour
	}
	r.g.Expect(cycles[1] > cycles[0] && cycles[2] > cycles[1]).To(BeTrue(), "%v", cycles)
	r.expectClean()
}

// An image of an earlier cycle that the record forgot counts too.
func TestCycleIsLaterThanImagesOfOld(t *testing.T) {
	r := newRig(t, 1, 0)
	r.cloud.SetImageProperty(r.seeded.ImageID, "overwinter_infra_id", infraID)
	r.cloud.SetImageProperty(r.seeded.ImageID, "overwinter_cycle", "20300101-000000")
	r.hibernate()
	r.g.Expect(r.record().Sealed.Cycle).To(Equal("20300101-000001"))
}

func TestSnapshotsInFlightAreBounded(t *testing.T) {
	r := newRig(t, 3, 2, func(s *setup) { s.engine.SnapshotsInFlight = 2 })
	most := 0
	r.onAnswer(func(*cloud.Call, int) *cloud.Effect {
		unfinished := 0
		for _, img := range r.snapshots() {
			if img.Status != "active" {
				unfinished++
			}
		}
		most = max(most, unfinished)
		return nil
	})
	r.hibernate()
	r.g.Expect(most).To(Equal(2))
	r.expectAsleep()
}

// Clouds differ: none of this matters to a cycle.
func TestCycleOnOtherClouds(t *testing.T) {
	for name, choose := range map[string]func(*setup){
		"an old one":        func(s *setup) { s.cloud.MaxMicroversion = "2.60" },
		"one without delay": func(s *setup) { s.cloud.Latencies = cloud.Latencies{} },
		"a slow one":        func(s *setup) { s.cloud.Latencies = s.cloud.Latencies.Scaled(10) },
		"short pages": func(s *setup) {
			s.cloud.NovaPageSize, s.cloud.GlancePageSize, s.cloud.GlanceMaxPageSize, s.cloud.NeutronPageSize = 2, 1, 1, 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, 2, choose)
			for range 2 {
				r.hibernate()
				r.expectAsleep()
				r.resume()
			}
			r.expectClean()
		})
	}
}
