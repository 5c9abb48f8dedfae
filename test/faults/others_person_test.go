package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// What is lost by what somebody does, and what a person then does about it, as the messages say.

// destroys notes that somebody's deed may cost a machine what its disk holds; judge finds out whether it did.
func (m *meddling) destroys(name string) {
	m.lost[name] = true
}

// judge finds out what is lost: of a disk that is whole somewhere nothing may get lost from here on.
func (m *meddling) judge() {
	m.cloud.View(func(v *cloud.View) {
		for name, s := range m.standings(v) {
			if m.lost[name] && (s.live >= s.written || s.saved >= s.written) {
				delete(m.lost, name)
			}
		}
	})
	if m.spare && m.lost[m.name] && !m.revivable(m.name) && strings.HasPrefix(m.deed.name, "delete-") && m.vital(m.name) && !m.unseen("glance.image.delete", serverLooks...) {
		m.violate("last-copy", "the old copy of %s was deleted although its server was gone", m.name)
	}
	if _, there := m.server(); m.missable && m.lost[m.name] && !there && !m.revivable(m.name) {
		m.violate("last-copy", "the server of %s was deleted although its snapshot was gone", m.name)
	}
	m.missable = false
	m.dead = slices.ContainsFunc(m.initial.names, func(name string) bool { return m.lost[name] && m.vital(name) && !m.revivable(name) })
}

// checkOrdered: a machine goes back in time only if that was ordered.
func (m *meddling) checkOrdered() {
	for _, r := range m.cloud.Regressions() {
		if m.ordered != hivev1.AnnotationRemakeServer || m.machine(r.Name) != m.name {
			m.violate("silent", "%s was started with %d writes on its disk, and had written %d; nobody has ordered that", r.Name, r.Started, r.Highest)
		}
	}
}

// vital tells whether the cluster can't do without a machine: it has one control plane machine only.
func (m *meddling) vital(name string) bool {
	return m.shape.masters == 1 && strings.Contains(name, "-master-")
}

// revivable tells whether there is at least an old copy from which the machine is made again if somebody so decides: its
// server, or the snapshot that the record names.
func (m *meddling) revivable(name string) bool {
	for _, s := range m.serversOf(m.initial.machines[name]) {
		if m.machine(s.Name) == name {
			return true
		}
	}
	return m.keptOf(name)
}

// keptOf tells whether there is the snapshot of a machine that the record names.
func (m *meddling) keptOf(name string) bool {
	r := m.hub.record(key(m.initial.machines[name]))
	if r == nil {
		return false
	}
	return slices.ContainsFunc(r.Machines, func(rm *hibernation.Machine) bool {
		if m.machine(rm.Name) != name || rm.Snapshot == nil {
			return false
		}
		img, ok := m.cloud.Image(rm.Snapshot.ID)
		return ok && img.Size > 0
	})
}

// bury gives a cluster up whose control plane is destroyed: its ClusterDeployment is deleted.
func (m *meddling) bury() {
	id := m.shape.clusters[0]
	m.trace.add("PERSON: gives the cluster up")
	m.dropped[id] = true
	m.hub.edit(key(id), func(cd *hivev1.ClusterDeployment) { cd.Spec.PreserveOnDelete = false })
	m.hub.remove(key(id))
	m.disturbers = nil
	m.cloud.ClearRules()
	m.finishDestroyed(id, false)
}

var anyOrder = regexp.MustCompile(fmt.Sprintf(`(%s|%s): "([^"]+)"`, regexp.QuoteMeta(hivev1.AnnotationRemakeServer), regexp.QuoteMeta(hivev1.AnnotationLeaveOutServer)))

