package cloud

import (
	"encoding/json"
	"maps"
	"net/http"
)

// maxProperties is Glance's image_property_quota.
const maxProperties = 128

func (c *Cloud) createImage(k *call, s *server) *reply {
	var req struct {
		Image struct {
			Name     string            `json:"name"`
			Metadata map[string]string `json:"metadata"`
		} `json:"createImage"`
	}
	if !k.decode(&req) {
		return malformedBody()
	}
	if n := len(req.Image.Name); n == 0 || n > 255 {
		return badLength("name", req.Image.Name)
	}
	if refused := checkMetadata(req.Image.Metadata); refused != nil {
		return refused
	}
	img, refused := c.startSnapshot(k, s, req.Image.Name, req.Image.Metadata)
	if refused != nil {
		return refused
	}
	return c.snapshotReply(k, img)
}

// startSnapshot begins a snapshot, or returns the refusal.
func (c *Cloud) startSnapshot(k *call, s *server, name string, metadata map[string]string) (*image, *reply) {
	img := c.snapshotImage(k, s, name)
	maps.Copy(img.props, metadata)
	if refused := c.refuseSnapshot(k, "createImage", s, img); refused != nil {
		return nil, refused
	}
	if refused := checkProperties(img); refused != nil {
		return nil, refused
	}
	c.images.put(img.id, img)
	if s.volumeBooted() {
		c.snapshotVolumes(s, img)
		return img, nil
	}
	s.snapshotSeq, s.saving, s.savingEntry, img.source = c.nextSnapshot(), img, "createImage", s
	c.record(s, k, "createImage")
	c.setTask(s, taskImagePending)
	c.onHost(s, c.opts.Latencies.SnapshotPending, func(bool) { c.snapshotStarts(s, img) })
	return img, nil
}

func (c *Cloud) nextSnapshot() int {
	c.snapshots++
	return c.snapshots
}

// refuseSnapshot says why there can be none. A request that was already under way when another one's snapshot was accepted loses the race for
// the task state behind Nova's checks: it gets a 500 and leaves an image that stays queued for ever. A lock does not matter.
func (c *Cloud) refuseSnapshot(k *call, action string, s *server, img *image) *reply {
	switch s.vm {
	case vmActive, vmPaused, vmStopped, vmSuspended:
	default:
		return conflictOf(action, s, "vm_state", s.vm)
	}
	if s.task == taskNone {
		return nil
	}
	if s.snapshotSeq > k.snapshots {
		c.images.put(img.id, img)
		return novaError(http.StatusInternalServerError, "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if possible.\n<class 'nova.exception.UnexpectedTaskStateError'>")
	}
	return conflictOf(action, s, "task_state", s.task)
}

// snapshotImage is the image that Nova asks Glance for: it inherits what the server's own image had.
func (c *Cloud) snapshotImage(k *call, s *server, name string) *image {
	img := c.newImage(k.project, name)
	img.visibility, img.minDisk, img.minRAM = visibilityPrivate, s.flavor.disk, s.imageMinRAM
	maps.Copy(img.props, s.imageProps)
	if s.volumeBooted() {
		return img
	}
	maps.Copy(img.props, map[string]string{
		"base_image_ref": s.imageID, "owner_user_name": k.user.name, "owner_project_name": k.project.name, "boot_roles": "reader,member",
		"instance_uuid": s.id, "user_id": k.user.id, "image_type": "snapshot",
	})
	return img
}

func checkProperties(img *image) *reply {
	for _, key := range []string{"status", "min_disk", "min_ram", "size", "checksum", "id"} {
		if _, ok := img.props[key]; ok {
			return unexpectedGlance()
		}
	}
	if _, ok := img.props["owner"]; ok {
		return novaError(http.StatusForbidden, "HTTP 403 Forbidden: You are not permitted to create images owned by &#x27;%s&#x27;.", img.props["owner"])
	}
	if len(img.props) > maxProperties {
		return unexpectedGlance()
	}
	return nil
}

func unexpectedGlance() *reply {
	return novaError(http.StatusInternalServerError, "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if possible.\n<class 'glanceclient.exc.HTTPBadRequest'>")
}

// snapshotReply says the image's ID: from 2.45 in the body, before that at the end of a Location with a doubled slash.
func (c *Cloud) snapshotReply(k *call, img *image) *reply {
	if k.mv >= 45 {
		return answer(http.StatusAccepted, object{"image_id": img.id})
	}
	rep := empty(http.StatusAccepted)
	rep.header.Set("Location", c.base(k.Request)+"/image//images/"+img.id)
	return rep
}

// The steps of a snapshot, in libvirt's order. Each goes on only if the server still is in the step before it: a delete ends the snapshot. Whether
// the image is still there is seen twice, when the driver asks for it and when it begins to upload.

func (c *Cloud) snapshotStarts(s *server, img *image) {
	c.beginEvent(s, "createImage", computeEvents["createImage"], s.host)
	if c.snapshotLost(s, img, taskImagePending) || c.imageLost(s, img, taskImagePending) || c.dies(KillBeforeSnapshot, s) {
		return
	}
	c.setTask(s, taskImageSnapshot)
	c.onHost(s, c.opts.Latencies.SnapshotStart, func(bool) { c.snapshotExtracts(s, img, taskImageSnapshot) })
}

