package hibernation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

const (
	firstRemake = 15 * time.Second
	lastRemake  = 10 * time.Minute
	// schedulesQuietly is for how long a wait for a host is nothing to remember.
	schedulesQuietly = 20 * time.Second
)

// open saves that servers are about to be made, before the first one is asked for: from here on the snapshots may be out
// of date. The steps before it proved, in this pass, that no server of the cluster is left.
func (s *Session) open(ctx context.Context) (Progress, error) {
	r := s.record
	if r.Opened != nil {
		return done(), nil
	}
	if err := s.checkLatest(ctx); err != nil {
		return Progress{}, err
	}
	now := s.now().UTC()
	r.Opened = &now
	for _, m := range r.Machines {
		if m.Creation == nil {
			m.Creation = &Creation{}
		}
	}
	return done(), s.save(ctx)
}

// create asks for every server that is not there yet, all in one pass, the control plane first.
func (s *Session) create(ctx context.Context) (Progress, error) {
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	l, err := s.look(ctx, !s.allPlaced())
	if err != nil {
		return Progress{}, err
	}
	todo, waiting, err := s.missing(ctx, l)
	if err != nil {
		return Progress{}, err
	}
	if len(todo) == 0 {
		if len(waiting) > 0 {
			return s.pending(StageStarting, s.soon(), waiting), nil
		}
		return done(), nil
	}
	ready, blockedBy, err := s.ready(ctx, todo)
	if err != nil {
		return Progress{}, err
	}
	waiting = append(waiting, blockedBy...)
	err = s.createAll(ctx, ready)
	for _, m := range ready {
		waiting = append(waiting, m.Name+": server requested")
	}
	return s.pending(StageStarting, s.later(*s.record.Opened), waiting), err
}

// allPlaced tells whether every machine has its server. One whose server was given up may have a twin of it.
func (s *Session) allPlaced() bool {
	return !slices.ContainsFunc(s.record.wanted(), func(m *Machine) bool {
		return m.Creation == nil || m.Creation.ServerID == "" || m.Creation.Discarded != ""
	})
}

// missing returns the machines whose server is to be asked for now, and names those that must wait.
func (s *Session) missing(ctx context.Context, l *look) (todo []*Machine, waiting []string, err error) {
	for _, m := range s.record.wanted() {
		if m.Creation == nil {
			m.Creation = &Creation{}
		}
		c := m.Creation
		srv, wait, err := s.place(ctx, l, m)
		switch {
		case err != nil:
			return nil, nil, err
		case m.Removed:
		case wait != "":
			waiting = append(waiting, m.Name+": "+wait)
		case srv != nil:
		case c.NotBefore != nil && s.now().Before(*c.NotBefore):
			waiting = append(waiting, fmt.Sprintf("%s: its server failed to start (%s); it is made again shortly", m.Name, c.Fault))
		case !s.settle(&c.Attempt):
			waiting = append(waiting, m.Name+": waiting whether its server appears, since the answer to the request is not known")
		default:
			todo = append(todo, m)
		}
	}
	return todo, waiting, nil
}

// place finds the server that a machine has become: the one whose ID is recorded, or, where an answer was lost, one of the
// machine's name that was made from its snapshot. Nil means that there is none and that one may be made; wait, if it is
// not empty, says why not yet.
func (s *Session) place(ctx context.Context, l *look, m *Machine) (srv *openstackclient.Server, wait string, err error) {
	c := m.Creation
	if err := s.noteOrder(ctx, m); err != nil {
		return nil, "", err
	}
	wait, err = s.takeOver(ctx, l, m)
	if err != nil || wait != "" || c.ServerID == "" {
		return nil, wait, err
	}
	srv, err = s.server(ctx, c.ServerID)
	if err != nil {
		return nil, "", err
	}
	if !present(srv) {
		return nil, "its server is gone", s.vanished(ctx, m)
	}
	s.noteRan(m, srv)
	if s.unscheduled(m, srv) {
		return s.giveUpUnscheduled(ctx, m, srv.ID)
	}
	switch conditionOf(srv) {
	case unknown, gone, ended, softDeleted, building, running, paused, off, changing, parked:
		return srv, "", nil
	case failed:
	}
	return nil, fmt.Sprintf("its server failed to start: %s", srv.Fault.Message), s.giveUpFailed(ctx, l, m, srv)
}

// giveUpFailed discards a machine's server that failed, if it never started, has a twin, or is ordered to be made again.
func (s *Session) giveUpFailed(ctx context.Context, l *look, m *Machine, srv *openstackclient.Server) error {
	if !hasTwin(l, m, srv) {
		if err := s.noteFailed(ctx, m, srv); err != nil {
			return err
		}
		if err := s.mayRemake(m, srv); err != nil {
			return err
		}
	}
	return s.discard(ctx, m, srv)
}

// hasTwin reports whether another server was made from the machine's snapshot beside one that failed and holds nothing: a create
// that was carried out twice. The other one is then the machine.
func hasTwin(l *look, m *Machine, srv *openstackclient.Server) bool {
	return !m.Creation.Ran && holdsNothing(srv) && slices.ContainsFunc(l.named(m.Name), func(other *openstackclient.Server) bool {
		return other.ID != srv.ID && other.ImageID == m.Snapshot.ID && present(other) && !holdsNothing(other)
	})
}

