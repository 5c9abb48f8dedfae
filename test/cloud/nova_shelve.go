package cloud

import (
	"maps"
	"net/http"
)

// shelve turns a server off and puts its disk into an image. Unless Options.KeepShelved is set, it then leaves its host at once.
func (c *Cloud) shelve(k *call, s *server) *reply {
	if refused := refuseTPM(s, "shelve"); refused != nil {
		return refused
	}
	from := []string{vmActive, vmPaused, vmStopped, vmSuspended}
	if refused := refuse(k, "shelve", s, from...); refused != nil {
		return refused
	}
	l := c.opts.Latencies
	off := step{taskShelving, l.Shelve, func() { c.setDomain(s, powerShutdown) }}
	leave := step{taskOffloading, l.Shelve, func() { c.offloaded(s) }}
	if s.volumeBooted() {
		return c.beginSteps(k, s, action{name: "shelve", from: from, steps: []step{off, leave}})
	}
	img := c.snapshotImage(k, s, s.name+"-shelved")
	c.images.put(img.id, img)
	steps := []step{off, {taskShelvingExtract, l.SnapshotExtract, func() {
		c.cut(s, img)
		img.status = imageSaving
	}}, {taskShelvingUpload, l.SnapshotUpload, func() {
		c.fillSnapshot(s, img, c.snapshotSize(s))
		s.shelf = img
		c.setVM(s, vmShelved)
	}}}
	if !c.opts.KeepShelved {
		steps = append(steps, leave)
	}
	return c.beginSteps(k, s, action{name: "shelve", from: from, steps: steps})
}

// shelveOffload takes a shelved server from its host.
func (c *Cloud) shelveOffload(k *call, s *server) *reply {
	return c.beginSteps(k, s, action{name: "shelveOffload", from: []string{vmShelved}, steps: []step{{taskOffloading, c.opts.Latencies.Shelve, func() { c.offloaded(s) }}}})
}

func (c *Cloud) offloaded(s *server) {
	c.setVM(s, vmOffloaded)
	s.placed, s.host, s.chosen = false, "", ""
}

// unshelve starts a shelved server. One that had left its host is made on another one, from the image: without that it can't be.
func (c *Cloud) unshelve(k *call, s *server) *reply {
	l, from := c.opts.Latencies, []string{vmShelved, vmOffloaded}
	if s.vm == vmShelved {
		return c.beginSteps(k, s, action{name: "unshelve", from: from, steps: []step{{taskUnshelving, l.Start, func() { c.unshelved(s) }}}})
	}
	return c.beginSteps(k, s, action{name: "unshelve", from: from, steps: []step{{taskUnshelving, l.Schedule, func() { c.unpack(s) }}, {taskSpawning, l.Spawn, func() {
		s.launched = c.now
		c.unshelved(s)
	}}}})
}

// unpack makes the disk from the image.
func (c *Cloud) unpack(s *server) {
	if s.volumeBooted() {
		c.moved(s)
		return
	}
	if s.shelf == nil || c.images.get(s.shelf.id) == nil {
		c.failed(s, "Unshelve requested but image of the server could not be found.")
		c.setTask(s, taskNone)
		c.finishAction(s, "unshelve", true)
		return
	}
	c.moved(s)
	s.disk = &disk{writes: s.shelf.writes, generation: s.shelf.generation}
}

func (c *Cloud) unshelved(s *server) {
	if s.shelf != nil {
		c.images.drop(s.shelf.id)
		s.shelf = nil
	}
	c.setVM(s, vmActive)
}

func (c *Cloud) backupAsked(k *call, s *server) *reply {
	var req struct {
		Backup struct {
			Name     string            `json:"name"`
			Type     string            `json:"backup_type"`
			Rotation *flexible         `json:"rotation"`
			Metadata map[string]string `json:"metadata"`
		} `json:"createBackup"`
	}
	if !k.decode(&req) || req.Backup.Rotation == nil || req.Backup.Name == "" || req.Backup.Type == "" {
		return malformedBody()
	}
	rotation, ok := number(string(*req.Backup.Rotation))
	if !ok {
		return malformedBody()
	}
	if refused := checkMetadata(req.Backup.Metadata); refused != nil {
		return refused
	}
	img, refused := c.backup(k, s, backup{req.Backup.Name, req.Backup.Type, rotation, req.Backup.Metadata})
	if refused != nil {
		return refused
	}
	return c.snapshotReply(k, img)
}

// backup is what createBackup asks for: a snapshot that replaces older ones of its kind.
type backup struct {
	name, kind string
	rotation   int // how many are kept
	metadata   map[string]string
}

// backup begins a snapshot of the other kind. As with createImage, a lock does not matter.
func (c *Cloud) backup(k *call, s *server, b backup) (*image, *reply) {
	if s.volumeBooted() {
		return nil, novaError(http.StatusBadRequest, "Backup is not supported for volume-backed instances.")
	}
	img := c.snapshotImage(k, s, b.name)
	maps.Copy(img.props, b.metadata)
	img.props["image_type"], img.props["backup_type"] = "backup", b.kind
	if refused := c.refuseSnapshot(k, "createBackup", s, img); refused != nil {
		return nil, refused
	}
	c.images.put(img.id, img)
	s.snapshotSeq, s.saving, s.savingEntry, img.source = c.nextSnapshot(), img, "createBackup", s
	c.record(s, k, "createBackup")
	c.setTask(s, taskImageBackup)
	c.rotate(s, b)
	c.onHost(s, c.opts.Latencies.SnapshotStart, func(bool) { c.snapshotExtracts(s, img, taskImageBackup) })
	return img, nil
}

// rotate removes the oldest backups of a kind beyond those that are to be kept.
func (c *Cloud) rotate(s *server, b backup) {
	var own []*image
	for _, img := range c.images.all() {
		if img.props["instance_uuid"] == s.id && img.props["backup_type"] == b.kind {
			own = append(own, img)
		}
	}
	for _, img := range own[:max(0, len(own)-b.rotation)] {
		if img != s.saving {
			c.dropImage(img)
		}
	}
}
