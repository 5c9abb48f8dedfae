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

// undo deletes what the cut has left unfinished and brings its servers back. What is not known of one machine does not keep the
// others.
func (s *Session) undoCut(ctx context.Context) (Progress, error) {
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	if _, err := s.look(ctx, false); err != nil {
		return Progress{}, err
	}
	unsure, err := s.discardUnfinished(ctx)
	if err != nil {
		return Progress{}, err
	}
	p, err := s.restoreServers(ctx)
	switch {
	case err != nil || len(unsure) == 0:
		return p, err
	case !p.Done:
		p.Waiting = append(p.Waiting, unsure...)
		return p, nil
	}
	return s.pending(StageRollingBack, s.engine.opts.Jitter(unsureFor/3), unsure), nil
}

// discardUnfinished deletes the cut's unfinished snapshots: Nova does not unpause a server while its disk is uploaded. It names
// the machines of which a snapshot may still appear.
func (s *Session) discardUnfinished(ctx context.Context) (unsure []string, err error) {
	list, err := s.ourImages(ctx)
	if err != nil {
		return nil, err
	}
	servers, err := s.serversOf(ctx, s.record.inCut())
	if err != nil {
		// What is known is acted upon by the next step, which tells the error.
		s.log.WithError(err).Debug("not every server of the cut could be asked for")
	}
	var unfinished []string
	for _, m := range s.record.inCut() {
		shots := shotsOf(list, m)
		if asked := m.Shot.Asked; len(shots) == 0 && m.Shot.ID == "" && asked != nil {
			if s.settle(&m.Shot.Attempt) {
				s.noteStray(m, *asked)
			} else {
				unsure = append(unsure, m.Name+": waiting whether its snapshot appears, since the answer to the request is not known")
			}
		}
		if srv, known := servers[m.Name]; known {
			unfinished = append(unfinished, unfinishedOf(srv, shots)...)
		}
	}
	return unsure, s.removeSpare(ctx, unfinished)
}

// unfinishedOf returns the images that will not be needed: those without all of their data, of a server that is there. An upload
// may become the last copy of a disk whose server is gone, or not known to be there.
func unfinishedOf(srv *openstackclient.Server, shots []images.Image) []string {
	switch conditionOf(srv) {
	case unknown, gone, ended, softDeleted:
		return nil
	case building, running, paused, off, failed, changing, parked:
	}
	var ids []string
	for _, img := range shots {
		if !finished(&img) {
			ids = append(ids, img.ID)
		}
	}
	return ids
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
	machines := s.record.inCut()
	servers, err := s.serversOf(ctx, machines)
	alive := err != nil || slices.ContainsFunc(machines, func(m *Machine) bool { return present(servers[m.Name]) })
	// Behind an earlier seal there are snapshots enough.
	if !alive && !s.dropping && s.record.Sealed == nil && len(machines) > 0 {
		return Progress{}, blocked("none of the servers in the hibernation record of %s exists: this is an old copy of the record, or they were deleted by somebody else; put the right record there, or make the servers again by hand; its snapshots, cycle %s, are kept", s.cluster.InfraID, s.record.Cut.Cycle)
	}
	return s.restore(ctx, machines)
}

// restore brings servers back to the states in which their machines were. Once all seem to be, it asks each server itself: a
// list may be minutes old, and shows then what was before the pause. Later nobody would bring back what is still paused.
func (s *Session) restore(ctx context.Context, machines []*Machine) (Progress, error) {
	p, err := s.restoreSeen(ctx, machines)
	if err != nil || !p.Done {
		return p, err
	}
	if err := s.correct(ctx, serverIDs(machines)); err != nil {
		return Progress{}, err
	}
	return s.restoreSeen(ctx, machines)
}

