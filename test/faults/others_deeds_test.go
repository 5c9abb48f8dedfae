package faults

import (
	"slices"
	"strings"
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// otherDeeds are what is tried.
func otherDeeds() []otherDeed {
	return slices.Concat(
		ofServers("master"), ofServers("worker"), ofPorts("master"), ofPorts("worker"), ofSnapshots("master"), ofSnapshots("worker"),
		ofFlavor("master"), ofFlavor("worker"), ofNetwork(), ofProject(),
	)
}

// ofServers are the deeds that are done to a server.
func ofServers(role string) []otherDeed {
	return []otherDeed{
		{
			name: "delete-" + role, role: role, advice: []string{"annotate", "in the annotation", "vanished", "check the credentials", "by hand", "another name", "find out where they are"},
			about: func(m *meddling) []string { return []string{m.name, m.shape.clusters[0]} },
			do: func(m *meddling) bool {
				s, ok := m.server()
				if ok {
					m.destroys(m.name)
					ok = m.cloud.DeleteServer(s.ID)
				}
				return ok
			},
		},
		{name: "start-" + role, role: role, advice: []string{"annotate"}, do: func(m *meddling) bool {
			m.races()
			return m.letRun()
		}},
		{name: "blink-" + role, role: role, advice: []string{"annotate"}, do: func(m *meddling) bool {
			m.races()
			s, _ := m.server()
			return m.cloud.UnpauseServer(s.ID) && m.cloud.PauseServer(s.ID) || m.cloud.PauseServer(s.ID) && m.cloud.UnpauseServer(s.ID)
		}},
		{
			name: "pause-" + role, role: role, advice: []string{"PAUSED", "not ready", "does not answer"}, undo: func(m *meddling) { m.letRun() },
			do: func(m *meddling) bool {
				s, _ := m.server()
				return m.cloud.PauseServer(s.ID)
			},
		},
		{
			name: "stop-" + role, role: role, advice: []string{"SHUTOFF", "not ready", "does not answer"}, undo: func(m *meddling) { m.letRun() },
			do: func(m *meddling) bool {
				s, _ := m.server()
				return m.cloud.StopServer(s.ID)
			},
		},
		{name: "resize-" + role, role: role, do: (*meddling).resize},
		{name: "rename-" + role, role: role, only: func(_ shape, f flow) bool { return f.name != "hibernate-again" }, do: (*meddling).rename, undo: (*meddling).renameBack},
		{
			name: "lock-" + role, role: role, advice: []string{"unlock"},
			do: func(m *meddling) bool {
				s, _ := m.server()
				return m.cloud.LockServer(s.ID, role == "master", "hands off")
			},
			undo: func(m *meddling) {
				if s, ok := m.server(); ok {
					m.cloud.UnlockServer(s.ID)
				}
			},
		},
	}
}

// races notes that the machine's server may run right before it is snapshotted or deleted, when nobody looks any more.
func (m *meddling) races() {
	if m.unseen("nova.server.createImage", serverLooks...) {
		m.raced[m.name] = true
	}
	if m.unseen("nova.server.delete", serverLooks...) {
		m.destroys(m.name)
	}
}

// letRun has somebody start a server that does not run.
func (m *meddling) letRun() bool {
	s, _ := m.server()
	return s.TaskState == "" && (s.Status == "PAUSED" || s.Status == "SHUTOFF") && m.cloud.StartServer(s.ID)
}

// resize gives a server a flavor that it keeps from then on.
func (m *meddling) resize() bool {
	s, ok := m.server()
	if !ok || s.TaskState != "" || s.Status != "ACTIVE" && s.Status != "SHUTOFF" {
		return false
	}
	big := m.cloud.AddFlavor(cloud.FlavorSpec{Name: "rig.big", VCPUs: 16, RAM: 32768, Disk: 80})
	m.was(m.name).FlavorID, m.was(m.name).FlavorName = big, "rig.big"
	return m.cloud.ResizeServer(s.ID, "rig.big")
}

func (m *meddling) rename() bool {
	s, ok := m.server()
	if ok {
		m.renamed[s.Name+"-old"] = s.Name
		ok = m.cloud.RenameServer(s.ID, s.Name+"-old")
	}
	return ok
}

func (m *meddling) renameBack() {
	if s, ok := m.server(); ok {
		m.cloud.RenameServer(s.ID, m.name)
	}
}

// ofSnapshots are the deeds that are done to a machine's newest snapshot.
func ofSnapshots(role string) []otherDeed {
	remove := func(m *meddling) bool {
		img, ok := m.newestShot()
		if !ok {
			return false
		}
		m.image = img.ID
		m.destroys(m.name)
		_, stands := m.server()
		m.missable = stands && m.imagesAreSeen()
		return m.cloud.DeleteImage(img.ID)
	}
	return []otherDeed{
		{
			name: "lose-snapshot-" + role, role: role, advice: []string{"bring that image back", "look for a copy", "tried again"}, do: remove,
			undo: func(m *meddling) { m.restoreImage() },
		},
		{name: "destroy-snapshot-" + role, role: role, only: func(_ shape, f flow) bool { return f.name == "hibernate" }, advice: []string{"bring that image back", "look for a copy", "tried again"}, do: remove},
		{
			name: "own-image-" + role, role: role, only: func(_ shape, f flow) bool { return f.name != "hibernate" },
			do: func(m *meddling) bool {
				s, _ := m.server()
				id, ok := m.cloud.SnapshotServer(s.ID, "mine")
				m.foreign[id], m.image = ok, id
				return ok
			},
		},
	}
}

// imagesAreSeen tells whether the images are still to be looked at before the machine's server is deleted.
func (m *meddling) imagesAreSeen() bool {
	for _, c := range m.coming {
		switch {
		case c.op == "glance.image.list" || c.op == "glance.image.get":
			return true
		case c.op == "nova.server.delete" && strings.HasPrefix(c.target, m.name):
			return false
		}
	}
	return false
}

// newestShot returns the last snapshot that was begun of the machine by us.
func (m *meddling) newestShot() (cloud.Image, bool) {
	images := m.cloud.Images()
	slices.Reverse(images)
	i := slices.IndexFunc(images, func(img cloud.Image) bool {
		return strings.HasPrefix(img.Name, m.name+"-hibernation-") && !m.foreign[img.ID]
	})
	if i < 0 {
		return cloud.Image{}, false
	}
	return images[i], true
}

// restoreImage brings the image back if it is missed.
func (m *meddling) restoreImage() {
	r := m.hub.record(key(m.shape.clusters[0]))
	if r == nil {
		return
	}
	for _, rm := range r.Machines {
		if rm.Snapshot != nil && rm.Snapshot.ID == m.image && m.cloud.RestoreImage(m.image) {
			m.trace.add("PERSON: restores the image")
			m.judge()
		}
	}
}

// ofProject are the deeds that concern all.
func ofProject() []otherDeed {
	return []otherDeed{
		{
			name: "add-worker", about: func(m *meddling) []string { return []string{m.made.Name} }, advice: []string{"take the mark", "put the right one there"},
			do: (*meddling).addWorker, undo: (*meddling).dropWorker,
		},
		{
			name: "no-quota", lasts: 30 * time.Minute, advice: []string{"uota"}, about: func(*meddling) []string { return []string{"uota"} },
			do: func(m *meddling) bool {
				q := cloud.DefaultQuota()
				q.Instances = m.cloud.Usage(cloud.DefaultProject).Instances
				m.cloud.SetQuota(cloud.DefaultProject, q)
				return true
			},
			undo: func(m *meddling) { m.cloud.SetQuota(cloud.DefaultProject, cloud.DefaultQuota()) },
		},
	}
}

// addWorker has the cluster's autoscaler make one more, which is part of the cluster once it runs.
func (m *meddling) addWorker() bool {
	s, ok := m.cloud.AddServer(m.seeds[0], "")
	if !ok {
		return false
	}
	m.made = s
	m.lost[s.Name] = true
	m.initial.machines[s.Name] = m.shape.clusters[0]
	m.later(4*time.Second+7*time.Microsecond, m.joined)
	return true
}

// joined counts the new worker among the cluster's machines.
func (m *meddling) joined() {
	s, ok := m.cloud.Server(m.made.ID)
	if !ok {
		return
	}
	s.Status, s.TaskState = "ACTIVE", ""
	m.initial.servers = append(m.initial.servers, s)
	m.initial.names = append(m.initial.names, s.Name)
	m.initial.ports = m.cloud.Ports()
	delete(m.lost, s.Name)
}

// dropWorker deletes the new worker if that is what is said.
func (m *meddling) dropWorker() {
	if !strings.Contains(m.condition(m.shape.clusters[0]), m.made.ID) {
		return
	}
	m.lost[m.made.Name] = true
	m.cloud.DeleteServer(m.made.ID)
	for _, p := range m.cloud.Ports() {
		if p.DeviceID == m.made.ID {
			m.cloud.DeletePort(p.ID)
		}
	}
}