// obey sets the annotation that a condition asks for, if it is about a machine that something was done to, and lets go of what is
// needed no more. It returns false.
func (m *meddling) obey() bool {
	m.letGo()
	id := m.shape.clusters[0]
	asked := anyOrder.FindStringSubmatch(m.condition(id))
	if asked == nil {
		return false
	}
	annotation, name := asked[1], asked[2]
	if m.machine(name) != m.name {
		m.violate("annotation", "%s is asked for of %s, and nothing was done to it: %s", annotation, name, m.condition(id))
		return false
	}
	bears := m.hub.cd(key(id)).Annotations[annotation] != ""
	switch old := strings.Contains(m.condition(id), "take it out first"); {
	case old && bears && m.ordered != annotation:
		m.trace.add("PERSON: takes the old order back")
		m.annotate(id, annotation, "")
	case !old && !bears:
		m.trace.add("PERSON: orders %s of %s", annotation, name)
		m.lost[m.name], m.ordered = true, annotation
		m.annotate(id, annotation, name)
	}
	return false
}

var keptImage = regexp.MustCompile(`its snapshot \S+ \((\S+)\) (?:of an earlier hibernation may be the last copy|is kept)`)

// letGo renames a snapshot, as a condition or an event asks, that is needed no more since the server is well: from then on it is
// the person's own.
func (m *meddling) letGo() {
	for _, line := range slices.Backward(m.said()) {
		asked := keptImage.FindStringSubmatch(line)
		if asked == nil || m.foreign[asked[1]] {
			continue
		}
		if s, there := m.server(); there && s.Status == "ACTIVE" {
			m.trace.add("PERSON: renames the snapshot %s", asked[1])
			m.foreign[asked[1]] = m.cloud.RenameImage(asked[1], "kept-by-hand")
		}
	}
}

// thinks is how long a person takes between two commands.
const thinks = time.Minute

// revive orders a machine to go back whose server is gone from a cluster that shows as running: only an event says so.
func (m *meddling) revive() {
	gone := func() bool { _, there := m.server(); return !there }
	if m.name == "" || m.ordered != "" || !gone() || !m.keptOf(m.name) {
		return
	}
	told := func() bool {
		return slices.ContainsFunc(m.said(), func(line string) bool {
			return strings.Contains(line, m.name) && strings.Contains(line, hivev1.AnnotationRemakeServer)
		})
	}
	if m.until(2*time.Hour, func() bool { return told() || !m.keptOf(m.name) }); !told() || !m.keptOf(m.name) {
		return
	}
	id := m.shape.clusters[0]
	m.trace.add("PERSON: orders %s to go back, as an event says", m.name)
	m.lost[m.name], m.ordered = true, hivev1.AnnotationRemakeServer
	m.annotate(id, m.ordered, "")
	m.wait(thinks)
	m.annotate(id, m.ordered, m.name)
	m.until(2*time.Hour, func() bool { return !gone() && m.over(runningNow) })
}

// annotate sets an annotation of a cluster, or takes it away.
func (w *world) annotate(id, annotation, value string) {
	w.hub.edit(key(id), func(cd *hivev1.ClusterDeployment) {
		if value == "" {
			delete(cd.Annotations, annotation)
			return
		}
		metav1.SetMetaDataAnnotation(&cd.ObjectMeta, annotation, value)
	})
}

// remake makes servers by hand from snapshots that were kept of machines which the engine does not make again: they are in no
// record.
func (m *meddling) remake() {
	for _, name := range m.initial.names {
		id := m.initial.machines[name]
		if slices.ContainsFunc(m.serversOf(id), func(s cloud.Server) bool { return m.machine(s.Name) == name }) {
			continue
		}
		r := m.hub.record(key(id))
		if r != nil && slices.ContainsFunc(r.Machines, func(rm *hibernation.Machine) bool { return m.machine(rm.Name) == name }) {
			continue
		}
		if img, ok := m.bestImage(name); ok {
			m.remakeFrom(name, img)
		}
	}
}

