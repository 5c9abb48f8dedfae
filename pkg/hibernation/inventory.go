package hibernation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// inventory begins a cut: it finds the machines, checks that each can be stopped and made again, and saves what they are
// and how their snapshots will be named, before any of them is touched.
func (s *Session) inventory(ctx context.Context) (Progress, error) {
	r := s.record
	if r != nil && (r.Cut != nil || r.Sealed != nil && r.Opened == nil) {
		return done(), nil
	}
	if err := s.tooEarly(); err != nil {
		return Progress{}, err
	}
	if err := s.checkCloud(ctx); err != nil {
		return Progress{}, err
	}
	if err := s.refuseKept(ctx); err != nil {
		return Progress{}, err
	}
	machines, waiting, err := s.stock(ctx)
	if err != nil {
		return Progress{}, s.refused(ctx, err)
	}
	if len(waiting) > 0 {
		return s.settling(ctx, waiting)
	}
	err = s.begin(ctx, machines)
	if why := unsettledBecause(err); why != "" {
		return s.settling(ctx, []string{why})
	}
	return done(), err
}

// tooEarly returns the Refusal of the last try while the next one has to wait; nil otherwise.
func (s *Session) tooEarly() error {
	if s.record == nil || s.record.Tries == nil {
		return nil
	}
	t := s.record.Tries
	if left := t.NotBefore.Sub(s.now()); left > 0 {
		return &Refusal{Message: t.Why, After: left}
	}
	return nil
}

// begin saves the intent: a new cycle, and in it all machines that may run.
func (s *Session) begin(ctx context.Context, machines []*Machine) error {
	scope, err := s.cloud.Scope(ctx)
	if err != nil {
		return err
	}
	list, err := s.ourImages(ctx)
	if err != nil {
		return err
	}
	seen, err := s.observe(ctx)
	if err != nil {
		return s.refused(ctx, err)
	}
	if err := s.checkNodes(ctx, seen.Nodes, machines); err != nil {
		return err
	}
	if s.record == nil {
		s.record = &Record{InfraID: s.cluster.InfraID}
	}
	r := s.record
	r.Cloud = scope
	now := s.now().UTC()
	r.Cut = &Cut{Cycle: nextCycle(now, earlierCycles(r, list)...), StartedAt: now}
	r.LastCycle, r.Done, r.WaitingSince = r.Cut.Cycle, nil, nil
	for _, m := range r.Machines {
		if m.Removed {
			r.giveUpAll(m)
		}
	}
	r.Machines = machines
	s.keepOrders()
	r.giveUpStray(list)
	for _, m := range r.inCut() {
		m.Shot = &Snapshot{Name: SnapshotName(m.Name, r.Cut.Cycle), Cycle: r.Cut.Cycle, ServerID: m.ServerID}
	}
	r.sortMachines()
	r.note(seen, s.cluster.PauseHealthChecks != nil)
	if err := firstOf(s.fitObservation(), r.checkRoom()); err != nil {
		// What this session has made of the record is not to be saved.
		s.loaded = false
		return err
	}
	s.fresh = true
	return s.save(ctx)
}

// answer is that of a cluster that was asked about itself, or why there is none.
type answer struct {
	Observation
	asked  bool
	failed string
}

// observe asks the cluster about itself.
func (s *Session) observe(ctx context.Context) (answer, error) {
	if s.cluster.Observe == nil {
		return answer{}, nil
	}
	o, err := s.cluster.Observe(ctx)
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal), err != nil && ctx.Err() != nil:
		// What was not waited for says nothing of the cluster.
		return answer{}, err
	case err != nil:
		s.log.WithError(err).Warn("the cluster could not be asked about its nodes before hibernating")
		return answer{failed: err.Error()}, nil
	}
	o.At = s.now().UTC()
	return answer{Observation: o, asked: true}, nil
}

// note keeps what the cluster said of itself. One that is only just waking says too little, so that what was known before
// is kept. A Node may show as ready for a while after its server has stopped or is gone: it is not expected back.
func (r *Record) note(seen answer, hook bool) {
	r.Unobserved = seen.failed
	if r.Sealed == nil {
		r.Observation = nil
	}
	if seen.asked {
		o := seen.Observation
		o.join(r.Observation)
		o.stopped(r.inCut())
		r.Observation = &o
	}
	if r.Observation != nil {
		r.Observation.NodesReady = min(r.Observation.NodesReady, len(r.Machines))
	}
	if hook && seen.failed == "" && r.HealthChecks == nil {
		r.HealthChecks = &HealthChecks{}
	}
}

