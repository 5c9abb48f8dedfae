package faults

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// What must hold at each step. The names in brackets are those by which the planted bugs are told apart.

func (w *world) violate(check, format string, args ...any) {
	text := "[" + check + "] " + fmt.Sprintf(format, args...)
	if slices.Contains(w.violations, text) {
		return
	}
	w.trace.add("VIOLATION %s", text)
	w.violations = append(w.violations, text)
}

// blame is violate for what a person may have been advised to do.
func (w *world) blame(check, format string, args ...any) {
	if w.advised == "" {
		w.violate(check, format, args...)
		return
	}
	w.violate("advice", format+"; this was advised: %s", append(args, w.advised)...)
}

// standing is what there is of a machine.
type standing struct {
	// servers are those that could run or be made to; live is the number of writes on the disk of the best one that holds its disk
	// for sure, saved that in the best complete snapshot, written what the machine has ever written.
	servers              int
	live, saved, written int64
}

// check looks at the whole cloud, if it has changed.
func (w *world) check(after string) {
	for _, leak := range w.trace.leaked {
		w.violate("credential", "a credential is in: %s", leak)
	}
	w.cloud.View(func(v *cloud.View) {
		if v.Version() == w.checked {
			return
		}
		w.checked = v.Version()
		machines := w.standings(v)
		for _, name := range w.initial.names {
			if w.lost[name] || w.dropped[w.initial.machines[name]] {
				continue
			}
			m := machines[name]
			if m.live < m.written && m.saved < m.written {
				w.blame("lost-disk", "after %s no live server and no snapshot of %s holds the %d writes that it made", after, name, m.written)
			}
			if m.servers > 1 && !w.twins {
				w.violate("twin", "after %s there are %d servers called %s", after, m.servers, name)
			}
		}
		for _, r := range v.Regressions() {
			if !w.lost[w.machine(r.Name)] {
				w.blame("back-in-time", "%s was started with %d writes on its disk, and had written %d", r.Name, r.Started, r.Highest)
			}
		}
	})
}

// machine returns the name that a machine had in the beginning.
func (w *world) machine(name string) string {
	if was, ok := w.renamed[name]; ok {
		return was
	}
	return name
}

// add counts a server in. One that is in BUILD or in ERROR holds its disk only if its guest has run.
func (m *standing) add(s cloud.ServerView) {
	m.written = max(m.written, s.Written)
	switch s.Status {
	case "DELETED", "SOFT_DELETED":
		return
	}
	if s.Status != "ERROR" {
		m.servers++
	}
	finished := s.Status != "BUILD" && s.Status != "ERROR"
	if s.TaskState != "deleting" && (finished || s.Ran) {
		m.live = max(m.live, s.Writes)
	}
}

func (w *world) standings(v *cloud.View) map[string]*standing {
	machines := make(map[string]*standing, len(w.initial.names))
	for _, name := range w.initial.names {
		machines[name] = &standing{live: -1, saved: -1}
	}
	for s := range v.Servers() {
		m := machines[w.machine(s.Name)]
		if m == nil || s.Project != cloud.DefaultProject {
			continue
		}
		m.add(s)
	}
	for img := range v.Images() {
		if m := machines[w.machine(img.Machine)]; m != nil && img.Status == "active" {
			m.saved = max(m.saved, img.Writes)
		}
	}
	for name, m := range machines {
		if m.written == 0 {
			m.written = v.Written(cloud.DefaultProject, name)
		}
	}
	return machines
}

// checkSeal: what is sealed is one moment: each snapshot holds all that its machine has written, and none of them runs.
func (w *world) checkSeal(secret string) {
	for _, key := range w.keys() {
		if recordKey(key).Name != secret || w.meddled || !w.hub.mayBeSealed(key) {
			continue
		}
		if r := w.hub.record(key); sealed(r) {
			for _, m := range r.Machines {
				w.checkSnapshot(m)
			}
		}
	}
}

// sealed tells whether a cluster's machines are snapshots, and not servers again.
func sealed(r *hibernation.Record) bool {
	return r != nil && r.Sealed != nil && r.Cut == nil && r.Opened == nil
}

func (w *world) checkSnapshot(m *hibernation.Machine) {
	img, ok := w.cloud.Image(m.Snapshot.ID)
	if highest := w.cloud.Written(cloud.DefaultProject, m.Name); !w.lost[m.Name] && ok && (img.Writes < highest || img.CutRunning) {
		w.violate("one-cut", "the sealed snapshot of %s holds %d writes, and it has made %d (running: %v)", m.Name, img.Writes, highest, img.CutRunning)
	}
}

