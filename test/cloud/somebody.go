package cloud

import "slices"

// What follows is done by somebody else who may: at once unless said otherwise, and a server's history shows it under another user's name. Each
// returns false and does nothing if there is no such thing, or if Nova would not do it in its present state.

// somebody is another member of the project, or its administrator.
func (c *Cloud) somebody() *user {
	if c.other == nil {
		c.other = &user{id: c.newHexID(), name: "somebody"}
	}
	return c.other
}

// didByHand enters in a server's history what somebody has done.
func (c *Cloud) didByHand(s *server, name string) {
	c.recordAs(s, c.somebody(), "req-"+c.newID(), name)
	c.finishAction(s, name, false)
}

// changeByHand brings a server without a task from one of some states to another.
func (c *Cloud) changeByHand(id, name, to string, from ...string) bool {
	done := false
	c.withServer(id, func(s *server) {
		if s.task == taskNone && slices.Contains(from, s.vm) {
			done = true
			c.setVM(s, to)
			c.didByHand(s, name)
		}
	})
	return done
}

// PauseServer has somebody pause an ACTIVE server.
func (c *Cloud) PauseServer(id string) bool { return c.changeByHand(id, "pause", vmPaused, vmActive) }

// UnpauseServer has somebody unpause a PAUSED server.
func (c *Cloud) UnpauseServer(id string) bool {
	return c.changeByHand(id, "unpause", vmActive, vmPaused)
}

// StopServer has somebody stop an ACTIVE server.
func (c *Cloud) StopServer(id string) bool { return c.changeByHand(id, "stop", vmStopped, vmActive) }

// ResizeServer has somebody give an ACTIVE or SHUTOFF server another flavor, and confirm it. It was off for that, and launched_at is new.
func (c *Cloud) ResizeServer(id, flavorName string) bool {
	done := false
	c.withServer(id, func(s *server) {
		f := c.flavorNamed(flavorName)
		if f == nil || s.task != taskNone || (s.vm != vmActive && s.vm != vmStopped) {
			return
		}
		done = true
		c.setRunning(s, false)
		s.flavor, s.launched, s.updated = *f, c.now, c.now
		c.setRunning(s, s.vm == vmActive)
		c.didByHand(s, "resize")
		c.didByHand(s, "confirmResize")
	})
	return done
}

// SnapshotServer has somebody begin a snapshot of a server and returns the image's ID. The image inherits what any snapshot does, and it takes as long.
func (c *Cloud) SnapshotServer(id, imageName string) (imageID string, ok bool) {
	c.withServer(id, func(s *server) {
		k := &call{project: s.project, user: c.somebody(), reqID: "req-" + c.newID(), snapshots: c.snapshots}
		img, refused := c.startSnapshot(k, s, imageName, nil)
		if refused == nil {
			imageID, ok = img.id, true
		}
	})
	return imageID, ok
}

// AddServer begins one more worker of a cluster, as its autoscaler does, with a port of its own. It takes as long as any create. Without a name it
// gets one as Kubernetes makes them. It is not done beyond the quota, nor without all that the cluster's workers refer to.
func (c *Cloud) AddServer(cl *Cluster, name string) (Server, bool) {
	var out Server
	ok := false
	c.alter(func() {
		if !c.canGrow(cl) {
			return
		}
		if name == "" {
			name = cl.InfraID + "-worker-0-" + c.suffix()
		}
		s := c.clusterServer(cl, "worker", name)
		s.task = taskScheduling
		c.seedPort(cl, s, "worker", len(cl.Workers)+cl.added)
		cl.added++
		c.recordAs(s, s.user, "req-"+c.newID(), "create")
		c.notify(ServerCreated, s)
		c.build(s)
		out, ok = c.serverState(s), true
	})
	return out, ok
}

// canGrow says whether Nova would make one more worker of a cluster.
func (c *Cloud) canGrow(cl *Cluster) bool {
	f := c.flavorNamed("rig.worker")
	if f == nil || c.images.get(cl.ImageID) == nil || c.networks.get(cl.NetworkID) == nil || c.groups.get(cl.WorkerGroup) == nil {
		return false
	}
	if key := cl.options.KeyName; key != "" && c.keypairs[cl.user.id][key] == nil {
		return false
	}
	return c.checkQuota(cl.project, *f) == nil
}

// DeleteNetwork removes a network with its subnets and, what Neutron would want to be done before, all its ports.
func (c *Cloud) DeleteNetwork(id string) bool {
	found := false
	c.alter(func() {
		n := c.networks.get(id)
		if n == nil {
			return
		}
		found = true
		for _, p := range slices.Clone(c.ports.all()) {
			if p.network == n {
				c.ports.drop(p.id)
			}
		}
		for _, s := range c.subnetsOf(n) {
			c.subnets.drop(s.id)
		}
		c.networks.drop(id)
	})
	return found
}

// ReassignPort takes a port from the server that has it and gives it to another, or to none if serverID is empty, as by detaching and attaching
// an interface.
func (c *Cloud) ReassignPort(id, serverID string) bool {
	done := false
	c.alter(func() {
		p, to := c.ports.get(id), c.live.get(serverID)
		if p == nil || (serverID != "" && (to == nil || to.ended())) {
			return
		}
		done = true
		if from := c.live.get(p.deviceID); from != nil {
			from.nics = slices.DeleteFunc(from.nics, func(n nic) bool { return n.portID == id })
			c.didByHand(from, "detach_interface")
		}
		c.unbind(p)
		if to != nil {
			to.nics = append(to.nics, nic{portID: id})
			c.bind(p, to)
			c.didByHand(to, "attach_interface")
		}
	})
	return done
}

// RestoreImage brings an image back that was active when it was deleted, with the same ID and content, as from a backup of Glance.
func (c *Cloud) RestoreImage(id string) bool {
	found := false
	c.alter(func() {
		img := c.deleted.get(id)
		if img == nil || c.images.get(id) != nil {
			return
		}
		found = true
		c.deleted.drop(id)
		c.images.put(id, img)
	})
	return found
}

// DeleteServerGroup removes a server group; its servers stay.
func (c *Cloud) DeleteServerGroup(id string) bool {
	found := false
	c.alter(func() {
		found = c.groups.get(id) != nil
		c.groups.drop(id)
	})
	return found
}

// DeleteKeyPair removes a user's key pair; servers stay as they are.
func (c *Cloud) DeleteKeyPair(userName, name string) bool {
	found := false
	c.alter(func() {
		if u := c.userNamed(userName); u != nil {
			_, found = c.keypairs[u.id][name]
			delete(c.keypairs[u.id], name)
		}
	})
	return found
}
