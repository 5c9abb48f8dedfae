package cloud

import "net/http"

// build takes a server from BUILD to ACTIVE, or to ERROR.
func (c *Cloud) build(s *server) {
	if c.takeFailure(failSchedule, s.name) != "" {
		s.forgotten = true
		return
	}
	c.conductor.take(func(bool) { c.schedule(s) })
}

// schedule has the conductor ask the scheduler for a host.
func (c *Cloud) schedule(s *server) {
	if s.ended() {
		return
	}
	if c.scheduler.down {
		c.awaitScheduler(s)
		return
	}
	conductor, scheduler := c.conductor.life, c.scheduler.life
	c.after(c.opts.Latencies.Schedule, func() {
		switch {
		case s.ended():
		case c.conductor.life != conductor:
			s.forgotten = true
			if s.task == taskDeleting {
				c.endServer(s)
			}
		case c.scheduler.life != scheduler:
			c.after(rpcTimeout, func() { c.bury(s, schedulerSilent) })
		default:
			c.scheduled(s)
		}
	})
}

const schedulerSilent = "Timed out waiting for a reply to message ID"

// awaitScheduler lets a build wait for a scheduler that is down, as long as the conductor does.
func (c *Cloud) awaitScheduler(s *server) {
	over := false
	c.scheduler.take(func(bool) {
		if !over {
			over = true
			c.schedule(s)
		}
	})
	c.after(rpcTimeout, func() {
		if !over {
			over = true
			c.bury(s, schedulerSilent)
		}
	})
}

// scheduled tells the chosen host's nova-compute to build the server.
func (c *Cloud) scheduled(s *server) {
	h := c.pickHost()
	message := c.takeFailure(failPlace, s.name)
	if h == nil && message == "" {
		message = "No valid host was found. There are not enough hosts available."
	}
	if message != "" {
		c.bury(s, message)
		return
	}
	s.mapped, s.chosen = true, h.name
	h.take(func(late bool) { c.claim(s, h, late) })
}

// claim is the beginning of the build on its host. A nova-compute that starts puts servers without a host that were meant for it into ERROR,
// and then finds the message and builds them all the same.
func (c *Cloud) claim(s *server, h *host, late bool) {
	if s.ended() {
		return
	}
	c.beginEvent(s, "create", computeEvents["create"], h.name)
	if c.dies(KillBeforeClaim, s) {
		return
	}
	if late && s.vm == vmError {
		s.vm = vmBuilding
		c.setTask(s, taskScheduling)
	}
	s.placed, s.host = true, h.name
	if s.task == taskScheduling {
		c.setTask(s, taskNetworking)
	}
	taken := c.bindAll(s)
	if s.portsUnsaved = c.dies(KillBeforeNetworkInfo, s); s.portsUnsaved {
		return
	}
	if s.task == taskNetworking {
		c.setTask(s, taskSpawning)
	}
	if !c.dies(KillBeforeSpawn, s) {
		c.onHost(s, c.opts.Latencies.Spawn, func(bool) { c.spawned(s, taken) })
	}
}

// bindAll binds the server's ports. Nova takes a port even if another server has got it since the create was checked; it returns true then.
func (c *Cloud) bindAll(s *server) (taken bool) {
	for i := range s.nics {
		n := &s.nics[i]
		if n.portID == "" {
			n.portID, n.made = c.makePort(s, *n), true
			continue
		}
		p := c.ports.get(n.portID)
		if p == nil {
			taken = true
			continue
		}
		taken = taken || (p.deviceID != "" && p.deviceID != s.id)
		c.bind(p, s)
	}
	return taken
}

// spawned starts the guest, or ends a build that fails. What was saved of it comes later.
func (c *Cloud) spawned(s *server, portTaken bool) {
	if s.ended() {
		return
	}
	message := c.takeFailure(failSpawn, s.name)
	if late := c.takeFailure(failGuest, s.name); late != "" && !portTaken {
		c.setDomain(s, powerRunning)
		message = late
	}
	if img := c.images.get(s.imageID); img != nil && img.broken {
		message = img.unacceptable()
	}
	if portTaken {
		message = "Build of instance " + s.id + " aborted: Failed to allocate the network(s), not rescheduling."
	}
	if message != "" {
		c.failBuild(s, message)
		return
	}
	c.setDomain(s, powerRunning)
	if !c.dies(KillBeforeSave, s) {
		c.onHost(s, c.opts.Latencies.Save, func(bool) { c.launched(s) })
	}
}

// launched saves that the guest runs.
func (c *Cloud) launched(s *server) {
	if s.ended() {
		return
	}
	deleting := s.task == taskDeleting
	c.setVM(s, vmActive)
	c.finishAction(s, "create", false)
	c.built(s, deleting)
}

// failBuild ends a build in ERROR. The server gives up its ports, those too that it has taken from another server: that one stays without.
// nova-compute takes the failure for an answer: its event is a success.
func (c *Cloud) failBuild(s *server, message string) {
	s.fault = &fault{code: http.StatusInternalServerError, message: message, at: c.now}
	s.placed, s.host = false, ""
	c.freePorts(s)
	deleting := s.task == taskDeleting
	c.setVM(s, vmError)
	c.finishAction(s, "create", false)
	c.built(s, deleting)
}

// built goes on with a delete that waited for the end of a build.
func (c *Cloud) built(s *server, deleting bool) {
	if deleting {
		c.awaitEnd(s)
	} else {
		c.setTask(s, taskNone)
	}
}

// freePorts unbinds the ports that existed before the server and deletes those that Nova made for it. A made port that no longer has
// the server's ID is another's by now and stays.
func (c *Cloud) freePorts(s *server) {
	for _, n := range s.nics {
		p := c.ports.get(n.portID)
		switch {
		case p == nil || p.deviceID != s.id:
		case n.made || s.portsUnsaved:
			c.ports.drop(p.id)
		default:
			c.unbind(p)
		}
	}
	for _, p := range c.boundPorts(s) {
		c.ports.drop(p.id) // given the server's ID by hand: to Nova it is one that nobody asked to keep
	}
}
