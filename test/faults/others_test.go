package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// Others at work on the cloud: at every call of a flow somebody does something, once.

// otherDeed is something that somebody else does.
type otherDeed struct {
	name string
	// role is that of the machine that it is done to.
	role string
	// only, unless nil, says in which flows.
	only func(shape, flow) bool
	// do does it, or returns false if there is nothing at that moment that it could be done to.
	do func(*meddling) bool
	// about is what a message has to name if the flow can't go on without a person; the machine if it is nil.
	about func(*meddling) []string
	// advice are words, of which a message that a person needs has to use one.
	advice []string
	// undo, unless nil, is what a person then does about it; by default after an hour.
	undo  func(*meddling)
	lasts time.Duration
}

// meddling is a deed in a world.
type meddling struct {
	*world
	deed otherDeed
	flow flow
	// coming are the calls that follow in an undisturbed run.
	coming []call
	// happened says that it was done, at a moment when the trace had so many lines.
	happened bool
	at       time.Time
	line     int
	// name is the machine that it is about, as it is called in the beginning.
	name string
	// image, port, network, flavor and made are what a deed remembers for its undoing.
	image, port, network string
	flavor               cloud.FlavorSpec
	made                 cloud.Server
	// missable says that the snapshot was deleted when the machine's server was there, which nobody deletes who looks.
	missable bool
	// dead says that the cluster can't live any more: a disk of its control plane is destroyed.
	dead bool
	// spare says that there was an old copy at least of the machine.
	spare bool
	// ordered is the annotation with which a person has ordered to go back to one, or to do without the machine.
	ordered string
}

// othersShapes are the clusters that it is tried on.
func othersShapes() []shape {
	out := []shape{
		{name: "one", masters: 1, keyName: "admin"},
		{name: "pair", masters: 1, workers: 1, keyName: "admin"},
	}
	if *every {
		out = append(out, shape{name: "six", masters: 3, workers: 3, keyName: "admin"})
	}
	return out
}

// deedFlows are the flows that are disturbed: those that any cluster goes through, and to hibernate again soon after a resume.
func deedFlows(s shape) []flow {
	again := flow{
		name: "hibernate-again", prepare: awake,
		begin: func(w *world) { w.orderAll(hibernating) }, over: func(w *world) bool { return w.allShow(hibernating) },
	}
	return append(flows(s), again)
}

// Whatever somebody does behind our back: all that he has not destroyed himself is kept, a person is told what to do where the
// flow can't go on without one, and then it goes on.
func TestOthers(t *testing.T) {
	for _, s := range othersShapes() {
		for _, f := range deedFlows(s) {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				tryOthers(t, s, f)
			})
		}
	}
}

// tryOthers does each deed at the calls of a flow. At every second call the cluster bears orders about the machine, which were
// forgotten on it.
func tryOthers(t *testing.T, s shape, f flow) {
	t.Helper()
	calls := [2]map[string][]call{{"": reference(t, s, f)}, {"": reference(t, s, f)}}
	for i, d := range otherDeeds() {
		if d.role == "worker" && s.workers == 0 || d.only != nil && !d.only(s, f) {
			continue
		}
		kinds := [2]flow{f, forgetful(f, d.role)}
		if calls[1][d.role] == nil {
			calls[0][d.role], calls[1][d.role] = calls[0][""], reference(t, s, kinds[1])
		}
		for n := 1; n <= max(len(calls[0][d.role]), len(calls[1][d.role])); n++ {
			of, coming := kinds[(n+1)%2], calls[(n+1)%2][d.role]
			if n > len(coming) || !chosen(s, i, n) {
				continue
			}
			t.Run(fmt.Sprintf("%d-%s", n, d.name), func(t *testing.T) {
				inWorld(t, s, *first, func(w *world) { w.meddle(of, d, coming[n-1:]) })
			})
		}
	}
}

// forgetful is a flow of a cluster that bears orders from before that were not taken back: nobody means them any more.
func forgetful(f flow, role string) flow {
	if role == "" {
		return f
	}
	prepare := f.prepare
	f.prepare = func(w *world) {
		id, name := w.shape.clusters[0], w.named(role)
		w.trace.add("PERSON: has forgotten orders about %s", name)
		w.annotate(id, hivev1.AnnotationRemakeServer, name)
		w.annotate(id, hivev1.AnnotationLeaveOutServer, name)
		prepare(w)
	}
	return f
}

// chosen tells whether a row is tried: all, of the large cluster every fifth; with -full every fifth, otherwise only a few.
func chosen(s shape, deed, n int) bool {
	switch {
	case *every:
		return s.name != "six" || (n+deed)%5 == 0
	case *full:
		return (n+deed)%5 == 0
	}
	return (n*31+deed*17)%97 == 0
}

// inForce is how long a deed lasts before a person undoes it.
const inForce = time.Hour

// judgedAfter is how long it takes until it shows what a deed has destroyed: a server is gone, an upload has ended.
const judgedAfter = 10*time.Second + 13*time.Microsecond

// meddle runs a flow in which somebody does something right before the first of the calls that are to come.
func (w *world) meddle(f flow, d otherDeed, coming []call) {
	n := coming[0].n
	m := &meddling{world: w, deed: d, flow: f, coming: coming}
	w.others = true
	if m.deed.lasts == 0 {
		m.deed.lasts = inForce
	}
	if d.role != "" {
		m.name = w.named(d.role)
	}
	w.start(f, w.at(n, m.strike))
	w.until(flowWithin, func() bool { return w.counted >= n })
	if !m.happened {
		return
	}
	tried.faults.Add(1)
	w.goOn(m)
}

