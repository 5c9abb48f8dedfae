// Package openstackclient is the thin interface through which Overwinter talks to OpenStack. It hands out gophercloud's
// own types wherever those suffice and adds what every caller needs: the microversion each call requires, time limits,
// and errors that are classified (see Error).
package openstackclient

import (
	"context"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
)

//go:generate mockgen -source=client.go -destination=mock/client.go -package=mock

// Client is what Overwinter asks of one project of one cloud. All of it works as a plain project member.
// Every error that comes from the cloud is, or wraps, an *Error.
type Client interface {
	// Scope returns where this client's token leads. It authenticates if that has not happened yet.
	Scope(ctx context.Context) (Scope, error)

	// ListServers returns the servers that match opts, all pages of them, as the given view shows them. Names in opts
	// are regular expressions to Nova; tags are exact.
	ListServers(ctx context.Context, view View, opts servers.ListOpts) ([]Server, error)
	// GetServer returns one server; KindNotFound if the project has no server with that ID.
	GetServer(ctx context.Context, view View, id string) (*Server, error)
	// CreateServer asks for a server and returns its ID at once; it is then in BUILD.
	CreateServer(ctx context.Context, opts CreateServerOpts) (string, error)
	// DeleteServer asks for a server's deletion. Nova deletes later: gone is when GetServer says KindNotFound.
	DeleteServer(ctx context.Context, id string) error
	// ForceDeleteServer deletes a server that a soft delete has kept.
	ForceDeleteServer(ctx context.Context, id string) error
	// PauseServer, UnpauseServer, StartServer and StopServer ask for a change of state; KindConflict if the server's
	// present state does not allow it.
	PauseServer(ctx context.Context, id string) error
	UnpauseServer(ctx context.Context, id string) error
	StartServer(ctx context.Context, id string) error
	StopServer(ctx context.Context, id string) error
	// AttachPort plugs an existing port into a server that is ACTIVE, PAUSED or SHUTOFF and has no task; KindConflict if
	// its state or a lock does not allow it or the port belongs to a server already, KindNotFound if there is no such
	// server or port. Nova answers once it is done.
	AttachPort(ctx context.Context, serverID, portID string) error
	// CreateServerImage asks for a snapshot of a server's root disk and returns the new image's ID, never an empty one.
	// The metadata in opts become image properties from the moment the image is queued.
	CreateServerImage(ctx context.Context, id string, opts servers.CreateImageOpts) (string, error)
	// ListServerActions returns what was done to a server, newest first; also to one that is deleted, where the cloud has
	// microversion 2.21 and has not purged it. KindNotFound otherwise.
	ListServerActions(ctx context.Context, id string) ([]instanceactions.InstanceAction, error)
	// ListActionEvents returns the steps of one action, by the ID of the request that asked for it. A service that never began
	// has no event. KindInvalid below microversion 2.51, which hides them; KindNotFound if Nova has no such server or action.
	ListActionEvents(ctx context.Context, serverID, requestID string) ([]instanceactions.Event, error)
	// ListServerGroups returns the project's server groups with their members.
	ListServerGroups(ctx context.Context) ([]servergroups.ServerGroup, error)
	// HasKeyPair tells whether the credentials' own user has a key pair of that name.
	HasKeyPair(ctx context.Context, name string) (bool, error)
	// GetFlavor returns one flavor; KindNotFound if there is none with that ID.
	GetFlavor(ctx context.Context, id string) (*flavors.Flavor, error)

	// ListImages returns the images that match opts, all pages of them.
	ListImages(ctx context.Context, opts ListImagesOpts) ([]images.Image, error)
	// GetImage returns one image; KindNotFound if there is none with that ID.
	GetImage(ctx context.Context, id string) (*images.Image, error)
	// DeleteImage deletes an image; KindConflict while it is in use, KindForbidden if it is protected.
	DeleteImage(ctx context.Context, id string) error
	// TagImage adds a tag to an image. To add one that is there already is no error.
	TagImage(ctx context.Context, id, tag string) error

	// ListPorts returns the ports that match opts, all pages of them.
	ListPorts(ctx context.Context, opts ListPortsOpts) ([]ports.Port, error)
	// ReleasePort takes a port from the device that it belongs to, so that it outlives that. Its address, MAC and floating IP stay.
	// KindNotFound if there is no such port. To release one that belongs to nothing is no error.
	ReleasePort(ctx context.Context, id string) error
	// GetNetwork returns one network; KindNotFound if there is none with that ID.
	GetNetwork(ctx context.Context, id string) (*networks.Network, error)
	// ListSecurityGroups returns the security groups that match opts.
	ListSecurityGroups(ctx context.Context, opts groups.ListOpts) ([]groups.SecGroup, error)
}