// earlierCycles returns all cycles that the record or the cloud's images know of: a new one is later.
func earlierCycles(r *Record, list []images.Image) []string {
	cycles := []string{r.LastCycle}
	for i := range list {
		cycles = append(cycles, property(&list[i], propCycle))
	}
	return cycles
}

// giveUpStray gives up snapshots of servers that run, which an abandoned cut has left: their requests were answered late.
func (r *Record) giveUpStray(list []images.Image) {
	for _, m := range r.inCut() {
		for i := range list {
			cycle := property(&list[i], propCycle)
			stray := &Snapshot{Name: SnapshotName(m.Name, cycle), ID: list[i].ID, Cycle: cycle, ServerID: m.ServerID}
			if isShot(&list[i], stray) && (m.Snapshot == nil || m.Snapshot.ID != stray.ID) {
				r.giveUp(stray)
			}
		}
	}
}

// refused remembers that the cluster can't be hibernated, so that it is tried again later and not in every pass.
func (s *Session) refused(ctx context.Context, err error) error {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	if s.record == nil {
		scope, err := s.cloud.Scope(ctx)
		if err != nil {
			return err
		}
		s.record = &Record{InfraID: s.cluster.InfraID, Cloud: scope}
	}
	s.record.WaitingSince = nil
	refusal.After = s.countTry(refusal.Message)
	if err := s.save(ctx); err != nil {
		return err
	}
	return refusal
}

// countTry notes a failed hibernation and returns how long the next one waits.
func (s *Session) countTry(why string) time.Duration {
	t := s.record.Tries
	if t == nil {
		t = &Tries{}
		s.record.Tries = t
	}
	wait := lastBackoff
	if t.Count < 6 {
		wait = min(firstBackoff<<t.Count, lastBackoff)
	}
	t.Count++
	t.Why, t.At = why, s.now().UTC()
	t.NotBefore = t.At.Add(wait)
	return wait
}