// takeOver waits for the end of a server that was given up, and then looks for one that was made beside it, or whose making
// was not answered. The machine has no server if none is found.
func (s *Session) takeOver(ctx context.Context, l *look, m *Machine) (wait string, err error) {
	if m.Creation.Discarded != "" {
		if wait, err := s.discarded(ctx, m); err != nil || wait != "" {
			return wait, err
		}
	}
	if m.Creation.ServerID == "" {
		return "", s.adopt(ctx, l, m)
	}
	return "", nil
}

// unscheduled tells whether a server has waited for a host for too long: where Nova's API or conductor dies at the wrong
// moment (seen with both), it does so for ever. It never ran.
func (s *Session) unscheduled(m *Machine, srv *openstackclient.Server) bool {
	c := m.Creation
	if conditionOf(srv) != building || hasRun(srv) || !onNoHost(srv) || srv.TaskState != "" && srv.TaskState != taskScheduling {
		if c.Unscheduled != nil {
			c.Unscheduled, s.dirty = nil, true
		}
		return false
	}
	if c.Unscheduled == nil {
		if s.now().Sub(*s.record.Opened) < schedulesQuietly {
			return false
		}
		now := s.now().UTC()
		c.Unscheduled, s.dirty = &now, true
	}
	return s.now().Sub(*c.Unscheduled) >= s.engine.opts.SchedulingDeadline
}

// giveUpUnscheduled discards a server that never got a host, if it is still so by its own answer and not only in a list.
func (s *Session) giveUpUnscheduled(ctx context.Context, m *Machine, id string) (*openstackclient.Server, string, error) {
	srv, err := s.cloud.GetServer(ctx, openstackclient.ViewHostname, id)
	if openstackclient.IsNotFound(err) {
		return nil, "its server is gone", nil // the next look shows it
	}
	if err != nil {
		return nil, "", err
	}
	if !s.unscheduled(m, srv) {
		return srv, "", nil
	}
	if never, err := s.neverStarted(ctx, srv); err != nil || !never {
		return srv, "", err
	}
	m.Creation.Unscheduled = nil
	srv.Fault.Message = fmt.Sprintf("Nova had no host for it within %s", s.engine.opts.SchedulingDeadline)
	return nil, srv.Fault.Message, s.discard(ctx, m, srv)
}

// adopt takes over a server of whose making the answer was lost. Of twins, unfinished ones are removed.
func (s *Session) adopt(ctx context.Context, l *look, m *Machine) error {
	var match, empty []*openstackclient.Server
	for _, srv := range l.named(m.Name) {
		switch {
		case !present(srv):
		case srv.ImageID != m.Snapshot.ID:
			return blocked("%s: a server of that name (%s) exists and was not made from the machine's snapshot %s: if it is the machine, write its ID into the record, Secret %s/%s, as the serverID in the machine's creation; if it is not, rename it; nothing was touched", m.Name, srv.ID, m.Snapshot.Name, s.cluster.Namespace, RecordName(s.cluster.Name))
		case holdsNothing(srv):
			empty = append(empty, srv)
		default:
			match = append(match, srv)
		}
	}
	if len(match) > 1 {
		return blocked("%s: two servers, %s and %s, were made from its snapshot: %s; nothing was touched", m.Name, match[0].ID, match[1].ID, adviceTakeOutOfCluster)
	}
	if len(match) == 0 {
		match, empty = empty[:min(1, len(empty))], empty[min(1, len(empty)):]
	}
	if len(match) == 1 {
		m.Creation.ServerID, m.Creation.Attempt, m.LateServer, s.dirty = match[0].ID, Attempt{}, false, true
	}
	for _, srv := range empty {
		if err := s.deleteFailed(ctx, m, srv.ID); err != nil {
			return err
		}
	}
	return nil
}

// ready returns the machines that have all that a server is made of: a complete snapshot and free ports. It names those
// that must wait, and fails for what only a person can mend.
func (s *Session) ready(ctx context.Context, todo []*Machine) (ready []*Machine, waiting []string, err error) {
	if err := s.checkLatest(ctx); err != nil {
		return nil, nil, err
	}
	list, err := s.ourImages(ctx)
	if err != nil {
		return nil, nil, err
	}
	lost, err := s.lostSnapshots(ctx, list)
	if err != nil {
		return nil, nil, err
	}
	have, err := s.recordedPortsNow(ctx, todo)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range todo {
		if m.Removed {
			continue
		}
		if slices.Contains(lost, m) {
			return nil, nil, s.noCopy(m)
		}
		wait, err := s.portsFree(ctx, m, have)
		switch {
		case err != nil:
			return nil, nil, err
		case wait != "":
			waiting = append(waiting, m.Name+": "+wait)
		default:
			ready = append(ready, m)
		}
	}
	return ready, waiting, nil
}

