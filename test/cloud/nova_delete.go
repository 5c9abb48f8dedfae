package cloud

import (
	"net/http"
	"slices"
)

func (c *Cloud) deleteServer(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil || s.ended() {
		return noServer(k.id())
	}
	if s.locked != "" {
		return lockedReply(s)
	}
	if c.knownDown(c.hostNamed(s.host)) {
		c.deleteLocally(s, k)
		return empty(http.StatusNoContent)
	}
	if s.task == taskDeleting || s.task == taskSoftDeleting {
		return empty(http.StatusNoContent) // it is under way
	}
	s.queuedForDelete = true
	c.record(s, k, "delete")
	if c.opts.ReclaimInterval > 0 && !s.launched.IsZero() {
		c.softDelete(s)
	} else {
		c.startDelete(s)
	}
	return empty(http.StatusNoContent)
}

// deleteLocally is how the API deletes a server whose nova-compute it knows to be down: at once, and without asking the hypervisor.
func (c *Cloud) deleteLocally(s *server, k *call) {
	c.record(s, k, "delete")
	c.endServer(s)
}

// startDelete deletes a server for good. One that is still being built is first built to the end; one that never got a host goes at once.
func (c *Cloud) startDelete(s *server) {
	if s.task == taskDeleting {
		return
	}
	stuck := s.forgotten || (!s.mapped && (c.conductor.down || c.scheduler.down))
	if stuck || s.vm == vmError && !s.placed {
		c.endServer(s)
		return
	}
	c.setTask(s, taskDeleting)
	if s.vm != vmBuilding {
		c.awaitEnd(s)
	}
}

func (c *Cloud) awaitEnd(s *server) {
	c.onHost(s, c.opts.Latencies.Delete, func(bool) {
		if !c.dies(KillBeforeDelete, s) {
			c.endServer(s)
		}
	})
}

// softDelete stops a server and hides it from lists. It keeps its ports and its share of the quota until it is reclaimed.
func (c *Cloud) softDelete(s *server) {
	c.setTask(s, taskSoftDeleting)
	c.onHost(s, c.opts.Latencies.Delete, func(bool) {
		if s.ended() || s.task != taskSoftDeleting {
			return
		}
		c.setVM(s, vmSoftDeleted)
		c.setTask(s, taskNone)
		c.finishAction(s, "delete", false)
		c.after(c.opts.ReclaimInterval, func() {
			if s.vm == vmSoftDeleted {
				c.endServer(s)
			}
		})
	})
}

// endServer gives back all that a server holds. GET shows it as DELETED for a moment longer.
func (c *Cloud) endServer(s *server) {
	if s.ended() {
		return
	}
	c.freePorts(s)
	for _, a := range s.attachments {
		c.release(a)
	}
	for _, g := range c.groups.all() {
		g.members = remove(g.members, s.id)
	}
	if s.shelf != nil {
		c.images.drop(s.shelf.id)
	}
	s.terminated, s.queuedForDelete = c.now, true
	c.setTask(s, taskNone)
	c.finishAction(s, "delete", false)
	c.setVM(s, vmDeleted)
	c.after(c.opts.Latencies.Deleted, func() {
		s.gone = true
		c.live.drop(s.id)
		c.gone = append(c.gone, s.id)
		if len(c.gone) > keptDeleted {
			delete(c.servers, c.gone[0])
			c.gone = c.gone[1:]
		}
	})
}

// release detaches a volume at its server's end. One that should die with the server but has a snapshot stays behind: Cinder refuses
// to delete it and Nova only logs that.
func (c *Cloud) release(a *attachment) {
	v := a.volume
	v.status = "available"
	v.disk.running = false
	if a.onDelete && v.snapshots == 0 {
		c.volumes.drop(v.id)
	}
}

// forceDelete deletes for good, whatever the state.
func (c *Cloud) forceDelete(k *call, s *server) *reply {
	s.queuedForDelete = true
	c.record(s, k, "delete")
	c.startDelete(s)
	return empty(http.StatusAccepted)
}

// restore takes back a soft delete. The guest is started again.
func (c *Cloud) restore(k *call, s *server) *reply {
	if s.vm != vmSoftDeleted {
		return conflictOf("restore", s, "vm_state", s.vm)
	}
	s.queuedForDelete = false
	c.record(s, k, "restore")
	c.setVM(s, vmActive)
	c.finishAction(s, "restore", false)
	return empty(http.StatusAccepted)
}

// conflictOf is Nova's refusal of an action in a state.
func conflictOf(action string, s *server, attr, state string) *reply {
	return novaError(http.StatusConflict, "Cannot '%s' instance %s while it is in %s %s", action, s.id, attr, state)
}

func lockedReply(s *server) *reply {
	return novaError(http.StatusConflict, "Instance %s is locked", s.id)
}

// refuse says why an action can't be: a lock, the wrong vm_state, or a task that runs.
func refuse(k *call, action string, s *server, allowed ...string) *reply {
	return refuseDuring(k, action, s, nil, allowed)
}

// refuseDuring is refuse for an action that may put an end to some tasks. A lock does not bind an administrator.
func refuseDuring(k *call, action string, s *server, during, allowed []string) *reply {
	switch {
	case s.locked != "" && !k.admin:
		return lockedReply(s)
	case !slices.Contains(allowed, s.vm):
		return conflictOf(action, s, "vm_state", s.vm)
	case s.task != taskNone && !slices.Contains(during, s.task):
		return conflictOf(action, s, "task_state", s.task)
	}
	return nil
}
