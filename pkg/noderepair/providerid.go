package noderepair

import "strings"

const providerScheme = "openstack://"

// ServerID returns the server that a providerID names; empty for one that is empty or not OpenStack's. Both forms are
// known, openstack:///ID and openstack://REGION/ID
// (cloud-provider-openstack, pkg/openstack/instances.go).
func ServerID(providerID string) string {
	_, id := splitProviderID(providerID)
	return id
}

// splitProviderID returns a providerID's server, and what stands before it.
func splitProviderID(providerID string) (before, id string) {
	rest, ok := strings.CutPrefix(providerID, providerScheme)
	if !ok {
		return "", ""
	}
	slash := strings.LastIndex(rest, "/")
	if slash < 0 {
		return "", ""
	}
	return providerScheme + rest[:slash+1], rest[slash+1:]
}

// withServer returns a providerID for another server, in the form of the given one; empty for no server.
func withServer(like, id string) string {
	before, _ := splitProviderID(like)
	if before == "" || id == "" {
		return ""
	}
	return before + id
}
