package faults

import (
	"net/http"

	"github.com/overwinter/overwinter/test/cloud"
)

// ofPorts are the deeds that are done to a machine's port, and to what else its server needs.
func ofPorts(role string) []otherDeed {
	return []otherDeed{
		{
			name: "delete-port-" + role, role: role, advice: []string{"make a port", "attach its port"},
			do: func(m *meddling) bool {
				m.port = m.was(m.name).Ports[0]
				return m.cloud.DeletePort(m.port)
			},
			undo: func(m *meddling) { m.remakePort(m.port) },
		},
		{
			name: "take-port-" + role, role: role, advice: []string{"give it back", "give the server back", "take the port away"},
			about: func(m *meddling) []string { return []string{m.name, m.port} },
			do: func(m *meddling) bool {
				m.port = m.was(m.name).Ports[0]
				return m.cloud.ReassignPort(m.port, m.initial.others[0].ID)
			},
			undo: (*meddling).giveBack,
		},
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
