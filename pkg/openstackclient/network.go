package openstackclient

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
)

// valuesPerRequest keeps the URL well below the 8 KiB at which OpenStack's servers refuse a request line.
const valuesPerRequest = 100

// ListPorts implements Client.
func (c *openstackClient) ListPorts(ctx context.Context, opts ListPortsOpts) ([]ports.Port, error) {
	op := operation{name: "list ports", service: network}
	query, err := opts.ToPortListQuery()
	if err != nil {
		return nil, invalidRequest(op, err)
	}
	filters, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
	if err != nil {
		return nil, invalidRequest(op, err)
	}
	key, values := "device_id", opts.DeviceIDs
	if len(opts.IDs) > 0 {
		key, values = "id", opts.IDs
		if len(opts.DeviceIDs) > 0 {
			return nil, &Error{Kind: KindInvalid, Op: op.name, Message: "ports are listed by their own IDs or by their devices', not both"}
		}
	}
	id := func(p *ports.Port) string { return p.ID }
	if len(values) == 0 {
		return all(ctx, c, op, collection{path: "ports", query: filters.Encode(), key: "ports"}, id)
	}
	if slices.Contains(values, "") {
		// It would select all ports that belong to nothing.
		return nil, &Error{Kind: KindInvalid, Op: op.name, Message: "an empty " + key + " was given"}
	}
	found := []ports.Port{}
	for some := range slices.Chunk(values, valuesPerRequest) {
		filters[key] = some
		page, err := all(ctx, c, op, collection{path: "ports", query: filters.Encode(), key: "ports"}, id)
		if err != nil {
			return nil, err
		}
		found = append(found, page...)
	}
	return found, nil
}

// ReleasePort implements Client.
func (c *openstackClient) ReleasePort(ctx context.Context, id string) error {
	op := operation{name: "release port", mutates: true, service: network}
	target, err := resource(op, "ports", id)
	if err != nil {
		return err
	}
	body := map[string]any{"port": map[string]any{"device_id": ""}}
	return c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		_, err := client.Put(ctx, client.Endpoint+target, body, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
		return err
	})
}

// GetNetwork implements Client.
func (c *openstackClient) GetNetwork(ctx context.Context, id string) (*networks.Network, error) {
	op := operation{name: "get network", service: network}
	target, err := resource(op, "networks", id)
	if err != nil {
		return nil, err
	}
	return one(ctx, c, op, target, "network", id, func(n *networks.Network) string { return n.ID })
}

// ListSecurityGroups implements Client.
func (c *openstackClient) ListSecurityGroups(ctx context.Context, opts groups.ListOpts) ([]groups.SecGroup, error) {
	op := operation{name: "list security groups", service: network}
	query, err := gophercloud.BuildQueryString(&opts)
	if err != nil {
		return nil, invalidRequest(op, err)
	}
	list := collection{path: "security-groups", query: query.RawQuery, key: "security_groups"}
	return all(ctx, c, op, list, func(g *groups.SecGroup) string { return g.ID })
}