// bestImage returns the snapshot that holds all that a machine has ever written.
func (m *meddling) bestImage(name string) (cloud.Image, bool) {
	written := m.cloud.Written(cloud.DefaultProject, name)
	images := m.cloud.Images()
	i := slices.IndexFunc(images, func(img cloud.Image) bool {
		return img.Machine == name && img.Status == "active" && img.Writes >= written && !m.foreign[img.ID]
	})
	if i < 0 {
		return cloud.Image{}, false
	}
	return images[i], true
}

func (m *meddling) remakeFrom(name string, img cloud.Image) {
	m.trace.add("PERSON: makes %s by hand from %s", name, img.Name)
	was := m.was(name)
	var nics []any
	for _, p := range was.Ports {
		nics = append(nics, map[string]any{"port": p})
	}
	m.member(http.MethodPost, "/compute/v2.1/servers", map[string]any{
		"server": map[string]any{
			"name": name, "imageRef": img.ID, "flavorRef": was.FlavorID, "networks": nics, "metadata": was.Metadata, "tags": was.Tags,
			"key_name": was.KeyName, "availability_zone": was.Zone, "config_drive": was.ConfigDrive,
		},
		"os:scheduler_hints": map[string]any{"group": was.Group},
	})
	m.wait(10 * time.Second)
	m.cloud.DeleteImage(img.ID)
}

// member makes a request to the cloud as a person with the project's credentials, and returns the answer.
func (w *world) member(method, path string, body any) map[string]any {
	answer, _ := w.ask(method, path, w.token(), body)
	return answer
}

func (w *world) token() string {
	user := map[string]any{"name": cloud.DefaultUser, "password": cloud.DefaultPassword, "domain": map[string]any{"name": "Default"}}
	_, header := w.ask(http.MethodPost, "/identity/v3/auth/tokens", "", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{"user": user}},
		"scope":    map[string]any{"project": map[string]any{"id": w.cloud.ProjectID(cloud.DefaultProject)}},
	}})
	return header.Get("X-Subject-Token")
}

func (w *world) ask(method, path, token string, body any) (map[string]any, http.Header) {
	data, err := json.Marshal(body)
	must(err)
	r, err := http.NewRequestWithContext(context.Background(), method, w.cloud.URL()+path, bytes.NewReader(data))
	must(err)
	r.Header.Set("X-Auth-Token", token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("OpenStack-API-Version", "compute 2.90")
	got, err := w.cloud.RoundTripper().RoundTrip(r)
	must(err)
	defer func() { _ = got.Body.Close() }()
	answer := map[string]any{}
	_ = json.NewDecoder(got.Body).Decode(&answer)
	if got.StatusCode >= http.StatusMultipleChoices {
		panic(fmt.Sprintf("%s %s: %d %v", method, path, got.StatusCode, answer))
	}
	return answer, got.Header
}

// inRecord replaces something in the record, as a person does who edits the Secret.
func (w *world) inRecord(id, old, now string) {
	s := w.hub.secret(recordKey(key(id)))
	if s == nil {
		return
	}
	w.trace.add("PERSON: puts %s in place of %s into the record", now, old)
	s.Data[hibernation.RecordKey] = bytes.ReplaceAll(s.Data[hibernation.RecordKey], []byte(old), []byte(now))
	must(w.hub.shelf.Update(context.Background(), s))
}

// checkVictim: a machine that went back on purpose is there, as it was.
func (m *meddling) checkVictim() {
	if !m.lost[m.name] {
		return
	}
	server, ok := m.server()
	cd := m.hub.cd(key(m.shape.clusters[0]))
	switch {
	case !ok && cd != nil && m.ordered == hivev1.AnnotationRemakeServer:
		m.violate("missing", "%s was to be made again, and is not there", m.name)
	case ok:
		was, is := likeness(*m.was(m.name), true), likeness(server, true)
		if d := difference(was, is); d != "" {
			m.violate("attributes", "%s: %s", m.name, d)
		}
	}
}