// Scope is where a token leads: the same credentials Secret edited to another project has another Scope.
type Scope struct {
	// AuthURL is the identity endpoint, without a trailing slash.
	AuthURL string `json:"authURL"`
	// ProjectID is the project that the token is scoped to.
	ProjectID string `json:"projectID"`
	// Region is the region whose endpoints are used, as the catalog spells it.
	Region string `json:"region"`
}

// View selects the microversion in which Nova shows a server; no single one shows everything.
type View int

const (
	// ViewFlavorID shows the flavor's ID, tags, description and lock (microversion 2.46; from 2.47 the ID is hidden).
	ViewFlavorID View = iota
	// ViewHostname shows the host name and the flavor's content, ephemeral and swap disks included (microversion 2.90,
	// or the highest that the cloud has; the host name is nil below 2.90).
	ViewHostname
)

// Server is gophercloud's server and what it leaves out.
type Server struct {
	servers.Server
	// Description is what the server was given at its creation (microversion 2.19); empty if none.
	Description string
	// MACs are the addresses of the server's interfaces in the order in which Nova shows them, each once.
	MACs []string
	// ImageID is the image that the server was made from, empty if it boots from a volume.
	ImageID string
	// FlavorID is the flavor's ID; only in ViewFlavorID.
	FlavorID string
	// FlavorName is the flavor's name; only in ViewHostname.
	FlavorName string
	// Power is what the hypervisor last reported of the server's domain.
	Power Power
	// DiskGiB is the size of the flavor's root disk, nil where Nova does not show it; only in ViewHostname.
	DiskGiB *int
	// EphemeralGiB and SwapMiB are the local disks that a snapshot leaves out; only in ViewHostname.
	EphemeralGiB, SwapMiB int
	// ExtraSpecs are the flavor's, as they were when the server was made or resized; only in ViewHostname. Nil means that
	// Nova does not show them (its policy may hide them), and not that there are none.
	ExtraSpecs map[string]string
}

// Power is the state of a server's domain on its hypervisor (OS-EXT-STS:power_state). Nova keeps it apart from the
// server's status: either may be out of date.
type Power int

const (
	// PowerUnknown says that Nova showed no power state, or one that it has not had so far.
	PowerUnknown Power = iota
	// PowerNone says that there is no domain (0).
	PowerNone
	// PowerRunning says that the guest runs (1).
	PowerRunning
	// PowerPaused says that the guest is paused in memory (3).
	PowerPaused
	// PowerOff says that the domain is shut down (4).
	PowerOff
	// PowerCrashed says that the guest crashed (6).
	PowerCrashed
	// PowerSuspended says that the guest's memory is on disk (7).
	PowerSuspended
)

// String returns the state in the words of Nova's documentation.
func (p Power) String() string {
	switch p {
	case PowerNone:
		return "NOSTATE"
	case PowerRunning:
		return "RUNNING"
	case PowerPaused:
		return "PAUSED"
	case PowerOff:
		return "SHUTDOWN"
	case PowerCrashed:
		return "CRASHED"
	case PowerSuspended:
		return "SUSPENDED"
	case PowerUnknown:
	}
	return "unknown"
}

// CreateServerOpts is a server to be made.
type CreateServerOpts struct {
	servers.CreateOpts
	// Description is left out when empty.
	Description string
	// KeyName is a key pair of the credentials' own user; left out when empty.
	KeyName string
	// ServerGroup is the ID of the group whose scheduling policy applies; left out when empty.
	ServerGroup string
}

// ListImagesOpts are gophercloud's filters and filters by custom property, which Glance also has.
type ListImagesOpts struct {
	images.ListOpts
	// Properties must all be present with these values.
	Properties map[string]string
}

// ListPortsOpts are gophercloud's filters and filters by several values at once, which Neutron also has.
type ListPortsOpts struct {
	ports.ListOpts
	// DeviceIDs, unless empty, selects the ports that belong to any of these devices.
	DeviceIDs []string
	// IDs, unless empty, selects the ports with any of these IDs; not together with DeviceIDs.
	IDs []string
}
