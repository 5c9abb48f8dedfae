package hibernation

import (
	"context"
	"fmt"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// cutTimes is when, by Nova's clock, one server was paused and its first snapshot was asked for.
type cutTimes struct {
	paused, shot time.Time
}

// histories returns what was done to the machines' servers, by server.
func (s *Session) histories(ctx context.Context, machines []*Machine) (map[string]history, error) {
	lists := make([]history, len(machines))
	err := s.each(ctx, len(machines), func(ctx context.Context, i int) error {
		entries, err := s.cloud.ListServerActions(ctx, machines[i].ServerID)
		if openstackclient.IsNotFound(err) {
			return nil
		}
		lists[i] = history{known: err == nil, entries: entries}
		return err
	})
	if err != nil {
		return nil, err
	}
	byServer := make(map[string]history, len(machines))
	for i, m := range machines {
		byServer[m.ServerID] = lists[i]
	}
	return byServer, nil
}

// unread names the machines whose servers' histories Nova does not show.
func unread(machines []*Machine, histories map[string]history) []string {
	var out []string
	for _, m := range machines {
		if !histories[m.ServerID].known {
			out = append(out, m.Name+": Nova does not show what was done to its server; waiting for an answer")
		}
	}
	return out
}

// proveStill finds out from the servers' own histories whether nothing of the cluster ran between the last pause and the
// first snapshot, nor since. What a list shows is not enough: a server may have been unpaused and paused again between
// two looks. It returns the histories that this is proved by, and names the machines whose history Nova does not show.
func (s *Session) proveStill(ctx context.Context, machines []*Machine) (histories map[string]history, waiting []string, err error) {
	histories, err = s.histories(ctx, machines)
	if err != nil {
		return nil, nil, err
	}
	if waiting := unread(machines, histories); len(waiting) > 0 {
		return nil, waiting, nil
	}
	if !s.record.behindSeal() {
		return histories, nil, checkHistories(machines, histories)
	}
	// Its siblings are gone, so there is nothing to be consistent with but each machine with itself.
	for _, m := range machines {
		if _, err := lastCut(m, histories[m.ServerID]); err != nil {
			return nil, nil, err
		}
	}
	return histories, nil, nil
}

// lastTouch returns the newest entry of a history that may have changed the disk or let the server run; nil if there is none.
func lastTouch(h history) *Action {
	if touching := h.touching(); len(touching) > 0 {
		return actionOf(touching[0])
	}
	return nil
}

func actionOf(a instanceactions.InstanceAction) *Action {
	return &Action{Name: a.Action, RequestID: a.RequestID, At: a.StartTime.UTC()}
}

// is reports whether an entry in a history is the remembered one.
func (a *Action) is(entry instanceactions.InstanceAction) bool {
	return a.Name == entry.Action && a.RequestID == entry.RequestID && a.At.Equal(entry.StartTime)
}

// doubt is why a server may not be as it was snapshotted.
type doubt int

const (
	// noDoubt says that its history shows nothing that matters.
	noDoubt doubt = iota
	// notTold says that Nova does not show its history now.
	notTold
	// mayHaveRun says that a new snapshot is needed.
	mayHaveRun
	// mayBeReplaced says that the disk may be another one, so that nothing may take the snapshot's place.
	mayBeReplaced
)

// moved is a doubt about a machine, with the words for a person.
type moved struct {
	doubt doubt
	why   string
}

// sinceSeal returns what was done to the machines since their snapshots were sealed.
func (s *Session) sinceSeal(ctx context.Context, machines []*Machine) (map[*Machine]moved, error) {
	if s.sealed {
		return nil, nil
	}
	histories, err := s.histories(ctx, machines)
	if err != nil {
		return nil, err
	}
	out := make(map[*Machine]moved, len(machines))
	for _, m := range machines {
		out[m] = m.movedSince(histories[m.ServerID])
	}
	return out, nil
}

// movedSince compares a machine's history with the last thing that was done to it before its snapshot.
func (m *Machine) movedSince(h history) moved {
	if !h.known {
		return moved{notTold, m.Name + ": Nova does not show what was done to its server; waiting for an answer"}
	}
	if m.Still == nil || !reachesTo(m.Still, h) {
		return moved{mayHaveRun, fmt.Sprintf("%s: its history in Nova does not show that it stayed as it was snapshotted", m.Name)}
	}
	found := moved{}
	for _, entry := range h.touching() {
		if m.Still.is(entry) {
			break
		}
		why := fmt.Sprintf("%s: somebody asked for %q after its snapshot", m.Name, entry.Action)
		switch effectOf(entry) {
		case replaces:
			return moved{mayBeReplaced, why}
		case runs:
			found = moved{mayHaveRun, why}
		case keeps:
		}
	}
	return found
}

// checkHistories is the proof itself. Nova's times are whole seconds and of one clock. When a server that was off all the
// time was snapshotted does not matter: its disk did not change.
func checkHistories(machines []*Machine, histories map[string]history) error {
	var firstPause, lastPause, firstShot time.Time
	for _, m := range machines {
		t, err := lastCut(m, histories[m.ServerID])
		if err != nil {
			return err
		}
		if m.Before != statusActive {
			continue
		}
		if firstPause.IsZero() || t.paused.Before(firstPause) {
			firstPause = t.paused
		}
		if t.paused.After(lastPause) {
			lastPause = t.paused
		}
		if firstShot.IsZero() || t.shot.Before(firstShot) {
			firstShot = t.shot
		}
	}
	if lastPause.After(firstShot) {
		return abandon("a server was paused at %s, after the first snapshot had been asked for: something else worked on the cluster", lastPause.UTC().Format(time.RFC3339))
	}
	return nothingElse(machines, histories, firstPause)
}

// nothingElse fails if anything but pauses was asked of a server after the first pause that may have changed its disk or let
// it run. A zero time says that no server was paused.
func nothingElse(machines []*Machine, histories map[string]history, firstPause time.Time) error {
	if firstPause.IsZero() {
		return nil
	}
	for _, m := range machines {
		for _, a := range histories[m.ServerID].touching() {
			if a.Action != actionPause && a.StartTime.After(firstPause) {
				return abandon("%s: somebody asked for %q while the cluster was being hibernated", m.Name, a.Action)
			}
		}
	}
	return nil
}

// lastCut reads one history: nothing that matters may have come after the pause.
func lastCut(m *Machine, h history) (cutTimes, error) {
	var t cutTimes
	for _, a := range h.entries {
		switch {
		case a.Action == actionCreateImage:
			t.shot = a.StartTime
			continue
		case effectOf(a) == keeps:
			continue
		case t.shot.IsZero():
			return t, abandon("%s: somebody asked for %q after its snapshot", m.Name, a.Action)
		case m.Before != statusActive:
			return t, nil
		case a.Action == actionPause:
			t.paused = a.StartTime
			return t, nil
		}
		return t, abandon("%s: somebody asked for %q between its pause and its snapshot", m.Name, a.Action)
	}
	if t.shot.IsZero() || m.Before == statusActive {
		return t, abandon("%s: its history in Nova does not show that it was paused and snapshotted", m.Name)
	}
	return t, nil
}