// guard looks at a request before it is carried out, together with the record as it is saved at that moment.
func (w *world) guard(c *call) {
	if !c.changes {
		return
	}
	guards := map[string]func(*call, string, *hibernation.Record) (string, string){
		"nova.server.pause":       w.guardPause,
		"nova.server.createImage": w.guardSnapshot,
		"nova.server.delete":      w.guardDelete,
		"nova.server.forceDelete": w.guardDelete,
		"nova.server.create":      w.guardCreate,
		"nova.server.unpause":     w.guardStart,
		"nova.server.start":       w.guardStart,
		"glance.image.delete":     w.guardImage,
		"nova.interface.create":   w.guardAttach,
		"neutron.port.update":     w.guardRelease,
		"glance.tag.add":          nil,
	}
	f, known := guards[c.op]
	if !known {
		w.violate("foreign", "nobody expects %s", c)
		return
	}
	if f == nil {
		return
	}
	infraID := w.clusterOf(c)
	if infraID == "" {
		w.violate("foreign", "%s is not of a cluster that is managed", c)
		return
	}
	record := w.hub.record(key(infraID))
	if record == nil {
		if !w.meddled {
			w.violate("intent", "%s without a record", c)
		}
		return
	}
	w.guardClaim(c, record)
	check, why := f(c, infraID, record)
	if w.meddled && (slices.Contains([]string{"seal", "intent", "abandoned"}, check) || check == "ran" && w.meddledIn == w.passes) {
		// The record that was acted upon is not the one that is there.
		return
	}
	if why != "" {
		w.violate(check, "%s: %s", c, why)
	}
}

// guardClaim: whoever changes something has his own claim in the record, so that another manager waits.
func (w *world) guardClaim(c *call, record *hibernation.Record) {
	if w.meddled || w.skewed.Load() != 0 {
		// Whose claim it is was changed by hand, or claims seemed to have lapsed.
		return
	}
	if record.Claim == nil || record.Claim.Holder != c.process.name {
		w.violate("claim", "%s by %s, and the record is claimed by %+v", c, c.process.name, record.Claim)
	}
}

// clusterOf returns the managed cluster that a changing request is about, "" if it is about none.
func (w *world) clusterOf(c *call) string {
	id := ""
	switch {
	case c.op == "nova.server.create":
		id = w.initial.machines[w.machine(bodyName(c, "server"))]
	case strings.HasPrefix(c.op, "nova."):
		s, ok := w.cloud.Server(c.http.Target)
		if !ok {
			return w.clusterOfRecord(c.http.Target)
		}
		id = s.Metadata["openshiftClusterID"]
	case strings.HasPrefix(c.op, "neutron."):
		return w.clusterOfPort(c.http.Target)
	default:
		img, ok := w.cloud.Image(c.http.Target)
		if !ok {
			return w.clusterOfImage(c.http.Target)
		}
		if w.foreign[img.ID] {
			return ""
		}
		id = img.Properties["overwinter_infra_id"]
	}
	if !slices.Contains(w.shape.clusters, id) {
		return ""
	}
	return id
}

// clusterOfRecord returns the cluster whose record names a server that exists no more.
func (w *world) clusterOfRecord(serverID string) string {
	for _, id := range w.shape.clusters {
		if r := w.hub.record(key(id)); r != nil && slices.ContainsFunc(r.Machines, func(m *hibernation.Machine) bool {
			return m.ServerID == serverID || m.Creation != nil && (m.Creation.ServerID == serverID || m.Creation.Discarded == serverID)
		}) {
			return id
		}
	}
	return ""
}

// clusterOfPort returns the cluster whose record names a port.
func (w *world) clusterOfPort(portID string) string {
	for _, id := range w.shape.clusters {
		if r := w.hub.record(key(id)); r != nil && slices.ContainsFunc(r.Machines, func(m *hibernation.Machine) bool { return hasPort(m, portID) }) {
			return id
		}
	}
	return ""
}

// clusterOfImage returns the cluster whose record names an image that exists no more.
func (w *world) clusterOfImage(imageID string) string {
	for _, id := range w.shape.clusters {
		if s := w.hub.secret(recordKey(key(id))); s != nil && strings.Contains(string(s.Data[hibernation.RecordKey]), imageID) {
			return id
		}
	}
	return ""
}

