package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// deed is something that happens once, at a call.
type deed struct {
	name string
	// only, unless nil, says at which calls.
	only func(*call) bool
	do   func(w *world, c *call)
}

// happening has a deed done right before the n-th call.
func (w *world) happening(d deed, n int) func(*call, bool) *fault {
	happened := false
	return func(c *call, done bool) *fault {
		if c.n == n && !done && !happened {
			happened = true
			w.trace.add("happens: %s", d.name)
			d.do(w, c)
			if c.process.dead.Load() {
				return dead(c)
			}
		}
		return nil
	}
}

// tryDeeds tries deeds at the calls of flows.
func tryDeeds(t *testing.T, at stride, pick func(shape, flow) bool, deeds []deed) {
	t.Helper()
	eachPoint(t, at, pick, func(t *testing.T, s shape, f flow, n int, calls []call) {
		for _, d := range deeds {
			if d.only != nil && !d.only(&calls[n-1]) {
				continue
			}
			t.Run(fmt.Sprintf("%d-%s", n, d.name), func(t *testing.T) {
				tried.faults.Add(1)
				inWorld(t, s, *first, func(w *world) {
					w.pass(f, w.happening(d, n))
					w.finish()
				})
			})
		}
	})
}

func small(s shape, _ flow) bool { return s.name == "one" || s.name == "six" && *every }

// Two managers at work on one cluster: leader election has failed.
func TestTwoManagers(t *testing.T) {
	tryDeeds(t, complete(7), small, []deed{
		{name: "another manager starts", do: func(w *world, _ *call) { w.startProcess() }},
		{name: "the manager stalls", do: stall},
		{name: "the manager stalls, and has seen nothing new", do: func(w *world, c *call) {
			c.process.thaws = time.Now().Add(20 * time.Minute)
			stall(w, c)
		}},
	})
}

// stalls is for how long a process stalls: longer than any claim and any deadline.
const stalls = 4 * time.Minute

// stall stops a process right before its call, and another one takes its place. When it goes on, the deadline of what it was
// about to send is over.
func stall(w *world, c *call) {
	w.startProcess()
	_ = w.pause(context.Background(), stalls)
	w.trace.add("%s goes on", c.process.name)
	if c.http != nil && c.http.Request.Context().Err() != nil {
		c.expired = true
	}
}

// Caches that lag behind, watches that are lost, an older order that is replayed after a restart.
func TestStaleCaches(t *testing.T) {
	lag := func(by time.Duration) func(*world, *call) {
		return func(_ *world, c *call) { c.process.lag = by }
	}
	tryDeeds(t, complete(9), small, []deed{
		{name: "the cache lags by 10 seconds", do: lag(10 * time.Second)},
		{name: "the cache lags by 5 minutes", do: lag(5 * time.Minute)},
		{name: "the watch is lost for 10 minutes", do: func(_ *world, c *call) { c.process.thaws = time.Now().Add(10 * time.Minute) }},
		{name: "the order is taken back and the watch is lost", do: func(w *world, c *call) {
			c.process.thaws = time.Now().Add(10 * time.Minute)
			w.turnAll()
		}},
		{name: "the order is taken back and replayed after a restart", do: func(w *world, c *call) {
			w.turnAll()
			c.process.kill()
			w.later(restartsAfter, func() { w.startProcess().lag = 3 * time.Minute })
		}},
		{name: "the order is taken back twice", do: func(w *world, c *call) {
			c.process.lag = 5 * time.Second
			w.turnAll()
			w.later(20*time.Second, w.turnAll)
		}},
		{name: "the record is read as it was", do: func(_ *world, c *call) { c.process.staleSecrets = 30 * time.Second }},
	})
}

// turnAll orders every cluster to be the opposite.
func (w *world) turnAll() {
	for _, id := range w.shape.clusters {
		to := hibernating
		if cd := w.hub.cd(key(id)); cd != nil && cd.Spec.PowerState == hibernating {
			to = runningNow
		}
		w.order(id, to)
	}
}

// The Secret of the record and the ClusterDeployment are changed, deleted and put back by somebody.
func TestMeddling(t *testing.T) {
	tryDeeds(t, complete(9), small, []deed{
		{name: "the record is deleted", do: func(w *world, _ *call) { w.eachRecord(w.deleteRecord) }},
		{name: "the record is lost and put back", do: func(w *world, _ *call) { w.eachRecord(w.loseRecord) }},
		{name: "the record is put back as it was three saves ago", do: func(w *world, _ *call) { w.eachRecord(w.putBackOld) }},
		{name: "the record is malformed for a while", do: func(w *world, _ *call) { w.eachRecord(w.garble) }},
		{name: "the record's finalizer is taken away", do: func(w *world, _ *call) {
			w.eachRecord(func(s *corev1.Secret) { s.Finalizers = nil; w.putSecret(s) })
		}},
		{name: "the finalizer is taken away", do: func(w *world, _ *call) {
			w.hub.edit(key(infraID), func(cd *hivev1.ClusterDeployment) { cd.Finalizers = nil })
		}},
		{name: "the status is wiped", do: func(w *world, _ *call) {
			w.hub.editStatus(key(infraID), func(cd *hivev1.ClusterDeployment) { cd.Status = hivev1.ClusterDeploymentStatus{} })
		}},
		{name: "the ClusterDeployment is lost and put back", do: (*world).loseClusterDeployment},
		{name: "the clock is set back by an hour", do: func(w *world, _ *call) { w.skew(-time.Hour) }},
		{name: "the clock is set forward by an hour", do: func(w *world, _ *call) { w.skew(time.Hour) }},
		{name: "a newer manager has been at work", do: (*world).upgrade},
	})
}

