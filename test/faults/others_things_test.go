package faults

import (
	"net/http"
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// ofPorts are the deeds that are done to a machine's port.
func ofPorts(role string) []otherDeed {
	return []otherDeed{
		{
			name: "delete-port-" + role, role: role, advice: []string{"make a port", "attach its port", "annotate the cluster"},
			do: func(m *meddling) bool {
				m.port = m.was(m.name).Ports[0]
				return m.cloud.DeletePort(m.port)
			},
			undo: func(m *meddling) { m.remakePort(m.port) },
		},
		{
			name: "take-port-" + role, role: role, advice: []string{"give it back", "give the server back", "take the port away", "annotate the cluster"},
			about: func(m *meddling) []string { return []string{m.name, m.port} },
			do: func(m *meddling) bool {
				m.port = m.was(m.name).Ports[0]
				return m.cloud.ReassignPort(m.port, m.initial.others[0].ID)
			},
			undo: (*meddling).giveBack,
		},
	}
}

// ofFlavor are the deeds that are done to the flavor of a role's servers.
func ofFlavor(role string) []otherDeed {
	return []otherDeed{{
		name: "delete-flavor-" + role, role: role, advice: []string{"have one made", "have the flavor restored"},
		do: func(m *meddling) bool {
			spec, ok := m.cloud.DeleteFlavor(m.was(m.name).FlavorName)
			m.flavor = spec
			return ok
		},
		undo: func(m *meddling) { m.cloud.AddFlavor(m.flavor) },
	}}
}

// ofNetwork are the deeds that are done to the network of a cluster that sleeps: Neutron does not delete one that is in use.
func ofNetwork() []otherDeed {
	return []otherDeed{{
		name: "delete-network", advice: []string{"make a network"}, about: func(m *meddling) []string { return []string{m.network} },
		only: func(_ shape, f flow) bool { return f.name == "resume" || f.name == "claim" },
		do: func(m *meddling) bool {
			m.network = m.seeds[0].NetworkID
			return len(m.serversOf(m.shape.clusters[0])) == 0 && m.cloud.DeleteNetwork(m.network)
		},
		undo: (*meddling).remakeNetwork,
	}}
}

// remakeNetwork makes a network again, with ports as they were, and puts all the new IDs into the record.
func (m *meddling) remakeNetwork() {
	id := m.shape.clusters[0]
	made := m.cloud.AddNetwork(cloud.DefaultProject, id+"-openshift", "10.0.0.0/16", false)
	m.inRecord(id, m.network, made)
	for i := range m.initial.ports {
		if p := &m.initial.ports[i]; p.NetworkID == m.network {
			p.NetworkID = made
			m.remakePort(p.ID)
		}
	}
}

// giveBack gives a port back to its machine's server, or frees it if there is none.
func (m *meddling) giveBack() {
	s, _ := m.server()
	if s.Status == "BUILD" {
		return
	}
	m.cloud.ReassignPort(m.port, s.ID)
}

// remakePort makes a port again as it was, with another ID, and gives it to its machine's server or puts it into the record.
func (m *meddling) remakePort(old string) {
	was := m.portWas(old)
	answer := m.member(http.MethodPost, "/network/v2.0/ports", map[string]any{"port": portBody(was)})
	made, _ := answer["port"].(map[string]any)
	id, _ := made["id"].(string)
	was.ID = id
	for i := range m.initial.servers {
		for j, p := range m.initial.servers[i].Ports {
			if p == old {
				m.initial.servers[i].Ports[j] = id
			}
		}
	}
	// A port that is younger than its server counts as made by Nova (docs/openstack.md), so this one is as old as the first.
	m.cloud.DatePort(id, m.was(m.initial.names[0]).Created.Add(-time.Minute))
	m.inRecord(m.shape.clusters[0], old, id)
	if s, ok := m.server(); ok && m.name != "" {
		m.cloud.ReassignPort(id, s.ID)
	}
}

func (m *meddling) portWas(id string) *cloud.Port {
	for i := range m.initial.ports {
		if m.initial.ports[i].ID == id {
			return &m.initial.ports[i]
		}
	}
	panic("there was no port " + id)
}

func portBody(p *cloud.Port) map[string]any {
	var ips, pairs []any
	for _, ip := range p.IPs {
		ips = append(ips, map[string]any{"ip_address": ip})
	}
	for _, ip := range p.AllowedAddresses {
		pairs = append(pairs, map[string]any{"ip_address": ip, "mac_address": p.MAC})
	}
	return map[string]any{
		"name": p.Name, "description": "made by hand", "network_id": p.NetworkID, "mac_address": p.MAC, "fixed_ips": ips,
		"security_groups": p.SecurityGroups, "allowed_address_pairs": pairs, "tags": p.Tags,
	}
}
