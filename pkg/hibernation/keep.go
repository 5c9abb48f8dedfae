package hibernation

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// A hibernation that is rolled back may leave a machine whose snapshot is the last copy of its disk. That snapshot and the
// machine's entry stay in a record that is neither sealed nor in a cut.

// kept says why a machine's snapshot is kept.
type kept struct {
	why string
	// replaced says that its server may have another disk.
	replaced bool
}

// toKeep returns the machines whose snapshots are kept. It names those of which that can't be told yet.
func (s *Session) toKeep(ctx context.Context, machines []*Machine, shots [][]images.Image) (keep map[*Machine]kept, waiting []string, err error) {
	keep = map[*Machine]kept{}
	if s.dropping {
		return keep, nil, nil
	}
	var standing []*Machine
	for i, m := range machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return nil, nil, err
		}
		switch conditionOf(srv) {
		case gone, ended, softDeleted, failed:
			keep[m] = kept{why: fmt.Sprintf("its server %s vanished or failed while the cluster was being hibernated", m.ServerID)}
		case parked:
			// Without a seal it was waited for until the server is as it was.
			keep[m] = kept{why: fmt.Sprintf("its server %s is %s", m.ServerID, srv.Status), replaced: true}
		case running, paused, off:
			if len(wholeShots(shots[i])) > 0 {
				standing = append(standing, m)
			}
		case unknown, building, changing:
			waiting = append(waiting, lagging(m.Name, srv))
		}
	}
	unclear, err := s.addReplaced(ctx, keep, standing)
	return keep, append(waiting, unclear...), err
}

// addReplaced adds the machines whose servers may have got another disk since their snapshot was asked for. It names those
// whose history Nova does not show.
func (s *Session) addReplaced(ctx context.Context, keep map[*Machine]kept, machines []*Machine) (waiting []string, err error) {
	histories, err := s.histories(ctx, machines)
	if err != nil {
		return nil, err
	}
	waiting = unread(machines, histories)
	for _, m := range machines {
		h := histories[m.ServerID]
		entry, reaches := replacedSinceImage(h)
		switch {
		case !h.known:
		case !reaches:
			waiting = append(waiting, m.Name+": Nova's history of its server does not show its snapshot yet; waiting for a current answer")
		case entry != nil:
			keep[m] = kept{why: fmt.Sprintf("somebody asked for %q of its server %s while the cluster was being hibernated", entry.Name, m.ServerID), replaced: true}
		}
	}
	return waiting, nil
}

// replacedSinceImage returns the newest action behind the newest snapshot that may have replaced the disk; nil if there is none.
// A history that does not reach to a snapshot is older than the image, and tells nothing.
func replacedSinceImage(h history) (replaced *Action, reaches bool) {
	for _, entry := range h.entries {
		switch {
		case entry.Action == actionCreateImage:
			return replaced, true
		case effectOf(entry) == replaces && replaced == nil:
			replaced = actionOf(entry)
		}
	}
	return nil, false
}

// keepShot makes the cut's whole snapshot the one that the machine's entry keeps. A machine that has a sealed snapshot keeps
// that, and an event names the other.
func (s *Session) keepShot(m *Machine, shots []images.Image, is kept) {
	s.record.forgetStrayShots(m)
	for _, img := range wholeShots(shots) {
		if m.Snapshot == nil {
			m.Snapshot = &Snapshot{Name: img.Name, ID: img.ID, Cycle: m.Shot.Cycle, ServerID: m.ServerID}
			m.Kept = &Kept{Why: is.why, Replaced: is.replaced}
		}
		s.event("Warning", "SnapshotKept", fmt.Sprintf("%s: %s; its snapshot %s (%s) is kept. %s", m.Name, is.why, img.Name, img.ID, adviceKept))
	}
}

// refuseKept gives up what is needed no more of kept snapshots, and refuses to hibernate a cluster one of whose machines is only
// such a snapshot.
func (s *Session) refuseKept(ctx context.Context) error {
	if err := s.releaseKept(ctx); err != nil {
		return err
	}
	if err := s.keptRefusal(); err != nil {
		return s.refused(ctx, err)
	}
	return nil
}

// keptRefusal returns the refusal; nil if there is no such machine.
func (s *Session) keptRefusal() error {
	if s.record == nil || !s.record.keeping() {
		return nil
	}
	m := s.record.Machines[0]
	return &Refusal{Message: fmt.Sprintf("%s: its snapshot %s (%s) of an earlier hibernation may be the last copy of its disk, since %s. %s", m.Name, m.Snapshot.Name, m.Snapshot.ID, m.keptWhy(), adviceKept)}
}

// releaseKept gives up kept snapshots that are needed no more: the machine has a healthy server again, of which nothing shows
// that its disk was replaced, or a person has removed or renamed the image.
func (s *Session) releaseKept(ctx context.Context) error {
	if s.record == nil || !s.record.keeping() {
		return nil
	}
	l, err := s.look(ctx, true)
	if err != nil {
		return err
	}
	var left []*Machine
	for _, m := range s.record.Machines {
		needed, err := s.keptIsNeeded(ctx, m)
		switch {
		case err != nil:
			return err
		case !needed:
			// A renamed image is the person's own.
		case lives(l, m):
			s.record.giveUpAll(m)
		default:
			left = append(left, m)
		}
	}
	if len(left) == len(s.record.Machines) {
		return nil
	}
	for _, m := range s.record.Machines {
		if !slices.Contains(left, m) {
			s.event("Normal", "SnapshotReleased", fmt.Sprintf("%s: its kept snapshot %s (%s) is needed no more", m.Name, m.Snapshot.Name, m.Snapshot.ID))
		}
	}
	s.record.Machines = left
	return s.save(ctx)
}

// lives reports whether a healthy server holds the disk of a kept machine: its own, or one that was made from the snapshot.
func lives(l *look, m *Machine) bool {
	return slices.ContainsFunc(l.named(m.Name), func(srv *openstackclient.Server) bool {
		own := srv.ID == m.ServerID && m.Kept != nil && !m.Kept.Replaced
		return healthy(srv) && (own || srv.ImageID == m.Snapshot.ID)
	})
}

// keptIsNeeded reports whether a kept snapshot stands as it was: who needs it no more removes or renames the image.
func (s *Session) keptIsNeeded(ctx context.Context, m *Machine) (bool, error) {
	img, err := s.cloud.GetImage(ctx, m.Snapshot.ID)
	switch {
	case openstackclient.IsNotFound(err):
		isGone, err := s.imageGone(ctx, m.Snapshot.ID)
		return !isGone, err
	case err != nil:
		return true, err
	}
	return img.Name == m.Snapshot.Name, nil
}

func (m *Machine) keptWhy() string {
	if m.Kept == nil {
		return "its server is gone"
	}
	return m.Kept.Why
}
