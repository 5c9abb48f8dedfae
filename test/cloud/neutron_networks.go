package cloud

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

var networkAttributes = []string{"id", "name", "project_id", "tenant_id", "status", "shared", "router:external", "admin_state_up", "description"}

func (c *Cloud) addNetwork(p *project, name string) *network {
	n := &network{id: c.newID(), name: name, project: p, created: c.now}
	c.networks.put(n.id, n)
	return n
}

// addSubnet panics if cidr is none: it is given by tests.
func (c *Cloud) addSubnet(p *project, n *network, name, cidr string) *subnet {
	s := &subnet{id: c.newID(), name: name, project: p, network: n, cidr: netip.MustParsePrefix(cidr), created: c.now}
	c.subnets.put(s.id, s)
	return s
}

func (c *Cloud) subnetsOf(n *network) []*subnet {
	var out []*subnet
	for _, s := range c.subnets.all() {
		if s.network == n {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *subnet) int { return strings.Compare(a.id, b.id) })
	return out
}

func (c *Cloud) networkView(n *network) object {
	ids := []string{}
	for _, s := range c.subnetsOf(n) {
		ids = append(ids, s.id)
	}
	return object{
		"id": n.id, "name": n.name, "tenant_id": n.project.id, "project_id": n.project.id, "admin_state_up": true, "mtu": 1450, "status": "ACTIVE",
		"subnets": ids, "shared": n.shared, "router:external": n.external, "availability_zone_hints": []string{}, "availability_zones": []string{},
		"port_security_enabled": true, "description": "", "tags": list(n.tags), "revision_number": 1,
		"created_at": isoSeconds(n.created), "updated_at": isoSeconds(n.created),
	}
}

func (c *Cloud) listNetworks(k *call) *reply {
	var all []object
	for _, n := range c.networks.all() {
		if n.visibleTo(k.project) {
			all = append(all, c.networkView(n))
		}
	}
	return c.page(k, collection{"networks", all}, networkAttributes)
}

func (c *Cloud) seenNetwork(p *project, id string) *network {
	if n := c.networks.get(id); n != nil && n.visibleTo(p) {
		return n
	}
	return nil
}

func noNetwork(id string) *reply {
	return neutronError(http.StatusNotFound, "NetworkNotFound", "Network %s could not be found.", id)
}

func (c *Cloud) showNetwork(k *call) *reply {
	n := c.seenNetwork(k.project, k.id())
	if n == nil {
		return noNetwork(k.id())
	}
	return answer(http.StatusOK, object{"network": c.networkView(n)})
}

func (c *Cloud) createNetwork(k *call) *reply {
	var req struct {
		Network struct {
			Name   string `json:"name"`
			Shared bool   `json:"shared"`
		} `json:"network"`
	}
	if !k.decode(&req) {
		return badNeutronBody("network")
	}
	if req.Network.Shared {
		return notAuthorized("create_network", "shared")
	}
	return answer(http.StatusCreated, object{"network": c.networkView(c.addNetwork(k.project, req.Network.Name))})
}

func badNeutronBody(kind string) *reply {
	return neutronError(http.StatusBadRequest, "HTTPBadRequest", "Unable to find '%s' in request body", kind)
}

// notAuthorized is Neutron's refusal of an attribute that only an owner or an administrator may set.
func notAuthorized(rule, attribute string) *reply {
	return neutronError(http.StatusForbidden, "PolicyNotAuthorized", "(rule:%s and rule:%s:%s) is disallowed by policy", rule, rule, attribute)
}

func (c *Cloud) deleteNetwork(k *call) *reply {
	n := c.seenNetwork(k.project, k.id())
	switch {
	case n == nil:
		return noNetwork(k.id())
	case n.project != k.project:
		return neutronError(http.StatusForbidden, "PolicyNotAuthorized", "rule:delete_network is disallowed by policy")
	}
	for _, p := range c.ports.all() {
		if p.network == n {
			return neutronError(http.StatusConflict, "NetworkInUse", "Unable to complete operation on network %s. There are one or more ports still in use on the network, id for these ports is: %s.", n.id, p.id)
		}
	}
	for _, s := range c.subnetsOf(n) {
		c.subnets.drop(s.id)
	}
	c.networks.drop(n.id)
	return empty(http.StatusNoContent)
}

var subnetAttributes = []string{"id", "name", "network_id", "project_id", "tenant_id", "cidr", "ip_version", "gateway_ip", "enable_dhcp"}

func (s *subnet) gateway() netip.Addr { return s.cidr.Masked().Addr().Next() }

func (s *subnet) view() object {
	first, last := s.gateway().Next(), lastAddress(s.cidr)
	return object{
		"id": s.id, "name": s.name, "tenant_id": s.project.id, "project_id": s.project.id, "network_id": s.network.id, "ip_version": 4,
		"cidr": s.cidr.String(), "gateway_ip": s.gateway().String(), "enable_dhcp": true, "tags": list(s.tags), "host_routes": []any{},
		"dns_nameservers": []any{}, "description": "", "service_types": []any{}, "revision_number": 0,
		"allocation_pools": []object{{"start": first.String(), "end": last.String()}},
		"created_at":       isoSeconds(s.created), "updated_at": isoSeconds(s.created),
	}
}

// lastAddress is the one before the broadcast address of an IPv4 network.
func lastAddress(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b).Prev()
}

