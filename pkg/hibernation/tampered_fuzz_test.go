package hibernation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// tampering is a record as somebody has put it back: an old copy, edited or not.
type tampering struct {
	// life is what the cluster has been through when it is put back: a verb and a number of passes in each byte, with the
	// highest bit up to the seal at most.
	life []byte
	// back is how many copies older than the latest it is.
	back uint8
	// edits change it, four bytes each.
	edits []byte
	// verbs are what is asked for then.
	verbs []byte
}

// FuzzTamperedRecord: whatever is in the record, no pass over it deletes a server whose disk is not in a snapshot, or the last
// copy of a disk, or makes a machine go back in time.
func FuzzTamperedRecord(f *testing.F) {
	const long = 60
	for passes := byte(1); passes < 12; passes += 2 {
		asleep, awake := []byte{3 * passes}, []byte{long, 1 + 3*passes}
		f.Add(asleep, byte(0), []byte{}, []byte{passes, passes + 1})
		f.Add([]byte{long | toSeal, 1 + long}, passes/2, []byte{}, []byte{0, 1})
		f.Add(awake, passes, []byte{}, []byte{1, 2, 0})
		f.Add(awake, passes/2, []byte{2, 3 * passes, passes, 0}, []byte{1, 2, 0})
	}
	f.Fuzz(func(t *testing.T, life []byte, back uint8, edits, verbs []byte) {
		(&tampering{life[:min(len(life), 4)], back, edits[:min(len(edits), 12)], verbs[:min(len(verbs), 4)]}).run(t)
	})
}

// toSeal lets a part of a cluster's life end when the seal is saved.
const toSeal = 0x80

func (f *tampering) run(t *testing.T) {
	r := newRig(t, 1, 1)
	copies := r.live(f.life)
	if len(copies) == 0 {
		t.Skip("there is no record yet")
	}
	slices.Reverse(copies)
	tampered := tamper(t, copies[int(f.back)%len(copies)], f.edits)
	// Those that compare with the record are no use now.
	r.byHand.Store(true)
	r.onRequest(func(k *cloud.Call) *cloud.Effect {
		if why := r.loses(k); why != "" {
			t.Errorf("%s %s: %s, by the record %s", k.Op, k.Target, why, tampered)
		}
		return nil
	})
	r.putBack(tampered)
	all := []verb{hibernate, resume, cleanup, releaseKeeping, asleep, awake}
	for _, n := range f.verbs {
		for range 6 {
			p, err := r.once(all[int(n)%len(all)])
			r.clock.Step(max(p.After, 5*time.Second))
			if p.Done || !passing(err) {
				break
			}
		}
		r.clock.Step(time.Minute)
	}
	if lost := r.cloud.Regressions(); len(lost) > 0 {
		t.Errorf("a machine went back in time: %+v, by the record %s", lost, tampered)
	}
}

// live lets the cluster go through a life and returns all copies of the record that there were.
func (r *rig) live(life []byte) (copies [][]byte) {
	ends, ended := false, false
	r.kube.afterSave = func() error {
		s := r.secret()
		if s == nil {
			return nil
		}
		if data := r.recordData(); len(copies) == 0 || !bytes.Equal(copies[len(copies)-1], data) {
			copies = append(copies, data)
		}
		if record := r.record(); !ends || record == nil || record.Sealed == nil || record.Deleting != nil {
			return nil
		}
		ended = true
		return errors.New("the answer is lost")
	}
	defer func() { r.kube.afterSave = nil }()
	for _, span := range life {
		ends, ended = span&toSeal != 0, false
		do, passes := []verb{hibernate, resume, cleanup}[(span&^toSeal)%3], (span&^toSeal)/3
		for range passes {
			p, err := r.once(do)
			if ended || p.Done && err == nil {
				break
			}
			r.wait(p)
		}
	}
	return copies
}

