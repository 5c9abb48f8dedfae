package hibernation

import (
	"context"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// noting is a client that notes in the pass what it has changed in the cloud: a visit that fails, and has done something
// before, is repeated soon.
type noting struct{ openstackclient.Client }

func note(ctx context.Context, err error, verb, target string) error {
	if p, ok := ctx.Value(passKey{}).(*pass); ok && err == nil {
		p.acted(verb + " " + target)
	}
	return err
}

// CreateServer implements openstackclient.Client.
func (n noting) CreateServer(ctx context.Context, opts openstackclient.CreateServerOpts) (string, error) {
	id, err := n.Client.CreateServer(ctx, opts)
	return id, note(ctx, err, "create", opts.Name)
}

// DeleteServer implements openstackclient.Client.
func (n noting) DeleteServer(ctx context.Context, id string) error {
	return note(ctx, n.Client.DeleteServer(ctx, id), "delete", id)
}

// ForceDeleteServer implements openstackclient.Client.
func (n noting) ForceDeleteServer(ctx context.Context, id string) error {
	return note(ctx, n.Client.ForceDeleteServer(ctx, id), "force-delete", id)
}

// PauseServer implements openstackclient.Client.
func (n noting) PauseServer(ctx context.Context, id string) error {
	return note(ctx, n.Client.PauseServer(ctx, id), "pause", id)
}

// UnpauseServer implements openstackclient.Client.
func (n noting) UnpauseServer(ctx context.Context, id string) error {
	return note(ctx, n.Client.UnpauseServer(ctx, id), "unpause", id)
}

// StartServer implements openstackclient.Client.
func (n noting) StartServer(ctx context.Context, id string) error {
	return note(ctx, n.Client.StartServer(ctx, id), "start", id)
}

// StopServer implements openstackclient.Client.
func (n noting) StopServer(ctx context.Context, id string) error {
	return note(ctx, n.Client.StopServer(ctx, id), "stop", id)
}

// AttachPort implements openstackclient.Client.
func (n noting) AttachPort(ctx context.Context, serverID, portID string) error {
	return note(ctx, n.Client.AttachPort(ctx, serverID, portID), "attach", serverID+" "+portID)
}

// CreateServerImage implements openstackclient.Client.
func (n noting) CreateServerImage(ctx context.Context, id string, opts servers.CreateImageOpts) (string, error) {
	image, err := n.Client.CreateServerImage(ctx, id, opts)
	return image, note(ctx, err, "snapshot", opts.Name)
}

// DeleteImage implements openstackclient.Client.
func (n noting) DeleteImage(ctx context.Context, id string) error {
	return note(ctx, n.Client.DeleteImage(ctx, id), "delete image", id)
}

// ReleasePort implements openstackclient.Client.
func (n noting) ReleasePort(ctx context.Context, id string) error {
	return note(ctx, n.Client.ReleasePort(ctx, id), "release port", id)
}

// TagImage implements openstackclient.Client.
func (n noting) TagImage(ctx context.Context, id, tag string) error {
	return note(ctx, n.Client.TagImage(ctx, id, tag), "tag image", id)
}
