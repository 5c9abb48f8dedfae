package hibernation

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// byUser is why a cut ends when nothing has failed.
const byUser = "the cluster is to run"

// rollBack undoes the present cut. When that is complete and the cloud had ended the cut, a *Refusal says so, unless the
// cluster is to run anyway.
func (s *Session) rollBack(ctx context.Context, why string) (Progress, error) {
	s.why = why
	p, err := s.run(ctx, rollbackSteps)
	if err != nil || !p.Done || why == byUser {
		return p, err
	}
	if s.record == nil || s.record.Tries == nil {
		return s.pending(StageRollingBack, s.soon(), []string{"rolled back"}), nil
	}
	if s.record.behindSeal() {
		return Progress{}, blocked("%s; the cluster is half hibernated, and this is tried again later", s.record.Tries.Why)
	}
	return Progress{}, &Refusal{Message: s.record.Tries.Why, After: s.record.Tries.NotBefore.Sub(s.now())}
}

// behindSeal tells whether the cut is one of single machines behind a seal, whose servers are not unpaused.
func (r *Record) behindSeal() bool { return r.Sealed != nil && r.Opened == nil }

// irrevocable tells whether servers were deleted behind the seal, so that the hibernation is completed.
func (r *Record) irrevocable() bool { return r.behindSeal() && r.Deleting != nil }

// abandonCut saves that the cut is given up, before the first server runs again.
func (s *Session) abandonCut(ctx context.Context) (Progress, error) {
	cut := s.record.Cut
	if cut.Abandoned {
		return done(), nil
	}
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	cut.Abandoned, cut.Why, cut.Counted = true, s.why, s.why != byUser
	s.log.WithField("cycle", cut.Cycle).WithField("why", cut.Why).Warn("the hibernation is rolled back")
	return done(), s.save(ctx)
}

// discardUnfinished deletes the cut's unfinished snapshots: Nova does not unpause a server while its disk is uploaded.
func (s *Session) discardUnfinished(ctx context.Context) (Progress, error) {
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	list, err := s.ourImages(ctx)
	if err != nil {
		return Progress{}, err
	}
	var waiting, unfinished []string
	for _, m := range s.record.inCut() {
		shots := shotsOf(list, m)
		if len(shots) == 0 && m.Shot.ID == "" && !s.settle(&m.Shot.Attempt) {
			waiting = append(waiting, m.Name+": waiting whether its snapshot appears, since the answer to the request is not known")
		}
		ids, err := s.unfinished(ctx, m, shots)
		if err != nil {
			return Progress{}, err
		}
		unfinished = append(unfinished, ids...)
	}
	if err := s.removeSpare(ctx, unfinished); err != nil {
		return Progress{}, err
	}
	if len(waiting) > 0 {
		return s.pending(StageRollingBack, s.engine.opts.Jitter(unsureFor/3), waiting), nil
	}
	return done(), nil
}

// unfinished returns the images that will not be needed: those without all of their data, of a server that is there.
func (s *Session) unfinished(ctx context.Context, m *Machine, shots []images.Image) ([]string, error) {
	srv, err := s.server(ctx, m.ServerID)
	if err != nil || !present(srv) {
		return nil, err
	}
	var ids []string
	for _, img := range shots {
		if !finished(&img) {
			ids = append(ids, img.ID)
		}
	}
	return ids, nil
}

// shotsOf returns all images that the cut made of a machine.
func shotsOf(list []images.Image, m *Machine) []images.Image {
	var out []images.Image
	for i := range list {
		if isShot(&list[i], m.Shot) {
			out = append(out, list[i])
		}
	}
	return out
}

// existingShots returns the cut's images of a machine: those that the list shows, and the recorded one, for which Glance itself
// is asked where the list, which may be old, lacks it.
func (s *Session) existingShots(ctx context.Context, list []images.Image, m *Machine) ([]images.Image, error) {
	shots := shotsOf(list, m)
	if m.Shot.ID == "" || slices.ContainsFunc(shots, func(img images.Image) bool { return img.ID == m.Shot.ID }) {
		return shots, nil
	}
	img, err := s.cloud.GetImage(ctx, m.Shot.ID)
	switch {
	case openstackclient.IsNotFound(err):
		return shots, nil
	case err != nil:
		return nil, err
	}
	return append(shots, *img), nil
}

// restoreServers brings every server of the cut back to the state it was in. One that can't be brought back does not keep
// the others.
func (s *Session) restoreServers(ctx context.Context) (Progress, error) {
	if s.record.behindSeal() {
		return done(), nil
	}
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	machines := s.record.inCut()
	servers, err := s.serversOf(ctx, machines)
	if err != nil {
		return Progress{}, err
	}
	alive := slices.ContainsFunc(machines, func(m *Machine) bool { return present(servers[m.Name]) })
	// Behind an earlier seal there are snapshots enough.
	if !alive && !s.dropping && s.record.Sealed == nil && len(machines) > 0 {
		return Progress{}, blocked("none of the servers in the hibernation record of %s exists: this is an old copy of the record, or they were deleted by somebody else; put the right record there, or make the servers again by hand; or delete the ClusterDeployment to give the cluster up. Its snapshots, cycle %s, are kept until then", s.cluster.InfraID, s.record.Cut.Cycle)
	}
	return s.restore(ctx, machines, servers)
}

// restore brings servers back to the states in which their machines were. Once all seem to be, it asks each server itself: a
// list may be minutes old, and shows then what was before the pause. Later nobody would bring back what is still paused.
func (s *Session) restore(ctx context.Context, machines []*Machine, servers map[string]*openstackclient.Server) (Progress, error) {
	p, err := s.restoreSeen(ctx, machines, servers)
	if err != nil || !p.Done {
		return p, err
	}
	if err := s.correct(ctx, serverIDs(machines)); err != nil {
		return Progress{}, err
	}
	servers, err = s.serversOf(ctx, machines)
	if err != nil {
		return Progress{}, err
	}
	return s.restoreSeen(ctx, machines, servers)
}

