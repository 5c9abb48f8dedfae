package hibernation

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// wired sees to what a create leaves behind that was carried out twice. Two servers were then made with one port: one ends in
// ERROR, and its clean-up unbinds the port of the other, which stays ACTIVE without an address (seen on Nova 26.2). The twin
// goes first, since its end may unbind the port once more; then every machine gets back what ports it lacks. Where nothing
// is wrong this costs one request, once in a resume.
func (s *Session) wired(ctx context.Context) (Progress, error) {
	l, err := s.look(ctx, false)
	if err != nil {
		return Progress{}, err
	}
	waiting, err := s.removeTwins(ctx, l)
	if err != nil {
		return Progress{}, err
	}
	if len(waiting) > 0 {
		return s.pending(StageWaitingToStart, s.later(*s.record.Opened), waiting), nil
	}
	var unsure []*Machine
	for _, m := range s.record.wanted() {
		if m.Creation.Wired != m.Creation.ServerID {
			unsure = append(unsure, m)
		}
	}
	lack, err := s.unwired(ctx, unsure)
	if err != nil || len(lack) == 0 {
		return done(), err
	}
	return s.rewire(ctx, lack)
}

// lookWired tells by the record alone of which servers it is not known that they have their ports: a resume that was
// interrupted by another order has not come so far.
func (s *Session) lookWired() Progress {
	var waiting []string
	for _, m := range s.record.wanted() {
		if m.Creation.Wired != m.Creation.ServerID {
			waiting = append(waiting, m.Name+": its server's ports have not been looked at yet")
		}
	}
	if len(waiting) > 0 {
		return s.pending(StageWaitingToStart, s.later(*s.record.Opened), waiting)
	}
	return done()
}

// removeTwins deletes the servers that were made beside a machine's own and never started, and names those that have to end
// first. The image tells that they were made as its server was; of any other server nothing is concluded.
func (s *Session) removeTwins(ctx context.Context, l *look) (waiting []string, err error) {
	for _, m := range s.record.wanted() {
		for _, srv := range l.named(m.Name) {
			if srv.ID == m.Creation.ServerID || !present(srv) || srv.ImageID != m.Snapshot.ID {
				continue
			}
			state, err := s.removeTwin(ctx, m, srv)
			if err != nil {
				return nil, err
			}
			waiting = append(waiting, fmt.Sprintf("%s: a second server, %s, was made from its snapshot and %s", m.Name, srv.ID, state))
		}
	}
	return waiting, nil
}

// removeTwin deletes a server that is one too many, if that can be told, and says what is becoming of it.
func (s *Session) removeTwin(ctx context.Context, m *Machine, twin *openstackclient.Server) (state string, err error) {
	if m.Creation.Wired != "" {
		// Its end may cost the machine's own server its ports.
		m.Creation.Wired, s.dirty = "", true
	}
	switch {
	case going(twin):
		return "is being deleted", nil
	case conditionOf(twin) == unknown:
		return "can't be asked for, since its cell does not answer", nil
	case hasRun(twin), conditionOf(twin) == failed && !holdsNothing(twin):
		own := m.Creation.ServerID
		return "", blocked("%s: two servers, %s, which is in the record, and %s, were made from its snapshot, and both may have run: %s; if that is %s, write the other's ID in its place into the record, Secret %s/%s, first; nothing was touched", m.Name, own, twin.ID, adviceTakeOutOfCluster, own, s.cluster.Namespace, RecordName(s.cluster.Name))
	case conditionOf(twin) != failed:
		return fmt.Sprintf("is %s; if it stays so, take the mark openshiftClusterID out of its metadata and tags", twin.Status), nil
	case locked(twin):
		return "has failed; it is locked, so that Nova refuses to delete it; unlock it", nil
	}
	return "has failed; it is being deleted", s.deleteFailed(ctx, m, twin.ID)
}

// lackingPorts are a machine and those of its ports that its server does not have.
type lackingPorts struct {
	machine *Machine
	ports   []Port
}