func (w *world) eachRecord(do func(*corev1.Secret)) {
	w.meddled = true
	for _, key := range w.keys() {
		if s := w.hub.secret(recordKey(key)); s != nil {
			do(s)
		}
	}
}

// putSecret writes a Secret as somebody does who knows nothing of versions.
func (w *world) putSecret(s *corev1.Secret) {
	s = s.DeepCopy()
	s.ResourceVersion = ""
	if old := w.hub.secret(types.NamespacedName{Namespace: s.Namespace, Name: s.Name}); old != nil {
		s.ResourceVersion, s.UID = old.ResourceVersion, old.UID
		must(w.hub.shelf.Update(context.Background(), s))
		return
	}
	s.DeletionTimestamp = nil
	w.hub.newUID(s)
	must(w.hub.shelf.Create(context.Background(), s))
}

func (w *world) deleteRecord(s *corev1.Secret) {
	must(w.hub.shelf.Delete(context.Background(), s))
}

// comesBack is when somebody puts back what was lost.
const comesBack = 15 * time.Minute

// loseRecord deletes the record, finalizer and all, and puts it back later, unless there is another one by then.
func (w *world) loseRecord(s *corev1.Secret) {
	s.Finalizers = nil
	w.putSecret(s)
	if now := w.hub.secret(types.NamespacedName{Namespace: s.Namespace, Name: s.Name}); now != nil {
		must(w.hub.shelf.Delete(context.Background(), now))
	}
	w.later(comesBack, func() {
		if w.hub.secret(types.NamespacedName{Namespace: s.Namespace, Name: s.Name}) == nil {
			w.trace.add("the record is put back")
			w.putSecret(s)
			w.touch()
		}
	})
}

// touch has the ClusterDeployments visited, as somebody does who has put a record back.
func (w *world) touch() {
	for _, key := range w.keys() {
		w.hub.edit(key, func(cd *hivev1.ClusterDeployment) { cd.Annotations = map[string]string{"touched": fmt.Sprint(w.calls)} })
	}
}

// putBackOld puts an old copy of the record in place. A person puts the right one back if that is what a condition asks for.
func (w *world) putBackOld(s *corev1.Secret) {
	saves := w.hub.saves[s.Name]
	if len(saves) < 4 {
		return
	}
	old := s.DeepCopy()
	old.Data = map[string][]byte{hibernation.RecordKey: saves[len(saves)-4]}
	w.putSecret(old)
	w.remedy = func() {
		if says := w.conditions(); strings.Contains(says, "old copy of the record") || strings.Contains(says, "restore the record") {
			w.trace.add("the right record is put back")
			w.putSecret(s)
		}
	}
}

func (w *world) garble(s *corev1.Secret) {
	broken := s.DeepCopy()
	broken.Data = map[string][]byte{hibernation.RecordKey: s.Data[hibernation.RecordKey][:len(s.Data[hibernation.RecordKey])/2]}
	w.putSecret(broken)
	w.later(comesBack, func() {
		w.trace.add("the right record is put back")
		w.putSecret(s)
	})
}

// loseClusterDeployment takes a ClusterDeployment away as a restore of the hub does, and makes it anew without a status.
func (w *world) loseClusterDeployment(*call) {
	was := w.hub.cd(key(infraID))
	if was == nil {
		return
	}
	w.hub.edit(key(infraID), func(cd *hivev1.ClusterDeployment) { cd.Finalizers = nil })
	w.hub.remove(key(infraID))
	w.later(comesBack, func() {
		w.trace.add("the ClusterDeployment is put back")
		w.introduce(infraID)
		w.order(infraID, was.Spec.PowerState)
	})
}

// skew sets the clocks of all processes, those that come later too.
func (w *world) skew(by time.Duration) { w.skewed.Store(int64(by)) }

// upgrade has the record hold what only a newer manager knows, which may not get lost as long as it is there.
func (w *world) upgrade(*call) {
	w.eachRecord(func(s *corev1.Secret) {
		var fields map[string]any
		must(json.Unmarshal(s.Data[hibernation.RecordKey], &fields))
		fields["tomorrow"] = map[string]any{"is": "another day"}
		data, err := json.Marshal(fields)
		must(err)
		s.Data[hibernation.RecordKey] = data
		w.putSecret(s)
		w.kept[s.Name] = `"tomorrow"`
	})
}

// checkKept: what our types don't know survives every save.
func (w *world) checkKept(s *corev1.Secret) {
	if text := w.kept[s.Name]; text != "" && !strings.Contains(string(s.Data[hibernation.RecordKey]), text) {
		w.violate("unknown-field", "the record no longer has %s", text)
	}
}
