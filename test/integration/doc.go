// Package integration tests the manager as it is run: its program, as the role in config/rbac lets it act, between a real
// kube-apiserver and a simulated OpenStack over HTTP.
package integration
