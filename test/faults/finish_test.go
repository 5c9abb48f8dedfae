package faults

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
)

// What must hold in the end.

// inventory is what there is in the cloud.
type inventory struct {
	// machines are the clusters' servers: the infraID by the name.
	machines map[string]string
	names    []string
	servers  []cloud.Server
	others   []cloud.Server
	images   []cloud.Image
	ports    []cloud.Port
	volumes  int
}

func (w *world) takeInventory() inventory {
	inv := inventory{machines: map[string]string{}, images: w.cloud.Images(), ports: w.cloud.Ports(), volumes: len(w.cloud.Volumes())}
	for _, s := range w.cloud.Servers() {
		id := s.Metadata["openshiftClusterID"]
		switch {
		case s.Status == "DELETED" || s.Status == "SOFT_DELETED":
		case slices.Contains(w.shape.clusters, id):
			inv.machines[s.Name] = id
			inv.names = append(inv.names, s.Name)
			inv.servers = append(inv.servers, s)
		default:
			inv.others = append(inv.others, s)
		}
	}
	sort.Strings(inv.names)
	byName := func(list []cloud.Server) func(i, j int) bool {
		return func(i, j int) bool { return list[i].Name < list[j].Name }
	}
	sort.SliceStable(inv.servers, byName(inv.servers))
	sort.SliceStable(inv.others, byName(inv.others))
	return inv
}

// likeness is a server without what a new one may have different.
func likeness(s cloud.Server, awake bool) cloud.Server {
	s.ID, s.ImageID, s.VMState, s.PowerState, s.Writes, s.UserData, s.User, s.Host, s.Ran = "", "", "", 0, 0, "", "", "", false
	if awake {
		s.Status = "ACTIVE"
	}
	s.Created, s.Launched, s.Terminated = time.Time{}, time.Time{}, time.Time{}
	slices.Sort(s.Tags)
	return s
}

const (
	// wakeWithin is how long anything may take once nothing is wrong any more: the longest backoff, and a cycle.
	wakeWithin = 8 * time.Hour
	// tidyWithin is how long it may take after that until nothing is left.
	tidyWithin = 4 * time.Hour
	mostPasses = 4000
)

// finish ends all disturbance, has every cluster run, and looks whether it is as it was and nothing is left.
func (w *world) finish() {
	w.disturbers = nil
	w.counting = false
	w.cloud.ClearRules()
	if w.shape.mend != nil {
		w.shape.mend(w)
	}
	w.until(2*time.Hour, func() bool { return w.pending.Load() == 0 })
	w.wait(time.Second)
	if len(w.live()) == 0 {
		w.startProcess()
	}
	for _, key := range w.keys() {
		w.hub.edit(key, func(cd *hivev1.ClusterDeployment) { cd.Spec.HibernateAfter = nil })
	}
	w.orderAll(hivev1.ClusterPowerStateRunning)
	w.passes = 0
	wakes := func() bool { return w.allShow(hivev1.ClusterPowerStateRunning) && w.passesLeft() && w.awake() }
	if w.remedy != nil && !w.until(time.Hour, wakes) {
		w.remedy()
	}
	if !w.until(wakeWithin, wakes) {
		w.violate("never-wakes", "%s after nothing is wrong any more: %s", wakeWithin, w.conditions())
		return
	}
	w.checkAttributes()
	if w.inUse() {
		w.cloud.SetImagesInUse(false)
	}
	if !w.until(tidyWithin, w.idle) {
		w.violate("left-over", "the record or the finalizer is still there: %s", w.conditions())
		return
	}
	w.checkLeftovers()
	w.checkAttributes()
	// What was restarted a moment ago may not be up yet.
	w.wait(time.Minute)
	// A manager whose cache was old may have begun a hibernation meanwhile, which it undoes.
	w.until(tidyWithin, func() bool { return wakes() && w.idle() })
	w.checkInside()
	w.checkQuiet()
}

func (w *world) passesLeft() bool {
	if w.passes > mostPasses {
		w.violate("never-wakes", "not done after %d passes", w.passes)
	}
	return true
}

// awake tells whether no cluster is on its way any more: its status may still be that of before.
func (w *world) awake() bool {
	for _, id := range w.shape.clusters {
		if r := w.hub.record(key(id)); r != nil && (r.Cut != nil || r.Sealed != nil && r.Opened == nil) {
			return false
		}
		for _, s := range w.serversOf(id) {
			if s.Status == "PAUSED" || s.Status == "BUILD" || s.TaskState != "" {
				return false
			}
		}
	}
	return true
}

func (w *world) conditions() string {
	var out []string
	for _, id := range w.shape.clusters {
		out = append(out, id+": "+w.condition(id))
	}
	return strings.Join(out, " | ")
}

