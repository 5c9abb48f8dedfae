package cloud

import (
	"net/http"
	"slices"
)

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
