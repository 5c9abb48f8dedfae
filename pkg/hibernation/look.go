package hibernation

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"golang.org/x/sync/errgroup"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// taskScheduling is a server's task while it has no host.
const taskScheduling = "scheduling"

// look is what the cloud showed of the cluster's servers at one moment.
type look struct {
	// servers are the cluster's own, by ID.
	servers map[string]*openstackclient.Server
	// flavorIDs are the flavors of those that were seen in ViewFlavorID; the others were not.
	flavorIDs map[string]string
	// both says that Nova was asked by name and by tag; otherwise by one of them.
	both bool
}

// named returns the cluster's servers of that name, in a stable order.
func (l *look) named(name string) []*openstackclient.Server {
	var found []*openstackclient.Server
	for _, srv := range l.servers {
		if srv.Name == name {
			found = append(found, srv)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].ID < found[j].ID })
	return found
}

// look lists the cluster's servers. With both, it asks by name and by tag, since neither finds them all; without, by the
// one filter that finds every server of the record. A look is kept until the session changes something in the cloud.
func (s *Session) look(ctx context.Context, both bool) (*look, error) {
	if s.seen != nil && (s.seen.both || !both) {
		return s.seen, nil
	}
	l := &look{servers: map[string]*openstackclient.Server{}, flavorIDs: map[string]string{}, both: both}
	byTag := s.allTagged()
	filters := []bool{byTag}
	switch {
	case s.seen != nil:
		l.servers, l.flavorIDs, filters = s.seen.servers, s.seen.flavorIDs, []bool{!byTag}
	case both:
		filters = []bool{true, false}
	}
	for _, byTag := range filters {
		if err := s.list(ctx, l, byTag); err != nil {
			return nil, err
		}
	}
	// A token that was renewed meanwhile may lead elsewhere.
	if err := s.checkCloud(ctx); err != nil {
		return nil, err
	}
	s.seen = l
	return l, nil
}

// changed forgets what was seen: something was changed in the cloud.
func (s *Session) changed() {
	s.seen, s.images, s.ports = nil, nil, nil
	s.asked = map[string]*openstackclient.Server{}
}

// list adds the cluster's servers that one of the two filters finds. Each filter has a view of its own, so that a complete
// look shows all there is to see of most servers.
func (s *Session) list(ctx context.Context, l *look, byTag bool) error {
	view, opts := openstackclient.ViewFlavorID, servers.ListOpts{Name: "^" + regexp.QuoteMeta(s.cluster.InfraID) + "-"}
	if byTag {
		view, opts = openstackclient.ViewHostname, servers.ListOpts{Tags: clusterTag(s.cluster.InfraID)}
	}
	list, err := s.cloud.ListServers(ctx, view, opts)
	if err != nil {
		return err
	}
	for i := range list {
		srv := &list[i]
		mine, err := owned(srv, s.cluster.InfraID)
		if err != nil {
			return err
		}
		// A row of a cell that is down bears no mark. Each server of the record is then asked for by its ID.
		if !mine || conditions[srv.Status] == unknown {
			continue
		}
		if view == openstackclient.ViewFlavorID {
			l.flavorIDs[srv.ID] = srv.FlavorID
			if _, seen := l.servers[srv.ID]; seen {
				continue
			}
		}
		l.servers[srv.ID] = srv
	}
	return nil
}

func (s *Session) allTagged() bool {
	if s.record == nil {
		return true
	}
	for _, m := range s.record.Machines {
		if !slices.Contains(m.Spec.Tags, clusterTag(s.cluster.InfraID)) {
			return false
		}
	}
	return true
}

// owned tells whether a server bears the cluster's mark. A name proves nothing: a-b is a prefix of a-b-c.
func owned(srv *openstackclient.Server, infraID string) (bool, error) {
	var mine, others bool
	if v, ok := srv.Metadata[clusterKey]; ok {
		mine, others = v == infraID, v != infraID
	}
	for _, tag := range serverTags(srv) {
		if v, ok := strings.CutPrefix(tag, clusterKey+"="); ok {
			mine, others = mine || v == infraID, others || v != infraID
		}
	}
	if mine && others {
		return false, blocked("server %s (%s) bears the marks of two clusters, %s among them, in its metadata and tags %s: correct them; nothing was touched", srv.Name, srv.ID, infraID, clusterKey)
	}
	return mine, nil
}

func serverTags(srv *openstackclient.Server) []string {
	if srv.Tags == nil {
		return nil
	}
	return *srv.Tags
}

// server returns one server by its ID, asking for it if the look does not show it; nil if the cloud says that there is
// none, which a list never proves.
func (s *Session) server(ctx context.Context, id string) (*openstackclient.Server, error) {
	if err := s.fetch(ctx, []string{id}); err != nil {
		return nil, err
	}
	srv, _ := s.known(id)
	return srv, nil
}

// known returns what this pass has seen of a server; ok is false if that is nothing yet.
func (s *Session) known(id string) (srv *openstackclient.Server, ok bool) {
	if s.seen != nil && s.seen.servers[id] != nil {
		return s.seen.servers[id], true
	}
	srv, ok = s.asked[id]
	return srv, ok
}

