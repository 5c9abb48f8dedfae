package cloud

import "net/http"

// KillPoint is a moment within an operation at which nova-compute can die.
type KillPoint string

// The moments. "Before" is before the hypervisor is asked, "After" is when it has done its part and Nova's database does not know yet.
const (
	// KillBeforeClaim: the build's event has begun, and the server has no host yet.
	KillBeforeClaim KillPoint = "before claim"
	// KillBeforeNetworkInfo: the server has a host, and Neutron has bound its ports; Nova does not know yet which of them were there
	// before the server, and deletes them all with it.
	KillBeforeNetworkInfo KillPoint = "before network info"
	// KillBeforeSpawn: the server has a host and its ports, and no domain.
	KillBeforeSpawn KillPoint = "before spawn"
	// KillBeforeSave: the domain runs, and the server is still in BUILD without launched_at.
	KillBeforeSave KillPoint = "before save"

	KillBeforePause   KillPoint = "before pause"
	KillAfterPause    KillPoint = "after pause"
	KillBeforeUnpause KillPoint = "before unpause"
	KillAfterUnpause  KillPoint = "after unpause"
	KillBeforeStart   KillPoint = "before start"
	KillAfterStart    KillPoint = "after start"
	KillBeforeStop    KillPoint = "before stop"
	KillAfterStop     KillPoint = "after stop"

	// KillBeforeSnapshot: the image is queued, and the task image_snapshot_pending.
	KillBeforeSnapshot KillPoint = "before snapshot"
	// KillBeforeExtract: the image is queued, and the task image_snapshot.
	KillBeforeExtract KillPoint = "before extract"
	// KillBeforeUpload: the image is queued, and the task image_pending_upload.
	KillBeforeUpload KillPoint = "before upload"
	// KillInUpload: the image is saving, and the task image_uploading.
	KillInUpload KillPoint = "in upload"

	KillBeforeDelete KillPoint = "before delete"
)

// KillPoints returns all of them, in the order of a server's life.
func KillPoints() []KillPoint {
	return []KillPoint{
		KillBeforeClaim, KillBeforeNetworkInfo, KillBeforeSpawn, KillBeforeSave, KillBeforePause, KillAfterPause, KillBeforeSnapshot, KillBeforeExtract,
		KillBeforeUpload, KillInUpload, KillBeforeUnpause, KillAfterUnpause, KillBeforeStop, KillAfterStop, KillBeforeStart, KillAfterStart,
		KillBeforeDelete,
	}
}

// KillComputeAt makes the nova-compute of the next server of that name ("" is any) that comes to a point die there. The domains of the
// host live on; what else it was doing is lost, and what it is told from then on waits for RestartCompute.
func (c *Cloud) KillComputeAt(point KillPoint, serverName string) {
	c.failNext(failure(point), serverName, "dies")
}

// KillCompute makes nova-compute die on a host, or on all of them if the name is empty.
func (c *Cloud) KillCompute(hostName string) {
	c.alter(func() {
		for _, h := range c.hosts {
			if hostName == "" || h.name == hostName {
				c.kill(h)
			}
		}
	})
}

// RestartCompute starts nova-compute on a host where it is dead, or on all of these if the name is empty. It deals with what it finds as
// Nova's init_host does, then with the messages that have waited, and later (Latencies.PowerSync) compares power states.
func (c *Cloud) RestartCompute(hostName string) {
	c.alter(func() {
		for _, h := range c.hosts {
			if h.down && (hostName == "" || h.name == hostName) {
				c.initHost(h)
			}
		}
	})
}

// KillConductor makes nova-conductor die: builds that have no host yet are forgotten (BUILD for ever), and later ones wait for RestartConductor.
func (c *Cloud) KillConductor() { c.alter(func() { c.conductor.die() }) }

// RestartConductor starts nova-conductor again.
func (c *Cloud) RestartConductor() { c.alter(func() { c.conductor.start() }) }

