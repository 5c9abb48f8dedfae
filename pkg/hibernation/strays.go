package hibernation

import (
	"context"
	"slices"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

const (
	// strayFor is how long after its request something may still come about that was never answered: a proxy or a queue can
	// carry the request out when its sender has long given up.
	strayFor = 10 * time.Minute
	// strayPausesEvery is how often it is looked whether a server was paused that late: its cluster runs without it meanwhile.
	strayPausesEvery = time.Minute
	// maxSkew is how far Nova's clock may be from ours; the tries of one cluster are further apart.
	maxSkew = 5 * time.Minute
)

// Stray is a snapshot or a pause whose request got no answer and which was not seen: of a hibernation that was rolled back, or, for
// a snapshot that was asked for once more, may yet be.
type Stray struct {
	// Name and Cycle are the snapshot's; empty for a pause.
	Name     string `json:"name,omitempty"`
	Cycle    string `json:"cycle,omitempty"`
	ServerID string `json:"serverID"`
	Pause    bool   `json:"pause,omitempty"`
	// Until is when the image is looked for a last time.
	Until time.Time `json:"until"`

	unknown unknownFields
}

// noteStray remembers that a machine's snapshot may still appear. The record holds the latest of each server.
func (s *Session) noteStray(m *Machine, asked time.Time) {
	s.record.noteStray(Stray{Name: m.Shot.Name, Cycle: m.Shot.Cycle, ServerID: m.ServerID, Until: asked.Add(strayFor).UTC()})
	s.dirty = true
}

func (r *Record) noteStray(stray Stray) {
	r.Strays = slices.DeleteFunc(r.Strays, func(old Stray) bool { return old.ServerID == stray.ServerID && old.Pause == stray.Pause })
	r.Strays = append(r.Strays, stray)
}

// forgetStrayShots forgets the snapshots of a machine's present cut that may still appear: one that looks like them is worth
// keeping.
func (r *Record) forgetStrayShots(m *Machine) {
	r.Strays = slices.DeleteFunc(r.Strays, func(stray Stray) bool { return stray.ServerID == m.ServerID && stray.Cycle == m.Shot.Cycle })
}

// notePauses remembers the servers whose pause may still be carried out: the cut asked for it, and Nova's history does not show
// it. Once snapshots were asked for, every server was seen paused.
func (s *Session) notePauses(ctx context.Context, machines []*Machine) error {
	cut := s.record.Cut
	if !cut.Pausing || cut.Shooting || s.dropping {
		return nil
	}
	servers, err := s.serversOf(ctx, machines)
	if err != nil {
		return err
	}
	ran := slices.DeleteFunc(slices.Clone(machines), func(m *Machine) bool { return m.Before != statusActive || !present(servers[m.Name]) })
	histories, err := s.histories(ctx, ran)
	if err != nil {
		return err
	}
	for _, m := range ran {
		if !histories[m.ServerID].shows(actionPause, cut.StartedAt.Add(-maxSkew)) {
			s.record.noteStray(Stray{ServerID: m.ServerID, Pause: true, Until: s.now().Add(strayFor).UTC()})
		}
	}
	return nil
}

// latePauses unpauses the servers whose pause was carried out after its hibernation had been rolled back, and waits until they
// run. Of a cluster that is being hibernated again, or sleeps, every pause is its own.
func (s *Session) latePauses(ctx context.Context) (Progress, error) {
	r := s.record
	if r == nil || r.Cut != nil || r.behindSeal() {
		return done(), nil
	}
	var late []*openstackclient.Server
	for _, stray := range r.Strays {
		srv, err := s.latelyPaused(ctx, stray)
		if err != nil {
			return Progress{}, err
		}
		if srv != nil {
			late = append(late, srv)
		}
	}
	if len(late) == 0 {
		return done(), nil
	}
	return s.undoPauses(ctx, late)
}

// latelyPaused returns the server of a pause that was carried out late; nil if it was not, or is none of ours to undo.
func (s *Session) latelyPaused(ctx context.Context, stray Stray) (*openstackclient.Server, error) {
	if !stray.Pause {
		return nil, nil
	}
	srv, err := s.server(ctx, stray.ServerID)
	if err != nil || conditionOf(srv) != paused || srv.TaskState != "" || locked(srv) {
		return nil, err
	}
	if ours, err := s.pausedInTime(ctx, stray); err != nil || !ours {
		return nil, err
	}
	return srv, nil
}

// pausedInTime tells whether a paused server was paused while the stray's request could still be carried out: later it was
// somebody else.
func (s *Session) pausedInTime(ctx context.Context, stray Stray) (bool, error) {
	last := stray.Until.Add(maxSkew)
	if s.now().Before(last) {
		return true, nil
	}
	entries, err := s.cloud.ListServerActions(ctx, stray.ServerID)
	if openstackclient.IsNotFound(err) {
		return false, nil
	}
	newest := slices.IndexFunc(entries, func(entry instanceactions.InstanceAction) bool { return entry.Action == actionPause })
	return newest >= 0 && entries[newest].StartTime.Before(last), err
}

func (s *Session) undoPauses(ctx context.Context, late []*openstackclient.Server) (Progress, error) {
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	if err := s.claim(ctx); err != nil {
		return Progress{}, err
	}
	defer s.changed()
	var waiting []string
	for _, srv := range late {
		s.log.WithField("server", srv.Name).Warn("the server was paused after the hibernation had been rolled back; it is unpaused")
		waiting = append(waiting, srv.Name+": being brought back")
	}
	err := s.each(ctx, len(late), func(ctx context.Context, i int) error {
		if err := s.inTime(); err != nil {
			return err
		}
		return s.bringBack(ctx, late[i])
	})
	return s.pending(StageRollingBack, s.soon(), waiting), err
}

// giveUpStrays gives up the strays that have appeared, once the last of them is due. It returns how long that is away.
func (s *Session) giveUpStrays(ctx context.Context) (time.Duration, error) {
	r := s.record
	if len(r.Strays) == 0 {
		return 0, nil
	}
	last := slices.MaxFunc(r.Strays, func(a, b Stray) int { return a.Until.Compare(b.Until) })
	if left := last.Until.Sub(s.now()); left > 0 {
		if slices.ContainsFunc(r.Strays, func(stray Stray) bool { return stray.Pause }) {
			return min(left, strayPausesEvery), nil
		}
		return min(left, strayFor), nil
	}
	found, err := s.strayImages(ctx)
	if err != nil {
		return 0, err
	}
	for i := range found {
		r.giveUp(&Snapshot{ID: found[i].ID, Name: found[i].Name})
	}
	r.Strays = nil
	return 0, s.save(ctx)
}

// strayImages returns the snapshots that have appeared late, of machines that have a server: that of one without may be the last
// copy of its disk.
func (s *Session) strayImages(ctx context.Context) ([]images.Image, error) {
	list, err := s.ourImages(ctx)
	if err != nil {
		return nil, err
	}
	var found []images.Image
	for i := range list {
		if s.record.knows(list[i].ID) || !slices.ContainsFunc(s.record.Strays, func(stray Stray) bool { return stray.is(&list[i]) }) {
			continue
		}
		l, err := s.look(ctx, false)
		if err != nil {
			return nil, err
		}
		lives := machineLives(l, &list[i])
		if !lives {
			if lives, err = s.sourceExists(ctx, &list[i]); err != nil {
				return nil, err
			}
		}
		if lives {
			found = append(found, list[i])
		}
	}
	return found, nil
}

// is reports whether an image is the snapshot that may still appear.
func (stray Stray) is(img *images.Image) bool {
	return !stray.Pause && isShot(img, &Snapshot{Name: stray.Name, Cycle: stray.Cycle, ServerID: stray.ServerID})
}
