package hibernation_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/test/cloud"
)

// onRequest has f see every request before it is carried out; what f returns happens to it.
func (r *rig) onRequest(f func(*cloud.Call) *cloud.Effect) { r.before = append(r.before, f) }

// onAnswer has f see every request when it was carried out; what f returns happens to its answer.
func (r *rig) onAnswer(f func(*cloud.Call, int) *cloud.Effect) { r.after = append(r.after, f) }

// hand runs what somebody else than the engine does.
func (r *rig) hand(f func()) {
	r.byHand.Store(true)
	defer r.byHand.Store(false)
	f()
}

func (r *rig) hookBefore(k *cloud.Call) *cloud.Effect {
	if !r.byHand.Load() {
		if r.dead.Load() {
			e := cloud.ResetBefore()
			return &e
		}
		r.guard(k)
	}
	for _, f := range r.before {
		if e := f(k); e != nil {
			return e
		}
	}
	return nil
}

func (r *rig) hookAfter(k *cloud.Call, status int) *cloud.Effect {
	for _, f := range r.after {
		if e := f(k, status); e != nil {
			return e
		}
	}
	return nil
}

// guard notes what breaks an invariant of the design, in every test, whatever it is about: it looks at each request
// together with the record as it is saved at that moment and with the cloud as it is.
func (r *rig) guard(k *cloud.Call) {
	check := map[string]func(*cloud.Call, *hibernation.Record) string{
		"nova.server.pause":       guardPause,
		"nova.interface.create":   r.guardAttach,
		"nova.server.createImage": r.guardSnapshot,
		"nova.server.delete":      r.guardDelete,
		"nova.server.forceDelete": r.guardDelete,
		"nova.server.create":      r.guardCreate,
		"nova.server.unpause":     guardStart,
		"nova.server.start":       guardStart,
		"glance.image.delete":     r.guardImageDelete,
	}[k.Op]
	if check == nil {
		return
	}
	why := "there is no record"
	if record := r.record(); record != nil {
		why = check(k, record)
	}
	if why != "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.violations = append(r.violations, fmt.Sprintf("%s %s: %s", k.Op, k.Target, why))
	}
}

// guardPause: what the servers are and how their snapshots will be called is saved before the first is touched.
func guardPause(k *cloud.Call, record *hibernation.Record) string {
	switch m := machineOf(record, k.Target); {
	case m == nil:
		return "the server is not in the record"
	case record.Cut == nil || record.Cut.Abandoned || !m.InCut:
		return "the server is in no cut"
	case m.Shot == nil || m.Shot.Name == "" || m.Before == "":
		return "how it is snapshotted and what it was is not saved"
	}
	return ""
}

// guardSnapshot: no snapshot before every server of the cluster is stopped, and none that is not saved first.
func (r *rig) guardSnapshot(k *cloud.Call, record *hibernation.Record) string {
	if why := guardPause(k, record); why != "" {
		return why
	}
	var body struct {
		Image struct {
			Name string `json:"name"`
		} `json:"createImage"`
	}
	m := machineOf(record, k.Target)
	if err := json.Unmarshal(k.Body, &body); err != nil || body.Image.Name != m.Shot.Name {
		return fmt.Sprintf("it is called %q and %q is saved", body.Image.Name, m.Shot.Name)
	}
	if !record.Cut.Shooting {
		return "that snapshots are asked for is not saved"
	}
	for _, s := range r.clusterServers() {
		if known := machineOf(record, s.ID); s.Status == "ACTIVE" && (known == nil || known.InCut) {
			return s.Name + " is still running"
		}
	}
	return ""
}

// guardDelete: only what the sealed record names is deleted, as it was snapshotted; or what never ran.
func (r *rig) guardDelete(k *cloud.Call, record *hibernation.Record) string {
	srv, _ := r.cloud.Server(k.Target)
	if record.Opened != nil && (srv.Status == "ERROR" || srv.Status == "SOFT_DELETED" || srv.Status == "BUILD") {
		return r.guardDiscard(srv, record)
	}
	m := machineOf(record, k.Target)
	switch {
	case m == nil:
		return "the server is not in the record"
	case record.Sealed == nil || record.Cut != nil || record.Opened != nil:
		return "the record is not sealed"
	case record.Deleting == nil:
		return "that servers are deleted is not saved"
	case !slices.Contains([]string{"PAUSED", "SHUTOFF", "SOFT_DELETED", "ERROR", ""}, srv.Status): // an earlier delete failed, or it is gone
		return "the server is " + srv.Status
	}
	return r.guardSnapshots(srv, m, record)
}