// snapshotExtracts is the moment of the cut. task is the one before it.
func (c *Cloud) snapshotExtracts(s *server, img *image, task string) {
	if c.snapshotLost(s, img, task) || c.dies(KillBeforeExtract, s) {
		return
	}
	c.cut(s, img)
	c.setTask(s, taskImageExtract)
	c.onHost(s, c.opts.Latencies.SnapshotExtract, func(bool) { c.snapshotUploads(s, img) })
}

// cut takes the disk as it is into an image.
func (c *Cloud) cut(s *server, img *image) {
	img.writes, img.cutAt, img.cutRunning, img.machine, img.generation = c.writesOf(s), c.now, s.disk.running, s.name, s.disk.generation
}

func (c *Cloud) snapshotUploads(s *server, img *image) {
	if c.snapshotLost(s, img, taskImageExtract) || c.dies(KillBeforeUpload, s) {
		return
	}
	if c.takeFailure(failSnapshot, s.name) != "" {
		c.snapshotFails(s, img)
		return
	}
	if c.imageLost(s, img, taskImageExtract) {
		return
	}
	c.setTask(s, taskImageUpload)
	img.status, img.updated = imageSaving, c.now
	takes := c.opts.Latencies.SnapshotUpload
	if of := c.opts.Latencies.SnapshotUploadOf; of != nil {
		takes = of(c.serverState(s))
	}
	c.onHost(s, takes, func(bool) { c.snapshotArrives(s, img) })
}

// snapshotArrives ends the upload. That goes on even if the server or the image has been deleted meanwhile; the latter is an error then.
func (c *Cloud) snapshotArrives(s *server, img *image) {
	if c.dies(KillInUpload, s) {
		return
	}
	if c.images.get(img.id) == nil {
		c.snapshotEnds(s, img, taskImageUpload, true)
		return
	}
	size := c.snapshotSize(s)
	if c.overImageQuota(img, size) {
		c.snapshotFails(s, img)
		return
	}
	c.fillSnapshot(s, img, size)
	c.onHost(s, c.opts.Latencies.SnapshotClear, func(bool) { c.snapshotEnds(s, img, taskImageUpload, false) })
}

// uploadBreaks lets a server go whose snapshot was deleted during its upload, on a cloud that breaks it off.
func (c *Cloud) uploadBreaks(img *image) {
	takes := c.opts.Latencies.SnapshotBreak
	if s := img.source; takes > 0 && img.status == imageSaving && s.saving == img {
		c.after(takes, func() { c.snapshotEnds(s, img, taskImageUpload, true) })
	}
}

// snapshotLost says that a snapshot is over before its upload, as its server is being deleted: the image goes too.
func (c *Cloud) snapshotLost(s *server, img *image, task string) bool {
	if s.task == task && s.saving == img {
		return false
	}
	c.images.drop(img.id)
	if s.saving == img {
		s.saving = nil
		c.finishAction(s, s.savingEntry, true)
	}
	return true
}

// imageLost says that the image was deleted before its upload. The server is let go, and Nova takes that for no error.
func (c *Cloud) imageLost(s *server, img *image, task string) bool {
	if c.images.get(img.id) != nil {
		return false
	}
	c.snapshotEnds(s, img, task, false)
	return true
}

// snapshotFails leaves nothing but the word "Error" in the server's history.
func (c *Cloud) snapshotFails(s *server, img *image) {
	c.images.drop(img.id)
	c.snapshotEnds(s, img, s.task, true)
}

func (c *Cloud) snapshotEnds(s *server, img *image, task string, failed bool) {
	if s.saving != img {
		return // it has another one by now, or has ended this one already
	}
	s.saving = nil
	if s.task == task && task != taskDeleting {
		c.setTask(s, taskNone)
	}
	c.finishAction(s, s.savingEntry, failed)
}

// snapshotVolumes makes what Nova makes of a server that boots from a volume: an image of nothing, active at once, that names snapshots
// of every volume. Those stay when the image is deleted.
func (c *Cloud) snapshotVolumes(s *server, img *image) {
	var mapping []object
	for i, a := range s.attachments {
		a.volume.snapshots++
		m := object{
			"source_type": "snapshot", "destination_type": "volume", "snapshot_id": c.newID(), "device_name": a.device,
			"delete_on_termination": a.onDelete, "volume_size": a.volume.size, "boot_index": nil,
		}
		if i == 0 {
			m["boot_index"] = 0
		}
		mapping = append(mapping, m)
	}
	b, err := json.Marshal(mapping)
	if err != nil { // plain values
		b = nil
	}
	img.props["block_device_mapping"], img.props["bdm_v2"], img.props["root_device_name"] = string(b), "True", "/dev/vda"
	img.status, img.diskFormat, img.containerFormat = imageActive, "", ""
}