func (c *Cloud) listSubnets(k *call) *reply {
	var all []object
	for _, s := range c.subnets.all() {
		if s.network.usableBy(k.project) {
			all = append(all, s.view())
		}
	}
	return c.page(k, collection{"subnets", all}, subnetAttributes)
}

func noSubnet(id string) *reply {
	return neutronError(http.StatusNotFound, "SubnetNotFound", "Subnet %s could not be found.", id)
}

func (c *Cloud) showSubnet(k *call) *reply {
	s := c.subnets.get(k.id())
	if s == nil || !s.network.usableBy(k.project) {
		return noSubnet(k.id())
	}
	return answer(http.StatusOK, object{"subnet": s.view()})
}

func (c *Cloud) createSubnet(k *call) *reply {
	var req struct {
		Subnet struct {
			Name      string `json:"name"`
			NetworkID string `json:"network_id"`
			CIDR      string `json:"cidr"`
		} `json:"subnet"`
	}
	if !k.decode(&req) {
		return badNeutronBody("subnet")
	}
	n := c.networks.get(req.Subnet.NetworkID)
	if n == nil || n.project != k.project {
		return noNetwork(req.Subnet.NetworkID)
	}
	if prefix, err := netip.ParsePrefix(req.Subnet.CIDR); err != nil || !prefix.Addr().Is4() {
		return neutronError(http.StatusBadRequest, "HTTPBadRequest", "Invalid input for cidr. Reason: '%s' is not a valid IP subnet.", req.Subnet.CIDR)
	}
	return answer(http.StatusCreated, object{"subnet": c.addSubnet(k.project, n, req.Subnet.Name, req.Subnet.CIDR).view()})
}

func (c *Cloud) deleteSubnet(k *call) *reply {
	s := c.subnets.get(k.id())
	if s == nil || s.project != k.project {
		return noSubnet(k.id())
	}
	for _, p := range c.ports.all() {
		for _, ip := range p.fixedIPs {
			if ip.subnet == s {
				return neutronError(http.StatusConflict, "SubnetInUse", "Unable to complete operation on subnet %s: One or more ports have an IP allocation from this subnet.", s.id)
			}
		}
	}
	c.subnets.drop(s.id)
	return empty(http.StatusNoContent)
}

var securityGroupAttributes = []string{"id", "name", "project_id", "tenant_id", "description", "shared", "stateful"}

func (c *Cloud) addSecurityGroup(p *project, name, description string) *securityGroup {
	g := &securityGroup{id: c.newID(), name: name, description: description, project: p, created: c.now}
	c.secs.put(g.id, g)
	return g
}

// securityGroupFor returns a project's group by name or ID.
func (c *Cloud) securityGroupFor(p *project, nameOrID string) *securityGroup {
	return c.secs.find(func(g *securityGroup) bool { return g.project == p && (g.id == nameOrID || g.name == nameOrID) })
}

func (g *securityGroup) view() object {
	return object{
		"id": g.id, "name": g.name, "description": g.description, "tenant_id": g.project.id, "project_id": g.project.id, "stateful": true,
		"shared": false, "security_group_rules": []any{}, "tags": list(g.tags), "revision_number": 1,
		"created_at": isoSeconds(g.created), "updated_at": isoSeconds(g.created),
	}
}

func (c *Cloud) listSecurityGroups(k *call) *reply {
	var all []object
	for _, g := range c.secs.all() {
		if g.project == k.project {
			all = append(all, g.view())
		}
	}
	return c.page(k, collection{"security-groups", all}, securityGroupAttributes)
}

func noSecurityGroup(id string) *reply {
	return neutronError(http.StatusNotFound, "SecurityGroupNotFound", "Security group %s does not exist", id)
}

func (c *Cloud) showSecurityGroup(k *call) *reply {
	g := c.secs.get(k.id())
	if g == nil || g.project != k.project {
		return noSecurityGroup(k.id())
	}
	return answer(http.StatusOK, object{"security_group": g.view()})
}

func (c *Cloud) createSecurityGroup(k *call) *reply {
	var req struct {
		Group struct {
			Name        string `json:"name"`
			Description string `json:"description"`
		} `json:"security_group"`
	}
	if !k.decode(&req) {
		return badNeutronBody("security_group")
	}
	return answer(http.StatusCreated, object{"security_group": c.addSecurityGroup(k.project, req.Group.Name, req.Group.Description).view()})
}

func (c *Cloud) deleteSecurityGroup(k *call) *reply {
	g := c.secs.get(k.id())
	if g == nil || g.project != k.project {
		return noSecurityGroup(k.id())
	}
	for _, p := range c.ports.all() {
		for _, id := range p.securityGroups {
			if id == g.id {
				return neutronError(http.StatusConflict, "SecurityGroupInUse", "Security Group %s in use.", g.id)
			}
		}
	}
	c.secs.drop(g.id)
	return empty(http.StatusNoContent)
}

func (c *Cloud) newMAC() string {
	n := c.rng.Uint32()
	return fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", byte(n>>16), byte(n>>8), byte(n))
}

// AddNetwork adds a network with one subnet to a project and returns its ID. A shared one can be used by all projects. It panics if cidr
// is not one.
func (c *Cloud) AddNetwork(projectName, name, cidr string, shared bool) string {
	var n *network
	c.alter(func() {
		p := c.projectNamed(projectName)
		n = c.addNetwork(p, name)
		n.shared = shared
		c.addSubnet(p, n, name, cidr)
	})
	return n.id
}
