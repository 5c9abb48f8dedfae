package hibernation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxText bounds each text in the record that the cloud or the cluster has written, in bytes of JSON.
	maxText = 512
	// maxWord is longer than any name or ID of an entry in a server's history.
	maxWord = 64
	// uuidLen is the length of OpenStack's IDs.
	uuidLen = 36
	// leftoversForMachine are the snapshots of a machine that a cycle may leave undeleted: the one that it was made from, the
	// one that took its place, and one more of a cut that was given up.
	leftoversForMachine = 3
	// maxOlder is how many snapshots of a machine are kept that later ones behind the seal have taken the place of.
	maxOlder = 3
)

// checkRoom refuses a hibernation whose record could outgrow its Secret before the cluster is awake again: behind the point of
// no return a record that can't be saved keeps a cluster from ever being woken.
func (r *Record) checkRoom() error {
	size, err := r.largestSize()
	if err != nil {
		return err
	}
	if size > maxRecord {
		return &Refusal{
			Message: fmt.Sprintf("the record of the cluster's hibernation may need up to %d bytes before the cluster is awake again, and a Secret holds no more than %d: the cluster has too many servers, or these have too much metadata, to be hibernated", size, maxRecord),
			After:   lastBackoff,
		}
	}
	return nil
}

func (r *Record) largestSize() (int, error) {
	data, err := marshalRecord(r.atItsLargest())
	return len(data), err
}

// atItsLargest returns the record with everything at its longest that may come into it until the end of its cycle. What it does not
// change stays as it is from the beginning on.
func (r *Record) atItsLargest() *Record {
	out := *r
	at := longestTime()
	text, cycle := strings.Repeat("x", maxText), at.Format(cycleLayout)
	out.Claim = &Claim{Holder: text, Seconds: 1 << 30, At: at}
	out.Cut = &Cut{Cycle: cycle, StartedAt: at, Pausing: true, Shooting: true, Abandoned: true, Why: text, Counted: true}
	out.Sealed = &Seal{Cycle: cycle, At: at}
	out.Deleting, out.Opened, out.Done, out.WaitingSince = &at, &at, &at, &at
	out.LastCycle, out.Unobserved = cycle, text
	out.HealthChecks = &HealthChecks{Asked: cycle, Failed: text}
	out.Tries = &Tries{Count: 1 << 30, At: at, NotBefore: at, Why: text}
	if r.Claim != nil {
		out.Claim.unknown = r.Claim.unknown
	}
	if r.Tries != nil {
		out.Tries.unknown = r.Tries.unknown
	}
	if r.HealthChecks != nil {
		out.HealthChecks.unknown = r.HealthChecks.unknown
	}
	out.Machines, out.Leftovers, out.Strays = nil, slices.Clone(r.Leftovers), slices.Clone(r.Strays)
	for _, m := range r.Machines {
		out.Machines = append(out.Machines, m.atItsLargest())
		out.Strays = append(out.Strays, Stray{Name: SnapshotName(m.Name, cycle), Cycle: cycle, ServerID: longestID(), Until: at},
			Stray{ServerID: longestID(), Pause: true, Until: at})
		for range leftoversForMachine {
			out.Leftovers = append(out.Leftovers, Leftover{ID: longestID(), Name: SnapshotName(m.Name, cycle)})
		}
	}
	return &out
}

func (m *Machine) atItsLargest() *Machine {
	out := *m
	at := longestTime()
	cycle, id := at.Format(cycleLayout), longestID()
	attempt := Attempt{Asked: &at, Misses: 1 << 30}
	snapshot := Snapshot{Name: SnapshotName(m.Name, cycle), ID: id, Cycle: cycle, ServerID: m.ServerID, Idle: &at, Attempt: attempt}
	shot := snapshot
	if m.Snapshot != nil {
		snapshot.unknown = m.Snapshot.unknown
	}
	if m.Shot != nil {
		shot.unknown = m.Shot.unknown
	}
	out.Before, out.InCut, out.Ended, out.Removed, out.LateServer = statusShutoff, true, true, true, true
	out.Shot, out.Snapshot = &shot, &snapshot
	out.Still = &Action{Name: strings.Repeat("x", maxWord), RequestID: strings.Repeat("x", maxWord), At: at}
	out.Late = &Action{Name: strings.Repeat("x", maxWord), RequestID: strings.Repeat("x", maxWord), At: at}
	out.Creation = &Creation{
		ServerID: id, Ran: true, Remade: true, Discarded: id, Wired: id, Unscheduled: &at, Failures: 1 << 30, NotBefore: &at,
		Fault: strings.Repeat("x", maxText), Attempt: attempt,
	}
	if m.Creation != nil {
		out.Creation.unknown = m.Creation.unknown
	}
	out.Unread, out.Kept = &at, &Kept{Why: strings.Repeat("x", maxText), Replaced: true}
	if m.Kept != nil {
		out.Kept.unknown = m.Kept.unknown
	}
	older := snapshot
	older.unknown = nil
	out.Older = append(slices.Clone(m.Older), slices.Repeat([]*Snapshot{&older}, max(maxOlder-len(m.Older), 0))...)
	out.FormerIDs = slices.Repeat([]string{id}, maxFormer)
	return &out
}

// longestTime returns a time that takes as many bytes as any.
func longestTime() time.Time { return time.Date(2026, 12, 31, 23, 59, 59, 123456789, time.UTC) }

func longestID() string { return strings.Repeat("x", uuidLen) }

// boundTexts shortens what the cloud and the cluster have written into the record.
func (r *Record) boundTexts() {
	r.Unobserved = bounded(r.Unobserved)
	if r.Cut != nil {
		r.Cut.Why = bounded(r.Cut.Why)
	}
	if r.Tries != nil {
		r.Tries.Why = bounded(r.Tries.Why)
	}
	if r.HealthChecks != nil {
		r.HealthChecks.Failed = bounded(r.HealthChecks.Failed)
	}
	for _, m := range r.Machines {
		if m.Kept != nil {
			m.Kept.Why = bounded(m.Kept.Why)
		}
		if m.Creation != nil {
			m.Creation.Fault = bounded(m.Creation.Fault)
		}
	}
}

// bounded returns a text that takes at most maxText bytes in JSON, where a character may take six.
func bounded(text string) string {
	const more = "…"
	if len(text)*6 <= maxText {
		return text
	}
	text = strings.ToValidUTF8(text, "?")
	size, cut := 0, 0
	for at, char := range text {
		if size <= maxText-len(more) {
			cut = at
		}
		size += writtenSize(char)
		if size > maxText {
			return text[:cut] + more
		}
	}
	return text
}

// writtenSize is how many bytes a character takes in JSON.
func writtenSize(char rune) int {
	data, err := json.Marshal(string(char))
	if err != nil {
		return 6
	}
	return max(len(data)-len(`""`), utf8.RuneLen(char))
}
