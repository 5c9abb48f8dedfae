// Package noderepair makes a cluster that was made again on new servers take these for its own: its Nodes, its Machines and
// what is registered by their old servers' IDs. It knows the cluster's API, and of OpenStack only how a providerID is built.
//
// Each function can be called again at any time, and after a crash at any point goes on where the last one ended: what is
// to be done is found from the plan and what the API holds, nothing is remembered.
package noderepair
