package hibernation

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/bounds"
)

// plainestRecord is what a hibernation begins with, at the least.
func plainestRecord(machines int) *Record {
	r := &Record{Version: recordVersion, InfraID: "demo-x7k2p"}
	r.Cloud.AuthURL, r.Cloud.ProjectID, r.Cloud.Region = "u", "p", "r"
	r.Cut = &Cut{Cycle: "20261123-021545", StartedAt: time.Date(2026, 11, 23, 2, 15, 45, 0, time.UTC)}
	for i := range machines {
		m := &Machine{Name: fmt.Sprintf("demo-x7k2p-worker-%d", i), ServerID: fmt.Sprintf("%036d", i), Before: statusActive, InCut: true}
		m.Spec = ServerSpec{FlavorID: longestID(), Ports: []Port{{ID: fmt.Sprintf("port-%d", i), MAC: "m", NetworkID: "n"}}}
		m.Shot = &Snapshot{Name: SnapshotName(m.Name, r.Cut.Cycle), Cycle: r.Cut.Cycle, ServerID: m.ServerID}
		r.Machines = append(r.Machines, m)
	}
	return r
}

// Every field is either as it is from the beginning of a hibernation on, or at its longest: a new one has to be decided about.
func TestS08NothingIsForgottenInTheLargestRecord(t *testing.T) {
	g := NewWithT(t)
	fixed := []string{
		"Record.Observation", "Record.OldRemakes", "Record.OldLeaveOuts", "Machine.ControlPlane", "Machine.Spec",
		// A snapshot that may still appear, and a pause.
		"Stray.Name", "Stray.Cycle", "Stray.Pause",
	}
	largest := plainestRecord(1).atItsLargest()
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() == reflect.Slice {
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
		if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := v.Type().Name() + "." + f.Name
			if f.IsExported() && !slices.Contains(fixed, name) {
				g.Expect(v.Field(i).IsZero()).To(BeFalse(), name)
				walk(v.Field(i))
			}
		}
	}
	walk(reflect.ValueOf(largest))
}

// The largest record that is accepted can be saved at every point of its life, however long all becomes that is written into it.
func TestS08LargestRecordThatIsAccepted(t *testing.T) {
	g := NewWithT(t)
	most := 0
	for n := 1; plainestRecord(n).checkRoom() == nil; n++ {
		most = n
	}
	g.Expect(most).To(BeNumerically(">", 150))
	refusal := plainestRecord(most + 1).checkRoom()
	g.Expect(refusal).To(BeAssignableToTypeOf(&Refusal{}))
	g.Expect(refusal).To(MatchError(ContainSubstring("a Secret holds no more than 921600")))

	r := plainestRecord(most)
	hostile := strings.Repeat("<\x00ü", 5000)
	save := func(when string) {
		t.Helper()
		r.boundTexts()
		data, err := encode(r)
		g.Expect(err).NotTo(HaveOccurred(), when)
		back, err := decode(data)
		g.Expect(err).NotTo(HaveOccurred(), when)
		g.Expect(back.Machines).To(HaveLen(most), when)
		g.Expect(bounds.HeapOf(data)).To(BeNumerically("<", maxRecordHeap/2), when)
	}
	at := longestTime()
	r.Claim = &Claim{Holder: strings.Repeat("h", 300), Seconds: 60, At: at}
	r.Unobserved, r.HealthChecks = hostile, &HealthChecks{Asked: r.Cut.Cycle, Failed: hostile}
	r.Tries = &Tries{Count: 1000, At: at, NotBefore: at, Why: hostile}
	for _, m := range r.Machines {
		m.Shot.ID, m.Shot.Idle, m.Shot.Attempt = longestID(), &at, Attempt{Asked: &at, Misses: 99}
		m.Snapshot = &Snapshot{Name: m.Shot.Name, ID: longestID(), Cycle: r.Cut.Cycle, ServerID: m.ServerID}
	}
	r.Cut.Why, r.Cut.Abandoned, r.Cut.Counted, r.Cut.Shooting = hostile, true, true, true
	save("rolled back")
	r.Sealed, r.Deleting = &Seal{Cycle: r.Cut.Cycle, At: at}, &at
	for i, m := range r.Machines {
		r.Leftovers = append(r.Leftovers, Leftover{ID: fmt.Sprintf("%036d", i), Name: m.Shot.Name}, Leftover{ID: fmt.Sprintf("%036d", -i), Name: m.Shot.Name})
		m.Still = &Action{Name: "live-migration", RequestID: "req-" + longestID(), At: at}
		m.Late = &Action{Name: "live-migration", RequestID: "req-" + longestID(), At: at}
		m.Ended, m.Unread = true, &at
		m.Older = slices.Repeat([]*Snapshot{m.Snapshot}, maxOlder)
	}
	save("cut again behind the seal")
	r.Opened = &at
	for _, m := range r.Machines {
		m.Creation = &Creation{
			ServerID: longestID(), Ran: true, Remade: true, Discarded: longestID(), Wired: longestID(), Unscheduled: &at, Failures: 999,
			NotBefore: &at, Fault: hostile, Attempt: Attempt{Asked: &at, Misses: 99},
		}
		for i := range 100 {
			m.former(fmt.Sprintf("%036d", i))
		}
		m.Removed = true
	}
	save("failed to start again and again")
}

// The texts of others are bounded in the bytes that they take in JSON, and stay text.
func TestS08TextsAreBounded(t *testing.T) {
	for name, text := range map[string]string{
		"short": "no", "long": strings.Repeat("x", 4000), "escaped": strings.Repeat("<", 4000), "controls": strings.Repeat("\x01", 4000),
		"wide": strings.Repeat("😀", 4000), "broken": strings.Repeat("\xff", 4000), "just": strings.Repeat("x", maxText),
		"one more": strings.Repeat("x", maxText+1), "separators": strings.Repeat("\u2028", 4000),
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			out := bounded(text)
			data, err := json.Marshal(out)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(len(data) - 2).To(BeNumerically("<=", maxText))
			g.Expect(utf8.ValidString(out)).To(BeTrue())
			switch {
			case !utf8.ValidString(text):
				g.Expect(out).To(Equal("?"))
			case len(text) <= maxText:
				g.Expect(out).To(Equal(text))
			default:
				g.Expect(out).To(HaveSuffix("…"))
			}
		})
	}
}
