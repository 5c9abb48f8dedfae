package cloud

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

type fixedIP struct {
	subnet  *subnet
	address string
}

type addressPair struct {
	IP  string `json:"ip_address"`
	MAC string `json:"mac_address"`
}

type port struct {
	id, name, description, mac string
	project                    *project
	network                    *network
	fixedIPs                   []fixedIP
	securityGroups             []string
	pairs                      []addressPair
	deviceID, deviceOwner      string
	status                     string
	tags                       []string
	created, updated           time.Time
	revision                   int
}

const (
	portActive = "ACTIVE"
	portDown   = "DOWN"
)

var portAttributes = []string{
	"id", "name", "description", "network_id", "project_id", "tenant_id", "mac_address", "device_id", "device_owner", "status", "fixed_ips",
	"admin_state_up", "security_groups",
}

func (p *port) ipViews() []object {
	out := []object{}
	for _, ip := range p.fixedIPs {
		out = append(out, object{"subnet_id": ip.subnet.id, "ip_address": ip.address})
	}
	return out
}

func (p *port) view() object {
	return object{
		"id": p.id, "name": p.name, "description": p.description, "network_id": p.network.id, "tenant_id": p.project.id, "project_id": p.project.id,
		"mac_address": p.mac, "admin_state_up": true, "status": p.status, "device_id": p.deviceID, "device_owner": p.deviceOwner,
		"fixed_ips": p.ipViews(), "security_groups": list(p.securityGroups), "allowed_address_pairs": list(p.pairs), "extra_dhcp_opts": []any{},
		"binding:vnic_type": "normal", "port_security_enabled": true, "qos_policy_id": nil, "qos_network_policy_id": nil,
		"tags": sorted(p.tags), "revision_number": p.revision,
		"created_at": isoSeconds(p.created), "updated_at": isoSeconds(p.updated),
	}
}

// touch marks a change.
func (c *Cloud) touch(p *port) { p.updated, p.revision = c.now, p.revision+1 }

// bind gives a port to a server.
func (c *Cloud) bind(p *port, s *server) {
	p.deviceID, p.deviceOwner, p.status = s.id, "compute:"+s.zone, portActive
	c.touch(p)
}

func (c *Cloud) unbind(p *port) {
	p.deviceID, p.deviceOwner, p.status = "", "", portDown
	c.touch(p)
}

// makePort is Nova making a port for a server, with the server's security groups.
func (c *Cloud) makePort(s *server, n nic) string {
	net := c.networks.get(n.networkID)
	if net == nil {
		return ""
	}
	p := c.newPort(s.project, net)
	names := s.secNames
	if len(names) == 0 {
		names = []string{"default"}
	}
	for _, name := range names {
		if g := c.securityGroupFor(s.project, name); g != nil {
			p.securityGroups = append(p.securityGroups, g.id)
		}
	}
	if subs := c.subnetsOf(net); len(subs) > 0 {
		address := n.fixedIP
		if address == "" {
			address = c.freeAddress(subs[0])
		}
		p.fixedIPs = []fixedIP{{subs[0], address}}
	}
	if first := s.created.Truncate(time.Second).Add(time.Second); p.created.Before(first) {
		p.created = first // a second passes in any real cloud between a create and the port for it, however small the latencies here
	}
	c.ports.put(p.id, p)
	c.bind(p, s)
	return p.id
}

func (c *Cloud) newPort(p *project, n *network) *port {
	return &port{id: c.newID(), project: p, network: n, mac: c.newMAC(), status: portDown, created: c.now, updated: c.now, revision: 1}
}

// freeAddress returns an address of a subnet that no port has, or "".
func (c *Cloud) freeAddress(s *subnet) string {
	last := lastAddress(s.cidr)
	for a := s.gateway().Next(); a.Compare(last) <= 0; a = a.Next() {
		if !c.addressTaken(s, a.String()) {
			return a.String()
		}
	}
	return ""
}

func (c *Cloud) addressTaken(s *subnet, address string) bool {
	for _, p := range c.ports.all() {
		if slices.Contains(p.fixedIPs, fixedIP{s, address}) {
			return true
		}
	}
	return false
}

