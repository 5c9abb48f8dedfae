package hibernation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// seedRecords are records as they may come back from an editor or from a backup.
func seedRecords() []string {
	full, _ := encode(fullRecord())
	whole := string(full)
	with := func(old, replacement string) string { return strings.Replace(whole, old, replacement, 1) }
	const least = `"version": 1, "infraID": "demo-x7k2p", "cloud": {"authURL": "https://keystone/v3", "projectID": "p", "region": "r"}`
	return []string{
		whole, `{` + least + `}`, `{` + least + `, "future": {"a": [1.50, 1e400, 12345678901234567890, "\u00e9<&>"]}}`,
		`{` + least + `, "machines": [null]}`, `{` + least + `, "leftovers": [null, {"id": ""}]}`, `{` + least + `, "sealed": {}}`, `{` + least + `, "sealed": null, "cut": null}`,
		`{` + least + `, "infraID": "other"}`, `{` + least + `, "INFRAID": "other"}`, `{` + least + `, "version": 1e0}`, `{` + least + `, "Version": 2}`,
		`{` + least + `, "claim": {"seconds": 9223372036854775807}}`, `{` + least + `, "tries": {"count": -1, "notBefore": "9999-12-31T23:59:59-23:59"}}`,
		`{` + least + `, "tries": {"count": 1e3}}`, `{` + least + `, "deleting": "0000-01-01T00:00:00Z", "lastCycle": "99991231-235959"}`,
		with(`"serverID": "server-0"`, `"serverID": "server-0", "serverid": "server-1"`), with(`"serverID": "server-0"`, `"serverID": "server-0", "serverID": "server-1"`),
		with(`"ports": [`, `"ports": [null, {}, `), with(`"ports": [`, `"PORTS": [], "ports": [`), with(`"asked": "2026-11-23T15:04:05Z"`, `"asked": null, "misses": -9`),
		with(`"snapshot": {`, `"snapshot": null, "x": {`), with(`"shot": {`, `"shot": null, "x": {`), with(`"creation": {`, `"creation": null, "x": {`),
		with(`"still": {`, `"still": null, "x": {`), with(`"spec": {`, `"spec": null, "x": {`), with(`"inCut": true`, `"inCut": false`), with(`"cut": {`, `"x": {`),
		with(`"metadata": {`, `"metadata": {"future": "a", "METADATA": "b", `), strings.ReplaceAll(whole, "m-0", "m-\xff"), strings.ReplaceAll(whole, "  ", ""),
		strings.Replace(whole, `"machines": [`, `"machines": [{"name": "m-1", "removed": true}], "machines": [`, 1),
		strings.Repeat(`{"a":`, 11000), `{` + least + `, "future": ` + strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000) + `}`, whole + whole, "\xef\xbb\xbf" + whole,
	}
}

