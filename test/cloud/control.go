package cloud

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// failure is a way in which the hypervisor fails.
type failure string

const (
	failSchedule failure = "schedule"
	failPlace    failure = "place"
	failSpawn    failure = "spawn"
	failGuest    failure = "guest"
	failPause    failure = "pause"
	failSnapshot failure = "snapshot"
)

type failureKey struct {
	what   failure
	server string
}

// ForgetNextBuild makes the next server of that name ("" is any) stay in BUILD, without a host, for ever, as one does of which the
// conductor died before a cell had it.
func (c *Cloud) ForgetNextBuild(serverName string) {
	c.failNext(failSchedule, serverName, "forgotten")
}

// FailNextSchedule makes the next build of a server of that name ("" is any) end in ERROR with this message before it has a host: nothing
// of it ever ran, and no compute host has an event.
func (c *Cloud) FailNextSchedule(serverName, message string) {
	c.failNext(failPlace, serverName, message)
}

// FailNextGuest makes the next boot of a server of that name ("" is any) fail when its guest has just started: it is destroyed, and the
// server in ERROR has no host, no power state and no launched_at. Only the event of its build shows that it was on a host.
func (c *Cloud) FailNextGuest(serverName, message string) { c.failNext(failGuest, serverName, message) }

// FailNextSpawn makes the next boot of a server of that name ("" is any) end in ERROR with this message, on its host and before its
// guest starts.
func (c *Cloud) FailNextSpawn(serverName, message string) { c.failNext(failSpawn, serverName, message) }

// FailNextPause makes the next pause of a server of that name ("" is any) fail on the hypervisor: it was accepted and the server stays ACTIVE.
func (c *Cloud) FailNextPause(serverName string) { c.failNext(failPause, serverName, "pause failed") }

// FailNextSnapshot makes the next snapshot of a server of that name ("" is any) fail on the hypervisor: it was accepted and its image vanishes.
func (c *Cloud) FailNextSnapshot(serverName string) {
	c.failNext(failSnapshot, serverName, "snapshot failed")
}

func (c *Cloud) failNext(what failure, serverName, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.failures[failureKey{what, serverName}] = message
}

// takeFailure returns the message of a failure that is to happen to a server now, or "".
func (c *Cloud) takeFailure(what failure, serverName string) string {
	for _, key := range []failureKey{{what, serverName}, {what, ""}} {
		if message, ok := c.failures[key]; ok {
			delete(c.failures, key)
			return message
		}
	}
	return ""
}

// withServer runs f on a server and says whether there is one.
func (c *Cloud) withServer(id string, f func(*server)) bool {
	found := false
	c.alter(func() {
		if s := c.servers[id]; s != nil && !s.ended() {
			found = true
			f(s)
		}
	})
	return found
}

// What follows is done behind everybody's back. Each returns false if there is no such thing.

// SetServerState puts a server into a status such as "ACTIVE", "PAUSED", "SHUTOFF", "SUSPENDED" or "ERROR", without a task.
func (c *Cloud) SetServerState(id, status string) bool {
	for vm, s := range statusOf {
		if s == status {
			return c.withServer(id, func(s *server) {
				c.setVM(s, vm)
				c.setTask(s, taskNone)
			})
		}
	}
	return false
}

// FailServer puts a server into ERROR with a fault.
func (c *Cloud) FailServer(id, message string) bool {
	return c.withServer(id, func(s *server) {
		s.fault = &fault{code: 500, message: message, at: c.now}
		c.setVM(s, vmError)
		c.setTask(s, taskNone)
	})
}

// StartServer has somebody start or unpause a server, at once; its history shows it.
func (c *Cloud) StartServer(id string) bool {
	return c.withServer(id, func(s *server) {
		name := "start"
		if s.vm == vmPaused {
			name = "unpause"
		}
		c.setVM(s, vmActive)
		c.didByHand(s, name)
	})
}

