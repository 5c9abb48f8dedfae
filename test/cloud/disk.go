package cloud

import (
	"slices"
	"time"
)

// disk counts what a server writes: once when it starts to run or goes on after a pause, then once each WriteInterval.
type disk struct {
	writes  int64
	running bool
	since   time.Time     // of the last look, while running
	rest    time.Duration // run, but not enough for a write
	// generation counts how often its machine had got a new disk when this one was made.
	generation int
}

type machineKey struct{ project, name string }

// machine is what was ever written under one server name of a project. It begins anew when somebody throws the disk away, as by a rebuild: from
// then on that is the disk not to be lost, and the older ones are those that nobody may come back to.
type machine struct {
	highest    int64
	at         time.Time
	generation int
}

// Regression is a machine that began to run on a disk older than what a server of its name had already written.
type Regression struct {
	Project, Name, ServerID string
	// Highest is what had been written under that name, Started what was on the disk it was started from.
	Highest, Started int64
	At               time.Time
}

// settle brings the count up to now.
func (d *disk) settle(now time.Time, interval time.Duration) {
	if !d.running {
		return
	}
	ran := now.Sub(d.since) + d.rest
	d.writes += int64(ran / interval)
	d.rest = ran % interval
	d.since = now
}

// writesOf returns the present count of a server's disk and enters it in its machine's record.
func (c *Cloud) writesOf(s *server) int64 {
	s.disk.settle(c.now, c.opts.WriteInterval)
	m := c.machineOf(s)
	if s.disk.writes > m.highest && s.disk.generation == m.generation && s.ran {
		m.highest, m.at = s.disk.writes, c.now
	}
	return s.disk.writes
}

func (c *Cloud) machineOf(s *server) *machine {
	key := machineKey{s.project.name, s.name}
	if c.machines[key] == nil {
		c.machines[key] = &machine{}
	}
	return c.machines[key]
}

func (c *Cloud) setRunning(s *server, running bool) {
	if s.disk.running == running {
		return
	}
	writes := c.writesOf(s)
	if running {
		if m := c.machineOf(s); writes < m.highest || s.disk.generation < m.generation {
			c.regressions = append(c.regressions, Regression{
				Project: s.project.name, Name: s.name, ServerID: s.id, Highest: m.highest, Started: writes, At: c.now,
			})
		}
		s.ran = true
		s.disk.writes++
		s.disk.since, s.disk.rest = c.now, 0
	}
	s.disk.running = running
	c.writesOf(s)
}

// replaceDisk gives a server that is off another disk, because somebody wanted it so.
func (c *Cloud) replaceDisk(s *server, writes int64) {
	c.writesOf(s)
	m := c.machineOf(s)
	m.generation++
	m.highest, m.at = writes, c.now
	s.disk = &disk{writes: writes, generation: m.generation}
	for _, a := range s.attachments {
		if a.root {
			a.volume.disk = s.disk
		}
	}
}

// Write adds n to what a server has written, whatever its state. It returns false if there is no such server.
func (c *Cloud) Write(serverID string, n int64) bool {
	return c.withServer(serverID, func(s *server) {
		s.disk.writes += n
		c.writesOf(s)
	})
}

// Written returns the highest count that a server of this name of a project has ever had on its disk.
func (c *Cloud) Written(projectName, serverName string) int64 {
	var highest int64
	c.locked(func() {
		for _, s := range c.live.all() {
			c.writesOf(s)
		}
		if m := c.machines[machineKey{projectName, serverName}]; m != nil {
			highest = m.highest
		}
	})
	return highest
}

// Regressions returns the machines that went back in time.
func (c *Cloud) Regressions() []Regression {
	var out []Regression
	c.locked(func() { out = slices.Clone(c.regressions) })
	return out
}