// checkAttributes: every machine is there once, as it was.
func (w *world) checkAttributes() {
	now := w.takeInventory()
	slept := now.servers != nil && !sameIDs(now.servers, w.initial.servers)
	have, want := w.likenesses(now.servers, slept), w.likenesses(w.initial.servers, slept)
	for name, was := range want {
		is, ok := have[name]
		switch {
		case !ok:
			w.violate("missing", "%s is gone", name)
		case !reflect.DeepEqual(was, is):
			w.violate("attributes", "%s: %s", name, difference(was, is))
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok && !w.lost[name] {
			w.violate("attributes", "%s was not there before", name)
		}
	}
	if !reflect.DeepEqual(without(now.others), without(w.initial.others)) {
		w.violate("foreign", "others' servers were %+v and are %+v", w.initial.others, now.others)
	}
}

// difference names the fields in which two servers differ.
func difference(was, is cloud.Server) string {
	var out []string
	a, b := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range a.NumField() {
		if x, y := a.Field(i).Interface(), b.Field(i).Interface(); !reflect.DeepEqual(x, y) {
			out = append(out, fmt.Sprintf("%s was %v and is %v", a.Type().Field(i).Name, x, y))
		}
	}
	return strings.Join(out, ", ")
}

func without(list []cloud.Server) []cloud.Server {
	out := slices.Clone(list)
	for i := range out {
		out[i].Writes = 0
	}
	return out
}

func sameIDs(a, b []cloud.Server) bool {
	return slices.EqualFunc(a, b, func(x, y cloud.Server) bool { return x.ID == y.ID })
}

// likenesses returns what is compared of the machines that have to be there, by name. Those that slept run, all of them.
func (w *world) likenesses(list []cloud.Server, slept bool) map[string]cloud.Server {
	out := map[string]cloud.Server{}
	for _, s := range list {
		id := s.Metadata["openshiftClusterID"]
		if w.lost[s.Name] || w.dropped[id] {
			continue
		}
		if _, twin := out[s.Name]; twin {
			w.violate("twin", "there are two servers called %s in the end", s.Name)
		}
		out[s.Name] = likeness(s, slept && s.Status == "SHUTOFF")
	}
	return out
}

// checkLeftovers: no image, volume or port is left, and none is gone.
func (w *world) checkLeftovers() {
	images := func(list []cloud.Image) []string {
		var out []string
		for _, img := range list {
			if !w.foreign[img.ID] && !w.strays[img.ID] && !w.lost[img.Machine] {
				out = append(out, img.Name)
			}
		}
		return sorted(out)
	}
	now := w.takeInventory()
	if have, want := images(now.images), images(w.initial.images); !slices.Equal(have, want) && !(w.inUse() && len(w.dropped) > 0) {
		w.violate("left-over", "images: %v, and there were %v", have, want)
	}
	ports := func(list []cloud.Port) []string {
		var out []string
		for _, p := range list {
			out = append(out, fmt.Sprintf("%s %s %v", p.Name, p.MAC, p.Tags))
		}
		return sorted(out)
	}
	if have, want := ports(now.ports), ports(w.initial.ports); !slices.Equal(have, want) && len(w.lost) == 0 {
		w.violate("left-over", "ports: %v, and there were %v", have, want)
	}
	if now.volumes != w.initial.volumes {
		w.violate("left-over", "%d volumes, and there were %d", now.volumes, w.initial.volumes)
	}
}

// inUse tells whether the cloud does not delete the images of which servers were made.
func (w *world) inUse() bool { return w.shape.inUse }

func sorted(list []string) []string {
	sort.Strings(list)
	return list
}

// longestWait is the longest that a manager waits before it visits a cluster again. What it was once to come back for stays in
// its queue, although the visit is no longer needed: another manager has done it, or an event came first.
const longestWait = 80 * time.Minute

// checkQuiet: once nothing is to be done, nothing is done, but that each manager finds that out once of each cluster.
func (w *world) checkQuiet() {
	w.wait(30 * time.Minute)
	w.disturbers = append(w.disturbers, w.lastLooks())
	w.wait(longestWait)
	before := w.calls
	w.wait(6 * time.Hour)
	if w.calls != before {
		w.violate("not-quiet", "%d calls in six hours in which there was nothing to do", w.calls-before)
	}
}

// lastLooks lets each manager read the record of each cluster once, which finds none: that is all a visit takes that was
// planned before the end.
func (w *world) lastLooks() func(*call, bool) *fault {
	looked := map[string]bool{}
	var records []string
	for _, key := range w.keys() {
		records = append(records, recordKey(key).Name)
	}
	return func(c *call, done bool) *fault {
		look := c.process.name + " " + c.target
		switch {
		case done:
		case c.op != "hub.secret.get" || !slices.Contains(records, c.target):
			w.violate("not-quiet", "%s calls %s when there is nothing to do any more", c.process.name, c)
		case looked[look]:
			w.violate("not-quiet", "%s reads %s again when there is nothing to do any more", c.process.name, c.target)
		default:
			looked[look] = true
		}
		return nil
	}
}
