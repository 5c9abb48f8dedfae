package hibernation

import (
	"context"
	"slices"
	"strings"
)

// checkNodes compares the machines that were found with the cluster's own Nodes. A server that runs a Node, bears the cluster's
// mark and is not among the machines was left out by Nova's lists, and perhaps by Neutron's too.
func (s *Session) checkNodes(ctx context.Context, nodes []ObservedNode, machines []*Machine) error {
	var known, unlisted []string
	for _, m := range machines {
		known = append(append(known, m.ServerID), m.FormerIDs...)
	}
	names := map[string]string{}
	for _, n := range nodes {
		if id := serverOfNode(n); id != "" && !slices.Contains(known, id) {
			unlisted, names[id] = append(unlisted, id), n.Name
		}
	}
	if err := s.fetch(ctx, unlisted); err != nil {
		return err
	}
	for _, id := range unlisted {
		srv, _ := s.known(id)
		if srv == nil {
			continue // of another cloud, or a Node that outlives its server
		}
		if srv.Status == statusUnknown {
			return noAnswer(id)
		}
		if mine, err := owned(srv, s.cluster.InfraID); err != nil || mine && present(srv) {
			return firstOf(err, notYet("Node %s is on server %s (%s) of the cluster, which Nova's list leaves out: waiting until all of Nova answers", names[id], srv.Name, id))
		}
	}
	return nil
}

// serverOfNode returns the server that a Node's providerID names (openstack:///ID, or openstack://REGION/ID as Cloud Provider
// OpenStack writes it); empty if it names none.
func serverOfNode(n ObservedNode) string {
	rest, ok := strings.CutPrefix(n.ProviderID, "openstack://")
	if !ok {
		return ""
	}
	_, id, _ := strings.Cut(rest, "/")
	return id
}
