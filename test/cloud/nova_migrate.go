package cloud

// What administrators do to a server's host. The disk is the same afterwards, or a new one where the host with it is lost.

const failMigrate failure = "migrate"

// FailNextMigration makes the next live migration of a server of that name ("" is any) fail: it was accepted and the server stays where it is.
func (c *Cloud) FailNextMigration(serverName string) {
	c.failNext(failMigrate, serverName, "migration failed")
}

// moved has a server on another host: the next that Nova believes in, or one kept for that if there is no other.
func (c *Cloud) moved(s *server) {
	h := c.nextHost(s.host)
	s.placed, s.host, s.chosen = true, h.name, h.name
}

// liveMigrate takes a server that runs, or is paused, to another host as it is.
func (c *Cloud) liveMigrate(k *call, s *server) *reply {
	return c.beginSteps(k, s, action{
		name: "live-migration", from: []string{vmActive, vmPaused}, fail: failMigrate,
		steps: []step{{taskMigrating, c.opts.Latencies.LiveMigrate, func() { c.moved(s) }}},
	})
}

// evacuate makes a server of a host that is lost anew on another one: from its image, unless its disk is on storage that the hosts share.
func (c *Cloud) evacuate(k *call, s *server, shared bool) *reply {
	if refused := refuseTPM(s, "evacuate"); refused != nil {
		return refused
	}
	from, takes := []string{vmActive, vmStopped, vmError}, c.opts.Latencies.Rebuild
	if refused := refuse(k, "evacuate", s, from...); refused != nil {
		return refused
	}
	stopped := s.vm == vmStopped
	c.setDomain(s, powerShutdown)
	return c.beginSteps(k, s, action{name: "evacuate", from: from, elsewhere: true, steps: []step{
		{task: taskRebuilding}, {task: taskRebuildDevices},
		{taskRebuildSpawning, takes, func() { c.evacuated(s, shared, stopped) }},
	}})
}

func (c *Cloud) evacuated(s *server, shared, stopped bool) {
	c.moved(s)
	if !shared && !s.volumeBooted() {
		img := c.images.get(s.imageID)
		if img == nil || img.broken {
			c.failed(s, "Image "+s.imageID+" could not be found.")
			c.finishAction(s, "evacuate", true)
			return
		}
		c.replaceDisk(s, img.writes)
	}
	s.launched = c.now
	if stopped {
		c.setVM(s, vmStopped)
	} else {
		c.restart(s, vmActive)
	}
}

// failed puts a server into ERROR, with a fault.
func (c *Cloud) failed(s *server, message string) {
	s.fault = &fault{code: 500, message: message, at: c.now}
	c.setVM(s, vmError)
}

// resetState changes what Nova believes of a server, and nothing else: its guest runs on, or does not.
func (c *Cloud) resetState(k *call, s *server, vm string) {
	c.record(s, k, "resetState")
	s.vm, s.updated = vm, c.now
	c.setTask(s, taskNone)
	c.finishAction(s, "resetState", false)
}
