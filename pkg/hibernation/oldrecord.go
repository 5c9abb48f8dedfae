package hibernation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// A record that comes back from a backup may be older than the cluster. What the cloud shows tells: a later snapshot of a machine
// that has had another server since, or a server that was made from a snapshot which the record names.

// checkLatest fails if Glance holds a snapshot of a machine which proves that the record is an old copy: then what it would
// wake is out of date.
func (s *Session) checkLatest(ctx context.Context) error {
	list, err := s.ourImages(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		cycle := property(&list[i], propCycle)
		if cycle <= s.record.LastCycle {
			continue
		}
		for _, m := range s.record.Machines {
			if list[i].Name != SnapshotName(m.Name, cycle) {
				continue
			}
			old, err := s.outdates(ctx, m, &list[i])
			if err != nil {
				return err
			}
			if old {
				return blocked("the hibernation record, Secret %s/%s, ends with cycle %s, and Glance has snapshot %s (%s) of cycle %s: this is an old copy of the record; put the right one there; nothing was touched", s.cluster.Namespace, RecordName(s.cluster.Name), s.record.LastCycle, list[i].Name, list[i].ID, cycle)
			}
		}
	}
	return nil
}

// outdates reports whether a later snapshot proves that its machine has run since the record. One of the very server that the
// record names does not, as long as that server is there, or is known to have stayed as it was recorded until its end: it is
// left of a hibernation that came to nothing.
func (s *Session) outdates(ctx context.Context, m *Machine, img *images.Image) (bool, error) {
	source := property(img, "instance_uuid")
	made := m.Creation != nil && m.Creation.ServerID == source
	if source == "" || source != m.ServerID && !made {
		return true, nil
	}
	srv, err := s.server(ctx, source)
	if err != nil || present(srv) {
		return false, err
	}
	if source != m.ServerID {
		return true, nil
	}
	unrun, err := s.deletedUnrun(ctx, m)
	return !unrun, err
}

// reopen takes a sealed record for opened if servers were made from its snapshots: it is a copy from before that. It goes
// before all that deletes servers or makes them.
func (s *Session) reopen(ctx context.Context) (Progress, error) {
	r := s.record
	if r.Cut != nil || !r.behindSeal() {
		return done(), nil
	}
	l, err := s.look(ctx, false)
	if err != nil {
		return Progress{}, err
	}
	if !showsAny(l, r.Machines) {
		// The next steps prove that the cluster is asleep, and need the complete list as well.
		if l, err = s.look(ctx, true); err != nil {
			return Progress{}, err
		}
	}
	made := madeFromRecord(r, l)
	if len(made) == 0 {
		return done(), nil
	}
	if err := s.refresh(ctx, madeIDs(made)); err != nil {
		return Progress{}, err
	}
	if err := s.checkMade(ctx, made); err != nil {
		return Progress{}, err
	}
	if err := s.accountFor(ctx, made); err != nil {
		return Progress{}, err
	}
	s.event("Warning", "RecordIsACopy", fmt.Sprintf("the hibernation record, Secret %s/%s, is a copy from before the cluster was woken: servers run that were made from its snapshots, and are taken for the machines", s.cluster.Namespace, RecordName(s.cluster.Name)))
	if err := s.save(ctx); err != nil {
		return Progress{}, err
	}
	return s.pending(StageWaitingToStart, s.soon(), []string{"the record is brought up to date"}), nil
}

// showsAny reports whether any of the recorded servers is in a look.
func showsAny(l *look, machines []*Machine) bool {
	return slices.ContainsFunc(machines, func(m *Machine) bool { return present(l.servers[m.ServerID]) })
}

// madeServer is a server that was made from a machine's recorded snapshot.
type madeServer struct {
	machine *Machine
	id      string
}

func madeIDs(made []madeServer) []string {
	ids := make([]string, len(made))
	for i := range made {
		ids[i] = made[i].id
	}
	return ids
}