// restoreSeen brings back what is not as it was, by what was seen of it. It tries each, and waits until all are.
func (s *Session) restoreSeen(ctx context.Context, machines []*Machine) (Progress, error) {
	servers, err := s.serversOf(ctx, machines)
	todo, waiting := notAsBefore(machines, servers)
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

// serversOf returns the recorded servers of machines, by the machines' names; nil for one that is gone. Where some could not be
// asked for, it returns the others, and the first error.
func (s *Session) serversOf(ctx context.Context, machines []*Machine) (map[string]*openstackclient.Server, error) {
	err := s.fetch(ctx, serverIDs(machines))
	found := map[string]*openstackclient.Server{}
	for _, m := range machines {
		if srv, known := s.known(m.ServerID); known {
			found[m.Name] = srv
		}
	}
	return found, err
}

// notAsBefore returns the machines that are to be brought back now, and names all that are not back yet. A machine whose server
// is gone or failed can't be brought back.
func notAsBefore(machines []*Machine, servers map[string]*openstackclient.Server) (todo []*Machine, waiting []string) {
	for _, m := range machines {
		srv, asked := servers[m.Name]
		if !asked {
			waiting = append(waiting, m.Name+": Nova does not answer for its server")
			continue
		}
		back, wait := m.asBefore(srv)
		if back {
			todo = append(todo, m)
		}
		if wait != "" {
			waiting = append(waiting, wait)
		}
	}
	return todo, waiting
}

// asBefore reports whether a machine's server is to be brought back now; wait says what is waited for, and is empty for one
// that is as it was, or can't be brought back.
func (m *Machine) asBefore(srv *openstackclient.Server) (back bool, wait string) {
	switch is := conditionOf(srv); is {
	case unknown:
		return false, unanswered(m.Name, srv)
	case gone, ended, softDeleted:
		return false, ""
	case running, failed:
		return false, busyWith(m.Name, srv)
	case building, changing:
		return false, lagging(m.Name, srv)
	case parked:
		return false, fmt.Sprintf("%s: somebody has put its server %s into status %s; bring it to ACTIVE", m.Name, m.ServerID, srv.Status)
	case paused, off:
		if srv.TaskState != "" || m.Before != statusActive {
			return false, busyWith(m.Name, srv)
		}
		if locked(srv) {
			return false, lagging(m.Name, srv)
		}
		return true, m.Name + ": being brought back"
	}
	return false, ""
}

// busyWith says which task a server has; empty if it has none. A compute service that dies inside an operation can leave a task
// that never ends: only an administrator can end it.
func busyWith(name string, srv *openstackclient.Server) string {
	if srv.TaskState == "" {
		return ""
	}
	return fmt.Sprintf("%s: %s; if that lasts for minutes, have an administrator reset the state of server %s to active, and reboot it hard", name, srv.TaskState, srv.ID)
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

// forgetCut deletes the cut's snapshots and forgets it. A snapshot that may be the last copy of a disk is kept, and so is its
// machine's entry in the record.
func (s *Session) forgetCut(ctx context.Context) (Progress, error) {
	list, err := s.ourImages(ctx)
	if err != nil {
		return Progress{}, err
	}
	r := s.record
	machines := r.inCut()
	shots := make([][]images.Image, len(machines))
	for i, m := range machines {
		if shots[i], err = s.existingShots(ctx, list, m); err != nil {
			return Progress{}, err
		}
	}
	keep, waiting, err := s.toKeep(ctx, machines, shots)
	if err != nil {
		return Progress{}, err
	}
	if len(waiting) > 0 {
		return s.pending(StageRollingBack, s.soon(), waiting), nil
	}
	if err := s.notePauses(ctx, machines); err != nil {
		return Progress{}, err
	}
	for i, m := range machines {
		if why, kept := keep[m]; kept {
			s.keepShot(m, shots[i], why)
			continue
		}
		for _, img := range shots[i] {
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
	if len(r.Leftovers) > 0 || r.HealthChecks != nil || len(r.Machines) > 0 || len(r.Strays) > 0 {
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
	s.engine.noteEnd(s.key(), true)
	s.stored, s.record, s.claimed = nil, nil, false
	return nil
}
