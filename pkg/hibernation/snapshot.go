package hibernation

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// shots is how far the snapshots of the cut are.
type shots struct {
	todo     []*Machine
	spare    []string
	inFlight int
	// growing are the machines whose image is there and not complete.
	growing []*Machine
	waiting []string
}

// develop waits for snapshots that are being made, and looks at nothing but the images meanwhile: whether the servers
// stayed still is proved at the seal.
func (s *Session) develop(ctx context.Context) (Progress, error) {
	cut := s.record.Cut
	if cut == nil || !cut.Shooting {
		return done(), nil
	}
	if err := s.checkDeadline(); err != nil {
		return Progress{}, err
	}
	st, err := s.shotsNow(ctx)
	if err != nil {
		return Progress{}, err
	}
	if st.inFlight == 0 || len(st.todo) > 0 || len(st.spare) > 0 {
		return done(), nil
	}
	if err := s.checkGrowing(ctx, st.growing); err != nil {
		return Progress{}, err
	}
	return s.pending(StageStopping, s.later(cut.StartedAt), st.waiting), nil
}

// checkGrowing finds snapshots on which nobody works any more: a compute service or a Glance that dies leaves an image
// unfinished for ever, and the server without its task (seen with both). Twice seen so is enough.
func (s *Session) checkGrowing(ctx context.Context, machines []*Machine) error {
	if len(machines) == 0 || s.now().Sub(s.record.Cut.StartedAt) < growsQuietly {
		return nil
	}
	if _, err := s.look(ctx, false); err != nil {
		return err
	}
	for _, m := range machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return err
		}
		if s.noteIdle(m.Shot, idle(srv)) {
			return s.deserted(ctx, m)
		}
	}
	return nil
}

// idle reports whether a server is seen, and Nova does nothing with it.
func idle(srv *openstackclient.Server) bool {
	return present(srv) && conditionOf(srv) != unknown && srv.TaskState == ""
}

// noteIdle remembers since when nobody works on a snapshot, and tells whether that is too long.
func (s *Session) noteIdle(shot *Snapshot, idle bool) bool {
	switch {
	case !idle && shot.Idle != nil:
		shot.Idle, s.dirty = nil, true
	case idle && shot.Idle == nil:
		now := s.now().UTC()
		shot.Idle, s.dirty = &now, true
	case idle:
		return s.now().Sub(*shot.Idle) >= growsQuietly
	}
	return false
}

// deserted ends the cut for a snapshot on which nobody works, unless it is complete by now: the lists may have been old.
func (s *Session) deserted(ctx context.Context, m *Machine) error {
	srv, err := s.cloud.GetServer(ctx, openstackclient.ViewHostname, m.ServerID)
	if openstackclient.IsNotFound(err) {
		return nil // the next look shows it
	}
	if err != nil || !idle(srv) {
		return err
	}
	list, err := s.cloud.ListImages(ctx, openstackclient.ListImagesOpts{Properties: map[string]string{propInfraID: s.cluster.InfraID}})
	if err != nil {
		return err
	}
	if img, _, err := matchShot(list, m.Shot); err != nil || img == nil || finished(img) {
		return err
	}
	return abandon("%s: its snapshot stays incomplete, and Nova is no longer at it: a service of the cloud failed meanwhile", m.Name)
}

// snapshot asks for an image of every server of the cut, after the barrier. That it is about to do so is saved first.
func (s *Session) snapshot(ctx context.Context) (Progress, error) {
	cut := s.record.Cut
	if cut == nil {
		return done(), nil
	}
	st, err := s.shotsNow(ctx)
	if err != nil {
		return Progress{}, err
	}
	if len(st.todo) == 0 && len(st.waiting) == 0 && len(st.spare) == 0 {
		return done(), nil
	}
	if err := s.removeSpare(ctx, st.spare); err != nil {
		return Progress{}, err
	}
	room := max(s.engine.opts.SnapshotsInFlight-st.inFlight, 0)
	if err := s.shootAll(ctx, st.todo[:min(room, len(st.todo))]); err != nil {
		return Progress{}, err
	}
	for _, m := range st.todo {
		st.waiting = append(st.waiting, m.Name+": snapshot queued")
	}
	return s.pending(StageStopping, s.later(cut.StartedAt), st.waiting), nil
}

// shootAll asks for snapshots, and saves before and after what is known of them.
func (s *Session) shootAll(ctx context.Context, machines []*Machine) error {
	if len(machines) == 0 {
		return nil
	}
	attempts := make([]*Attempt, len(machines))
	for i, m := range machines {
		attempts[i] = &m.Shot.Attempt
	}
	s.record.Cut.Shooting = true
	if err := s.intend(ctx, attempts); err != nil {
		return err
	}
	err := s.act(ctx, machines, s.shoot)
	return firstOf(s.save(ctx), err)
}