func bodyName(c *call, of string) string {
	var body map[string]struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(c.http.Body, &body) != nil {
		return ""
	}
	return body[of].Name
}

func machineOf(record *hibernation.Record, serverID string) *hibernation.Machine {
	for _, m := range record.Machines {
		if m.ServerID == serverID {
			return m
		}
	}
	return nil
}

// guardPause: what the servers are and how their snapshots will be called is saved before the first is touched.
func (w *world) guardPause(c *call, _ string, record *hibernation.Record) (string, string) {
	switch m := machineOf(record, c.http.Target); {
	case m == nil:
		return "intent", "the server is not in the record"
	case record.Cut == nil || record.Cut.Abandoned || !m.InCut:
		return "abandoned", "the server is in no cut, or in one that is given up"
	case m.Shot == nil || m.Shot.Name == "" || m.Before == "":
		return "intent", "how it is snapshotted and what it was is not saved"
	}
	return "", ""
}

// guardSnapshot: no snapshot before every server of the cluster is stopped, and none that is not saved first.
func (w *world) guardSnapshot(c *call, infraID string, record *hibernation.Record) (string, string) {
	if check, why := w.guardPause(c, infraID, record); why != "" {
		return check, why
	}
	m := machineOf(record, c.http.Target)
	if !record.Cut.Shooting || m.Shot.Asked == nil {
		return "intent", "that this snapshot is asked for is not saved"
	}
	if name := bodyName(c, "createImage"); name != m.Shot.Name {
		return "intent", fmt.Sprintf("it is called %q and %q is saved", name, m.Shot.Name)
	}
	why := ""
	w.cloud.View(func(v *cloud.View) {
		for s := range v.Servers() {
			if known := machineOf(record, s.ID); s.Cluster == infraID && s.Status == "ACTIVE" && (known == nil || known.InCut) && !w.raced[s.Name] {
				why = s.Name + " is still running"
			}
		}
	})
	return "barrier", why
}

// guardDelete: only what the sealed record names is deleted, as it was snapshotted; or what never ran.
func (w *world) guardDelete(c *call, id string, record *hibernation.Record) (string, string) {
	srv, there := w.cloud.Server(c.http.Target)
	if record.Opened != nil {
		return w.guardDiscard(srv, there, record)
	}
	m := machineOf(record, c.http.Target)
	switch {
	case m == nil:
		return "seal", "the server is not in the record"
	case record.Sealed == nil || record.Cut != nil:
		return "seal", "the record is not sealed"
	case record.Deleting == nil:
		return "intent", "that servers are deleted is not saved"
	case !c.process.hasReadSeal(id):
		return "read-back", "the record was not read, and seen to be sealed, in the same visit"
	case there && !w.lost[w.machine(srv.Name)] && !slices.Contains([]string{"PAUSED", "SHUTOFF", "SOFT_DELETED", "ERROR", "DELETED", "MIGRATING"}, srv.Status):
		// A paused server is moved as it is; guardSnapshots sees one that has run.
		return "seal", "the server is " + srv.Status
	}
	return w.guardSnapshots(c.http.Target, record)
}

// guardSnapshots: every machine has its snapshot, and that of the server holds all that it wrote.
func (w *world) guardSnapshots(serverID string, record *hibernation.Record) (string, string) {
	for _, m := range record.Machines {
		img, ok := w.cloud.Image(m.Snapshot.ID)
		if !w.lost[w.machine(m.Name)] && (!ok || img.Status != "active" || img.Properties["instance_uuid"] != m.Snapshot.ServerID) {
			return "seal", "the snapshot of " + m.Name + " is not there"
		}
		if highest := w.cloud.Written(cloud.DefaultProject, m.Name); m.ServerID == serverID && !w.lost[m.Name] && img.Writes < highest {
			return "seal", fmt.Sprintf("%d writes are in the snapshot of %s, which has made %d", img.Writes, m.Name, highest)
		}
	}
	return "", ""
}

// guardDiscard: a server that has run is never deleted to be made again.
func (w *world) guardDiscard(srv cloud.Server, there bool, record *hibernation.Record) (string, string) {
	if there && (!srv.Launched.IsZero() || w.wrote(srv)) && !w.lost[w.machine(srv.Name)] {
		return "ran", "the server has run"
	}
	if there && !slices.ContainsFunc(record.Machines, func(m *hibernation.Machine) bool { return m.Name == srv.Name }) {
		return "seal", "the server is not in the record"
	}
	return "", ""
}