// DeleteServer has somebody delete a server, lock or not. It takes as long as any delete.
func (c *Cloud) DeleteServer(id string) bool {
	return c.withServer(id, func(s *server) {
		s.queuedForDelete = true
		c.recordAs(s, c.somebody(), "req-"+c.newID(), "delete")
		c.startDelete(s)
	})
}

// RenameServer changes a server's name.
func (c *Cloud) RenameServer(id, name string) bool {
	return c.withServer(id, func(s *server) { s.name, s.updated = name, c.now })
}

// LockServer locks a server; an administrator's lock can't be taken off by the owner.
func (c *Cloud) LockServer(id string, byAdmin bool, reason string) bool {
	return c.withServer(id, func(s *server) {
		s.locked, s.lockNote = lockedByOwner, reason
		if byAdmin {
			s.locked = lockedByAdmin
		}
	})
}

// UnlockServer takes any lock off.
func (c *Cloud) UnlockServer(id string) bool {
	return c.withServer(id, func(s *server) { s.locked, s.lockNote = "", "" })
}

// SetServerMetadata sets one metadatum, or removes it if the value is empty.
func (c *Cloud) SetServerMetadata(id, key, value string) bool {
	return c.withServer(id, func(s *server) {
		delete(s.metadata, key)
		if value != "" {
			s.metadata[key] = value
		}
	})
}

// SetServerTags replaces a server's tags.
func (c *Cloud) SetServerTags(id string, tags ...string) bool {
	return c.withServer(id, func(s *server) { s.tags = unique(tags) })
}

// DeleteImage removes an image, protected or not.
func (c *Cloud) DeleteImage(id string) bool {
	return c.withImage(id, func(img *image) { c.dropImage(img) })
}

// SetImageStatus puts an image into a status such as "active" or "killed".
func (c *Cloud) SetImageStatus(id, status string) bool {
	return c.withImage(id, func(img *image) { img.status = status })
}

// RenameImage has somebody give an image another name.
func (c *Cloud) RenameImage(id, name string) bool {
	return c.withImage(id, func(img *image) { img.name = name })
}

// SetImageProtected sets an image's protection.
func (c *Cloud) SetImageProtected(id string, protected bool) bool {
	return c.withImage(id, func(img *image) { img.protected = protected })
}

// SetImageProperty sets one property, or removes it if the value is empty.
func (c *Cloud) SetImageProperty(id, key, value string) bool {
	return c.withImage(id, func(img *image) {
		delete(img.props, key)
		if value != "" {
			img.props[key] = value
		}
	})
}

// SetLatencies replaces Options.Latencies for all that begins from now on.
func (c *Cloud) SetLatencies(l Latencies) { c.alter(func() { c.opts.Latencies = l }) }

// SetReclaimInterval replaces Options.ReclaimInterval.
func (c *Cloud) SetReclaimInterval(d time.Duration) {
	c.alter(func() { c.opts.ReclaimInterval = d })
}

// SetImagesInUse turns Options.ImagesInUse on or off.
func (c *Cloud) SetImagesInUse(on bool) { c.alter(func() { c.opts.ImagesInUse = on }) }

func (c *Cloud) withImage(id string, f func(*image)) bool {
	found := false
	c.alter(func() {
		if img := c.images.get(id); img != nil {
			found = true
			f(img)
		}
	})
	return found
}

// DeletePort removes a port.
func (c *Cloud) DeletePort(id string) bool {
	found := false
	c.alter(func() {
		found = c.ports.get(id) != nil
		c.ports.drop(id)
	})
	return found
}

// DatePort sets when a port was made.
func (c *Cloud) DatePort(id string, at time.Time) bool {
	found := false
	c.alter(func() {
		if p := c.ports.get(id); p != nil {
			found, p.created = true, at
		}
	})
	return found
}

// BindPort sets a port's device ID, "" included, as somebody might by hand.
func (c *Cloud) BindPort(id, deviceID string) bool {
	found := false
	c.alter(func() {
		if p := c.ports.get(id); p != nil {
			found = true
			p.deviceID = deviceID
			c.touch(p)
		}
	})
	return found
}

