package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/overwinter/overwinter/test/cloud"
)

// A cloud that is merely bad: a share of all requests fails, each in a way that is drawn.

// badKinds are the ways in which single requests fail in a bad cloud.
func badKinds() []kind {
	return []kind{
		answer(http.StatusInternalServerError), answer(http.StatusBadGateway), answer(http.StatusServiceUnavailable),
		answer(http.StatusTooManyRequests, "Retry-After: 2"),
		onCloud("reset", cloud.ResetBefore()), onCloud("reset after the effect", cloud.ResetAfter()),
		onCloud("502 after the effect", cloud.AnswerAfter(http.StatusBadGateway, "")),
		onCloud("200 with HTML", cloud.Answer(http.StatusOK, "<html><body>It works!</body></html>", "Content-Type: text/html")),
	}
}

// badCloud fails a share of the requests to OpenStack.
type badCloud struct {
	w       *world
	rng     *rand.Rand
	kinds   []kind
	percent int
	failed  int
	// rounds counts the rounds of creates of which an answer was lost; the last one began at lost.
	rounds int
	lost   time.Time
}

func (w *world) badCloud(percent int) *badCloud {
	return &badCloud{w: w, rng: rand.New(rand.NewPCG(w.seed, 17)), kinds: badKinds(), percent: percent}
}

// disturb is asked at each call.
func (b *badCloud) disturb(c *call, done bool) *fault {
	if done || c.service != openstack || b.rng.IntN(100) >= b.percent {
		return nil
	}
	k := b.kinds[b.rng.IntN(len(b.kinds))]
	b.failed++
	if creates(c) && k.name != badKinds()[3].name {
		b.loseAnswer()
	}
	return k.make(b.w, c)
}

// creates reports whether a request makes something, so that it is not repeated before its outcome is known.
func creates(c *call) bool {
	return slices.Contains([]string{"nova.server.create", "nova.server.createImage", "nova.interface.create"}, c.op)
}

// repeatedAfter is how long a create whose answer was lost is not repeated.
const repeatedAfter = time.Minute

// loseAnswer counts a round of lost creates. Creates that are lost within the wait of an earlier one wait with it.
func (b *badCloud) loseAnswer() {
	if b.rounds == 0 || time.Since(b.lost) > repeatedAfter {
		b.rounds, b.lost = b.rounds+1, time.Now()
	}
}

// badRow is one direction in one cloud.
type badRow struct {
	shape   shape
	flow    flow
	percent int
	// slowest is how many times as long as without faults it may take, 0 if there is no such limit.
	slowest float64
	// within is how long it may take in any case.
	within time.Duration
}

const (
	// lostRound is what each round of creates may cost whose answers were lost.
	lostRound = 90 * time.Second
	// badDeadline is the managers' hibernation deadline in these rows. A rollback may take as long again.
	badDeadline = 5 * time.Minute
	// badResume is how long a resume may take when two of five requests fail.
	badResume = time.Hour
)

func badRows() []badRow {
	var out []badRow
	for _, s := range []shape{{name: "one", masters: 1, deadline: badDeadline, repeats: true}, {name: "six", masters: 3, workers: 3, deadline: badDeadline, repeats: true}} {
		for _, f := range []flow{hibernateFlow(s), resumeFlow()} {
			within := badResume
			if f.name == "hibernate" {
				within = 2 * badDeadline
			}
			out = append(out,
				badRow{shape: s, flow: f, percent: 3, slowest: 3, within: within},
				badRow{shape: s, flow: f, percent: 15, slowest: 3, within: within},
				badRow{shape: s, flow: f, percent: 40, within: within})
		}
	}
	return out
}

// badSeeds is how many clouds are drawn for each row.
func badSeeds() int {
	switch {
	case *every:
		return 1000
	}
	return 3
}

