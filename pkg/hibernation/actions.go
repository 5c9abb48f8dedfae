package hibernation

import (
	"context"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
)

// Instance actions, in Nova's words.
const (
	actionPause       = "pause"
	actionCreateImage = "createImage"
	actionFailed      = "Error"
)

// cutTimes is when, by Nova's clock, one server was paused and its first snapshot was asked for.
type cutTimes struct {
	paused, shot time.Time
}

// proveStill finds out from the servers' own histories whether nothing of the cluster ran between the last pause and the
// first snapshot, nor since. What a list shows is not enough: a server may have been unpaused and paused again between
// two looks.
func (s *Session) proveStill(ctx context.Context, machines []*Machine) error {
	histories := make(map[string][]instanceactions.InstanceAction, len(machines))
	var mu sync.Mutex
	err := each(ctx, machines, func(ctx context.Context, m *Machine) error {
		list, err := s.cloud.ListServerActions(ctx, m.ServerID)
		mu.Lock()
		defer mu.Unlock()
		histories[m.ServerID] = list
		return err
	})
	if err != nil {
		return err
	}
	return checkHistories(machines, histories)
}

// checkHistories is the proof itself. Nova's times are whole seconds and of one clock. When a server that was off all the
// time was snapshotted does not matter: its disk did not change.
func checkHistories(machines []*Machine, histories map[string][]instanceactions.InstanceAction) error {
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

// nothingElse fails if anything but pauses and snapshots was asked of a server after the first pause; zero: there was none.
func nothingElse(machines []*Machine, histories map[string][]instanceactions.InstanceAction, firstPause time.Time) error {
	if firstPause.IsZero() {
		return nil
	}
	for _, m := range machines {
		for _, a := range histories[m.ServerID] {
			if a.Action != actionPause && a.Action != actionCreateImage && a.StartTime.After(firstPause) {
				return abandon("%s: somebody asked for %q while the cluster was being hibernated", m.Name, a.Action)
			}
		}
	}
	return nil
}

// lastCut reads one history, newest first: nothing but snapshots may have come after the pause.
func lastCut(m *Machine, history []instanceactions.InstanceAction) (cutTimes, error) {
	var t cutTimes
	for _, a := range history {
		switch {
		case a.Action == actionCreateImage:
			t.shot = a.StartTime
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
