package cloud

// Power states as Nova numbers them. 2 and 5 do not occur.
const (
	powerNone     = 0
	powerRunning  = 1
	powerPaused   = 3
	powerShutdown = 4
	powerCrashed  = 6
)

// setDomain puts a server's domain on its hypervisor into a power state. Nova sees it with its next look; the disk is written to
// while the domain runs, whatever Nova says.
func (c *Cloud) setDomain(s *server, power int) {
	s.domain = power
	c.setRunning(s, power == powerRunning)
}

// SetPowerState puts a server's domain into a power state (0 none, 1 running, 3 paused, 4 shut down, 6 crashed, 7 suspended) behind Nova's
// back, and has Nova show it. The vm_state stays: a PAUSED server with power state 1 runs, and writes.
func (c *Cloud) SetPowerState(id string, power int) bool {
	return c.withServer(id, func(s *server) {
		c.setDomain(s, power)
		s.power = power
	})
}

// SetDomainState is SetPowerState, but Nova goes on showing the power state that it knows until it looks again: at the end of the
// server's next task, or with SyncPowerStates.
func (c *Cloud) SetDomainState(id string, power int) bool {
	return c.withServer(id, func(s *server) { c.setDomain(s, power) })
}

// SyncPowerStates has each nova-compute that is up compare its servers with their domains, as it does every ten minutes.
func (c *Cloud) SyncPowerStates() {
	c.alter(func() {
		for _, h := range c.hosts {
			c.syncPower(h)
		}
	})
}

// syncPower takes over the power states of a host's domains. Nova lets a server with a task be. It stops what it takes for shut down
// and what runs though it was stopped; a PAUSED server that runs, and an ACTIVE one that is paused, stay as they are.
func (c *Cloud) syncPower(h *host) {
	if h.down {
		return
	}
	for _, s := range c.live.all() {
		if s.host != h.name || s.ended() || s.task != taskNone {
			continue
		}
		s.power = s.domain
		if s.toBeStopped() {
			c.setVM(s, vmStopped)
			c.didByHand(s, "stop")
		}
	}
}

// toBeStopped reports whether a server's vm_state and its domain are at odds in a way that Nova ends by stopping the server.
func (s *server) toBeStopped() bool {
	off := s.domain == powerShutdown || s.domain == powerCrashed
	switch s.vm {
	case vmActive, vmPaused:
		return off
	case vmStopped:
		return !off && s.domain != powerNone
	}
	return false
}