func (c *Cloud) listPorts(k *call) *reply {
	var all []object
	for _, p := range c.ports.all() {
		if p.project == k.project {
			all = append(all, p.view())
		}
	}
	return c.page(k, collection{"ports", all}, portAttributes)
}

func (c *Cloud) ownPort(k *call) *port {
	if p := c.ports.get(k.id()); p != nil && p.project == k.project {
		return p
	}
	return nil
}

func noPort(id string) *reply {
	return neutronError(http.StatusNotFound, "PortNotFound", "Port %s could not be found.", id)
}

func (c *Cloud) showPort(k *call) *reply {
	p := c.ownPort(k)
	if p == nil {
		return noPort(k.id())
	}
	return answer(http.StatusOK, object{"port": p.view()})
}

func (c *Cloud) deletePort(k *call) *reply {
	if c.ownPort(k) == nil {
		return noPort(k.id())
	}
	c.ports.drop(k.id())
	return empty(http.StatusNoContent)
}

type ipRequest struct {
	SubnetID  string `json:"subnet_id"`
	IPAddress string `json:"ip_address"`
}

// portRequest is the body of a create or an update; nil is what it does not speak of.
type portRequest struct {
	Port struct {
		Name           *string       `json:"name"`
		Description    *string       `json:"description"`
		NetworkID      string        `json:"network_id"`
		MAC            *string       `json:"mac_address"`
		DeviceID       *string       `json:"device_id"`
		DeviceOwner    *string       `json:"device_owner"`
		SecurityGroups []string      `json:"security_groups"`
		FixedIPs       []ipRequest   `json:"fixed_ips"`
		Pairs          []addressPair `json:"allowed_address_pairs"`
		Tags           []string      `json:"tags"`
	} `json:"port"`
}

func (c *Cloud) createPort(k *call) *reply {
	var req portRequest
	if !k.decode(&req) {
		return badNeutronBody("port")
	}
	n := c.networks.get(req.Port.NetworkID)
	if n == nil || !n.usableBy(k.project) {
		return noNetwork(req.Port.NetworkID)
	}
	if refused := refuseForeign(k, n, &req, "create_port"); refused != nil {
		return refused
	}
	p := c.newPort(k.project, n)
	if m := req.Port.MAC; m != nil {
		p.mac = strings.ToLower(*m)
		if c.macTaken(n, p.mac) {
			return neutronError(http.StatusConflict, "MacAddressInUse", "Unable to complete operation for network %s. The mac address %s is in use.", n.id, p.mac)
		}
	}
	if req.Port.SecurityGroups == nil {
		p.securityGroups = []string{c.securityGroupFor(k.project, "default").id}
	}
	if refused := c.change(k, p, &req); refused != nil {
		return refused
	}
	if subs := c.subnetsOf(n); req.Port.FixedIPs == nil && len(subs) > 0 {
		p.fixedIPs = []fixedIP{{subs[0], c.freeAddress(subs[0])}}
	}
	p.tags = unique(req.Port.Tags)
	c.ports.put(p.id, p)
	return answer(http.StatusCreated, object{"port": p.view()})
}

func (c *Cloud) macTaken(n *network, mac string) bool {
	for _, p := range c.ports.all() {
		if p.network == n && p.mac == mac {
			return true
		}
	}
	return false
}

// refuseForeign keeps a member from choosing addresses on a network that is another project's, though shared.
func refuseForeign(k *call, n *network, req *portRequest, rule string) *reply {
	if n.project == k.project {
		return nil
	}
	switch {
	case req.Port.MAC != nil:
		return notAuthorized(rule, "mac_address")
	case slices.ContainsFunc(req.Port.FixedIPs, func(ip ipRequest) bool { return ip.IPAddress != "" }):
		return notAuthorized(rule, "fixed_ips")
	case len(req.Port.Pairs) > 0:
		return notAuthorized(rule, "allowed_address_pairs")
	}
	return nil
}

