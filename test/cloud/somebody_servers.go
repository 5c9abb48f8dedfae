package cloud

import "net/http"

// What follows is done to a server by its owner's colleague or by the cloud's people, whom a lock does not bind, as a request for it would: it
// takes the time that Options.Latencies says, the server has the same tasks meanwhile, and its history names it as Nova does. Each returns
// false and does nothing if there is no such server, or if Nova would refuse.

// by has somebody do something to a server.
func (c *Cloud) by(id string, do func(*call, *server) *reply) bool {
	done := false
	c.withServer(id, func(s *server) {
		k := &call{project: s.project, user: c.somebody(), reqID: "req-" + c.newID(), snapshots: c.snapshots, mv: c.maxMV, admin: true}
		done = do(k, s).status < http.StatusBadRequest
	})
	return done
}

// LiveMigrateServer moves an ACTIVE or PAUSED server to another host as it is.
func (c *Cloud) LiveMigrateServer(id string) bool { return c.by(id, c.liveMigrate) }

// MigrateServer moves an ACTIVE or SHUTOFF server to another host, off meanwhile; then it waits in VERIFY_RESIZE.
func (c *Cloud) MigrateServer(id string) bool { return c.by(id, c.coldMigrate) }

// BeginResize gives an ACTIVE or SHUTOFF server another flavor on another host; then it waits in VERIFY_RESIZE.
func (c *Cloud) BeginResize(id, flavorName string) bool {
	return c.by(id, func(k *call, s *server) *reply {
		f := c.flavorNamed(flavorName)
		if f == nil {
			return empty(http.StatusBadRequest)
		}
		return c.resize(k, s, f)
	})
}

// ConfirmResize confirms a resize or cold migration.
func (c *Cloud) ConfirmResize(id string) bool { return c.by(id, c.confirmResize) }

// RevertResize takes a resize or cold migration back. What was written since then is lost with it.
func (c *Cloud) RevertResize(id string) bool { return c.by(id, c.revertResize) }

// RebootServer starts a server's guest anew. A hard reboot also starts what is SHUTOFF, PAUSED, SUSPENDED or in ERROR.
func (c *Cloud) RebootServer(id string, hard bool) bool {
	return c.by(id, func(k *call, s *server) *reply { return c.reboot(k, s, hard) })
}

// RebuildServer gives an ACTIVE, SHUTOFF or failed server a new disk, made from an image.
func (c *Cloud) RebuildServer(id, imageID string) bool {
	return c.by(id, func(k *call, s *server) *reply { return c.rebuild(k, s, imageID) })
}

// EvacuateServer makes an ACTIVE, SHUTOFF or failed server, whose host is lost, anew on another one: with its disk if that is on storage that the
// hosts share, else from its image.
func (c *Cloud) EvacuateServer(id string, sharedStorage bool) bool {
	return c.by(id, func(k *call, s *server) *reply { return c.evacuate(k, s, sharedStorage) })
}

// RescueServer boots a rescue system on an ACTIVE, SHUTOFF or failed server; its user writes to the server's disk.
func (c *Cloud) RescueServer(id string) bool { return c.by(id, c.rescue) }

// UnrescueServer boots a rescued server from its own disk again.
func (c *Cloud) UnrescueServer(id string) bool { return c.by(id, c.unrescue) }

// SuspendServer suspends an ACTIVE server.
func (c *Cloud) SuspendServer(id string) bool { return c.by(id, c.suspend) }

// ResumeServer resumes a SUSPENDED server.
func (c *Cloud) ResumeServer(id string) bool { return c.by(id, c.resume) }

// ShelveServer shelves a server that is ACTIVE, PAUSED, SUSPENDED or SHUTOFF.
func (c *Cloud) ShelveServer(id string) bool { return c.by(id, c.shelve) }

// OffloadServer takes a SHELVED server from its host.
func (c *Cloud) OffloadServer(id string) bool { return c.by(id, c.shelveOffload) }

// UnshelveServer starts a server that is SHELVED or SHELVED_OFFLOADED.
func (c *Cloud) UnshelveServer(id string) bool { return c.by(id, c.unshelve) }

// BackupServer begins a backup of a kind such as "daily", of which so many are kept, and returns the image's ID.
func (c *Cloud) BackupServer(id, imageName, kind string, rotation int) (imageID string, ok bool) {
	ok = c.by(id, func(k *call, s *server) *reply {
		img, refused := c.backup(k, s, backup{name: imageName, kind: kind, rotation: rotation})
		if refused != nil {
			return refused
		}
		imageID = img.id
		return empty(http.StatusAccepted)
	})
	return imageID, ok
}

// ChangePassword sets the password of an ACTIVE server's guest.
func (c *Cloud) ChangePassword(id string) bool { return c.by(id, c.changePassword) }

// CrashServer has the guest's kernel dump its memory.
func (c *Cloud) CrashServer(id string) bool { return c.by(id, c.crashDump) }

// ResetServerState sets what Nova believes of a server, "active" or "error", and ends its task. The guest runs on if it ran, and stays as
// it is if not.
func (c *Cloud) ResetServerState(id, state string) bool {
	if state != vmActive && state != vmError {
		return false
	}
	return c.withServer(id, func(s *server) {
		c.resetState(&call{user: c.somebody(), reqID: "req-" + c.newID()}, s, state)
	})
}

// LockByHand is LockServer, and the server's history shows it.
func (c *Cloud) LockByHand(id string, byAdmin bool, reason string) bool {
	return c.LockServer(id, byAdmin, reason) && c.entered(id, "lock")
}

// UnlockByHand is UnlockServer, and the server's history shows it.
func (c *Cloud) UnlockByHand(id string) bool { return c.UnlockServer(id) && c.entered(id, "unlock") }

func (c *Cloud) entered(id, name string) bool {
	return c.withServer(id, func(s *server) { c.didByHand(s, name) })
}

// AttachPort plugs a free port into a server.
func (c *Cloud) AttachPort(serverID, portID string) bool {
	return c.by(serverID, func(k *call, s *server) *reply { return c.plug(k, s, portID) })
}

// AttachNetwork has Nova make a port on a network and plug it into a server.
func (c *Cloud) AttachNetwork(serverID, networkID string) (portID string, ok bool) {
	ok = c.by(serverID, func(k *call, s *server) *reply {
		rep := c.plugNetwork(k, s, networkID)
		if rep.status == http.StatusOK {
			portID = s.nics[len(s.nics)-1].portID
		}
		return rep
	})
	return portID, ok
}

// DetachPort takes a port from a server. One that Nova has made is deleted with that.
func (c *Cloud) DetachPort(serverID, portID string) bool {
	return c.by(serverID, func(k *call, s *server) *reply { return c.unplug(k, s, portID) })
}

// AddServerWithNovaPort is AddServer for a server whose port Nova makes. Somebody tags that as soon as it is there, as if it had been made beforehand.
func (c *Cloud) AddServerWithNovaPort(cl *Cluster, name string, tags ...string) (Server, bool) {
	grown := *cl
	grown.options.NovaPorts = true
	s, ok := c.AddServer(&grown, name)
	cl.added = grown.added
	if !ok {
		return Server{}, false
	}
	c.alter(func() {
		c.after(c.opts.Latencies.Schedule, func() { // Nova has made it by then: that was queued first
			for _, p := range c.portsOf(s.ID) {
				p.tags = unique(append(p.tags, tags...))
			}
		})
	})
	return s, true
}
