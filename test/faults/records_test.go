package faults

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// Records that are lost, old, or broken. Nothing is lost by that, half a cluster is never taken for all of it, and when a person
// has done what a message advises, everything goes on.

// recordDeed is something that happens to a record.
type recordDeed struct {
	name string
	// to returns what is put in the record's place, nil for nothing, and whether there is anything to do.
	to func(w *world, s *corev1.Secret) ([]byte, bool)
}

func lostRecords() []recordDeed {
	return []recordDeed{{name: "lost", to: func(*world, *corev1.Secret) ([]byte, bool) { return nil, true }}}
}

func brokenRecords() []recordDeed {
	always := func(name string, to func(data []byte) []byte) recordDeed {
		return recordDeed{name: name, to: func(_ *world, s *corev1.Secret) ([]byte, bool) { return to(s.Data[hibernation.RecordKey]), true }}
	}
	return []recordDeed{
		always("half written", func(data []byte) []byte { return data[:len(data)/2] }),
		always("cut off by one", func(data []byte) []byte { return data[:len(data)-2] }),
		always("empty", func([]byte) []byte { return []byte{} }),
		always("an empty object", func([]byte) []byte { return []byte("{}") }),
		always("null", func([]byte) []byte { return []byte("null") }),
		always("of another cluster", func(data []byte) []byte {
			return bytes.ReplaceAll(data, []byte(infraID), []byte(infraID+"-b"))
		}),
		always("of a version to come", func(data []byte) []byte {
			return bytes.Replace(data, []byte(`"version": 1`), []byte(`"version": 99`), 1)
		}),
	}
}

// oldRecords are copies from earlier.
func oldRecords() []recordDeed {
	old := func(name string, is func(then, now *hibernation.Record) bool) recordDeed {
		return recordDeed{name: name, to: func(w *world, s *corev1.Secret) ([]byte, bool) { return w.savedWhen(s, is) }}
	}
	return []recordDeed{
		old("from the cut", fromCut),
		old("from before the snapshots", fromBeforeSnapshots),
		old("from the seal", fromSeal),
		old("from the sleep", fromSleep),
		old("from the resume", fromResume),
		old("from the cycle before", fromCycleBefore),
	}
}

// fromCut reports whether then is of a hibernation that is no longer under way.
func fromCut(then, now *hibernation.Record) bool {
	return then.Cut != nil && !then.Cut.Abandoned && !(now.Cut != nil && now.Cut.Cycle == then.Cut.Cycle)
}

// fromBeforeSnapshots reports whether snapshots have been begun since then.
func fromBeforeSnapshots(then, now *hibernation.Record) bool {
	return then.Cut != nil && !then.Cut.Shooting && now.Cut != nil && now.Cut.Shooting
}

// fromSeal reports whether servers have been deleted since then, when the snapshots were sealed.
func fromSeal(then, now *hibernation.Record) bool {
	return sealed(then) && then.Deleting == nil && now.Deleting != nil
}

// fromSleep reports whether a resume or a hibernation began since then, when servers were deleted.
func fromSleep(then, now *hibernation.Record) bool {
	return sealed(then) && then.Deleting != nil && (now.Opened != nil || now.Cut != nil)
}

// fromResume reports whether the resume of then is over, or a hibernation began since.
func fromResume(then, now *hibernation.Record) bool {
	return then.Opened != nil && then.Cut == nil && (now.Done != nil || now.Cut != nil)
}

// fromCycleBefore reports whether then is of an earlier cycle.
func fromCycleBefore(then, now *hibernation.Record) bool {
	return then.LastCycle != "" && then.LastCycle < now.LastCycle
}

// savedWhen returns the record as it was when it was saved last in some state.
func (w *world) savedWhen(s *corev1.Secret, is func(then, now *hibernation.Record) bool) ([]byte, bool) {
	now := parse(s)
	if now == nil {
		return nil, false
	}
	saves := w.hub.saves[s.Name]
	for i := len(saves) - 1; i >= 0; i-- {
		then := parse(&corev1.Secret{Data: map[string][]byte{hibernation.RecordKey: saves[i]}})
		if then != nil && is(then, now) {
			return saves[i], true
		}
	}
	return nil, false
}

