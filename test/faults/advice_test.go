package faults

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// A person who does what a message says, to the letter, and nothing else. What is lost by that is lost by the advice.

// reader is such a person.
type reader struct {
	w *world
	// last says that of several things that a message advises the last one is done, and not the first.
	last bool
	// since is the line of the trace from which on events are read.
	since int
	// right is what the record is restored from, by the Secret's name.
	right map[string][]byte
	done  map[string]bool
}

// advice is something that messages advise, and what a person does about it.
type advice struct {
	text *regexp.Regexp
	// do does it as the whole message says; match is what the text matched. It returns false if that can't be done.
	do func(r *reader, message string, match []string) bool
}

var serverID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// allAdvice is what messages advise.
func allAdvice() []advice {
	return []advice{
		{regexp.MustCompile(`delete it\b|delete that server|delete the server|delete server|remove the one|delete one`), (*reader).deleteServer},
		{regexp.MustCompile(`unlock it`), (*reader).unlock},
		{regexp.MustCompile(`restore (it|the record|the Secret)|put the right (one|record) there|right record`), (*reader).restoreRecord},
		{regexp.MustCompile(`(?:annotate|with) .*?(` + regexp.QuoteMeta(hivev1.AnnotationRemakeServer) + `|` + regexp.QuoteMeta(hivev1.AnnotationLeaveOutServer) + `): "([^"]+)"`), (*reader).order},
		{regexp.MustCompile(`repair (it|the server)`), (*reader).repair},
		{regexp.MustCompile(`restore that server`), (*reader).repair},
		{regexp.MustCompile(`reset the state of server`), (*reader).reset},
		{regexp.MustCompile(`reboot the server hard`), (*reader).reboot},
		{regexp.MustCompile(`delete the ClusterDeployment`), (*reader).giveUp},
	}
}

