package cloud

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// listInterfaces lists the server's ports as Neutron orders them, which is not the order of its networks.
func (c *Cloud) listInterfaces(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil {
		return noServer(k.id())
	}
	views := []object{}
	bound := c.portsOf(s.id)
	slices.SortFunc(bound, func(a, b *port) int { return strings.Compare(a.id, b.id) })
	for _, p := range bound {
		views = append(views, p.interfaceView(k))
	}
	return answer(http.StatusOK, object{"interfaceAttachments": views})
}

// interfaceView is a port as Nova shows it.
func (p *port) interfaceView(k *call) object {
	v := object{"port_id": p.id, "net_id": p.network.id, "mac_addr": p.mac, "port_state": p.status, "fixed_ips": p.ipViews()}
	if k.mv >= 70 {
		v["tag"] = nil
	}
	return v
}

// attachInterface plugs a port that exists into a server, or one that Nova makes on a network; Nova answers when it is done. A new interface comes
// after the others. What Nova begins and can't do is in the server's history, too.
func (c *Cloud) attachInterface(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil || s.ended() {
		return noServer(k.id())
	}
	var req struct {
		Attachment struct {
			PortID string  `json:"port_id"`
			NetID  *string `json:"net_id"`
		} `json:"interfaceAttachment"`
	}
	if !k.decode(&req) {
		return malformedBody()
	}
	in := req.Attachment
	switch {
	case in.PortID != "" && in.NetID != nil:
		return novaError(http.StatusBadRequest, "Must not input both network_id and port_id")
	case in.NetID != nil:
		return c.plugNetwork(k, s, *in.NetID)
	case uuid.Validate(in.PortID) != nil:
		return novaError(http.StatusBadRequest, "Invalid input for field/attribute port_id. Value: %s. '%s' is not a 'uuid'", in.PortID, in.PortID)
	}
	return c.plug(k, s, in.PortID)
}

// What a server's history calls these.
const (
	attachEntry = "attach_interface"
	detachEntry = "detach_interface"
)

// plug gives a server a port.
func (c *Cloud) plug(k *call, s *server, id string) *reply {
	if refused := refuse(k, attachEntry, s, vmActive, vmPaused, vmStopped); refused != nil {
		return refused
	}
	c.record(s, k, attachEntry)
	p := c.ports.get(id)
	refused := unattachable(s.project, id, p)
	c.finishAction(s, attachEntry, refused != nil)
	if refused != nil {
		return refused
	}
	s.nics = append(slices.DeleteFunc(s.nics, func(n nic) bool { return n.portID == id }), nic{portID: id})
	c.bind(p, s)
	return answer(http.StatusOK, object{"interfaceAttachment": p.interfaceView(k)})
}

// plugNetwork gives a server a port that Nova makes.
func (c *Cloud) plugNetwork(k *call, s *server, networkID string) *reply {
	if refused := refuse(k, attachEntry, s, vmActive, vmPaused, vmStopped); refused != nil {
		return refused
	}
	c.record(s, k, attachEntry)
	n := c.networks.get(networkID)
	if n == nil || !n.usableBy(s.project) {
		c.finishAction(s, attachEntry, true)
		return novaError(http.StatusNotFound, "Network %s could not be found.", networkID)
	}
	one := nic{networkID: networkID, made: true}
	one.portID = c.makePort(s, one)
	s.nics = append(s.nics, one)
	c.finishAction(s, attachEntry, false)
	return answer(http.StatusOK, object{"interfaceAttachment": c.ports.get(one.portID).interfaceView(k)})
}

// unattachable says why Nova does not take a port; p is nil if there is none.
func unattachable(of *project, id string, p *port) *reply {
	switch {
	case p == nil || p.project != of:
		return novaError(http.StatusNotFound, "Port id %s could not be found.", id)
	case p.deviceID != "":
		return novaError(http.StatusConflict, "Port %s is still in use.", id)
	}
	return nil
}

func (c *Cloud) detachInterface(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil || s.ended() {
		return noServer(k.id())
	}
	return c.unplug(k, s, k.params["port"])
}

// unplug takes a port from a server. One that Nova has made is deleted with that.
func (c *Cloud) unplug(k *call, s *server, id string) *reply {
	if refused := refuse(k, detachEntry, s, vmActive, vmPaused, vmStopped); refused != nil {
		return refused
	}
	c.record(s, k, detachEntry)
	p := c.ports.get(id)
	missing := p == nil || p.deviceID != s.id
	c.finishAction(s, detachEntry, missing)
	if missing {
		return novaError(http.StatusNotFound, "Port %s not attached to instance %s", id, s.id)
	}
	i := slices.IndexFunc(s.nics, func(n nic) bool { return n.portID == id })
	made := i >= 0 && s.nics[i].made
	if i >= 0 {
		s.nics = slices.Delete(s.nics, i, i+1)
	}
	if made {
		c.ports.drop(id)
	} else {
		c.unbind(p)
	}
	return empty(http.StatusAccepted)
}