// putRecord puts a record in place as somebody does who knows nothing of versions, and removes it if there is no data.
func (w *world) putRecord(key types.NamespacedName, data []byte) {
	at := recordKey(key)
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name, Finalizers: []string{hibernation.RecordFinalizer}}}
	if data == nil {
		s.Finalizers = nil
	}
	s.Data = map[string][]byte{hibernation.RecordKey: data}
	w.putSecret(s)
	if data == nil {
		if is := w.hub.secret(at); is != nil {
			must(w.hub.shelf.Delete(context.Background(), is))
		}
	}
}

// recordFlows are the flows whose records are meddled with.
func recordFlows(s shape) []flow {
	second := flow{
		name: "hibernate-once-more", prepare: func(w *world) {
			awake(w)
			w.mustUntil("nothing is left of the first hibernation", 2*time.Hour, w.idle)
		},
		begin: func(w *world) { w.orderAll(hibernating) }, over: func(w *world) bool { return w.allShow(hibernating) },
	}
	return append([]flow{hibernateFlow(s), resumeFlow(), cleanupFlow()}, append(deedFlows(s)[len(flows(s)):], second)...)
}

func TestS04RecordLost(t *testing.T)   { tryRecords(t, lostRecords(), 1) }
func TestS04RecordBroken(t *testing.T) { tryRecords(t, brokenRecords(), 4) }
func TestS06OldRecord(t *testing.T)    { tryRecords(t, oldRecords(), 1) }

// tryRecords tries deeds at the calls of clusters.
func tryRecords(t *testing.T, deeds []recordDeed, at int) {
	t.Helper()
	for _, s := range []shape{{name: "one", masters: 1}, {name: "pair", masters: 1, workers: 1}, {name: "six", masters: 3, workers: 3}} {
		for _, f := range recordFlows(s) {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				calls := reference(t, s, f)
				for n := 1; n <= len(calls); n++ {
					for i, d := range deeds {
						if !atCall(s, f, n, i, 53*at) {
							continue
						}
						t.Run(fmt.Sprintf("%d-%s", n, d.name), func(t *testing.T) {
							inWorld(t, s, *first, func(w *world) { w.meddleRecord(f, d, n) })
						})
					}
				}
			})
		}
	}
}

// meddleRecord runs a flow in which something happens to the record right before a call. From then on a person does what
// messages say, and nothing else.
func (w *world) meddleRecord(f flow, d recordDeed, n int) {
	var r *reader
	w.start(f, w.at(n, func() {
		for _, key := range w.keys() {
			s := w.hub.secret(recordKey(key))
			if s == nil {
				continue
			}
			if data, ok := d.to(w, s); ok {
				r = w.reader(n%2 == 0)
				w.meddled, w.records, w.meddledIn = true, true, w.passes
				// Without its record nobody knows any more how the cluster was inside.
				w.insideForgotten = data == nil && parse(s) != nil && parse(s).Opened != nil
				w.noteStrays()
				w.trace.add("SOMEBODY: the record is %s", d.name)
				w.putRecord(key, data)
			}
		}
	}))
	w.until(flowWithin, func() bool { return w.counted >= n })
	if r == nil {
		return
	}
	tried.faults.Add(1)
	w.until(time.Hour, func() bool { return f.over(w) })
	r.obeyUntil(func() bool { return f.over(w) && w.allShow(w.wanted()) })
	w.orderAll(runningNow)
	r.obeyUntil(func() bool { return w.allShow(runningNow) && w.awake() })
	// A cluster that shows as running may still say what keeps it from being tidied up.
	r.obeyUntil(w.idle)
	w.advised = ""
	w.finish()
}

// noteStrays remembers the images that there are. Without the record that names them nobody may delete them.
func (w *world) noteStrays() {
	for _, img := range w.cloud.Images() {
		w.strays[img.ID] = true
	}
}