// loses says what a request would lose for good; empty if nothing. It asks the cloud alone.
func (r *rig) loses(k *cloud.Call) string {
	switch k.Op {
	case "nova.server.delete", "nova.server.forceDelete":
		srv, ok := r.cloud.Server(k.Target)
		switch {
		case !ok || srv.Launched.IsZero():
		case srv.Status == "ACTIVE":
			return srv.Name + " is running"
		case !r.hasCopy(srv.Name, srv.Writes, ""):
			return fmt.Sprintf("the disk of %s, written %d times, is in no snapshot", srv.Name, srv.Writes)
		}
	case "glance.image.delete":
		img, ok := r.cloud.Image(k.Target)
		switch {
		case !ok || img.Status != "active":
		case img.Machine == "":
			return img.Name + " is no snapshot of ours"
		case !r.hasCopy(img.Machine, img.Writes, img.ID) && !r.onDisk(img.Machine, img.Writes):
			return fmt.Sprintf("it is the last copy of the disk of %s", img.Machine)
		}
	}
	return ""
}

// hasCopy tells whether a complete snapshot of a machine holds as many writes, other than one.
func (r *rig) hasCopy(machine string, writes int64, other string) bool {
	return slices.ContainsFunc(r.cloud.Images(), func(img cloud.Image) bool {
		return img.Machine == machine && img.Status == "active" && img.Writes >= writes && img.ID != other
	})
}

// onDisk tells whether a server of a machine holds as many writes.
func (r *rig) onDisk(machine string, writes int64) bool {
	return slices.ContainsFunc(r.clusterServers(), func(s cloud.Server) bool {
		return s.Name == machine && s.Writes >= writes && slices.Contains([]string{"ACTIVE", "PAUSED", "SHUTOFF"}, s.Status)
	})
}

// place is where a value stands in a document.
type place struct {
	in  any
	key string
	at  int
}

func (p place) value() any {
	if object, ok := p.in.(map[string]any); ok {
		return object[p.key]
	}
	return p.in.([]any)[p.at]
}

func (p place) set(value any) {
	if object, ok := p.in.(map[string]any); ok {
		object[p.key] = value
		return
	}
	p.in.([]any)[p.at] = value
}

// places returns all values in a document, in a stable order.
func places(doc any) []place {
	var out []place
	switch v := doc.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			out = append(append(out, place{in: v, key: key}), places(v[key])...)
		}
	case []any:
		for i := range v {
			out = append(append(out, place{in: v, at: i}), places(v[i])...)
		}
	}
	return out
}

// constants are what may come to stand in a record by mistake.
var constants = []any{nil, true, false, 0, 1, -1, 1 << 40, "", "x", "20261123-150405", "20991231-235959", "2026-11-23T15:04:05Z", "2099-12-31T23:59:59Z", []any{}, map[string]any{}, "ACTIVE", "SHUTOFF"}

// tamper edits a record: it takes values away, puts others there, or lets two change places.
func tamper(t *testing.T, record []byte, edits []byte) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(record, &doc); err != nil {
		t.Fatal(err)
	}
	for edit := range slices.Chunk(edits, 4) {
		all := places(doc)
		if len(edit) < 4 || len(all) == 0 {
			break
		}
		one, other := all[int(edit[1])%len(all)], all[int(edit[2])%len(all)]
		switch edit[0] % 4 {
		case 0:
			one.remove()
		case 1:
			one.set(constants[int(edit[3])%len(constants)])
		case 2:
			one.set(copied(other.value()))
		case 3:
			a, b := copied(one.value()), copied(other.value())
			one.set(b)
			other.set(a)
		}
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// remove takes a value away; of a list, which keeps its length, it makes the value another's twin.
func (p place) remove() {
	switch in := p.in.(type) {
	case map[string]any:
		delete(in, p.key)
	case []any:
		in[p.at] = copied(in[0])
	}
}

// copied returns a copy that shares nothing.
func copied(value any) any {
	data, _ := json.Marshal(value)
	var out any
	_ = json.Unmarshal(data, &out)
	return out
}