// Any bytes are a record that reads the same after it was written, with all that a newer manager put there, or are refused.
func FuzzRecord(f *testing.F) {
	for _, record := range seedRecords() {
		f.Add([]byte(record))
	}
	f.Add([]byte(`{"version": 1, "infraID": "a", "cloud": {"authURL": "u", "projectID": "p"}, "": 1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r *Record
		var err error
		within(t, len(data), func() { r, err = decode(data) })
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 1000 {
				t.Fatalf("%d bytes of words: %.200s", len(err.Error()), err)
			}
			return
		}
		checkRecord(t, r)
		written, err := encode(r)
		if err != nil {
			if len(data) < maxRecord/8 {
				t.Fatalf("it can't be written: %v", err)
			}
			return
		}
		back, err := decode(written)
		if err != nil {
			t.Fatalf("it can't be read again: %v", err)
		}
		if again, err := encode(back); err != nil || !bytes.Equal(again, written) {
			t.Fatalf("written %s, and again %s, %v", written, again, err)
		}
		if lost := missing(document(t, data), document(t, written), "record"); lost != "" {
			t.Fatalf("%s is lost from %s: %s", lost, data, written)
		}
		checkChange(t, r)
	})
}

// within fails if doing something allocates much more than what it is given.
func within(t *testing.T, input int, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	if used, bound := after.TotalAlloc-before.TotalAlloc, uint64(64<<20+4096*input); used > bound {
		t.Fatalf("%d bytes were allocated for an input of %d", used, input)
	}
}

// checkRecord looks for what a pass could not work with.
func checkRecord(t *testing.T, r *Record) {
	t.Helper()
	if r.Sealed != nil && len(r.Machines) == 0 {
		t.Fatalf("accepted: %+v", r)
	}
	for _, m := range r.Machines {
		if m.InCut && (r.Cut == nil || m.Shot == nil) || r.Sealed != nil && !m.InCut && m.Snapshot == nil {
			t.Fatalf("accepted: %+v", m)
		}
	}
	ids := idsIn(r)
	slices.Sort(ids)
	once := len(slices.Compact(slices.Clone(ids))) == len(ids)
	if !once || slices.ContainsFunc(ids, func(id string) bool { return strings.HasSuffix(id, ` ""`) }) {
		t.Fatalf("accepted with an ID that is missing or there twice: %q", ids)
	}
}

// idsIn returns the IDs and names that each thing has for itself.
func idsIn(r *Record) []string {
	ids := []string{fmt.Sprintf("infraID %q", r.InfraID), fmt.Sprintf("project %q", r.Cloud.ProjectID)}
	for _, m := range r.Machines {
		ids = append(ids, fmt.Sprintf("machine %q", m.Name), fmt.Sprintf("server %q", m.ServerID))
		for _, p := range m.Spec.Ports {
			ids = append(ids, fmt.Sprintf("port %q", p.ID))
		}
		if r.Sealed != nil && !m.InCut {
			ids = append(ids, fmt.Sprintf("snapshot of %q: %q", m.Name, m.Snapshot.ID))
		}
		if m.InCut {
			ids = append(ids, fmt.Sprintf("snapshot of %q to be: %q", m.Name, m.Shot.Name))
		}
	}
	for i, l := range r.Leftovers {
		ids = append(ids, fmt.Sprintf("leftover %d %q", i, l.ID))
	}
	return ids
}

// checkChange: what a pass changes in a record is what the next one reads, whatever else stands there.
func checkChange(t *testing.T, r *Record) {
	t.Helper()
	for _, m := range r.Machines {
		m.ServerID += "-new"
		m.Removed = true
	}
	r.LastCycle = nextCycle(someday, r.LastCycle)
	r.Done = &someday
	written, err := encode(r)
	if err != nil {
		return
	}
	back := &Record{}
	if err := json.Unmarshal(written, back); err != nil {
		t.Fatal(err)
	}
	if again, err := encode(back); err != nil || !bytes.Equal(again, written) {
		t.Fatalf("changed to %s, and read as %s, %v", written, again, err)
	}
	for i, m := range back.Machines {
		if m.ServerID != r.Machines[i].ServerID || !m.Removed {
			t.Fatalf("changed to %+v, and read as %+v", r.Machines[i], m)
		}
	}
}

func document(t *testing.T, data []byte) any {
	t.Helper()
	var doc any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&doc); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return doc
}

// missing returns a path that one document has and another has not, or has with another value; empty if there is none. Zero
// values need not be written, nor what is in the record's Scope, which is compared as a whole.
func missing(was, is any, path string) string {
	switch was := was.(type) {
	case map[string]any:
		other, _ := is.(map[string]any)
		return missingIn(was, other, path)
	case []any:
		other, _ := is.([]any)
		if len(other) != len(was) {
			return path
		}
		for i := range was {
			if lost := missing(was[i], other[i], fmt.Sprintf("%s[%d]", path, i)); lost != "" {
				return lost
			}
		}
		return ""
	}
	if !sameValue(was, is) {
		return path
	}
	return ""
}

func missingIn(was, is map[string]any, path string) string {
	for key, inner := range was {
		if path == "record" && key == "cloud" || zero(inner) {
			continue
		}
		if lost := missing(inner, is[key], path+"."+key); lost != "" {
			return lost
		}
	}
	return ""
}

func zero(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case string:
		return value == ""
	case json.Number:
		number, err := value.Float64()
		return err == nil && number == 0
	case map[string]any:
		for _, inner := range value {
			if !zero(inner) {
				return false
			}
		}
		return true
	case []any:
		return len(value) == 0
	}
	return false
}

// sameValue compares numbers as they are written, and times as what they mean. What is no UTF-8 is not kept.
func sameValue(was, is any) bool {
	a, ok := was.(string)
	b, alsoOK := is.(string)
	if !ok || !alsoOK {
		return was == is || was == json.Number("-0") && is == json.Number("0")
	}
	if a == b || !utf8.ValidString(a) {
		return true
	}
	one, err := time.Parse(time.RFC3339, a)
	other, otherErr := time.Parse(time.RFC3339, b)
	return err == nil && otherErr == nil && one.Equal(other)
}