// wrote reports whether a server has more on its disk than the image that it was made from.
func (w *world) wrote(srv cloud.Server) bool {
	img, ok := w.cloud.Image(srv.ImageID)
	return ok && srv.Writes > img.Writes
}

// guardCreate: that servers are made is saved first, no server is made twice, and each of its own snapshot.
func (w *world) guardCreate(c *call, _ string, record *hibernation.Record) (string, string) {
	var body struct {
		Server struct {
			Name     string `json:"name"`
			ImageRef string `json:"imageRef"`
		} `json:"server"`
	}
	if err := json.Unmarshal(c.http.Body, &body); err != nil {
		return "intent", err.Error()
	}
	if record.Sealed == nil || record.Opened == nil || record.Cut != nil {
		return "intent", "the record is not opened"
	}
	if why := w.another(body.Server.Name); why != "" {
		return "twin", why
	}
	for _, m := range record.Machines {
		if m.Name == body.Server.Name && m.Snapshot != nil && m.Snapshot.ID == body.Server.ImageRef {
			if m.Creation == nil || m.Creation.Asked == nil {
				return "intent", "that this server is asked for is not saved"
			}
			return "", ""
		}
	}
	return "intent", "it is not of a machine and its snapshot"
}

// another names a server of that name that is there; "" if there is none, or if there may be.
func (w *world) another(name string) string {
	if w.twins {
		return ""
	}
	for _, s := range w.cloud.ServersNamed(cloud.DefaultProject, name) {
		if s.Status != "DELETED" {
			return fmt.Sprintf("there is %s %s already, %s", s.Name, s.ID, s.Status)
		}
	}
	return ""
}

// guardStart: nothing runs again before the cut is given up, or its snapshots are in use.
func (w *world) guardStart(c *call, _ string, record *hibernation.Record) (string, string) {
	late := func(stray hibernation.Stray) bool { return stray.Pause && stray.ServerID == c.http.Target }
	if record.Cut == nil && slices.ContainsFunc(record.Strays, late) {
		return "", ""
	}
	if record.Cut == nil && record.Opened != nil || record.Cut != nil && record.Cut.Abandoned && (record.Sealed == nil || record.Opened != nil) {
		return "", ""
	}
	return "abandoned", "the cut is not abandoned"
}

// guardAttach: a server gets no port but one of its machine's own that nobody has.
func (w *world) guardAttach(c *call, _ string, record *hibernation.Record) (string, string) {
	var body struct {
		Attachment struct {
			Port string `json:"port_id"`
		} `json:"interfaceAttachment"`
	}
	if err := json.Unmarshal(c.http.Body, &body); err != nil {
		return "foreign", err.Error()
	}
	for _, m := range record.Machines {
		if m.Creation != nil && m.Creation.ServerID == c.http.Target && hasPort(m, body.Attachment.Port) {
			return "", ""
		}
	}
	return "foreign", "port " + body.Attachment.Port + " is not recorded for that server"
}

func hasPort(m *hibernation.Machine, id string) bool {
	return slices.ContainsFunc(m.Spec.Ports, func(p hibernation.Port) bool { return p.ID == id })
}

// guardRelease: no server loses a port but one that failed to start.
func (w *world) guardRelease(c *call, _ string, _ *hibernation.Record) (string, string) {
	for _, p := range w.cloud.Ports() {
		if p.ID != c.http.Target {
			continue
		}
		if s, ok := w.cloud.Server(p.DeviceID); ok && s.Status != "ERROR" && s.Status != "DELETED" {
			return "attributes", fmt.Sprintf("the port is taken from %s, which is %s", s.Name, s.Status)
		}
	}
	return "", ""
}

// guardImage: no image is deleted that a machine still needs.
func (w *world) guardImage(c *call, infraID string, record *hibernation.Record) (string, string) {
	img, ok := w.cloud.Image(c.http.Target)
	if !ok || img.Status != "active" || w.dropped[infraID] || w.meddled {
		return "", ""
	}
	for _, m := range record.Machines {
		if m.Snapshot != nil && m.Snapshot.ID == c.http.Target {
			return "last-copy", "it is the snapshot of " + m.Name
		}
	}
	return "", ""
}
