package cloud

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// vm_state and task_state as Nova names them.
const (
	vmBuilding    = "building"
	vmActive      = "active"
	vmPaused      = "paused"
	vmStopped     = "stopped"
	vmSuspended   = "suspended"
	vmError       = "error"
	vmDeleted     = "deleted"
	vmSoftDeleted = "soft-delete"

	taskNone          = ""
	taskScheduling    = "scheduling"
	taskNetworking    = "networking"
	taskSpawning      = "spawning"
	taskPausing       = "pausing"
	taskUnpausing     = "unpausing"
	taskPoweringOff   = "powering-off"
	taskPoweringOn    = "powering-on"
	taskDeleting      = "deleting"
	taskSoftDeleting  = "soft-deleting"
	taskImagePending  = "image_snapshot_pending"
	taskImageSnapshot = "image_snapshot"
	taskImageExtract  = "image_pending_upload"
	taskImageUpload   = "image_uploading"
)

type server struct {
	id, name    string
	description *string
	seq         int
	project     *project
	user        *user

	created, updated, launched, terminated time.Time

	vm, task      string
	power, domain int // what Nova last saw, and what the hypervisor has
	fault         *fault
	placed        bool   // it is on a host
	portsUnsaved  bool   // Nova does not know which of its ports were there before it
	host          string // that host
	chosen        string // the scheduler's choice, of which nova-compute may not know yet
	ran           bool   // its domain has run
	// forgotten says that nobody works on its build any more.
	forgotten bool
	gone      bool // GET answers 404
	hidden    bool // in a cell of its own that does not answer
	cell      string
	mapped    bool // a cell has it; before that it is in the API's database alone
	// queuedForDelete says that a delete was accepted, which the API's database remembers.
	queuedForDelete bool
	locked          string
	lockNote        string

	flavor      flavor
	imageID     string            // empty if it boots from a volume
	imageProps  map[string]string // as they were when it was made: what its snapshots inherit
	imageMinRAM int
	metadata    map[string]string
	tags        []string
	keyName     string
	zone        string
	pinned      string // the zone that its create asked for
	hostname    string
	userData    string
	configDrive bool
	secNames    []string
	nics        []nic
	attachments []*attachment

	disk *disk
	// snapshotSeq is the number of its latest createImage among those of the whole cloud, saving the image that this one makes.
	snapshotSeq int
	saving      *image
	savingEntry string // in the history: what began that image
	actions     []*instanceAction

	resized *resized // what it was before a resize that is neither confirmed nor reverted
	shelf   *image   // from which it is unshelved
}

// What server.locked says besides "".
const (
	lockedByOwner = "owner"
	lockedByAdmin = "admin"
)

type fault struct {
	code    int
	message string
	at      time.Time
}

// nic is a network that a create asked for.
type nic struct {
	portID    string // of a port made beforehand; filled in when Nova has made one
	networkID string
	fixedIP   string
	made      bool // by Nova
}

type attachment struct {
	volume   *volume
	device   string
	onDelete bool // delete_on_termination
	root     bool
}

type volume struct {
	id        string
	project   *project
	size      int
	status    string
	imageID   string
	disk      *disk
	snapshots int
}

// ended says that the server holds nothing any more, though GET may still show it.
func (s *server) ended() bool { return s.vm == vmDeleted }

func (s *server) volumeBooted() bool {
	return slices.ContainsFunc(s.attachments, func(a *attachment) bool { return a.root })
}

// setVM changes the vm_state, and with it the domain and the power state that Nova shows.
func (c *Cloud) setVM(s *server, vm string) {
	if s.runsIn(vm) && s.launched.IsZero() {
		s.launched = c.now
	}
	was, ran := s.vm, s.domain == powerRunning
	c.setDomain(s, s.powerIn(vm))
	starts := s.domain == powerRunning && !ran
	s.vm, s.power, s.updated = vm, s.domain, c.now
	if kind := eventOf[vm]; kind != "" && (was != vm || starts) {
		c.notify(kind, s)
	}
}

