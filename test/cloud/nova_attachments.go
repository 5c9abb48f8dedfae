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

// attachInterface plugs a port that exists into a server; Nova answers when it is done. A new interface comes after the others. What Nova
// begins and can't do is in the server's history, too. That it can also make a port of its own is left out.
func (c *Cloud) attachInterface(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil || s.ended() {
		return noServer(k.id())
	}
	var req struct {
		Attachment struct {
			PortID string `json:"port_id"`
			NetID  string `json:"net_id"`
		} `json:"interfaceAttachment"`
	}
	if !k.decode(&req) {
		return malformedBody()
	}
	id := req.Attachment.PortID
	if uuid.Validate(id) != nil {
		return novaError(http.StatusBadRequest, "Invalid input for field/attribute port_id. Value: %s. '%s' is not a 'uuid'", id, id)
	}
	if req.Attachment.NetID != "" {
		return novaError(http.StatusBadRequest, "Must not input both network_id and port_id")
	}
	if refused := refuse("attach_interface", s, vmActive, vmPaused, vmStopped); refused != nil {
		return refused
	}
	c.record(s, k, "attach_interface")
	p := c.ports.get(id)
	refused := unattachable(k, id, p)
	c.finishAction(s, "attach_interface", refused != nil)
	if refused != nil {
		return refused
	}
	s.nics = append(slices.DeleteFunc(s.nics, func(n nic) bool { return n.portID == id }), nic{portID: id})
	c.bind(p, s)
	return answer(http.StatusOK, object{"interfaceAttachment": p.interfaceView(k)})
}

// unattachable says why Nova does not take a port; p is nil if there is none.
func unattachable(k *call, id string, p *port) *reply {
	switch {
	case p == nil || p.project != k.project:
		return novaError(http.StatusNotFound, "Port id %s could not be found.", id)
	case p.deviceID != "":
		return novaError(http.StatusConflict, "Port %s is still in use.", id)
	}
	return nil
}

func (a *attachment) view(k *call, s *server) object {
	v := object{"volumeId": a.volume.id, "serverId": s.id, "device": a.device}
	if k.mv < 89 {
		v["id"] = a.volume.id
	} else {
		v["attachment_id"], v["bdm_uuid"] = a.volume.id, a.volume.id
	}
	if k.mv >= 70 {
		v["tag"] = nil
	}
	if k.mv >= 79 {
		v["delete_on_termination"] = a.onDelete
	}
	return v
}

func (c *Cloud) listAttachments(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil {
		return noServer(k.id())
	}
	views := []object{}
	for _, a := range s.attachments {
		views = append(views, a.view(k, s))
	}
	return answer(http.StatusOK, object{"volumeAttachments": views})
}

// updateAttachment changes delete_on_termination, from 2.85. Another volume ID would be a swap, which is for services only.
func (c *Cloud) updateAttachment(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil {
		return noServer(k.id())
	}
	var req struct {
		Attachment struct {
			VolumeID            string `json:"volumeId"`
			DeleteOnTermination *bool  `json:"delete_on_termination"`
		} `json:"volumeAttachment"`
	}
	if !k.decode(&req) {
		return malformedBody()
	}
	if req.Attachment.DeleteOnTermination != nil && k.mv < 85 {
		return unexpected("volumeAttachment", "delete_on_termination")
	}
	i := slices.IndexFunc(s.attachments, func(a *attachment) bool { return a.volume.id == k.params["volume"] })
	if i < 0 {
		return novaError(http.StatusNotFound, "volume %s could not be found.", k.params["volume"])
	}
	if req.Attachment.VolumeID != k.params["volume"] {
		return novaError(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-volumes-attachments:swap to be performed.")
	}
	if on := req.Attachment.DeleteOnTermination; on != nil {
		s.attachments[i].onDelete = *on
	}
	return empty(http.StatusAccepted)
}