// TagPort has somebody name a port and add tags to it.
func (c *Cloud) TagPort(id, name string, tags ...string) bool {
	found := false
	c.alter(func() {
		if p := c.ports.get(id); p != nil {
			found = true
			p.name, p.tags = name, unique(append(slices.Clone(p.tags), tags...))
			c.touch(p)
		}
	})
	return found
}

// SetQuota replaces a project's quotas.
func (c *Cloud) SetQuota(projectName string, q Quota) {
	c.alter(func() { c.projectNamed(projectName).quota = q })
}

// Usage is what a project uses of Nova's quotas.
type Usage struct{ Instances, Cores, RAM int }

// Usage returns what a project uses.
func (c *Cloud) Usage(projectName string) Usage {
	var out Usage
	c.locked(func() {
		u := c.usageOf(c.projectNamed(projectName))
		out = Usage{Instances: u.instances, Cores: u.cores, RAM: u.ram}
	})
	return out
}

// Servers returns all servers that GET would show, of every project, by name.
func (c *Cloud) Servers() []Server {
	var out []Server
	c.locked(func() {
		for _, s := range c.live.all() {
			out = append(out, c.serverState(s))
		}
	})
	slices.SortFunc(out, func(a, b Server) int {
		return cmp.Or(strings.Compare(a.Project, b.Project), strings.Compare(a.Name, b.Name), a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Server returns a server by ID, and false if GET would answer 404.
func (c *Cloud) Server(id string) (Server, bool) {
	var out Server
	found := false
	c.locked(func() {
		if s := c.servers[id]; s != nil && !s.gone {
			out, found = c.serverState(s), true
		}
	})
	return out, found
}

// ServersNamed returns the servers of a project that have that name.
func (c *Cloud) ServersNamed(projectName, name string) []Server {
	return slices.DeleteFunc(c.Servers(), func(s Server) bool { return s.Project != projectName || s.Name != name })
}

// Images returns all images, oldest first.
func (c *Cloud) Images() []Image {
	var out []Image
	c.locked(func() {
		imgs := slices.Clone(c.images.all())
		slices.SortFunc(imgs, func(a, b *image) int { return a.seq - b.seq })
		for _, img := range imgs {
			out = append(out, img.state())
		}
	})
	return out
}

// Image returns an image by ID.
func (c *Cloud) Image(id string) (Image, bool) {
	var out Image
	found := false
	c.locked(func() {
		if img := c.images.get(id); img != nil {
			out, found = img.state(), true
		}
	})
	return out, found
}

// Ports returns all ports, by name.
func (c *Cloud) Ports() []Port {
	var out []Port
	c.locked(func() {
		for _, p := range c.ports.all() {
			out = append(out, p.state())
		}
	})
	slices.SortFunc(out, func(a, b Port) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return out
}

// Volume is a copy of a volume's state.
type Volume struct {
	ID, Project, Status string
	// Snapshots counts those that createImage has made of it.
	Snapshots int
}

// Volumes returns all volumes, by ID.
func (c *Cloud) Volumes() []Volume {
	var out []Volume
	c.locked(func() {
		for _, v := range c.volumes.all() {
			out = append(out, Volume{ID: v.id, Project: v.project.name, Status: v.status, Snapshots: v.snapshots})
		}
	})
	slices.SortFunc(out, func(a, b Volume) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// ServerGroup is a copy of a server group's state.
type ServerGroup struct {
	ID, Name, Project, Policy string
	Members                   []string
}

// ServerGroups returns all server groups, by name and then by age.
func (c *Cloud) ServerGroups() []ServerGroup {
	var out []ServerGroup
	c.locked(func() {
		for _, g := range c.groups.all() {
			out = append(out, ServerGroup{ID: g.id, Name: g.name, Project: g.project.name, Policy: g.policy, Members: slices.Clone(g.members)})
		}
	})
	slices.SortStableFunc(out, func(a, b ServerGroup) int { return strings.Compare(a.Name, b.Name) })
	return out
}