// checkWhole: a cluster whose record was meddled with is said to sleep or to run only if all of it does.
func (w *world) checkWhole(now *hivev1.ClusterDeployment) {
	if state := now.Status.PowerState; state != hibernating && state != runningNow {
		return
	}
	w.checkDisks(now)
	// Right after its last step nothing shows a visit that the record has changed.
	if r := w.hub.record(key(now.Name)); w.meddledIn != w.passes && now.Status.PowerState == hibernating && r != nil && len(r.Machines) < w.shape.masters+w.shape.workers {
		w.violate("half", "%s is said to hibernate, and its record names %d machines", now.Name, len(r.Machines))
	}
}

// checkDisks: of each machine of a cluster that is said to sleep or to run there is all that was written.
func (w *world) checkDisks(now *hivev1.ClusterDeployment) {
	w.cloud.View(func(v *cloud.View) {
		for name, m := range w.standings(v) {
			switch {
			case w.initial.machines[name] != now.Name || w.lost[name]:
			case now.Status.PowerState == hibernating && m.saved < m.written:
				w.violate("half", "%s is said to hibernate, and no snapshot of %s holds its disk", now.Name, name)
			case now.Status.PowerState == runningNow && m.live < m.written:
				w.violate("half", "%s is said to run, and no server of %s does", now.Name, name)
			}
		}
	})
}

// bulky are clusters whose records are so large: because of their Nodes' annotations, which a record can do without, or of their
// servers' metadata, which it can't.
func bulky(bytes int) []shape {
	s := shape{name: "nodes", masters: 1, workers: 3, nodeBytes: bytes / 4, deadline: time.Hour, repeats: true}
	m := s
	m.name, m.nodeBytes, m.seeded = "metadata", 0, func(w *world) { w.describe(bytes / 4) }
	return []shape{s, m}
}

// describe gives each server of the cluster so many bytes of metadata, as a record holds them.
func (w *world) describe(bytes int) {
	const longest, quotes = 255, 20
	for _, s := range w.serversOf(infraID) {
		for i, left := 0, bytes; left > quotes; i++ {
			key := fmt.Sprintf("note-%04d", i)
			w.cloud.SetServerMetadata(s.ID, key, strings.Repeat("x", min(longest, left-quotes)))
			left -= longest + quotes
		}
	}
}

// secretHolds is what a record may have at most.
const secretHolds = 900 << 10

// A record near its limit: it is refused before anything is touched, or has room for all that comes.
func TestS08RecordNearLimit(t *testing.T) {
	missing := []int{500, 12000, 40000}
	if *every {
		missing = []int{500, 2000, 4000, 6000, 8000, 10000, 12000, 14000, 16000, 18000, 20000, 24000, 28000, 34000, 40000, 60000}
	}
	for _, left := range missing {
		for _, s := range bulky(secretHolds - left) {
			for _, percent := range []int{0, 20} {
				t.Run(fmt.Sprintf("%s/%d-left-%d", s.name, left, percent), func(t *testing.T) {
					t.Parallel()
					tried.faults.Add(1)
					inWorld(t, s, *first, func(w *world) { w.nearLimit(percent) })
				})
			}
		}
	}
}

// nearLimit hibernates a cluster with a large record, in a cloud that fails a share of all requests, and wakes it.
func (w *world) nearLimit(percent int) {
	settle(w)
	paused := false
	w.disturbers = append(w.disturbers, func(c *call, _ bool) *fault {
		paused = paused || c.op == "nova.server.pause"
		return nil
	}, w.badCloud(percent).disturb)
	w.orderAll(hibernating)
	refused := func() bool { return w.allShow(hivev1.ClusterPowerStateFailedToStop) }
	w.until(3*time.Hour, func() bool { return w.allShow(hibernating) || refused() })
	if size := w.largest(); refused() && percent == 0 && (paused || size > 0) {
		w.violate("room", "refused with a record of %d bytes, and servers were paused: %v: %s", size, paused, w.conditions())
	}
	w.orderAll(runningNow)
	w.until(6*time.Hour, func() bool { return w.allShow(runningNow) && w.awake() })
	w.finish()
}

// largest returns the size of the largest record that was saved.
func (w *world) largest() int {
	most := 0
	for _, saves := range w.hub.saves {
		for _, data := range saves {
			most = max(most, len(data))
		}
	}
	return most
}
