package guest

import (
	"context"
	"slices"

	"github.com/overwinter/overwinter/test/cloud"
)

// Server is what a cluster sees of one of its servers in its cloud.
type Server struct {
	ID, Name string
	// Active says that it runs.
	Active bool
}

// ServerSource tells how the cluster's servers are.
type ServerSource interface {
	// Servers returns each server of the cluster that exists.
	Servers(ctx context.Context) ([]Server, error)
}

// ProviderPrefix begins every providerID of an OpenStack cluster; the server's UUID follows.
const ProviderPrefix = "openstack:///"

// ProviderID returns the providerID of a Node or Machine on a server, empty without one.
func ProviderID(server string) string {
	if server == "" {
		return ""
	}
	return ProviderPrefix + server
}

// CloudServers returns the source for a cluster on a simulated OpenStack.
func CloudServers(c *cloud.Cloud, infraID string) ServerSource {
	return cloudServers{cloud: c, tag: "openshiftClusterID=" + infraID}
}

type cloudServers struct {
	cloud *cloud.Cloud
	tag   string
}

// Servers implements ServerSource.
func (s cloudServers) Servers(context.Context) ([]Server, error) {
	var servers []Server
	for _, server := range s.cloud.Servers() {
		if slices.Contains(server.Tags, s.tag) {
			servers = append(servers, Server{ID: server.ID, Name: server.Name, Active: server.Status == "ACTIVE"})
		}
	}
	return servers, nil
}