// servers returns the IDs of the servers that a message names and that are there.
func (r *reader) servers(message string) []string {
	var out []string
	for _, id := range serverID.FindAllString(message, -1) {
		if s, ok := r.w.cloud.Server(id); ok && s.Status != "DELETED" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, id := range r.w.shape.clusters {
		for _, s := range r.w.serversOf(id) {
			if strings.Contains(message, s.Name) {
				out = append(out, s.ID)
			}
		}
	}
	return out
}

func (r *reader) deleteServer(message string, _ []string) bool {
	ids := r.servers(message)
	if len(ids) == 0 {
		return false
	}
	r.w.trace.add("PERSON: deletes server %s", ids[len(ids)-1])
	return r.w.cloud.DeleteServer(ids[len(ids)-1])
}

func (r *reader) unlock(message string, _ []string) bool {
	did := false
	for _, id := range r.servers(message) {
		did = r.w.cloud.UnlockServer(id) || did
	}
	r.w.trace.add("PERSON: unlocks the server")
	return did
}

// restoreRecord puts the record back that was saved last before somebody meddled with it.
func (r *reader) restoreRecord(string, []string) bool {
	did := false
	for _, key := range r.w.keys() {
		if data, ok := r.right[recordKey(key).Name]; ok {
			r.w.trace.add("PERSON: restores the record of %s", key.Name)
			r.w.putRecord(key, data)
			did = true
		}
	}
	if did {
		r.w.touch()
	}
	return did
}

func (r *reader) order(_ string, match []string) bool {
	id := r.w.shape.clusters[0]
	r.w.trace.add("PERSON: sets %s: %s", match[1], match[2])
	// The message says what is lost by that, and the owner wants it.
	r.w.lost[r.w.machine(match[2])] = true
	r.w.annotate(id, match[1], match[2])
	return true
}

func (r *reader) repair(message string, _ []string) bool {
	did := false
	for _, id := range r.servers(message) {
		if s, _ := r.w.cloud.Server(id); s.Status == "ERROR" || s.Status == "SUSPENDED" || s.Status == "SOFT_DELETED" {
			did = r.w.cloud.SetServerState(id, "ACTIVE") || did
		}
	}
	r.w.trace.add("PERSON: repairs the server")
	return did
}

// reset ends the task of a server that an operation has left behind, and reboots it.
func (r *reader) reset(message string, _ []string) bool {
	did := false
	for _, id := range r.servers(message) {
		if s, _ := r.w.cloud.Server(id); s.TaskState != "" {
			r.w.trace.add("PERSON: has the state of %s reset, and reboots it", s.Name)
			did = r.w.cloud.SetServerState(id, "ACTIVE") && r.w.cloud.SetPowerState(id, 1) || did
		}
	}
	return did
}

// reboot has the servers that messages speak of run again whose hypervisor contradicts Nova.
func (r *reader) reboot(message string, _ []string) bool {
	did := false
	for _, s := range r.w.serversOf(r.w.shape.clusters[0]) {
		if strings.Contains(message, s.Name) && s.Status == "ACTIVE" && s.PowerState != 1 {
			r.w.trace.add("PERSON: reboots %s", s.Name)
			did = r.w.cloud.SetPowerState(s.ID, 1) || did
		}
	}
	return did
}

// giveUp looks at what would be lost if the ClusterDeployment were deleted: a cluster that is whole is not to be given up.
func (r *reader) giveUp(message string, _ []string) bool {
	if r.w.whole() {
		r.w.violate("advice", "every disk of the cluster is whole, and a message says to delete its ClusterDeployment: %s", message)
	}
	return false
}

// whole reports whether of every machine there is a live server or a snapshot that holds all it ever wrote.
func (w *world) whole() bool {
	whole := true
	w.cloud.View(func(v *cloud.View) {
		for name, m := range w.standings(v) {
			whole = whole && !w.lost[name] && (m.live >= m.written || m.saved >= m.written)
		}
	})
	return whole
}

// obey does one thing that a message advises which was not done yet. It returns false if there is none.
func (r *reader) obey() bool {
	for _, message := range r.messages() {
		all := r.found(message)
		if r.last {
			slices.Reverse(all)
		}
		for _, f := range all {
			if r.done[f.text+message] {
				continue
			}
			r.done[f.text+message] = true
			r.w.advised = message
			if f.do() {
				return true
			}
		}
	}
	return false
}

// found is one piece of advice in a message.
type found struct {
	at   int
	text string
	do   func() bool
}

// found returns what a message advises, in its order.
func (r *reader) found(message string) []found {
	var out []found
	for _, a := range allAdvice() {
		if at := a.text.FindStringSubmatchIndex(message); at != nil {
			match := a.text.FindStringSubmatch(message)
			out = append(out, found{at: at[0], text: match[0], do: func() bool { return a.do(r, message, match) }})
		}
	}
	slices.SortFunc(out, func(a, b found) int { return a.at - b.at })
	return out
}

// messages returns what the conditions say, and what events have said.
func (r *reader) messages() []string {
	var out []string
	for _, key := range r.w.keys() {
		if cd := r.w.hub.cd(key); cd != nil {
			for _, c := range cd.Status.Conditions {
				out = append(out, c.Message)
			}
		}
	}
	for _, line := range r.w.trace.since(r.since) {
		if _, event, ok := strings.Cut(line, "   event "); ok {
			out = append(out, event)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reader returns a person who reads what is said from now on, and has a copy of each record as it is saved now.
func (w *world) reader(last bool) *reader {
	r := &reader{w: w, last: last, since: w.trace.length(), right: map[string][]byte{}, done: map[string]bool{}}
	for _, key := range w.keys() {
		if s := w.hub.secret(recordKey(key)); s != nil {
			r.right[s.Name] = s.Data[hibernation.RecordKey]
		}
	}
	return r
}

// mostAdvice is how many things a person does in a row before he gives up.
const mostAdvice = 8

// obeyUntil has the person do what messages say until something is so, each time after a while in which it is not.
func (r *reader) obeyUntil(so func() bool) {
	for range mostAdvice {
		if r.w.until(2*time.Hour, so) || !r.obey() {
			return
		}
		r.w.wait(judgedAfter)
		r.w.check("what was advised")
	}
	r.w.until(2*time.Hour, so)
}

// Whatever somebody does behind our back, nothing is lost by what messages then say to do about it.
func TestS06Advice(t *testing.T) {
	for _, s := range othersShapes()[:2] {
		for _, f := range deedFlows(s) {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				calls := reference(t, s, f)
				for i, d := range otherDeeds() {
					if d.role == "worker" && s.workers == 0 || d.only != nil && !d.only(s, f) {
						continue
					}
					for n := 1; n <= len(calls); n++ {
						if !advised(i, n) {
							continue
						}
						last := (n+i)%2 == 0
						t.Run(fmt.Sprintf("%d-%s-last-%v", n, d.name, last), func(t *testing.T) {
							inWorld(t, s, *first, func(w *world) { w.obeyAfter(f, d, calls[n-1:], last) })
						})
					}
				}
			})
		}
	}
}

// advised reports whether a row of TestS06Advice is tried: all, every seventh with -full, otherwise only a few.
func advised(deed, n int) bool {
	switch {
	case *every:
		return true
	}
	return (n*29+deed*13)%211 == 0
}

// obeyAfter has somebody do something at a call, and then a person do what messages say.
func (w *world) obeyAfter(f flow, d otherDeed, coming []call, last bool) {
	m := &meddling{world: w, deed: d, flow: f, coming: coming}
	w.others = true
	if d.role != "" {
		m.name = w.named(d.role)
	}
	w.start(f, w.at(coming[0].n, m.strike))
	w.until(flowWithin, func() bool { return w.counted >= coming[0].n })
	if !m.happened {
		return
	}
	tried.faults.Add(1)
	w.wait(judgedAfter)
	m.judge()
	if m.dead {
		return
	}
	r := w.reader(last)
	r.since = m.line
	w.until(inForce, func() bool { return f.over(w) })
	r.obeyUntil(func() bool { return m.over(w.wanted()) })
	w.orderAll(runningNow)
	r.obeyUntil(func() bool { return m.over(runningNow) })
	w.counting = false
	w.check("what was advised")
}
