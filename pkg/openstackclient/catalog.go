package openstackclient

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

const (
	serviceCompute = "compute"
	serviceImage   = "image"
	serviceNetwork = "network"
)

// regionIn returns the region to use, as the catalog spells it: the one that clouds.yaml names, or the only one that has
// servers. KindInvalid, naming the regions there are, if that does not lead to one.
func (c *openstackClient) regionIn(catalog *tokens.ServiceCatalog) (string, error) {
	var regions []string
	for _, endpoint := range c.endpoints(catalog, serviceCompute) {
		if region := regionOf(endpoint); !slices.Contains(regions, region) {
			regions = append(regions, region)
		}
	}
	slices.Sort(regions)
	switch {
	case len(regions) == 0:
		return "", c.invalidCatalog("it has no compute endpoint for the interface %q", c.cloud.availability)
	case c.cloud.region == "" && len(regions) == 1:
		return regions[0], nil
	case c.cloud.region == "":
		return "", c.invalidCatalog("it has several regions; set region_name to one of: %s", listed(regions))
	case !slices.Contains(regions, c.cloud.region):
		return "", c.invalidCatalog("it has no region %q; set region_name to one of: %s", shorten(c.cloud.region), listed(regions))
	}
	return c.cloud.region, nil
}

func regionOf(endpoint tokens.Endpoint) string {
	if endpoint.RegionID != "" {
		return endpoint.RegionID
	}
	return endpoint.Region
}

// endpoints returns a service's endpoints for the interface that clouds.yaml selects.
func (c *openstackClient) endpoints(catalog *tokens.ServiceCatalog, service string) []tokens.Endpoint {
	var endpoints []tokens.Endpoint
	for _, entry := range catalog.Entries {
		if entry.Type != service {
			continue
		}
		for _, endpoint := range entry.Endpoints {
			if endpoint.Interface == string(c.cloud.availability) && len(regionOf(endpoint)) <= maxID {
				endpoints = append(endpoints, endpoint)
			}
		}
	}
	return endpoints
}

// addServices fills in the clients of the services.
func (c *openstackClient) addServices(s *session, provider *gophercloud.ProviderClient, catalog *tokens.ServiceCatalog) error {
	for _, service := range []struct {
		kind, version string
		client        *gophercloud.ServiceClient
	}{
		{serviceCompute, "v2.1", &s.compute}, {serviceImage, "v2", &s.image}, {serviceNetwork, "v2.0", &s.network},
	} {
		endpoints := slices.DeleteFunc(c.endpoints(catalog, service.kind), func(e tokens.Endpoint) bool {
			return regionOf(e) != s.scope.Region
		})
		if len(endpoints) == 0 {
			return c.invalidCatalog("it has no %s endpoint for the interface %q in region %q", service.kind, c.cloud.availability, shorten(s.scope.Region))
		}
		base, err := versioned(endpoints[0].URL, service.version)
		if err != nil {
			return c.invalidCatalog("its %s endpoint is not a URL", service.kind)
		}
		*service.client = gophercloud.ServiceClient{ProviderClient: provider, Endpoint: base, Type: service.kind}
	}
	return nil
}

var versionInPath = regexp.MustCompile(`/v\d+(\.\d+)?(/|$)`)

// versioned returns an endpoint of the catalog with the API version in its path, which catalogs may leave out, and a
// slash at its end. Nova's old v2 becomes v2.1: both are the same service, but v2 ignores microversions without a word.
func versioned(endpoint, version string) (string, error) {
	parsed, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("parse the endpoint: %w", err)
	}
	if len(endpoint) > maxURL {
		return "", fmt.Errorf("it is longer than %d bytes", maxURL)
	}
	if (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		return "", fmt.Errorf("%q is not an HTTP URL", endpoint)
	}
	parsed.RawQuery, parsed.Fragment = "", ""
	path := strings.TrimRight(parsed.Path, "/")
	switch {
	case !versionInPath.MatchString(path):
		path += "/" + version
	case version == "v2.1":
		path = regexp.MustCompile(`/v2(/|$)`).ReplaceAllString(path, "/v2.1$1")
	}
	parsed.Path = path + "/"
	return parsed.String(), nil
}

func (c *openstackClient) invalidCatalog(format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Message: fmt.Sprintf("the catalog of OpenStack at %s does not fit cloud %q in key %q of the credentials Secret: %s",
		c.cloud.authURL, c.cloud.name, CloudsYAMLKey, fmt.Sprintf(format, args...))}
}
