package cloud

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"slices"
	"time"
)

// writeBasic writes a server as in the short list.
func (c *Cloud) writeBasic(w *jsonWriter, k *call, s *server) {
	w.open('{')
	c.writeIdentity(w, k, s)
	w.end('}')
}

func (c *Cloud) writeIdentity(w *jsonWriter, k *call, s *server) {
	w.text("id", s.id)
	w.text("name", s.name)
	c.writeLinks(w, k, "servers", s.id, true)
}

// writeLinks writes those of a thing of Nova's: a bookmark, and its own URL if own is set.
func (c *Cloud) writeLinks(w *jsonWriter, k *call, kind, id string, own bool) {
	base := c.base(k.Request)
	w.key("links")
	w.open('[')
	if own {
		w.item()
		w.open('{')
		w.text("rel", "self")
		w.joined("href", base, "/compute/v2.1/", kind, "/", id)
		w.end('}')
	}
	w.item()
	w.open('{')
	w.text("rel", "bookmark")
	w.joined("href", base, "/compute/", kind, "/", id)
	w.end('}')
	w.end(']')
}

// writeDetail is what a plain project member sees of a server.
func (c *Cloud) writeDetail(w *jsonWriter, k *call, s *server) {
	w.open('{')
	c.writeFields(w, k, s)
	w.end('}')
}

// Layouts of Nova's times.
const (
	layoutSeconds = "2006-01-02T15:04:05Z"
	layoutMicros  = "2006-01-02T15:04:05.000000"
)

// writeFields writes what a list and a GET of one have in common; the groups are in a GET of one alone.
func (c *Cloud) writeFields(w *jsonWriter, k *call, s *server) {
	c.writeIdentity(w, k, s)
	w.text("status", s.status())
	w.text("tenant_id", s.project.id)
	w.text("user_id", s.user.id)
	w.value("metadata", s.metadata)
	w.text("hostId", s.project.hostID(s.host))
	c.writeImage(w, k, s)
	c.writeFlavor(w, k, s)
	w.time("created", s.created, layoutSeconds)
	w.time("updated", s.updated, layoutSeconds)
	w.text("accessIPv4", "")
	w.text("accessIPv6", "")
	w.text("OS-DCF:diskConfig", "MANUAL")
	w.text("OS-EXT-AZ:availability_zone", s.shownZone())
	w.text("config_drive", map[bool]string{true: "True"}[s.configDrive])
	w.textOrNull("key_name", s.keyName)
	w.time("OS-SRV-USG:launched_at", s.launched.Truncate(time.Second), layoutMicros)
	w.time("OS-SRV-USG:terminated_at", s.terminated.Truncate(time.Second), layoutMicros)
	w.textOrNull("OS-EXT-STS:task_state", s.task)
	w.text("OS-EXT-STS:vm_state", s.vm)
	w.number("OS-EXT-STS:power_state", s.power)
	w.value("os-extended-volumes:volumes_attached", s.volumesView(k))
	ports := c.boundPorts(s)
	w.value("addresses", addresses(s, ports))
	if groups := c.securityGroupNames(ports); len(groups) > 0 {
		w.value("security_groups", groups)
	}
	if showsProgress(s.status()) {
		w.number("progress", 0)
	}
	if s.fault != nil && (s.vm == vmError || s.vm == vmDeleted) {
		w.value("fault", object{"code": s.fault.code, "created": isoSeconds(s.fault.at), "message": s.fault.message})
	}
	s.writeNewer(w, k.mv)
}

// writeNewer adds what microversions have brought.
func (s *server) writeNewer(w *jsonWriter, mv int) {
	for _, f := range serverFields {
		if mv < f.from {
			return
		}
		f.write(w, s)
	}
}

// serverFields are what microversions have brought, in their order.
var serverFields = []struct {
	from  int
	write func(*jsonWriter, *server)
}{
	{9, func(w *jsonWriter, s *server) { w.flag("locked", s.locked != "") }},
	{19, func(w *jsonWriter, s *server) {
		if s.description == nil {
			w.null("description")
		} else {
			w.text("description", *s.description)
		}
	}},
	{26, func(w *jsonWriter, s *server) { w.value("tags", sorted(s.tags)) }},
	{63, func(w *jsonWriter, _ *server) { w.null("trusted_image_certificates") }},
	{73, func(w *jsonWriter, s *server) { w.textOrNull("locked_reason", s.lockNote) }},
	{90, func(w *jsonWriter, s *server) { w.text("OS-EXT-SRV-ATTR:hostname", s.hostname) }},
	{96, func(w *jsonWriter, s *server) { w.textOrNull("pinned_availability_zone", s.pinned) }},
}

func (s *server) shownZone() string {
	if !s.placed {
		return ""
	}
	return s.zone
}

// hostID is what Nova shows of a host: a hash with which two projects can't compare notes, and nothing where there is no host.
func (p *project) hostID(host string) string {
	if host == "" {
		return ""
	}
	if p.hostIDs[host] == "" {
		sum := sha256.Sum224([]byte(p.id + host))
		p.hostIDs[host] = hex.EncodeToString(sum[:])
	}
	return p.hostIDs[host]
}

func (c *Cloud) writeImage(w *jsonWriter, k *call, s *server) {
	if s.imageID == "" {
		w.text("image", "")
		return
	}
	w.key("image")
	w.open('{')
	w.text("id", s.imageID)
	c.writeLinks(w, k, "images", s.imageID, false)
	w.end('}')
}

// writeFlavor writes the flavor within a server: from 2.47 its content, without the ID.
func (c *Cloud) writeFlavor(w *jsonWriter, k *call, s *server) {
	f := &s.flavor
	w.key("flavor")
	w.open('{')
	if k.mv < 47 {
		w.text("id", f.id)
		c.writeLinks(w, k, "flavors", f.id, false)
	} else {
		w.number("vcpus", f.vcpus)
		w.number("ram", f.ram)
		w.number("disk", f.disk)
		w.number("ephemeral", f.ephemeral)
		w.number("swap", f.swap)
		w.text("original_name", f.name)
		if !c.opts.HideExtraSpecs {
			w.value("extra_specs", f.specs())
		}
	}
	w.end('}')
}

// addresses are those of the ports bound to the server. A port taken away by another server's create is missed at once.
func addresses(s *server, bound []*port) object {
	out := object{}
	if s.vm == vmBuilding || s.ended() {
		return out
	}
	for _, p := range bound {
		name := p.network.name
		before, _ := out[name].([]object)
		for _, ip := range p.fixedIPs {
			before = append(before, object{
				"version": ipVersion(ip.address), "addr": ip.address, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": p.mac,
			})
		}
		out[name] = before
	}
	return out
}

func ipVersion(address string) int {
	if ip := net.ParseIP(address); ip != nil && ip.To4() == nil {
		return 6
	}
	return 4
}

// securityGroupNames are those of a server's ports, each name once.
func (c *Cloud) securityGroupNames(bound []*port) []object {
	var names []string
	for _, p := range bound {
		for _, id := range p.securityGroups {
			if g := c.secs.get(id); g != nil && !slices.Contains(names, g.name) {
				names = append(names, g.name)
			}
		}
	}
	var out []object
	for _, n := range names {
		out = append(out, object{"name": n})
	}
	return out
}

func (s *server) volumesView(k *call) []object {
	out := []object{}
	for _, a := range s.attachments {
		v := object{"id": a.volume.id}
		if k.mv >= 3 {
			v["delete_on_termination"] = a.onDelete
		}
		out = append(out, v)
	}
	return out
}
