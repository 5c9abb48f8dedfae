package cloud

import "net/http"

// resized is what a server was before its resize or cold migration, as long as that may be reverted. The disk on the old host is kept as it was.
type resized struct {
	vm     string
	flavor flavor
	writes int64
	host   string
}

func (c *Cloud) resizeAsked(k *call, s *server) *reply {
	var req struct {
		Resize struct {
			Flavor flexible `json:"flavorRef"`
		} `json:"resize"`
	}
	if !k.decode(&req) || req.Resize.Flavor == "" {
		return malformedBody()
	}
	f := c.flavors.get(string(req.Resize.Flavor))
	if f == nil {
		return novaError(http.StatusBadRequest, "Flavor %s could not be found.", req.Resize.Flavor)
	}
	return c.resize(k, s, f)
}

// resize moves a server to another host, with another flavor, and leaves it there to be confirmed or reverted. A disk can't become smaller: that
// is found out on the host only.
func (c *Cloud) resize(k *call, s *server, f *flavor) *reply {
	if rep := refuse(k, "resize", s, vmActive, vmStopped); rep != nil {
		return rep
	}
	switch {
	case f.id == s.flavor.id:
		return novaError(http.StatusBadRequest, "When resizing, instances must change flavor!")
	case f.disk == 0 && !s.volumeBooted():
		return novaError(http.StatusBadRequest, "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.")
	}
	if refused := c.checkUpsize(s, f); refused != nil {
		return refused
	}
	if f.disk < s.flavor.disk && !s.volumeBooted() {
		return c.beginSteps(k, s, action{name: "resize", from: []string{vmActive, vmStopped}, steps: []step{{taskResizePrep, c.opts.Latencies.Resize, func() {
			c.finishAction(s, "resize", true)
		}}}})
	}
	return c.relocate(k, s, "resize", *f)
}

// checkUpsize checks what the new flavor has more of against the quota.
func (c *Cloud) checkUpsize(s *server, f *flavor) *reply {
	u, q := c.usageOf(s.project), s.project.quota
	cores, ram := f.vcpus-s.flavor.vcpus, f.ram-s.flavor.ram
	if (cores > 0 && q.Cores >= 0 && u.cores+cores > q.Cores) || (ram > 0 && q.RAM >= 0 && u.ram+ram > q.RAM) {
		return novaError(http.StatusForbidden, "Quota exceeded for cores, ram: Requested %d, %d, but already used %d, %d of %d, %d cores, ram", cores, ram, u.cores, u.ram, q.Cores, q.RAM)
	}
	return nil
}

// coldMigrate is a resize to the same flavor.
func (c *Cloud) coldMigrate(k *call, s *server) *reply {
	return c.relocate(k, s, "migrate", s.flavor)
}

// relocate turns a server off, moves it and, if it ran, starts it there.
func (c *Cloud) relocate(k *call, s *server, name string, f flavor) *reply {
	takes := c.opts.Latencies.Resize
	before := resized{vm: s.vm, flavor: s.flavor, host: s.host}
	return c.beginSteps(k, s, action{name: name, from: []string{vmActive, vmStopped}, steps: []step{
		{taskResizePrep, takes, func() { c.setDomain(s, powerShutdown) }},
		{task: taskResizeMigrating, takes: takes}, {task: taskResizeMigrated, takes: takes},
		{taskResizeFinish, takes, func() {
			before.writes = c.writesOf(s)
			s.resized, s.flavor, s.launched = &before, f, c.now
			c.moved(s)
			c.setVM(s, vmResized)
		}},
	}})
}

// confirmResize gives up the way back. Nova sets no task for it.
func (c *Cloud) confirmResize(k *call, s *server) *reply {
	if refused := refuse(k, "confirmResize", s, vmResized); refused != nil {
		return refused
	}
	c.record(s, k, "confirmResize")
	c.onHost(s, c.opts.Latencies.Resize, func(bool) {
		if s.vm != vmResized || s.resized == nil || s.ended() {
			return
		}
		vm := s.resized.vm
		c.setVM(s, vm)
		s.resized = nil
		c.finishAction(s, "confirmResize", false)
	})
	return empty(http.StatusNoContent)
}

// revertResize brings the server back to the old host and flavor, and to the disk as it was there.
func (c *Cloud) revertResize(k *call, s *server) *reply {
	return c.beginSteps(k, s, action{name: "revertResize", from: []string{vmResized}, steps: []step{{taskResizeReverting, c.opts.Latencies.Resize, func() {
		old := s.resized
		c.setDomain(s, powerShutdown)
		if c.writesOf(s) != old.writes && !s.volumeBooted() {
			c.replaceDisk(s, old.writes)
		}
		s.resized, s.flavor, s.host, s.chosen, s.launched = nil, old.flavor, old.host, old.host, c.now
		c.setVM(s, old.vm)
	}}}})
}
