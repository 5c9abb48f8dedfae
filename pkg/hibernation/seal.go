package hibernation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// seal saves that every machine has its snapshot, once that is proved.
func (s *Session) seal(ctx context.Context) (Progress, error) {
	if s.record.Cut == nil {
		return done(), nil
	}
	machines := s.record.inCut()
	gone, histories, waiting, err := s.proveCut(ctx, machines)
	if err != nil {
		return Progress{}, err
	}
	if len(waiting) > 0 {
		return s.pending(StageStopping, s.soon(), waiting), nil
	}
	if err := s.tagSnapshots(ctx, machines); err != nil {
		return Progress{}, err
	}
	whole := !s.record.behindSeal()
	for _, m := range machines {
		m.Still = lastTouch(histories[m.ServerID])
	}
	s.closeCut()
	if err := s.save(ctx); err != nil {
		return Progress{}, err
	}
	s.sealed = whole
	for _, m := range gone {
		s.event("Warning", "ServerGone", fmt.Sprintf("%s: its server %s was deleted by somebody else, when it had been snapshotted; it has not run since and is all in its snapshot %s", m.Name, m.ServerID, m.Snapshot.Name))
	}
	s.log.WithField("cycle", s.record.Sealed.Cycle).Info("every machine has its snapshot; the servers may go")
	return done(), nil
}

// proveCut finds out whether everything is as it was stopped. It returns the machines whose servers are gone, the histories by
// which the rest is proved, and names those that can't be told yet.
func (s *Session) proveCut(ctx context.Context, machines []*Machine) (gone []*Machine, histories map[string]history, waiting []string, err error) {
	waiting, err = s.still(ctx, machines)
	if err != nil || len(waiting) > 0 {
		return nil, nil, waiting, err
	}
	gone, err = s.goneForSure(ctx, machines)
	if err != nil {
		return nil, nil, nil, err
	}
	there := slices.DeleteFunc(slices.Clone(machines), func(m *Machine) bool { return slices.Contains(gone, m) })
	changes, err := s.portChanges(ctx, there)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(changes) > 0 {
		return nil, nil, nil, abandon("%s", changes[0])
	}
	histories, waiting, err = s.proveStill(ctx, machines)
	return gone, histories, waiting, err
}

// closeCut turns the cut into the seal: each machine's new snapshot takes the place of its old one.
func (s *Session) closeCut() {
	r := s.record
	if !r.behindSeal() {
		r.Deleting = nil
	}
	for _, m := range r.Machines {
		if m.InCut {
			r.replace(m)
			r.forgetStrayShots(m)
			m.Snapshot, m.Shot, m.InCut = m.Shot, nil, false
			m.Ended, m.Late, m.Unread = false, nil, nil
		}
		m.Creation = nil
	}
	r.Sealed = &Seal{Cycle: r.Cut.Cycle, At: s.now().UTC()}
	r.Cut, r.Opened, r.Tries = nil, nil, nil
}

// replace gives up the snapshot that a machine's new one takes the place of. While servers are being deleted it is kept, until
// the cluster runs again: by then it is known that the new one starts.
func (r *Record) replace(m *Machine) {
	switch {
	case m.Snapshot == nil || m.Snapshot.ID == "" || m.Snapshot.ID == m.Shot.ID:
	case r.behindSeal():
		if m.Older = append(m.Older, m.Snapshot); len(m.Older) > maxOlder {
			r.giveUp(m.Older[0])
			m.Older = m.Older[1:]
		}
	default:
		r.giveUpAll(m)
	}
}

// goneForSure returns the machines whose servers are gone. So it looks, too, to an old copy of the record.
func (s *Session) goneForSure(ctx context.Context, machines []*Machine) ([]*Machine, error) {
	gone, err := s.goneOf(ctx, machines)
	if err == nil && len(gone) > 0 {
		err = s.checkLatest(ctx)
	}
	return gone, err
}

// still looks once more whether every server is stopped, idle and without volumes, and none has come to the cluster. It
// names those that still have a task: an image is active a moment before its server's task ends.
func (s *Session) still(ctx context.Context, machines []*Machine) ([]string, error) {
	l, err := s.look(ctx, false)
	if err != nil {
		return nil, err
	}
	if strange := s.strangers(l); len(strange) > 0 {
		return nil, abandon("server %s appeared while the cluster was being hibernated", strange[0])
	}
	var waiting []string
	for _, m := range machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return nil, err
		}
		is := conditionOf(srv)
		if is == unknown {
			waiting = append(waiting, unanswered(m.Name, srv))
			continue
		}
		if is == stopped(m) && srv.TaskState != "" {
			waiting = append(waiting, fmt.Sprintf("%s: %s", m.Name, srv.TaskState))
			continue
		}
		if err := s.stillOne(ctx, m, srv); err != nil {
			return nil, err
		}
	}
	return waiting, nil
}