// fetch asks for those servers, several at once, that have not been seen in this pass. It keeps the answers that came, also
// where it returns an error.
func (s *Session) fetch(ctx context.Context, ids []string) error {
	var unseen []string
	for _, id := range ids {
		if _, ok := s.known(id); !ok {
			unseen = append(unseen, id)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	found, answered := make([]*openstackclient.Server, len(unseen)), make([]bool, len(unseen))
	failure := s.each(ctx, len(unseen), func(ctx context.Context, i int) error {
		srv, err := s.cloud.GetServer(ctx, openstackclient.ViewHostname, unseen[i])
		if openstackclient.IsNotFound(err) {
			srv, err = nil, nil
		}
		found[i], answered[i] = srv, err == nil
		return err
	})
	if err := s.checkCloud(ctx); err != nil {
		return err
	}
	for i, id := range unseen {
		if answered[i] {
			s.asked[id] = found[i]
		}
	}
	return failure
}

// refresh asks for single servers anew: what a list said of them may be minutes old.
func (s *Session) refresh(ctx context.Context, ids []string) error {
	for _, id := range ids {
		delete(s.asked, id)
		if s.seen != nil {
			delete(s.seen.servers, id)
		}
	}
	s.images, s.ports = nil, nil
	return s.fetch(ctx, ids)
}

// correct puts the servers' own answers into the look, in place of what a list showed. What was asked for in this pass already
// is not asked for again.
func (s *Session) correct(ctx context.Context, ids []string) error {
	if s.seen == nil {
		return s.fetch(ctx, ids)
	}
	for _, id := range ids {
		delete(s.seen.servers, id)
	}
	if err := s.fetch(ctx, ids); err != nil {
		return err
	}
	for _, id := range ids {
		if srv := s.asked[id]; srv != nil {
			s.seen.servers[id] = srv
		}
	}
	return nil
}

// portsOf returns the ports of the given servers, by server.
func (s *Session) portsOf(ctx context.Context, serverIDs []string) (map[string][]ports.Port, error) {
	byServer := map[string][]ports.Port{}
	if len(serverIDs) == 0 {
		return byServer, nil
	}
	list, err := s.cloud.ListPorts(ctx, openstackclient.ListPortsOpts{DeviceIDs: serverIDs})
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		byServer[p.DeviceID] = append(byServer[p.DeviceID], p)
	}
	return byServer, s.checkCloud(ctx)
}

// portsSeen is portsOf for servers whose ports may have been asked for in this pass already, and not changed since.
func (s *Session) portsSeen(ctx context.Context, serverIDs []string) (map[string][]ports.Port, error) {
	for _, id := range serverIDs {
		if _, ok := s.ports[id]; ok {
			continue
		}
		have, err := s.portsOf(ctx, serverIDs)
		if err != nil {
			return nil, err
		}
		s.ports = have
		break
	}
	return s.ports, nil
}

// expects reports whether a server is a machine's for which a request had got no answer.
func (r *Record) expects(srv *openstackclient.Server) bool {
	return slices.ContainsFunc(r.Machines, func(m *Machine) bool {
		return m.LateServer && m.Snapshot != nil && srv.Name == m.Name && srv.ImageID == m.Snapshot.ID
	})
}

// strangers names the cluster's servers that the record does not know.
func (s *Session) strangers(l *look) []string {
	known := map[string]bool{}
	for _, m := range s.record.Machines {
		known[m.ServerID] = true
		if m.Creation != nil {
			known[m.Creation.ServerID] = true
			known[m.Creation.Discarded] = true
		}
	}
	var out []string
	for id, srv := range l.servers {
		if !known[id] && present(srv) && !(s.waking && s.record.expects(srv)) {
			out = append(out, fmt.Sprintf("%s (%s, %s)", srv.Name, id, srv.Status))
		}
	}
	sort.Strings(out)
	return out
}

// each does something for n things, several of them at once, and returns the first error in their order after all have been
// tried. One at a time, they come in their order, so that a simulation is always the same.
func (s *Session) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	errs := make([]error, n)
	group := errgroup.Group{}
	group.SetLimit(s.engine.opts.RequestsAtOnce)
	for i := range n {
		if s.engine.opts.RequestsAtOnce == 1 {
			errs[i] = do(ctx, i)
			continue
		}
		group.Go(func() error {
			errs[i] = do(ctx, i)
			return nil
		})
	}
	_ = group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// act is each for what changes the cloud: it claims the record first and forgets what was seen.
func (s *Session) act(ctx context.Context, machines []*Machine, do func(context.Context, *Machine) error) error {
	if len(machines) == 0 {
		return nil
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	defer s.changed()
	return s.each(ctx, len(machines), func(ctx context.Context, i int) error {
		if err := s.inTime(); err != nil {
			return err
		}
		return do(ctx, machines[i])
	})
}

// serverIDs returns the recorded servers of the machines.
func serverIDs(machines []*Machine) []string {
	ids := make([]string, len(machines))
	for i, m := range machines {
		ids[i] = m.ServerID
	}
	return ids
}