// madeFromRecord returns the cluster's servers that were made from the record's snapshots, in the order of the machines. One whose
// making got no answer proves nothing: the record knows that it may appear.
func madeFromRecord(r *Record, l *look) []madeServer {
	var out []madeServer
	for _, m := range r.Machines {
		if m.Snapshot == nil || m.Snapshot.ID == "" || m.LateServer {
			continue
		}
		for id, srv := range l.servers {
			if id != m.ServerID && present(srv) && srv.ImageID == m.Snapshot.ID {
				out = append(out, madeServer{m, id})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b madeServer) int { return strings.Compare(a.machine.Name+"/"+a.id, b.machine.Name+"/"+b.id) })
	return out
}

// checkMade fails unless each of the servers is the machine: it has the recorded name and the recorded ports, and the machine
// has no other. Somebody may examine a copy of a snapshot in a server of his own, and then only one of them can be the machine.
func (s *Session) checkMade(ctx context.Context, made []madeServer) error {
	have, err := s.portsSeen(ctx, madeIDs(made))
	if err != nil {
		return err
	}
	first := map[*Machine]string{}
	for _, of := range made {
		m := of.machine
		srv, err := s.server(ctx, of.id)
		if err != nil {
			return err
		}
		if other := first[m]; other != "" {
			return blocked("%s: two servers, %s and %s, were made from its snapshot %s: %s; nothing was touched", m.Name, other, of.id, m.Snapshot.Name, adviceTakeOutOfCluster)
		}
		first[m] = of.id
		if old, err := s.server(ctx, m.ServerID); err != nil || present(old) {
			return firstOf(err, blocked("%s: server %s was made from its snapshot %s while its own server %s is there: %s; nothing was touched", m.Name, of.id, m.Snapshot.Name, m.ServerID, adviceTakeOutOfCluster))
		}
		if !isMachine(srv, m, portIDs(have[of.id])) {
			return blocked("%s: server %s was made from its snapshot %s, so that the machine may run, and it lacks the machine's name or its ports %s: if it is the machine, give it these; else %s; nothing was touched", m.Name, of.id, m.Snapshot.Name, strings.Join(recordedPorts(m), ", "), adviceTakeOutOfCluster)
		}
	}
	return nil
}

func isMachine(srv *openstackclient.Server, m *Machine, ports []string) bool {
	return present(srv) && srv.Name == m.Name && slices.Equal(ports, recordedPorts(m))
}

// accountFor notes which servers the machines have become, and that the record was opened.
func (s *Session) accountFor(ctx context.Context, made []madeServer) error {
	of := map[*Machine]string{}
	for _, one := range made {
		of[one.machine] = one.id
	}
	var without []*Machine
	creations := map[*Machine]*Creation{}
	for _, m := range s.record.wanted() {
		creation, err := s.becomes(ctx, m, of[m])
		switch {
		case err != nil:
			return err
		case creation == nil:
			without = append(without, m)
		default:
			creations[m] = creation
		}
	}
	now := s.now().UTC()
	s.record.Opened = &now
	for _, m := range s.record.wanted() {
		if m.Creation = creations[m]; m.Creation != nil && m.Creation.Remade {
			m.Ended, m.Late = true, nil
			s.obey(m)
		}
	}
	for _, m := range without {
		m.Removed, m.Creation = true, &Creation{}
		s.event("Warning", "ServerLeftOut", fmt.Sprintf("%s is left out of the cluster, as the annotation orders", m.Name))
	}
	return nil
}

// becomes returns what a machine has become since its record was sealed; nil if the cluster is to do without it. One that has no
// server may have run, and its server may be gone since: only a person can say whether it is made again from its snapshot.
func (s *Session) becomes(ctx context.Context, m *Machine, made string) (*Creation, error) {
	if made != "" {
		return &Creation{ServerID: made, Ran: true}, nil
	}
	own, err := s.server(ctx, m.ServerID)
	switch {
	case err != nil:
		return nil, err
	case present(own):
		return &Creation{ServerID: m.ServerID, Ran: true}, nil
	case s.toRemake(m):
		return &Creation{Remade: true}, nil
	case s.toLeaveOut(m) && !s.lastOfControlPlane(m):
		return nil, nil
	}
	return nil, blocked("%s: the hibernation record, Secret %s/%s, is a copy from before the cluster was woken, and the machine has no server: it may have run since its snapshot %s was made. Put the latest record there; if there is none, and going back is right for this machine, %s; if the cluster is to do without it, and without its snapshot, %s; nothing was touched",
		m.Name, s.cluster.Namespace, RecordName(s.cluster.Name), m.Snapshot.Name, s.howToRemake(m), s.howToLeaveOut(m))
}

// strangersMessage says that a cluster whose machines are asleep has a server that none of them became.
func strangersMessage(strange string) error {
	return blocked("the cluster is hibernated, and yet it has server %s, which is not in the record: if it is a machine of the cluster, the record is an old copy, so put the right one there; if it is none, %s; nothing was touched", strange, adviceTakeOutOfCluster)
}