// takeStock returns the machines for a new cut, or what has to settle first. Machines of an opened cut that never
// started are among them, outside the cut: they keep the snapshot that they have.
func (s *Session) takeStock(ctx context.Context) (machines []*Machine, waiting []string, err error) {
	l, err := s.look(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	if err := s.checkOrphans(ctx, l); err != nil {
		return nil, nil, err
	}
	if s.record != nil && s.record.Opened != nil {
		machines, waiting, err = s.stillAsleep(ctx, l)
		if err != nil || len(waiting) > 0 {
			return nil, waiting, err
		}
	}
	running, err := s.inFull(ctx, l)
	if err != nil {
		return nil, nil, err
	}
	if len(running)+len(machines) == 0 {
		return nil, nil, blocked("no server of cluster %s was found in project %s, and there is no record of its hibernation: %s; nothing was touched", s.cluster.InfraID, s.project(ctx), adviceNoServers)
	}
	if waiting := unsettled(running); len(waiting) > 0 {
		return nil, waiting, nil
	}
	found, err := s.describe(ctx, l, running)
	if err != nil {
		return nil, nil, err
	}
	all := append(found, machines...)
	return all, nil, firstOf(uniqueNames(all), s.hasControlPlane(all))
}

func (s *Session) project(ctx context.Context) string {
	scope, err := s.cloud.Scope(ctx)
	if err != nil {
		return "?"
	}
	return scope.ProjectID
}

// liveServers returns the look's servers in order of their names.
func (s *Session) liveServers(l *look) []*openstackclient.Server {
	var out []*openstackclient.Server
	for _, srv := range l.servers {
		out = append(out, srv)
	}
	slices.SortFunc(out, func(a, b *openstackclient.Server) int {
		return strings.Compare(a.Name+"/"+a.ID, b.Name+"/"+b.ID)
	})
	return out
}

// unsettled names the servers that are in the middle of something: it is waited for, nothing is refused.
func unsettled(list []*openstackclient.Server) []string {
	var out []string
	for _, srv := range list {
		if srv.TaskState != "" {
			out = append(out, fmt.Sprintf("%s: busy with %s", srv.Name, srv.TaskState))
			continue
		}
		switch conditionOf(srv) {
		case unknown:
			out = append(out, unanswered(srv.Name, srv))
		case building, ended, changing:
			out = append(out, fmt.Sprintf("%s: is in status %s", srv.Name, srv.Status))
		case gone, softDeleted, running, paused, off, failed, parked:
		}
	}
	return out
}

// hasControlPlane refuses a cluster of which only workers were found: a snapshot of these would never wake as a cluster.
func (s *Session) hasControlPlane(machines []*Machine) error {
	if slices.ContainsFunc(machines, func(m *Machine) bool { return m.ControlPlane }) {
		return nil
	}
	return &Refusal{Message: fmt.Sprintf("no control plane server (%s-master-…) was found among the cluster's servers: find out where they are, and whether they bear the mark openshiftClusterID", s.cluster.InfraID)}
}

func uniqueNames(machines []*Machine) error {
	seen := map[string]string{}
	for _, m := range machines {
		if other, ok := seen[m.Name]; ok {
			return &Refusal{Message: fmt.Sprintf("two servers of the cluster are called %s (%s and %s): rename one, or %s", m.Name, other, m.ServerID, adviceTakeOutOfCluster)}
		}
		seen[m.Name] = m.ServerID
	}
	return nil
}

// describe turns servers into machines, with all that it takes to make them again. It refuses what can't be restored.
func (s *Session) describe(ctx context.Context, l *look, list []*openstackclient.Server) ([]*Machine, error) {
	if err := refuse(list, s.cluster.InfraID); err != nil {
		return nil, err
	}
	if err := s.checkFitness(ctx, list); err != nil {
		return nil, err
	}
	groupOf, err := s.serverGroups(ctx, list)
	if err != nil {
		return nil, err
	}
	portsOf, err := s.clusterPorts(ctx, list)
	if err != nil {
		return nil, err
	}
	machines := make([]*Machine, len(list))
	for i, srv := range list {
		spec, err := specOf(srv, portsOf[srv.ID])
		if err != nil {
			return nil, err
		}
		spec.FlavorID, spec.ServerGroup = l.flavorIDs[srv.ID], groupOf[srv.ID]
		machines[i] = s.machineFor(srv, spec)
	}
	return machines, s.checkFlavors(ctx, machines)
}

// machineFor returns the machine that a live server is, with the snapshot that it was made from, if any.
func (s *Session) machineFor(srv *openstackclient.Server, spec ServerSpec) *Machine {
	m := &Machine{Name: srv.Name, ServerID: srv.ID, ControlPlane: isControlPlane(srv, s.cluster.InfraID), Before: srv.Status, Spec: spec, InCut: true}
	if old := s.record.machine(srv.Name); old != nil && old.Creation != nil && old.Creation.ServerID == srv.ID {
		m.Snapshot, m.Older, m.Creation, m.unknown = old.Snapshot, old.Older, old.Creation, old.unknown
		m.Creation.Ran = true
	}
	m.descend(s.record.machine(srv.Name))
	return m
}

func (r *Record) machine(name string) *Machine {
	if r == nil {
		return nil
	}
	for _, m := range r.Machines {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// isControlPlane goes by what OpenShift's installer and its machine API put on a control plane's server.
func isControlPlane(srv *openstackclient.Server, infraID string) bool {
	return srv.Metadata["Name"] == infraID+"-master" || strings.HasPrefix(srv.Name, infraID+"-master-")
}

// inFull returns the look's servers, each with what both views show of it: one that only one filter found is asked for in
// the other view.
func (s *Session) inFull(ctx context.Context, l *look) ([]*openstackclient.Server, error) {
	list := s.liveServers(l)
	flavorIDs := make([]string, len(list))
	err := s.each(ctx, len(list), func(ctx context.Context, i int) (err error) {
		list[i], flavorIDs[i], err = s.bothViews(ctx, list[i], l.flavorIDs[list[i].ID])
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, srv := range list {
		if flavorIDs[i] == "" {
			return nil, notYet("the cloud does not say which flavor server %s has", srv.Name)
		}
		l.servers[srv.ID], l.flavorIDs[srv.ID] = srv, flavorIDs[i]
	}
	return list, nil
}

// bothViews returns a server with its host name, and the ID of its flavor.
func (s *Session) bothViews(ctx context.Context, srv *openstackclient.Server, flavorID string) (*openstackclient.Server, string, error) {
	if flavorID == "" {
		other, err := s.cloud.GetServer(ctx, openstackclient.ViewFlavorID, srv.ID)
		if err != nil {
			return srv, "", err
		}
		if other.Status == statusUnknown {
			return srv, "", noAnswer(srv.ID)
		}
		flavorID = other.FlavorID
	}
	if srv.FlavorID == "" {
		return srv, flavorID, nil
	}
	full, err := s.cloud.GetServer(ctx, openstackclient.ViewHostname, srv.ID)
	if err != nil {
		return srv, "", err
	}
	if full.Status == statusUnknown {
		return srv, "", noAnswer(srv.ID)
	}
	return full, flavorID, nil
}

// checkFlavors refuses a cluster that could not be made again because a flavor of it exists no more.
func (s *Session) checkFlavors(ctx context.Context, machines []*Machine) error {
	checked := map[string]bool{}
	for _, m := range machines {
		if checked[m.Spec.FlavorID] {
			continue
		}
		checked[m.Spec.FlavorID] = true
		if _, err := s.cloud.GetFlavor(ctx, m.Spec.FlavorID); openstackclient.IsNotFound(err) {
			return &Refusal{Message: fmt.Sprintf("%s has flavor %s (%s), which exists no more or is not for this project: it could not be made again; resize the server or have the flavor restored", m.Name, m.Spec.FlavorName, m.Spec.FlavorID)}
		} else if err != nil {
			return err
		}
	}
	return nil
}

// serverGroups returns the servers' groups, by server. One that the list puts into no group is asked for itself, where Nova
// says it then (from microversion 2.71): made again outside its group, the control plane could end up on one host.
func (s *Session) serverGroups(ctx context.Context, list []*openstackclient.Server) (map[string]string, error) {
	groups, err := s.cloud.ListServerGroups(ctx)
	if err != nil {
		return nil, err
	}
	of := map[string]string{}
	for _, g := range groups {
		for _, member := range g.Members {
			of[member] = g.ID
		}
	}
	alone := slices.DeleteFunc(slices.Clone(list), func(srv *openstackclient.Server) bool { return of[srv.ID] != "" })
	return of, s.each(ctx, len(alone), func(ctx context.Context, i int) error {
		srv, err := s.cloud.GetServer(ctx, openstackclient.ViewHostname, alone[i].ID)
		if err != nil {
			return err
		}
		if conditionOf(srv) == unknown {
			return noAnswer(srv.ID)
		}
		if srv.ServerGroups != nil && len(*srv.ServerGroups) > 0 {
			return notYet("%s is in server group %s, which Nova's list leaves out", srv.Name, (*srv.ServerGroups)[0])
		}
		return nil
	})
}

// clusterPorts returns the ports of the servers, by server. Those with the cluster's tag are asked for: one that is bound to
// a server which the lists left out means that a list is not to be believed (a Nova cell may be down). Where they are not
// all that the servers show, the servers' ports are asked for too.
func (s *Session) clusterPorts(ctx context.Context, list []*openstackclient.Server) (map[string][]ports.Port, error) {
	tagged, err := s.cloud.ListPorts(ctx, openstackclient.ListPortsOpts{ListOpts: ports.ListOpts{Tags: clusterTag(s.cluster.InfraID)}})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	interfaces := 0
	for i, srv := range list {
		ids[i] = srv.ID
		interfaces += len(srv.MACs)
	}
	byServer := map[string][]ports.Port{}
	for _, p := range tagged {
		switch {
		case slices.Contains(ids, p.DeviceID):
			byServer[p.DeviceID] = append(byServer[p.DeviceID], p)
			interfaces--
		case p.DeviceID != "" && strings.HasPrefix(p.DeviceOwner, "compute:"):
			if err := s.checkUnlisted(ctx, p); err != nil {
				return nil, err
			}
		}
	}
	if interfaces == 0 {
		return byServer, nil
	}
	return s.portsOf(ctx, ids)
}

// checkUnlisted refuses if a port of the cluster belongs to a server that exists and that no list showed as the cluster's.
func (s *Session) checkUnlisted(ctx context.Context, p ports.Port) error {
	srv, err := s.server(ctx, p.DeviceID)
	switch {
	case err != nil, srv == nil:
		// The port of a server that is gone: Neutron will notice.
		return err
	case srv.Status == statusUnknown:
		return noAnswer(srv.ID)
	}
	return &Refusal{Message: fmt.Sprintf("port %s of the cluster belongs to server %s (%s), which is not marked as the cluster's or is left out of Nova's list: mark it, take the port away from it, or wait until all of Nova answers", p.ID, srv.Name, srv.ID)}
}