// KillScheduler makes nova-scheduler die: a build stays in BUILD, without a host, and goes on if RestartScheduler comes within a minute.
// Otherwise it ends in ERROR, without ever having had a host. One that was just being scheduled is not looked at again.
func (c *Cloud) KillScheduler() { c.alter(func() { c.scheduler.die() }) }

// RestartScheduler starts nova-scheduler again.
func (c *Cloud) RestartScheduler() { c.alter(func() { c.scheduler.start() }) }

// Disarm forgets all failures and deaths that were ordered for a next time and have not happened.
func (c *Cloud) Disarm() { c.alter(func() { clear(c.failures) }) }

// dies kills a server's nova-compute if that was ordered for this point, and reports whether it did.
func (c *Cloud) dies(point KillPoint, s *server) bool {
	if c.takeFailure(failure(point), s.name) == "" {
		return false
	}
	if h := c.hostNamed(s.chosen); h != nil {
		c.kill(h)
	}
	return true
}

func (c *Cloud) kill(h *host) {
	if !h.down {
		h.since = c.now
	}
	h.die()
}

func (c *Cloud) initHost(h *host) {
	for _, s := range c.live.all() {
		switch {
		case s.ended() || s.chosen != h.name:
		case s.placed:
			c.initInstance(s)
		case s.vm == vmBuilding:
			c.interrupt(s)
		}
	}
	h.start()
	c.after(c.opts.Latencies.PowerSync, func() { c.syncPower(h) })
}

// interrupt puts a server whose build was cut short into ERROR, without a fault. Its domain, if it has one, is left alone, and Nova goes
// on showing the power state that it last saved: none. A delete that waited for the build is lost.
func (c *Cloud) interrupt(s *server) {
	s.vm = vmError
	c.setTask(s, taskNone)
	c.notify(ServerFailed, s)
}

// initInstance is what nova-compute does at its start about a server of its host. It does not look at one in ERROR, and has nothing for
// a pause that came to its end: that server keeps its task for ever.
func (c *Cloud) initInstance(s *server) {
	switch {
	case s.vm == vmSoftDeleted, s.vm == vmError && s.task != taskDeleting:
	case s.vm == vmBuilding:
		c.interrupt(s)
	case s.task == taskDeleting:
		c.endServer(s)
	default:
		c.resumeTask(s)
	}
}

// resumeTask deals with the task in which a nova-compute that starts finds a server.
func (c *Cloud) resumeTask(s *server) {
	switch s.task {
	case taskImagePending, taskImageSnapshot, taskImageExtract, taskImageUpload:
		c.setTask(s, taskNone) // and the image stays as it is
	case taskPausing:
		if s.domain == powerRunning {
			c.showActive(s)
		}
	case taskUnpausing:
		if s.domain == powerRunning {
			c.showActive(s)
		} else {
			c.perform(s, c.unpausing())
		}
	case taskPoweringOff:
		c.perform(s, c.stopping())
	case taskPoweringOn:
		c.perform(s, c.starting())
	default:
		c.resumeSteps(s)
	}
}

// showActive ends the task of a server whose domain runs. The power state is not looked at.
func (c *Cloud) showActive(s *server) {
	was := s.vm
	s.vm = vmActive
	c.setTask(s, taskNone)
	if was != vmActive {
		c.notify(ServerActive, s)
	}
}

// bury ends a build that never got a host: the server goes to cell0, which is always up.
func (c *Cloud) bury(s *server, message string) {
	if s.ended() || s.mapped {
		return
	}
	s.mapped, s.cell = true, "cell0"
	s.fault = &fault{code: http.StatusInternalServerError, message: message, at: c.now}
	c.beginEvent(s, "create", "conductor_schedule_and_build_instances", conductorHost)
	c.finishAction(s, "create", true)
	deleting := s.task == taskDeleting
	c.setTask(s, taskNone)
	c.setVM(s, vmError)
	if deleting {
		c.endServer(s)
	}
}