// restoreSeen brings back what is not as it was, by what was seen of it. It tries each, and waits until all are.
func (s *Session) restoreSeen(ctx context.Context, machines []*Machine, servers map[string]*openstackclient.Server) (Progress, error) {
	todo, waiting := notAsBefore(machines, servers)
	var err error
	for _, group := range byRole(todo) {
		failure := s.act(ctx, group, func(ctx context.Context, m *Machine) error { return s.bringBack(ctx, servers[m.Name]) })
		err = firstOf(err, failure)
	}
	if err != nil {
		return Progress{}, err
	}
	if len(waiting) > 0 {
		return s.pending(StageRollingBack, s.soon(), waiting), nil
	}
	return done(), nil
}

// serversOf returns the recorded servers of machines, by the machines' names.
func (s *Session) serversOf(ctx context.Context, machines []*Machine) (map[string]*openstackclient.Server, error) {
	if err := s.fetch(ctx, serverIDs(machines)); err != nil {
		return nil, err
	}
	found := map[string]*openstackclient.Server{}
	for _, m := range machines {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return nil, err
		}
		found[m.Name] = srv
	}
	return found, nil
}

// notAsBefore returns the machines that are to be brought back now, and names all that are not back yet.
func notAsBefore(machines []*Machine, servers map[string]*openstackclient.Server) (todo []*Machine, waiting []string) {
	for _, m := range machines {
		srv := servers[m.Name]
		if !present(srv) {
			continue
		}
		switch {
		case srv.TaskState != "":
			waiting = append(waiting, fmt.Sprintf("%s: %s", m.Name, srv.TaskState))
		case m.Before != statusActive || srv.Status != statusPaused && srv.Status != statusShutoff:
		case locked(srv):
			waiting = append(waiting, lagging(m.Name, srv))
		default:
			todo = append(todo, m)
			waiting = append(waiting, m.Name+": being brought back")
		}
	}
	return todo, waiting
}

func present(srv *openstackclient.Server) bool {
	return srv != nil && srv.Status != statusDeleted && srv.Status != statusSoftDeleted
}

// healthy tells whether a server is in a state in which its disk is surely whole.
func healthy(srv *openstackclient.Server) bool {
	return srv != nil && (srv.Status == statusActive || srv.Status == statusPaused || srv.Status == statusShutoff)
}

// bringBack unpauses or starts a server.
func (s *Session) bringBack(ctx context.Context, srv *openstackclient.Server) error {
	var err error
	if srv.Status == statusPaused {
		err = s.cloud.UnpauseServer(ctx, srv.ID)
	} else {
		err = s.cloud.StartServer(ctx, srv.ID)
	}
	if openstackclient.KindOf(err) == openstackclient.KindConflict || openstackclient.IsNotFound(err) {
		// Its state has changed since the look: the next one shows how.
		return nil
	}
	return err
}

// forgetCut deletes the cut's snapshots and forgets it. A snapshot whose server is gone or broken is kept: it may be the
// last copy of that disk.
func (s *Session) forgetCut(ctx context.Context) (Progress, error) {
	list, err := s.ourImages(ctx)
	if err != nil {
		return Progress{}, err
	}
	r := s.record
	for _, m := range r.inCut() {
		srv, err := s.server(ctx, m.ServerID)
		if err != nil {
			return Progress{}, err
		}
		shots, err := s.existingShots(ctx, list, m)
		if err != nil {
			return Progress{}, err
		}
		for _, img := range shots {
			if !healthy(srv) && !s.dropping {
				s.event("Warning", "SnapshotKept", fmt.Sprintf("server %s (%s) vanished or failed while the cluster was being hibernated; its snapshot %s (%s) is kept", m.Name, m.ServerID, img.Name, img.ID))
				continue
			}
			r.giveUp(&Snapshot{ID: img.ID, Name: img.Name})
		}
	}
	cut := r.Cut
	r.Cut = nil
	r.leaveCut()
	if cut.Counted {
		s.countTry(cut.Why)
	}
	if err := s.save(ctx); err != nil {
		return Progress{}, err
	}
	return s.sweepOnce(ctx)
}

// leaveCut forgets which machines took part in the cut, and those that have no snapshot but its.
func (r *Record) leaveCut() {
	kept := r.Machines[:0]
	for _, m := range r.Machines {
		m.InCut, m.Shot = false, nil
		if m.Snapshot != nil {
			kept = append(kept, m)
		}
	}
	r.Machines = kept
	if r.Sealed == nil {
		// What the cluster said of itself stays as long as the record does: it tells who is to come back.
		r.Unobserved = ""
	}
}

// forgive ends what is left of hibernations of a cluster that is to run and has no snapshots: the count of failed tries.
func (s *Session) forgive(ctx context.Context) (Progress, error) {
	r := s.record
	// What is paused inside the cluster is un-paused when it is well again; until then the record says so.
	if len(r.Leftovers) > 0 || r.HealthChecks != nil {
		if r.Tries != nil {
			r.Tries = nil
			return done(), s.save(ctx)
		}
		return done(), nil
	}
	return done(), s.removeRecord(ctx)
}

func (s *Session) removeRecord(ctx context.Context) error {
	if err := s.yield(); err != nil {
		return err
	}
	if err := s.engine.store.remove(ctx, s.stored); err != nil {
		s.loaded = false
		return err
	}
	s.engine.forget(s.key())
	s.stored, s.record, s.claimed = nil, nil, false
	return nil
}