// guardSnapshots: every machine has its snapshot, and the one of the server holds all that it wrote.
func (r *rig) guardSnapshots(srv cloud.Server, of *hibernation.Machine, record *hibernation.Record) string {
	for _, m := range record.Machines {
		img, ok := r.cloud.Image(m.Snapshot.ID)
		if !ok || img.Status != "active" || img.Properties["instance_uuid"] != m.Snapshot.ServerID {
			return "the snapshot of " + m.Name + " is not there"
		}
		if m == of && srv.Writes > img.Writes {
			return fmt.Sprintf("the server has written %d times, and %d are in its snapshot", srv.Writes, img.Writes)
		}
	}
	return ""
}

// guardDiscard: a server that has run is never deleted to be made again, unless that was ordered.
func (r *rig) guardDiscard(srv cloud.Server, record *hibernation.Record) string {
	if !srv.Launched.IsZero() && !r.cluster.Remake.Has(srv.Name) {
		return "the server has run"
	}
	if !slices.ContainsFunc(record.Machines, func(m *hibernation.Machine) bool { return m.Name == srv.Name }) {
		return "the server is not in the record"
	}
	return ""
}

// guardCreate: that servers are made is saved first, and no server is made twice.
func (r *rig) guardCreate(k *cloud.Call, record *hibernation.Record) string {
	var body struct {
		Server struct {
			Name     string `json:"name"`
			ImageRef string `json:"imageRef"`
		} `json:"server"`
	}
	if err := json.Unmarshal(k.Body, &body); err != nil {
		return err.Error()
	}
	if record.Sealed == nil || record.Opened == nil || record.Cut != nil {
		return "the record is not opened"
	}
	for _, s := range r.cloud.ServersNamed(project, body.Server.Name) {
		if s.Status != "DELETED" {
			return fmt.Sprintf("there is %s %s already, %s", s.Name, s.ID, s.Status)
		}
	}
	for _, m := range record.Machines {
		if m.Name == body.Server.Name && m.Snapshot != nil && m.Snapshot.ID == body.Server.ImageRef {
			return ""
		}
	}
	return "it is not of a machine and its snapshot"
}

// guardStart: nothing runs again before the cut is given up, or its snapshots are in use.
func guardStart(k *cloud.Call, record *hibernation.Record) string {
	late := func(stray hibernation.Stray) bool { return stray.Pause && stray.ServerID == k.Target }
	if record.Cut == nil && slices.ContainsFunc(record.Strays, late) {
		return ""
	}
	if record.Cut == nil && record.Opened != nil || record.Cut != nil && record.Cut.Abandoned && (record.Sealed == nil || record.Opened != nil) {
		return ""
	}
	return "the cut is not abandoned"
}

// givenUp tells whether the cluster is awake for good, released or destroyed, so that no snapshot of it is needed.
func (r *rig) givenUp(record *hibernation.Record) bool {
	awake := record.Opened != nil || record.Done != nil
	released := record.Sealed == nil && record.Deleting != nil
	return awake || released || r.destroyed
}

// guardImageDelete: an image that a machine still needs is not deleted, nor one that may be the last copy of a disk.
func (r *rig) guardImageDelete(k *cloud.Call, record *hibernation.Record) string {
	img, ok := r.cloud.Image(k.Target)
	if !ok || img.Status != "active" || img.Machine == "" { // without a machine it was uploaded
		return ""
	}
	for _, m := range record.Machines {
		if m.Snapshot != nil && m.Snapshot.ID == k.Target {
			return "it is the snapshot of " + m.Name
		}
	}
	if r.givenUp(record) || replaced(img, record) || r.stands(img.Machine) {
		return ""
	}
	return "the server of " + img.Machine + " is gone or broken, and this may be the last copy of its disk"
}

// replaced tells whether a later snapshot of a sleeping cluster took an image's place.
func replaced(img cloud.Image, record *hibernation.Record) bool {
	return record.Sealed != nil && record.Cut == nil && !slices.ContainsFunc(record.Machines, func(m *hibernation.Machine) bool {
		return m.Name == img.Machine && (m.Snapshot == nil || m.Snapshot.Cycle <= img.Properties["overwinter_cycle"])
	})
}

// stands tells whether a machine's server is there with its disk.
func (r *rig) stands(machine string) bool {
	return slices.ContainsFunc(r.clusterServers(), func(s cloud.Server) bool {
		return s.Name == machine && slices.Contains([]string{"ACTIVE", "PAUSED", "SHUTOFF"}, s.Status)
	})
}

func machineOf(record *hibernation.Record, serverID string) *hibernation.Machine {
	for _, m := range record.Machines {
		if m.ServerID == serverID {
			return m
		}
	}
	return nil
}