func (c *Cloud) updatePort(k *call) *reply {
	p := c.ownPort(k)
	if p == nil {
		return noPort(k.id())
	}
	var req portRequest
	if !k.decode(&req) {
		return badNeutronBody("port")
	}
	if m := req.Port.MAC; m != nil && !strings.EqualFold(*m, p.mac) {
		return notAuthorized("update_port", "mac_address")
	}
	req.Port.MAC = nil
	if refused := refuseForeign(k, p.network, &req, "update_port"); refused != nil {
		return refused
	}
	changed := *p
	if refused := c.change(k, &changed, &req); refused != nil {
		return refused
	}
	*p = changed
	c.touch(p)
	return answer(http.StatusOK, object{"port": p.view()})
}

// change applies what create and update have in common.
func (c *Cloud) change(k *call, p *port, req *portRequest) *reply {
	in := &req.Port
	for _, f := range []struct {
		value *string
		into  *string
	}{{in.Name, &p.name}, {in.Description, &p.description}, {in.DeviceID, &p.deviceID}, {in.DeviceOwner, &p.deviceOwner}} {
		if f.value != nil {
			*f.into = *f.value
		}
	}
	if in.SecurityGroups != nil {
		for _, id := range in.SecurityGroups {
			if g := c.secs.get(id); g == nil || g.project != k.project {
				return noSecurityGroup(id)
			}
		}
		p.securityGroups = in.SecurityGroups
	}
	if in.Pairs != nil {
		p.pairs = nil
		for _, pair := range in.Pairs {
			if pair.MAC == "" {
				pair.MAC = p.mac
			}
			p.pairs = append(p.pairs, pair)
		}
	}
	if in.FixedIPs == nil {
		return nil
	}
	return c.address(p, req)
}

// address gives a port the addresses asked for.
func (c *Cloud) address(p *port, req *portRequest) *reply {
	before := p.fixedIPs
	p.fixedIPs = nil
	for _, want := range req.Port.FixedIPs {
		sub := c.subnets.get(want.SubnetID)
		if want.SubnetID == "" {
			sub = c.subnetWith(p.network, want.IPAddress)
		}
		if sub == nil || sub.network != p.network {
			return neutronError(http.StatusBadRequest, "InvalidIpForNetwork", "IP address %s is not a valid IP for any of the subnets on the specified network.", want.IPAddress)
		}
		ip := fixedIP{sub, want.IPAddress}
		if ip.address == "" {
			ip.address = c.freeAddress(sub)
		}
		if a, err := netip.ParseAddr(ip.address); err != nil || !sub.cidr.Contains(a) {
			return neutronError(http.StatusBadRequest, "InvalidIpForSubnet", "IP address %s is not a valid IP for the specified subnet.", ip.address)
		}
		if !slices.Contains(before, ip) && c.addressTaken(sub, ip.address) {
			return neutronError(http.StatusConflict, "IpAddressAlreadyAllocated", "IP address %s already allocated in subnet %s", ip.address, sub.id)
		}
		p.fixedIPs = append(p.fixedIPs, ip)
	}
	return nil
}

func (c *Cloud) subnetWith(n *network, address string) *subnet {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	for _, s := range c.subnetsOf(n) {
		if s.cidr.Contains(a) {
			return s
		}
	}
	return nil
}

// Port is a copy of a port's state.
type Port struct {
	ID, Name, Project, NetworkID, MAC      string
	IPs                                    []string
	DeviceID, DeviceOwner, Status          string
	SecurityGroups, AllowedAddresses, Tags []string
	Created                                time.Time
}

func (p *port) state() Port {
	out := Port{
		ID: p.id, Name: p.name, Project: p.project.name, NetworkID: p.network.id, MAC: p.mac, DeviceID: p.deviceID, DeviceOwner: p.deviceOwner,
		Status: p.status, SecurityGroups: slices.Clone(p.securityGroups), Tags: slices.Clone(p.tags),
		Created: p.created,
	}
	for _, ip := range p.fixedIPs {
		out.IPs = append(out.IPs, ip.address)
	}
	for _, pair := range p.pairs {
		out.AllowedAddresses = append(out.AllowedAddresses, pair.IP)
	}
	return out
}
