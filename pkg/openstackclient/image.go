package openstackclient

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

// ToImageListQuery returns the query of the request, with the custom properties.
func (opts ListImagesOpts) ToImageListQuery() (string, error) {
	query, err := opts.ListOpts.ToImageListQuery()
	if err != nil {
		return "", err
	}
	values, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
	if err != nil {
		return "", err
	}
	for property, value := range opts.Properties {
		values.Set(property, value)
	}
	return values.Encode(), nil
}

// ListImages implements Client.
func (c *openstackClient) ListImages(ctx context.Context, opts ListImagesOpts) ([]images.Image, error) {
	op := operation{name: "list images", service: image}
	query, err := opts.ToImageListQuery()
	if err != nil {
		return nil, invalidRequest(op, err)
	}
	list := collection{path: "images", query: query, key: "images"}
	return all(ctx, c, op, list, func(i *images.Image) string { return i.ID })
}

// GetImage implements Client.
func (c *openstackClient) GetImage(ctx context.Context, id string) (*images.Image, error) {
	op := operation{name: "get image", service: image}
	target, err := resource(op, "images", id)
	if err != nil {
		return nil, err
	}
	return one(ctx, c, op, target, "", id, func(i *images.Image) string { return i.ID })
}

// DeleteImage implements Client.
func (c *openstackClient) DeleteImage(ctx context.Context, id string) error {
	return c.delete(ctx, operation{name: "delete image", mutates: true, service: image}, "images", id)
}

// TagImage implements Client.
func (c *openstackClient) TagImage(ctx context.Context, id, tag string) error {
	op := operation{name: "tag image", mutates: true, service: image}
	target, err := resource(op, "images", id, "tags", tag)
	if err != nil {
		return err
	}
	return c.do(ctx, op, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		_, err := client.Put(ctx, client.Endpoint+target, nil, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusNoContent}})
		return err
	})
}
