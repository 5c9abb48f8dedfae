package openstackclient

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
)

// ToServerCreateMap returns the body of the request, with what gophercloud's own options leave out.
func (opts CreateServerOpts) ToServerCreateMap() (map[string]any, error) {
	body, err := opts.CreateOpts.ToServerCreateMap()
	if err != nil {
		return nil, err
	}
	server, ok := body["server"].(map[string]any)
	if !ok {
		return nil, errors.New(`gophercloud made a body without "server"`)
	}
	if opts.Description != "" {
		server["description"] = opts.Description
	}
	if opts.KeyName != "" {
		server["key_name"] = opts.KeyName
	}
	if opts.ServerGroup != "" {
		body["os:scheduler_hints"] = map[string]any{"group": opts.ServerGroup}
	}
	return body, nil
}

// microversion returns the lowest that has everything in the options. It is never below the one of the description:
// before that, Nova makes the server's name its description.
func (opts CreateServerOpts) microversion() microversion {
	lowest := microversionDescription
	needs := func(used bool, version microversion) {
		if used {
			lowest = max(lowest, version)
		}
	}
	networks, _ := opts.Networks.([]servers.Network)
	needs(slices.ContainsFunc(networks, func(n servers.Network) bool { return n.Tag != "" }), microversionDeviceTags)
	needs(slices.ContainsFunc(opts.BlockDevice, func(d servers.BlockDevice) bool { return d.Tag != "" }), microversionDeviceTags)
	needs(slices.ContainsFunc(opts.BlockDevice, func(d servers.BlockDevice) bool { return d.VolumeType != "" }), microversionVolumeType)
	needs(len(opts.Tags) > 0, microversionCreateTags)
	needs(opts.HypervisorHostname != "", microversionHypervisorHost)
	needs(opts.Hostname != "", microversionHostname)
	return lowest
}

// CreateServer implements Client.
func (c *openstackClient) CreateServer(ctx context.Context, opts CreateServerOpts) (string, error) {
	version := opts.microversion()
	op := operation{name: "create server", mutates: true, service: compute, want: version, need: version}
	body, err := opts.ToServerCreateMap()
	if err != nil {
		return "", invalidRequest(op, err)
	}
	var answer struct {
		Server struct {
			ID string `json:"id"`
		} `json:"server"`
	}
	err = c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		response, err := client.Post(ctx, client.Endpoint+"servers", body, nil, &gophercloud.RequestOpts{
			OkCodes: []int{http.StatusOK, http.StatusAccepted}, KeepResponseBody: true,
		})
		if err != nil {
			return err
		}
		return readAnswer(op, response, func(response *http.Response) error {
			err := decodeObject(response.Body, &answer)
			if err == nil && answer.Server.ID == "" {
				return unfit("there is no server ID in it")
			}
			return err
		})
	})
	return answer.Server.ID, err
}

// CreateServerImage implements Client. The microversion is the first whose answer holds the image's ID; before that it
// is in the Location header.
func (c *openstackClient) CreateServerImage(ctx context.Context, id string, opts servers.CreateImageOpts) (string, error) {
	op := operation{name: "create image of server", mutates: true, service: compute, want: microversionImageID}
	target, err := resource(op, "servers", id, "action")
	if err != nil {
		return "", err
	}
	body, err := opts.ToServerCreateImageMap()
	if err != nil {
		return "", invalidRequest(op, err)
	}
	var imageID string
	err = c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		response, err := client.Post(ctx, client.Endpoint+target, body, nil, &gophercloud.RequestOpts{
			OkCodes: []int{http.StatusAccepted}, KeepResponseBody: true,
		})
		if err != nil {
			return err
		}
		return readAnswer(op, response, func(response *http.Response) error {
			imageID, err = newImageID(response)
			return err
		})
	})
	return imageID, err
}

func newImageID(response *http.Response) (string, error) {
	content, err := readBounded(response.Body, maxItemBody, maxItemHeap)
	if err != nil {
		return "", err
	}
	var answer struct {
		ImageID string `json:"image_id"`
	}
	if len(content) > 0 {
		if err := unmarshal(content, &answer); err != nil {
			return "", err
		}
	}
	if answer.ImageID != "" {
		return answer.ImageID, nil
	}
	// Nova 26 writes "…//images/ID" with two slashes.
	location, err := url.Parse(response.Header.Get("Location"))
	if err != nil {
		return "", unfit("its Location can't be used")
	}
	if dir, id := path.Split(location.Path); id != "" && path.Base(dir) == "images" {
		return id, nil
	}
	return "", unfit("there is no image ID in it")
}