// strike does the deed.
func (m *meddling) strike() {
	m.line, m.at = m.trace.length(), time.Now()
	m.spare = m.name != "" && m.keptOf(m.name)
	if m.happened = m.deed.do(m); m.happened {
		m.trace.add("SOMEBODY: %s %s", m.deed.name, m.name)
	}
}

// goOn runs the flow on with the deed in force, has a person do what has to be done, and looks at what became of it.
func (w *world) goOn(m *meddling) {
	w.wait(judgedAfter)
	m.judge()
	reached := w.reach(m, m.deed.lasts)
	w.counting = false
	if !reached {
		m.checkTold()
	}
	if m.dead {
		m.bury()
		return
	}
	if m.deed.undo != nil {
		w.trace.add("PERSON: undoes it")
		m.deed.undo(m)
	}
	m.remake()
	if !reached && w.wanted() == hibernating && !w.until(wakeWithin, func() bool { return m.over(hibernating) || m.obey() }) {
		w.violate("stuck", "it does not hibernate %s after everything was put right: %s", wakeWithin, w.conditions())
	}
	w.orderAll(runningNow)
	w.until(2*time.Hour, func() bool { return m.over(runningNow) || m.obey() })
	m.remake()
	m.revive()
	if w.keeps() {
		w.until(2*time.Hour, func() bool { m.letGo(); return !w.keeps() })
	}
	w.finish()
	m.checkVictim()
	m.checkOrdered()
}

// keeps tells whether a record holds a machine that is out of its cluster's hibernation, and whose snapshot is kept.
func (w *world) keeps() bool {
	return slices.ContainsFunc(w.keys(), func(key types.NamespacedName) bool {
		r := w.hub.record(key)
		return r != nil && slices.ContainsFunc(r.Machines, func(m *hibernation.Machine) bool { return m.Kept != nil })
	})
}

// reach runs the flow to its end, and if that is to hibernate, wakes the cluster again; each for so long at most.
func (w *world) reach(m *meddling, lasts time.Duration) bool {
	if !w.until(lasts, func() bool { return m.flow.over(w) }) {
		return false
	}
	if w.wanted() != hibernating {
		return true
	}
	w.orderAll(runningNow)
	return w.until(lasts, func() bool { return m.over(runningNow) })
}

// unseen tells whether something happens too late to be seen before a request that is to come: between the last look and the
// request nothing can keep the one from the other.
func (m *meddling) unseen(op string, looks ...string) bool {
	for _, c := range m.coming {
		switch {
		case c.op == op && strings.HasPrefix(c.target, m.name):
			return true
		case slices.Contains(looks, c.op) && (strings.HasPrefix(c.target, "?tags=") || strings.HasPrefix(c.target, m.name)):
			// The list by names comes after the one by tags, and adds only what that has not shown.
			return false
		}
	}
	return false
}

// The requests that show what state servers are in, and which images there are.
var (
	serverLooks = []string{"nova.server.list", "nova.server.get", "nova.instanceaction.list"}
)

// over tells whether the clusters are where they are to be.
func (m *meddling) over(state hivev1.ClusterPowerState) bool {
	return m.allShow(state) && (state == hibernating || m.awake())
}

// wanted returns what the first cluster is to be.
func (w *world) wanted() hivev1.ClusterPowerState {
	if cd := w.hub.cd(key(w.shape.clusters[0])); cd != nil {
		return cd.Spec.PowerState
	}
	return ""
}

// named returns the name of the first cluster's first machine of a role.
func (w *world) named(role string) string {
	i := slices.IndexFunc(w.initial.names, func(name string) bool { return strings.Contains(name, w.shape.clusters[0]+"-"+role+"-") })
	return w.initial.names[i]
}

// was returns a machine as it was in the beginning.
func (w *world) was(name string) *cloud.Server {
	i := slices.IndexFunc(w.initial.servers, func(s cloud.Server) bool { return s.Name == name })
	return &w.initial.servers[i]
}

// server returns the machine's server, if it has one that is not ending.
func (m *meddling) server() (cloud.Server, bool) {
	for _, s := range m.serversOf(m.shape.clusters[0]) {
		if m.machine(s.Name) == m.name && s.TaskState != "deleting" && s.TaskState != "soft-deleting" {
			return s, true
		}
	}
	return cloud.Server{}, false
}

// checkTold: since the deed a condition or an event has named what it is about, and said what to do.
func (m *meddling) checkTold() {
	names := []string{m.name}
	if m.deed.about != nil {
		names = m.deed.about(m)
	}
	for _, said := range m.said() {
		if containsAny(said, names) && (len(m.deed.advice) == 0 || containsAny(said, m.deed.advice)) {
			return
		}
	}
	m.violate("silent", "the cluster is not where it is to be, and nothing names any of %q and says any of %q: %s", names, m.deed.advice, m.conditions())
}

func containsAny(text string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// said returns what conditions and events have said since the deed.
func (m *meddling) said() []string {
	var out []string
	for _, key := range m.keys() {
		for _, v := range m.hub.versions[key] {
			if v.cd == nil || v.at.Before(m.at) {
				continue
			}
			for _, c := range v.cd.Status.Conditions {
				out = append(out, c.Message)
			}
		}
	}
	for _, line := range m.trace.since(m.line) {
		if _, event, ok := strings.Cut(line, "   event "); ok {
			out = append(out, event)
		}
	}
	return out
}
