package openstackclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
)

// inView sets the microversions in which Nova shows what the view promises.
func (op operation) inView(view View) operation {
	op.service = compute
	switch view {
	case ViewHostname:
		op.want, op.need = microversionHostname, microversionFlavorContent
	case ViewFlavorID:
		op.want = microversionFlavorID
	}
	return op
}

// ListServers implements Client.
func (c *openstackClient) ListServers(ctx context.Context, view View, opts servers.ListOpts) ([]Server, error) {
	op := operation{name: "list servers"}.inView(view)
	query, err := opts.ToServerListQuery()
	if err != nil {
		return nil, invalidRequest(op, err)
	}
	list := collection{path: "servers/detail", query: strings.TrimPrefix(query, "?"), key: "servers"}
	if opts.Tags != "" || opts.TagsAny != "" || opts.NotTags != "" || opts.NotTagsAny != "" {
		// Below 2.26 Nova ignores these filters and answers with every server.
		op.need = max(op.need, microversionTagFilter)
		list.check = func(header http.Header) error {
			if got := answeredIn(header); got < microversionTagFilter {
				return fmt.Errorf("it is of microversion %s, which does not filter by tag", got)
			}
			return nil
		}
	}
	return all(ctx, c, op, list, func(s *Server) string { return s.ID })
}

// GetServer implements Client.
func (c *openstackClient) GetServer(ctx context.Context, view View, id string) (*Server, error) {
	op := operation{name: "get server"}.inView(view)
	target, err := resource(op, "servers", id)
	if err != nil {
		return nil, err
	}
	return one(ctx, c, op, target, "server", id, func(s *Server) string { return s.ID })
}

// ListServerActions implements Client.
func (c *openstackClient) ListServerActions(ctx context.Context, id string) ([]instanceactions.InstanceAction, error) {
	op := operation{name: "list the server's actions", service: compute, want: microversionDeletedActions}
	target, err := resource(op, "servers", id, "os-instance-actions")
	if err != nil {
		return nil, err
	}
	list := collection{path: target, key: "instanceActions"}
	return all(ctx, c, op, list, func(a *instanceactions.InstanceAction) string { return a.RequestID })
}

// ListActionEvents implements Client.
func (c *openstackClient) ListActionEvents(ctx context.Context, serverID, requestID string) ([]instanceactions.Event, error) {
	op := operation{name: "show the server's action", service: compute, want: microversionEventHosts, need: microversionActionEvents}
	target, err := resource(op, "servers", serverID, "os-instance-actions", requestID)
	if err != nil {
		return nil, err
	}
	action, err := one(ctx, c, op, target, "instanceAction", requestID, func(a *instanceactions.InstanceActionDetail) string { return a.RequestID })
	if err != nil {
		return nil, err
	}
	if action.Events == nil {
		return nil, c.misread(op, errors.New("it holds no list of events"))
	}
	return *action.Events, nil
}

// ListServerGroups implements Client. Nova gives no link to the next page of these.
func (c *openstackClient) ListServerGroups(ctx context.Context) ([]servergroups.ServerGroup, error) {
	op := operation{name: "list server groups", service: compute, want: microversionGroupPolicy}
	list := collection{path: "os-server-groups", key: "server_groups", byOffset: true}
	return all(ctx, c, op, list, func(g *servergroups.ServerGroup) string { return g.ID })
}

// HasKeyPair implements Client.
func (c *openstackClient) HasKeyPair(ctx context.Context, name string) (bool, error) {
	op := operation{name: "get key pair", service: compute}
	target, err := resource(op, "os-keypairs", name)
	if err != nil {
		return false, err
	}
	return c.exists(ctx, op, target, "keypair")
}

// GetFlavor implements Client.
func (c *openstackClient) GetFlavor(ctx context.Context, id string) (*flavors.Flavor, error) {
	op := operation{name: "get flavor", service: compute}
	target, err := resource(op, "flavors", id)
	if err != nil {
		return nil, err
	}
	return one(ctx, c, op, target, "flavor", id, func(f *flavors.Flavor) string { return f.ID })
}

// DeleteServer implements Client.
func (c *openstackClient) DeleteServer(ctx context.Context, id string) error {
	return c.delete(ctx, operation{name: "delete server", mutates: true, service: compute}, "servers", id)
}

// delete asks for the deletion of the resource at a path.
func (c *openstackClient) delete(ctx context.Context, op operation, parts ...string) error {
	target, err := resource(op, parts...)
	if err != nil {
		return err
	}
	return c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		_, err := client.Delete(ctx, client.Endpoint+target, nil)
		return err
	})
}

// ForceDeleteServer implements Client.
func (c *openstackClient) ForceDeleteServer(ctx context.Context, id string) error {
	return c.act(ctx, "force-delete server", id, "forceDelete")
}

// PauseServer implements Client.
func (c *openstackClient) PauseServer(ctx context.Context, id string) error {
	return c.act(ctx, "pause server", id, "pause")
}

// UnpauseServer implements Client.
func (c *openstackClient) UnpauseServer(ctx context.Context, id string) error {
	return c.act(ctx, "unpause server", id, "unpause")
}

// StartServer implements Client.
func (c *openstackClient) StartServer(ctx context.Context, id string) error {
	return c.act(ctx, "start server", id, "os-start")
}

// StopServer implements Client.
func (c *openstackClient) StopServer(ctx context.Context, id string) error {
	return c.act(ctx, "stop server", id, "os-stop")
}

// act asks for one of the actions that take no argument; none of them needs a microversion.
func (c *openstackClient) act(ctx context.Context, name, id, action string) error {
	op := operation{name: name, mutates: true, service: compute}
	target, err := resource(op, "servers", id, "action")
	if err != nil {
		return err
	}
	return c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		_, err := client.Post(ctx, client.Endpoint+target, map[string]any{action: nil}, nil, nil)
		return err
	})
}

// AttachPort implements Client. It needs no microversion.
func (c *openstackClient) AttachPort(ctx context.Context, serverID, portID string) error {
	op := operation{name: "attach port to server", mutates: true, service: compute}
	target, err := resource(op, "servers", serverID, "os-interface")
	if err != nil {
		return err
	}
	if portID == "" {
		// Nova would make a new port.
		return &Error{Kind: KindInvalid, Op: op.name, Message: "an empty port ID was given"}
	}
	body := map[string]any{"interfaceAttachment": map[string]any{"port_id": portID}}
	return c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		response, err := client.Post(ctx, client.Endpoint+target, body, nil, &gophercloud.RequestOpts{
			OkCodes: []int{http.StatusOK}, KeepResponseBody: true,
		})
		if err != nil {
			return err
		}
		return readAnswer(op, response, func(response *http.Response) error { return needs(response, "interfaceAttachment") })
	})
}
