package cloud

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net"
	"slices"
	"time"
)

func (c *Cloud) basicView(k *call, s *server) object {
	return object{"id": s.id, "name": s.name, "links": c.links(k, "servers", s.id)}
}

// detailView is what a plain project member sees of a server; the groups are in a GET of one alone.
func (c *Cloud) detailView(k *call, s *server) object {
	v := c.basicView(k, s)
	maps.Copy(v, object{
		"status": s.status(), "tenant_id": s.project.id, "user_id": s.user.id, "metadata": s.metadata, "hostId": hostID(s),
		"image": c.imageView(k, s), "flavor": c.flavorOf(k, s),
		"created": isoSeconds(s.created), "updated": isoSeconds(s.updated), "addresses": c.addresses(s), "accessIPv4": "", "accessIPv6": "",
		"OS-DCF:diskConfig": "MANUAL", "OS-EXT-AZ:availability_zone": s.shownZone(), "config_drive": "", "key_name": orNull(s.keyName),
		"OS-SRV-USG:launched_at":   isoMicrosNoZone(s.launched.Truncate(time.Second)),
		"OS-SRV-USG:terminated_at": isoMicrosNoZone(s.terminated.Truncate(time.Second)),
		"OS-EXT-STS:task_state":    orNull(s.task), "OS-EXT-STS:vm_state": s.vm, "OS-EXT-STS:power_state": s.power,
		"os-extended-volumes:volumes_attached": s.volumesView(k),
	})
	if s.configDrive {
		v["config_drive"] = "True"
	}
	if s.vm == vmActive || s.vm == vmBuilding {
		v["progress"] = 0
	}
	if groups := c.securityGroupNames(s); len(groups) > 0 {
		v["security_groups"] = groups
	}
	if s.fault != nil && (s.vm == vmError || s.vm == vmDeleted) {
		v["fault"] = object{"code": s.fault.code, "created": isoSeconds(s.fault.at), "message": s.fault.message}
	}
	s.addNewer(k.mv, v)
	return v
}

// addNewer adds what microversions have brought.
func (s *server) addNewer(mv int, v object) {
	for _, f := range []struct {
		from  int
		key   string
		value any
	}{
		{9, "locked", s.locked != ""},
		{19, "description", s.description},
		{26, "tags", sorted(s.tags)},
		{63, "trusted_image_certificates", nil},
		{73, "locked_reason", orNull(s.lockNote)},
		{90, "OS-EXT-SRV-ATTR:hostname", s.hostname},
		{96, "pinned_availability_zone", orNull(s.zone)},
	} {
		if mv >= f.from {
			v[f.key] = f.value
		}
	}
}

func (s *server) shownZone() string {
	if !s.placed {
		return ""
	}
	return s.zone
}

func hostID(s *server) string {
	if !s.placed {
		return ""
	}
	sum := sha256.Sum224([]byte(s.project.id + "sim-compute-0"))
	return hex.EncodeToString(sum[:])
}

func (c *Cloud) imageView(k *call, s *server) any {
	if s.imageID == "" {
		return ""
	}
	return object{"id": s.imageID, "links": c.bookmark(k, "images", s.imageID)}
}

// flavorOf is the flavor within a server: from 2.47 its content, without the ID.
func (c *Cloud) flavorOf(k *call, s *server) object {
	f := s.flavor
	if k.mv < 47 {
		return object{"id": f.id, "links": c.bookmark(k, "flavors", f.id)}
	}
	return object{
		"vcpus": f.vcpus, "ram": f.ram, "disk": f.disk, "ephemeral": f.ephemeral, "swap": f.swap, "original_name": f.name,
		"extra_specs": object{},
	}
}

// addresses are those of the ports bound to the server. A port taken away by another server's create is missed at once.
func (c *Cloud) addresses(s *server) object {
	out := object{}
	if s.vm == vmBuilding || s.ended() {
		return out
	}
	for _, p := range c.boundPorts(s) {
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

// securityGroupNames are those of the server's ports, each name once.
func (c *Cloud) securityGroupNames(s *server) []object {
	var names []string
	for _, p := range c.boundPorts(s) {
		for _, id := range p.securityGroups {
			if g := c.secs[id]; g != nil && !slices.Contains(names, g.name) {
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

// downView is all that is known of a server whose cell does not answer, from 2.69.
func (c *Cloud) downView(k *call, s *server) object {
	return object{
		"id": s.id, "status": "UNKNOWN", "tenant_id": s.project.id, "created": isoSeconds(s.created), "links": c.links(k, "servers", s.id),
	}
}