// Three, fifteen and forty of a hundred requests fail. Up to fifteen, each direction takes at most three times as long as without
// faults, and a while for each round of creates whose answers were lost. At forty it still ends, or is rolled back.
func TestS17BadCloud(t *testing.T) {
	for _, row := range badRows() {
		t.Run(fmt.Sprintf("%s/%s/%d", row.shape.name, row.flow.name, row.percent), func(t *testing.T) {
			t.Parallel()
			row.try(t)
		})
	}
}

func (row badRow) try(t *testing.T) {
	t.Helper()
	plain := row.calm(t)
	ratios := &ratios{}
	t.Cleanup(func() { ratios.report(t, row) })
	for i := range badSeeds() {
		seed := *first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			tried.faults.Add(1)
			inWorld(t, row.shape, seed, func(w *world) {
				b := w.badCloud(row.percent)
				spent, ended := w.spend(row, b)
				if ended {
					ratios.add(float64(spent) / float64(plain))
				}
				w.judgeBad(row, b, spent, plain, ended)
				w.finish()
			})
		})
	}
}

// calm returns how long a row takes without faults.
func (row badRow) calm(t *testing.T) time.Duration {
	t.Helper()
	var plain time.Duration
	inWorld(t, row.shape, *first, func(w *world) {
		plain, _ = w.spend(row, w.badCloud(0))
		w.finish()
	})
	return plain
}

// spend runs a flow in a bad cloud and returns how long it took, and whether it came to its end.
func (w *world) spend(row badRow, b *badCloud) (time.Duration, bool) {
	w.start(row.flow, b.disturb)
	begun := time.Now()
	ended := w.until(row.within, func() bool { return row.flow.over(w) })
	w.counting = false
	return time.Since(begun), ended
}

// judgeBad looks at how a flow went in a bad cloud.
func (w *world) judgeBad(row badRow, b *badCloud, spent, plain time.Duration, ended bool) {
	w.trace.add("%d requests failed, %d rounds of creates were lost, ended: %v, after %s; without faults after %s", b.failed, b.rounds, ended, spent, plain)
	switch allowed := time.Duration(row.slowest*float64(plain)) + time.Duration(b.rounds)*lostRound; {
	case row.slowest > 0 && !ended:
		w.violate("slow", "not done after %s; without faults it takes %s: %s", spent, plain, w.conditions())
	case row.slowest > 0 && spent > allowed:
		w.violate("slow", "it took %s, with %d rounds of lost creates, and without faults %s", spent, b.rounds, plain)
	case !ended && !w.undone():
		w.violate("slow", "neither done nor undone after %s: %s", spent, w.conditions())
	case !ended && w.sleeps() && !w.until(badResume, func() bool { return row.flow.over(w) }):
		w.violate("slow", "sealed, and not done after another %s: %s", badResume, w.conditions())
	}
}

// undone reports whether every cluster that did not get to its seal has its servers as they were.
func (w *world) undone() bool {
	for _, id := range w.shape.clusters {
		if r := w.hub.record(key(id)); r != nil && r.Sealed != nil {
			continue
		}
		for _, s := range w.serversOf(id) {
			if s.Status != w.was(s.Name).Status {
				return false
			}
		}
	}
	return true
}

// sleeps reports whether any cluster has passed its seal.
func (w *world) sleeps() bool {
	return slices.ContainsFunc(w.keys(), func(key types.NamespacedName) bool { return sealed(w.hub.record(key)) })
}

// ratios are how many times as long as without faults a row took.
type ratios struct {
	mu   sync.Mutex
	list []float64
}

func (r *ratios) add(ratio float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, ratio)
}

// report says what they were.
func (r *ratios) report(t *testing.T, row badRow) {
	t.Helper()
	if len(r.list) == 0 {
		return
	}
	slices.Sort(r.list)
	tried.note(fmt.Sprintf("%s of %s at %d%% failing requests: %.1f times as long as without, at most %.1f times, %d of %d done",
		row.flow.name, row.shape.name, row.percent, r.list[len(r.list)/2], r.list[len(r.list)-1], len(r.list), badSeeds()))
}