func (s *Session) recordedPortsNow(ctx context.Context, machines []*Machine) (map[string]ports.Port, error) {
	var ids []string
	for _, m := range machines {
		ids = append(ids, recordedPorts(m)...)
	}
	have := map[string]ports.Port{}
	if len(ids) == 0 {
		return have, nil
	}
	list, err := s.cloud.ListPorts(ctx, openstackclient.ListPortsOpts{IDs: ids})
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		have[p.ID] = p
	}
	return have, s.checkCloud(ctx)
}

// portsFree tells whether a machine's ports can be given to its new server. While one still belongs to a server that is
// going, it is waited for; two servers with one port would leave both without network.
func (s *Session) portsFree(ctx context.Context, m *Machine, have map[string]ports.Port) (wait string, err error) {
	for _, want := range m.Spec.Ports {
		p, ok := have[want.ID]
		if !ok {
			return "", s.portGone(ctx, m, want)
		}
		if p.DeviceID == "" {
			continue
		}
		srv, err := s.server(ctx, p.DeviceID)
		if err != nil {
			return "", err
		}
		if srv != nil && srv.Status == statusUnknown {
			return fmt.Sprintf("port %s belongs to server %s, whose cell does not answer", want.ID, srv.ID), nil
		}
		if present(srv) && srv.Name != m.Name {
			return "", blocked("%s: its port %s (%s) belongs to server %s (%s): give it back; nothing was touched", m.Name, want.ID, want.MAC, srv.Name, srv.ID)
		}
		if present(srv) {
			return fmt.Sprintf("its port %s belongs to server %s, which bears the machine's name and is not known to be the machine", want.ID, srv.ID), nil
		}
		return fmt.Sprintf("port %s is not free yet; if it stays so, clear its device_id, which is %s", want.ID, p.DeviceID), nil
	}
	return "", nil
}

// createAll asks for the servers, the control plane's before the others, with no waiting in between. What is known of them
// is saved before and after.
func (s *Session) createAll(ctx context.Context, machines []*Machine) error {
	if len(machines) == 0 {
		return nil
	}
	keys, err := s.usableKeys(ctx, machines)
	if err != nil {
		return err
	}
	for _, group := range byRole(machines) {
		attempts := make([]*Attempt, len(group))
		for i, m := range group {
			attempts[i] = &m.Creation.Attempt
		}
		if err := s.intend(ctx, attempts); err != nil {
			return err
		}
		err := s.act(ctx, group, func(ctx context.Context, m *Machine) error { return s.createOne(ctx, m, keys[m.Spec.KeyName]) })
		if err != nil {
			return firstOf(s.save(ctx), err)
		}
	}
	return s.save(ctx)
}

// usableKeys tells which key pairs the credentials' user has: Nova knows a key pair only for its owner. The key itself is on
// the disk already.
func (s *Session) usableKeys(ctx context.Context, machines []*Machine) (map[string]bool, error) {
	users := map[string][]string{}
	for _, m := range machines {
		if m.Spec.KeyName != "" {
			users[m.Spec.KeyName] = append(users[m.Spec.KeyName], m.Name)
		}
	}
	usable := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(users)) {
		names := users[key]
		ok, err := s.cloud.HasKeyPair(ctx, key)
		if err != nil {
			return nil, err
		}
		usable[key] = ok
		if !ok {
			sort.Strings(names)
			s.event("Warning", "KeyPairLeftOut", fmt.Sprintf("key pair %s belongs to another user or is gone, so that %v are made without it", key, names))
		}
	}
	return usable, nil
}

func (s *Session) createOne(ctx context.Context, m *Machine, withKey bool) error {
	id, err := s.cloud.CreateServer(ctx, createOpts(m, withKey))
	if !openstackclient.IsAmbiguous(err) {
		m.Creation.ServerID, m.Creation.Attempt = id, Attempt{}
	}
	if err == nil {
		return nil
	}
	if openstackclient.KindOf(err) == openstackclient.KindInvalid {
		if gone := s.flavorGone(ctx, m); gone != nil {
			return gone
		}
	}
	return fmt.Errorf("%s could not be made with flavor %s (%s): %w", m.Name, m.Spec.FlavorName, m.Spec.FlavorID, err)
}

func createOpts(m *Machine, withKey bool) openstackclient.CreateServerOpts {
	spec := m.Spec
	networks := make([]servers.Network, len(spec.Ports))
	for i, p := range spec.Ports {
		networks[i] = servers.Network{Port: p.ID}
	}
	opts := openstackclient.CreateServerOpts{
		CreateOpts: servers.CreateOpts{
			Name:             m.Name,
			ImageRef:         m.Snapshot.ID,
			FlavorRef:        spec.FlavorID,
			Networks:         networks,
			Metadata:         spec.Metadata,
			Tags:             spec.Tags,
			AvailabilityZone: spec.AvailabilityZone,
			ConfigDrive:      &spec.ConfigDrive,
			Hostname:         spec.Hostname,
		},
		Description: spec.Description,
		ServerGroup: spec.ServerGroup,
	}
	if withKey {
		opts.KeyName = spec.KeyName
	}
	return opts
}