// stillOne ends the cut because of a server that is not as it was stopped.
func (s *Session) stillOne(ctx context.Context, m *Machine, srv *openstackclient.Server) error {
	if !present(srv) {
		return s.endedWhole(ctx, m)
	}
	if why := unlikeRecord(m, srv); why != "" {
		return abandon("%s", why)
	}
	if why := changedSince(m, srv); why != "" && !s.record.behindSeal() {
		return abandon("%s", why)
	}
	return nil
}

// endedWhole ends the cut because of a machine whose server somebody has deleted, unless its snapshot is complete and its
// history proves that it was left as it was snapshotted until then: that snapshot is then the last copy, and the better way is on.
func (s *Session) endedWhole(ctx context.Context, m *Machine) error {
	vanished := abandon("%s: its server %s vanished before it had a snapshot", m.Name, m.ServerID)
	if !s.record.Cut.Shooting {
		return vanished
	}
	list, err := s.ourImages(ctx)
	if err != nil {
		return err
	}
	img, _, err := matchShot(list, m.Shot)
	if err != nil {
		return err
	}
	if img == nil || !m.wholeFor(img) {
		return vanished
	}
	histories, err := s.histories(ctx, []*Machine{m})
	if err != nil {
		return err
	}
	_, err = lastCut(m, histories[m.ServerID])
	return err
}

// goneOf returns the machines whose servers do not exist any more.
func (s *Session) goneOf(ctx context.Context, machines []*Machine) ([]*Machine, error) {
	var gone []*Machine
	for _, m := range machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return nil, err
		}
		if !present(srv) {
			gone = append(gone, m)
		}
	}
	return gone, nil
}

// changedSince says how a server is no longer what its machine would be made again as: somebody may have changed it between
// our first look and its pause.
func changedSince(m *Machine, srv *openstackclient.Server) string {
	switch {
	case srv.Name != m.Name:
		return fmt.Sprintf("%s: its server was renamed to %s while the cluster was being hibernated", m.Name, srv.Name)
	case srv.FlavorName != "" && srv.FlavorName != m.Spec.FlavorName, srv.FlavorID != "" && srv.FlavorID != m.Spec.FlavorID:
		return fmt.Sprintf("%s: its server was resized while the cluster was being hibernated", m.Name)
	}
	return ""
}

// unlikeRecord says how a server differs from what it was stopped as; empty if it does not. Ports are compared elsewhere.
func unlikeRecord(m *Machine, srv *openstackclient.Server) string {
	switch {
	case conditionOf(srv) != stopped(m):
		return fmt.Sprintf("%s: its server is %s and was left %s", m.Name, srv.Status, stoppedStatus(m))
	case srv.TaskState != "":
		return fmt.Sprintf("%s: its server is busy with %s", m.Name, srv.TaskState)
	case len(srv.AttachedVolumes) > 0:
		return fmt.Sprintf("%s: volume %s was attached to its server, and is not in the snapshot", m.Name, srv.AttachedVolumes[0].ID)
	}
	return ""
}

// stoppedStatus is stopped in Nova's words.
func stoppedStatus(m *Machine) string {
	if m.Before == statusActive {
		return statusPaused
	}
	return m.Before
}

// portChanges names the machines whose ports are not the recorded ones.
func (s *Session) portChanges(ctx context.Context, machines []*Machine) ([]string, error) {
	have, err := s.portsSeen(ctx, serverIDs(machines))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range machines {
		if was, is := recordedPorts(m), portIDs(have[m.ServerID]); !slices.Equal(was, is) {
			out = append(out, fmt.Sprintf("%s: its ports were %s and are %s", m.Name, strings.Join(was, ", "), strings.Join(is, ", ")))
		}
	}
	return out, nil
}

func recordedPorts(m *Machine) []string {
	var ids []string
	for _, p := range m.Spec.Ports {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	return ids
}

func portIDs(list []ports.Port) []string {
	var ids []string
	for _, p := range list {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	return ids
}

// tagSnapshots gives the snapshots the tag by which OpenShift's installer finds a cluster's images when it destroys it. They
// are complete: Glance may lose a tag that is added while an upload ends (seen on Glance 25.1).
func (s *Session) tagSnapshots(ctx context.Context, machines []*Machine) error {
	list, err := s.ourImages(ctx)
	if err != nil {
		return err
	}
	tag := clusterTag(s.cluster.InfraID)
	var untagged []*Machine
	for _, m := range machines {
		img, _, err := matchShot(list, m.Shot)
		if err != nil {
			return err
		}
		if img == nil || !slices.Contains(img.Tags, tag) {
			untagged = append(untagged, m)
		}
	}
	if len(untagged) == 0 {
		return nil
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	// A tag changes nothing that was looked at, so the look stays good.
	return s.each(ctx, len(untagged), func(ctx context.Context, i int) error {
		m := untagged[i]
		err := s.cloud.TagImage(ctx, m.Shot.ID, tag)
		if final(err) {
			s.event("Warning", "SnapshotNotTagged", fmt.Sprintf("snapshot %s could not be tagged %s, so that the installer's destroy will not find it: %v", m.Shot.Name, tag, err))
			return nil
		}
		return err
	})
}