// firstOf returns the second error, unless the first one says that even saving failed.
func firstOf(saving, err error) error {
	if saving != nil {
		return saving
	}
	return err
}

// shotsNow matches the machines of the cut with the images there are. A snapshot that failed ends the cut.
func (s *Session) shotsNow(ctx context.Context) (shots, error) {
	var st shots
	list, err := s.ourImages(ctx)
	if err != nil {
		return st, err
	}
	if !s.record.Cut.Shooting {
		st.todo = s.record.inCut()
		return st, neverShot(list, st.todo)
	}
	for _, m := range s.record.inCut() {
		img, spare, err := matchShot(list, m.Shot)
		if err != nil {
			return st, err
		}
		for _, twin := range spare {
			st.spare = append(st.spare, twin.ID)
		}
		if img == nil {
			if img, err = s.unlisted(ctx, m); err != nil {
				return st, err
			}
		}
		if err := s.sortShot(&st, m, img); err != nil {
			return st, err
		}
	}
	return st, nil
}

// neverShot ends a cut of which there are snapshots before the first was asked for. That this is done is saved first, so the
// record is a copy from before it, and the images are of an abandoned cut: none of them may be adopted.
func neverShot(list []images.Image, machines []*Machine) error {
	for _, m := range machines {
		if old := shotsOf(list, m); len(old) > 0 {
			return abandon("%s: its snapshot %s (%s) exists before it was asked for: the record is an old copy", m.Name, old[0].Name, old[0].ID)
		}
	}
	return nil
}

// unlisted asks for the image of a snapshot that the list does not show; one that was there and is gone has failed.
func (s *Session) unlisted(ctx context.Context, m *Machine) (*images.Image, error) {
	if m.Shot.ID == "" {
		return nil, nil
	}
	img, err := s.cloud.GetImage(ctx, m.Shot.ID)
	if openstackclient.IsNotFound(err) {
		if err := s.checkCloud(ctx); err != nil {
			return nil, err
		}
		return nil, s.snapshotFailure(ctx, m)
	}
	return img, err
}

func (s *Session) sortShot(st *shots, m *Machine, img *images.Image) error {
	if img == nil {
		unanswered := m.Shot.Asked != nil
		if s.settle(&m.Shot.Attempt) {
			if unanswered {
				s.noteStray(m, s.now())
			}
			st.todo = append(st.todo, m)
			return nil
		}
		st.inFlight++
		st.waiting = append(st.waiting, m.Name+": waiting whether its snapshot appears, since the answer to the request is not known")
		return nil
	}
	switch imageConditionOf(img) {
	case imageBroken:
		return abandon("%s: its snapshot came to nothing: %s", m.Name, brokenBecause(img))
	case imageWhole:
		if why := m.unbootable(img); why != "" {
			return abandon("%s: its snapshot is of no use: %s", m.Name, why)
		}
		m.Shot.ID, m.Shot.Attempt = img.ID, Attempt{}
	case imageGrowing, imageUnknown:
		// Its ID is not taken over before it is finished: it may have a twin on which Nova works.
		m.Shot.Attempt = Attempt{}
		st.inFlight++
		st.growing = append(st.growing, m)
		st.waiting = append(st.waiting, fmt.Sprintf("%s: snapshot %s", m.Name, img.Status))
	}
	return nil
}

// shoot asks for one snapshot. The marks that make it ours are in the request itself: nothing could add them later
// without a moment at which the image has none.
func (s *Session) shoot(ctx context.Context, m *Machine) error {
	id, err := s.cloud.CreateServerImage(ctx, m.ServerID, servers.CreateImageOpts{
		Name:     m.Shot.Name,
		Metadata: map[string]string{propInfraID: s.cluster.InfraID, propCycle: m.Shot.Cycle},
	})
	if !openstackclient.IsAmbiguous(err) {
		m.Shot.ID, m.Shot.Attempt = id, Attempt{}
	}
	switch {
	case final(err):
		return abandon("%s: its snapshot was refused: %v", m.Name, err)
	case openstackclient.KindOf(err) == openstackclient.KindConflict, openstackclient.IsNotFound(err):
		// Its state has changed since the look: the next one shows how.
		return nil
	}
	return err
}

func (s *Session) removeSpare(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	defer s.changed()
	return s.each(ctx, len(ids), func(ctx context.Context, i int) error {
		if err := s.inTime(); err != nil {
			return err
		}
		_, err := s.deleteImage(ctx, ids[i])
		return err
	})
}
