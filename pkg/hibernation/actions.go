package hibernation

import (
	"context"
	"fmt"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// Instance actions, in Nova's words.
const (
	actionPause       = "pause"
	actionCreateImage = "createImage"
	actionDelete      = "delete"
	actionFailed      = "Error"
)

// letsRun tells whether an action may have let a machine run that did not, so that it wrote more than its snapshot holds. What
// is plugged into a paused server, or taken from it, and who may touch it, changes nothing of its disk (the names are those in
// nova/compute/instance_actions.py).
func letsRun(action string) bool {
	switch action {
	case actionCreateImage, actionDelete, "attach_interface", "detach_interface", "attach_volume", "detach_volume", "lock", "unlock":
		return false
	}
	return true
}

// cutTimes is when, by Nova's clock, one server was paused and its first snapshot was asked for.
type cutTimes struct {
	paused, shot time.Time
}

// histories returns what was done to the machines' servers, newest first, by server. One that is gone has none.
func (s *Session) histories(ctx context.Context, machines []*Machine) (map[string][]instanceactions.InstanceAction, error) {
	lists := make([][]instanceactions.InstanceAction, len(machines))
	err := s.each(ctx, len(machines), func(ctx context.Context, i int) (err error) {
		lists[i], err = s.cloud.ListServerActions(ctx, machines[i].ServerID)
		if openstackclient.IsNotFound(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	byServer := make(map[string][]instanceactions.InstanceAction, len(machines))
	for i, m := range machines {
		byServer[m.ServerID] = lists[i]
	}
	return byServer, nil
}

// proveStill finds out from the servers' own histories whether nothing of the cluster ran between the last pause and the
// first snapshot, nor since. What a list shows is not enough: a server may have been unpaused and paused again between
// two looks. It notes for each machine by what this can be told later.
func (s *Session) proveStill(ctx context.Context, machines []*Machine) error {
	histories, err := s.histories(ctx, machines)
	if err != nil {
		return err
	}
	if s.record.behindSeal() {
		// Its siblings are gone, so there is nothing to be consistent with but each machine with itself.
		for _, m := range machines {
			if _, err := lastCut(m, histories[m.ServerID]); err != nil {
				return err
			}
		}
	} else if err := checkHistories(machines, histories); err != nil {
		return err
	}
	for _, m := range machines {
		m.Still = lastOther(histories[m.ServerID])
	}
	return nil
}

// lastOther returns the newest entry of a history that may have changed the disk or let the server run.
func lastOther(history []instanceactions.InstanceAction) *Action {
	for _, a := range history {
		if a.Action != actionCreateImage && a.Action != actionDelete {
			return actionOf(a)
		}
	}
	return nil
}

func actionOf(a instanceactions.InstanceAction) *Action {
	return &Action{Name: a.Action, RequestID: a.RequestID, At: a.StartTime.UTC()}
}

// is tells whether an entry in a history is the remembered one.
func (a *Action) is(entry instanceactions.InstanceAction) bool {
	return a.Name == entry.Action && a.RequestID == entry.RequestID && a.At.Equal(entry.StartTime)
}

// notStill returns the machines to which something was done since their snapshots were sealed.
func (s *Session) notStill(ctx context.Context, machines []*Machine) (map[*Machine]string, error) {
	if s.sealed {
		return nil, nil
	}
	histories, err := s.histories(ctx, machines)
	if err != nil {
		return nil, err
	}
	moved := map[*Machine]string{}
	for _, m := range machines {
		late := firstSince(m.Still, histories[m.ServerID])
		switch {
		case m.Still == nil || !reachesTo(m.Still, histories[m.ServerID]):
			moved[m] = fmt.Sprintf("%s: its history in Nova does not show that it stayed as it was snapshotted", m.Name)
		case late != nil:
			moved[m] = fmt.Sprintf("%s: somebody asked for %q after its snapshot", m.Name, late.Name)
		}
	}
	return moved, nil
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

// nothingElse fails if anything but pauses, snapshots and its end was asked of a server after the first pause; zero: there was none.
func nothingElse(machines []*Machine, histories map[string][]instanceactions.InstanceAction, firstPause time.Time) error {
	if firstPause.IsZero() {
		return nil
	}
	for _, m := range machines {
		for _, a := range histories[m.ServerID] {
			if a.Action != actionPause && a.Action != actionCreateImage && a.Action != actionDelete && a.StartTime.After(firstPause) {
				return abandon("%s: somebody asked for %q while the cluster was being hibernated", m.Name, a.Action)
			}
		}
	}
	return nil
}

// lastCut reads one history, newest first: nothing but snapshots, and the server's end, may have come after the pause.
func lastCut(m *Machine, history []instanceactions.InstanceAction) (cutTimes, error) {
	var t cutTimes
	for _, a := range history {
		switch {
		case a.Action == actionDelete:
			continue
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
