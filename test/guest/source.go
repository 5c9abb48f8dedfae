package guest

import (
	"context"
	"slices"

	"github.com/overwinter/overwinter/test/cloud"
)

// CloudServers returns the source for a cluster on a simulated OpenStack.
func CloudServers(c *cloud.Cloud, infraID string) ServerSource {
	return cloudServers{cloud: c, tag: "openshiftClusterID=" + infraID}
}

type cloudServers struct {
	cloud *cloud.Cloud
	tag   string
}

// Active implements ServerSource.
func (s cloudServers) Active(context.Context) (map[string]bool, error) {
	active := map[string]bool{}
	for _, server := range s.cloud.Servers() {
		if slices.Contains(server.Tags, s.tag) {
			active[server.Name] = server.Status == "ACTIVE"
		}
	}
	return active, nil
}