// unwired returns the machines whose servers lack ports, and remembers of the others that they have theirs.
func (s *Session) unwired(ctx context.Context, machines []*Machine) ([]lackingPorts, error) {
	ids := make([]string, len(machines))
	for i, m := range machines {
		ids[i] = m.Creation.ServerID
	}
	have, err := s.portsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	var lack []lackingPorts
	for _, m := range machines {
		missing := slices.DeleteFunc(slices.Clone(m.Spec.Ports), func(want Port) bool {
			return slices.ContainsFunc(have[m.Creation.ServerID], func(p ports.Port) bool { return p.ID == want.ID })
		})
		if len(missing) > 0 {
			lack = append(lack, lackingPorts{m, missing})
			continue
		}
		m.Creation.Wired, s.dirty = m.Creation.ServerID, true
	}
	return lack, nil
}

// rewire attaches what ports belong to nobody to the servers that lack them. Whether that has helped is seen by the next look.
func (s *Session) rewire(ctx context.Context, lack []lackingPorts) (Progress, error) {
	machines := make([]*Machine, len(lack))
	for i := range lack {
		machines[i] = lack[i].machine
	}
	now, err := s.recordedPortsNow(ctx, machines)
	if err != nil {
		return Progress{}, err
	}
	free := map[*Machine][]Port{}
	var waiting []string
	for _, of := range lack {
		for _, p := range of.ports {
			wait, err := s.attachable(ctx, of.machine, p, now)
			switch {
			case err != nil:
				return Progress{}, err
			case wait != "":
				waiting = append(waiting, of.machine.Name+": "+wait)
			default:
				free[of.machine] = append(free[of.machine], p)
				waiting = append(waiting, fmt.Sprintf("%s: port %s is attached to its server again", of.machine.Name, p.ID))
			}
		}
	}
	machines = slices.DeleteFunc(machines, func(m *Machine) bool { return len(free[m]) == 0 })
	if s.dirty {
		// That these servers are the machines' may have been found out in this very pass.
		if err := s.save(ctx); err != nil {
			return Progress{}, err
		}
	}
	err = s.act(ctx, machines, func(ctx context.Context, m *Machine) error { return s.attach(ctx, m, free[m]) })
	return s.pending(StageWaitingToStart, s.soon(), waiting), err
}

// attachable tells whether a port belongs to nobody; wait says what is waited for if it may soon.
func (s *Session) attachable(ctx context.Context, m *Machine, want Port, now map[string]ports.Port) (wait string, err error) {
	p, ok := now[want.ID]
	switch {
	case !ok:
		return "", s.portGone(ctx, m, want)
	case p.DeviceID == m.Creation.ServerID:
		return fmt.Sprintf("port %s is being attached to its server", want.ID), nil
	}
	holder := p.DeviceID
	if holder == "" {
		holder = m.Creation.ServerID
	}
	srv, err := s.server(ctx, holder)
	switch {
	case err != nil:
		return "", err
	case p.DeviceID == "" && locked(srv):
		return fmt.Sprintf("its server %s has lost port %s; it is locked, so that Nova refuses to attach the port; unlock it", srv.ID, want.ID), nil
	case p.DeviceID == "":
		return "", nil
	case present(srv):
		return "", blocked("%s: its port %s (%s) belongs to server %s (%s), so that its own server %s lacks it: give it back; nothing was touched", m.Name, want.ID, want.MAC, srv.Name, srv.ID, m.Creation.ServerID)
	}
	return fmt.Sprintf("port %s is not free yet; if it stays so, clear its device_id, which is %s", want.ID, p.DeviceID), nil
}

// attach gives a machine's server its ports, in their order. What Nova does not allow now is looked at anew by the next pass.
func (s *Session) attach(ctx context.Context, m *Machine, list []Port) error {
	for _, p := range list {
		err := s.cloud.AttachPort(ctx, m.Creation.ServerID, p.ID)
		switch kind := openstackclient.KindOf(err); {
		case kind == openstackclient.KindConflict, kind == openstackclient.KindNotFound:
			s.log.WithError(err).WithField("server", m.Creation.ServerID).WithField("port", p.ID).Debug("the port is not attached now")
		case err != nil:
			return fmt.Errorf("%s has lost its port %s, which could not be attached to its server %s again; if it stays so, remove that port from the server and add it anew: %w", m.Name, p.ID, m.Creation.ServerID, err)
		default:
			s.event("Warning", "PortReattached", fmt.Sprintf("%s: its port %s (%s) had been taken from its server %s, as by a request to make it that was carried out twice, and is attached again", m.Name, p.ID, p.MAC, m.Creation.ServerID))
		}
	}
	return nil
}