var eventOf = map[string]EventKind{
	vmActive: ServerActive, vmPaused: ServerPaused, vmStopped: ServerStopped, vmError: ServerFailed, vmDeleted: ServerDeleted,
}

func (c *Cloud) setTask(s *server, task string) { s.task, s.updated = task, c.now }

func (c *Cloud) addServer(s *server) {
	s.cell = c.nextCell()
	c.servers[s.id] = s
	c.live.put(s.id, s)
}

// visible returns a project's server unless GET would answer 404.
func (c *Cloud) visible(p *project, id string) *server {
	if s := c.servers[id]; s != nil && s.project == p && !s.gone {
		return s
	}
	return nil
}

// serversOf returns a project's servers, newest first, without those at their end.
func (c *Cloud) serversOf(p *project) []*server {
	var out []*server
	for _, s := range c.live.all() {
		if s.project == p && !s.ended() {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *server) int {
		if d := b.created.Truncate(time.Second).Compare(a.created.Truncate(time.Second)); d != 0 {
			return d
		}
		return b.seq - a.seq
	})
	return out
}

// Server is a copy of a server's state.
type Server struct {
	ID, Name, Project, User              string
	Status, VMState, TaskState           string
	PowerState                           int
	Created, Launched, Terminated        time.Time
	ImageID, FlavorID, FlavorName        string
	Metadata                             map[string]string
	Tags                                 []string
	KeyName, Zone, Hostname, Description string
	UserData                             string
	ConfigDrive                          bool
	Group                                string
	// Ports are those bound to the server, in the order of its networks.
	Ports []string
	// Locked is "", "owner" or "admin".
	Locked string
	// Fault is the message of one in ERROR.
	Fault string
	// Volumes are the IDs of those attached, the root first.
	Volumes []string
	// Host is the name of its compute host, if it has one.
	Host string
	// Ran says that its guest has run, be it for a moment.
	Ran bool
	// Writes is how often the server has written to its disk, from the beginning of the disk.
	Writes int64
}

func (c *Cloud) serverState(s *server) Server {
	out := Server{
		ID: s.id, Name: s.name, Project: s.project.name, User: s.user.name, Status: s.status(), VMState: s.vm, TaskState: s.task,
		PowerState: s.power, Created: s.created, Launched: s.launched, Terminated: s.terminated, ImageID: s.imageID,
		FlavorID: s.flavor.id, FlavorName: s.flavor.name, Metadata: maps.Clone(s.metadata), Tags: slices.Clone(s.tags),
		KeyName: s.keyName, Zone: s.zone, Hostname: s.hostname, UserData: s.userData, ConfigDrive: s.configDrive, Locked: s.locked,
		Host: s.host, Ran: s.ran, Writes: c.writesOf(s),
	}
	if s.description != nil {
		out.Description = *s.description
	}
	if s.fault != nil && s.vm == vmError {
		out.Fault = s.fault.message
	}
	if g := c.groupOf(s); g != nil {
		out.Group = g.id
	}
	for _, p := range c.boundPorts(s) {
		out.Ports = append(out.Ports, p.id)
	}
	for _, a := range s.attachments {
		out.Volumes = append(out.Volumes, a.volume.id)
	}
	return out
}

// boundPorts returns the ports that have the server's ID, in the order of its networks, others by ID after them.
func (c *Cloud) boundPorts(s *server) []*port {
	var out []*port
	for _, n := range s.nics {
		if p := c.ports.get(n.portID); p != nil && p.deviceID == s.id {
			out = append(out, p)
		}
	}
	known := len(out)
	for _, p := range c.portsOf(s.id) {
		if !slices.Contains(out[:known], p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out[known:], func(a, b *port) int { return strings.Compare(a.id, b.id) })
	return out
}

// portsOf returns the ports with a device ID, oldest first.
func (c *Cloud) portsOf(deviceID string) []*port {
	var out []*port
	for _, p := range c.ports.all() {
		if p.deviceID == deviceID {
			out = append(out, p)
		}
	}
	return out
}
