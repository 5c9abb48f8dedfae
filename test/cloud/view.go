package cloud

import (
	"iter"
	"time"
)

// The metadata and properties that tell whose a server or an image is, and what it was made of.
const (
	metadataCluster   = "openshiftClusterID"
	propertyServer    = "instance_uuid"
	propertyImageType = "image_type"
)

// View is the cloud at one moment, looked at without copies: for a checker that looks after each request.
type View struct{ cloud *Cloud }

// View calls f with the present state. The view is good until f returns; f must not change what it is given, nor use the Cloud
// itself, which would block for ever.
func (c *Cloud) View(f func(*View)) {
	c.locked(func() { f(&View{c}) })
}

// Version returns a number that is higher whenever something in the cloud may have changed since: a request other than a read was
// carried out, something that takes time has come further, or a test has changed something. Two things do not count: tokens, and
// what a running server writes to its disk as time goes by.
func (c *Cloud) Version() uint64 {
	var v uint64
	c.locked(func() { v = c.version })
	return v
}

// ServerView is what a View shows of a server.
type ServerView struct {
	ID, Name, Project string
	// Cluster is the metadatum openshiftClusterID.
	Cluster           string
	Status, TaskState string
	Created, Launched time.Time
	ImageID, FlavorID string
	// Metadata and Tags are the cloud's own: to be read only, and not kept.
	Metadata map[string]string
	Tags     []string
	// Writes is how often it has written to its disk, Written the most that any server of this name of the project ever had.
	Writes, Written int64
	// Running says that its guest is: it writes. Ran says that it has, be it for a moment.
	Running, Ran bool
	// Ended says that it holds nothing any more, though GET still shows it.
	Ended bool
	// Hidden says that lists leave it out, its cell being down.
	Hidden bool

	server *server
	cloud  *Cloud
}

func (v *View) ofServer(s *server) ServerView {
	writes := v.cloud.writesOf(s)
	return ServerView{
		ID: s.id, Name: s.name, Project: s.project.name, Cluster: s.metadata[metadataCluster], Status: s.status(), TaskState: s.task,
		Created: s.created, Launched: s.launched, ImageID: s.imageID, FlavorID: s.flavor.id, Metadata: s.metadata, Tags: s.tags,
		Writes: writes, Written: v.cloud.machineOf(s).highest, Running: s.disk.running, Ran: s.ran, Ended: s.ended(), Hidden: v.cloud.unreachable(s),
		server: s, cloud: v.cloud,
	}
}

// Ports goes through the ports with the server's ID, oldest first.
func (s ServerView) Ports() iter.Seq[PortView] {
	return func(yield func(PortView) bool) {
		for _, p := range s.cloud.ports.all() {
			if p.deviceID == s.ID && !yield(ofPort(p)) {
				return
			}
		}
	}
}

// Copy returns all there is to know of the server.
func (s ServerView) Copy() Server { return s.cloud.serverState(s.server) }

// Now returns the time of the cloud.
func (v *View) Now() time.Time { return v.cloud.now }

// Version is that of Cloud.Version.
func (v *View) Version() uint64 { return v.cloud.version }

// Servers goes through the servers of all projects that GET would show, oldest first.
func (v *View) Servers() iter.Seq[ServerView] {
	return func(yield func(ServerView) bool) {
		for _, s := range v.cloud.live.all() {
			if !yield(v.ofServer(s)) {
				return
			}
		}
	}
}

// Server returns a server by ID, and false if GET would answer 404.
func (v *View) Server(id string) (ServerView, bool) {
	if s := v.cloud.live.get(id); s != nil {
		return v.ofServer(s), true
	}
	return ServerView{}, false
}

// ImageView is what a View shows of an image.
type ImageView struct {
	ID, Name, Project, Status string
	Created                   time.Time
	Protected                 bool
	// Machine is the name of the server of which this is a snapshot; CutAt, Writes and CutRunning tell when the disk was copied, how
	// often it had been written to, and whether the server was running then.
	Machine    string
	CutAt      time.Time
	Writes     int64
	CutRunning bool
	// Server is the property instance_uuid, Type the property image_type.
	Server, Type string
	// Properties and Tags are the cloud's own: to be read only, and not kept.
	Properties map[string]string
	Tags       []string

	image *image
}

func ofImage(img *image) ImageView {
	return ImageView{
		ID: img.id, Name: img.name, Project: img.owner.name, Status: img.status, Created: img.created, Protected: img.protected,
		Machine: img.machine, CutAt: img.cutAt, Writes: img.writes, CutRunning: img.cutRunning, Server: img.props[propertyServer],
		Type: img.props[propertyImageType], Properties: img.props, Tags: img.tags, image: img,
	}
}

// Copy returns all there is to know of the image.
func (i ImageView) Copy() Image { return i.image.state() }

// Images goes through all images, oldest first.
func (v *View) Images() iter.Seq[ImageView] {
	return func(yield func(ImageView) bool) {
		for _, img := range v.cloud.images.all() {
			if !yield(ofImage(img)) {
				return
			}
		}
	}
}

// Image returns an image by ID.
func (v *View) Image(id string) (ImageView, bool) {
	if img := v.cloud.images.get(id); img != nil {
		return ofImage(img), true
	}
	return ImageView{}, false
}

// PortView is what a View shows of a port.
type PortView struct {
	ID, Name, Project, NetworkID, MAC string
	DeviceID, DeviceOwner, Status     string
	// Tags are the cloud's own: to be read only, and not kept.
	Tags []string

	port *port
}

func ofPort(p *port) PortView {
	return PortView{
		ID: p.id, Name: p.name, Project: p.project.name, NetworkID: p.network.id, MAC: p.mac, DeviceID: p.deviceID, DeviceOwner: p.deviceOwner,
		Status: p.status, Tags: p.tags, port: p,
	}
}

// Copy returns all there is to know of the port.
func (p PortView) Copy() Port { return p.port.state() }

// Ports goes through all ports, oldest first.
func (v *View) Ports() iter.Seq[PortView] {
	return func(yield func(PortView) bool) {
		for _, p := range v.cloud.ports.all() {
			if !yield(ofPort(p)) {
				return
			}
		}
	}
}

// Port returns a port by ID.
func (v *View) Port(id string) (PortView, bool) {
	if p := v.cloud.ports.get(id); p != nil {
		return ofPort(p), true
	}
	return PortView{}, false
}

// Volumes returns how many volumes there are.
func (v *View) Volumes() int { return len(v.cloud.volumes.all()) }

// Snapshots returns how many snapshots of volumes createImage has made of those that there are.
func (v *View) Snapshots() int {
	n := 0
	for _, vol := range v.cloud.volumes.all() {
		n += vol.snapshots
	}
	return n
}

// Written returns the highest count that a server of this name of a project has ever had on its disk.
func (v *View) Written(project, server string) int64 {
	for _, s := range v.cloud.live.all() {
		if s.name == server && s.project.name == project {
			v.cloud.writesOf(s)
		}
	}
	if m := v.cloud.machines[machineKey{project, server}]; m != nil {
		return m.highest
	}
	return 0
}

// Regressions returns the machines that went back in time. The list is the cloud's own.
func (v *View) Regressions() []Regression { return v.cloud.regressions }
