// Package controllers has what runs on a simulated cluster's control plane and does harm when servers come back with new
// IDs: Kubernetes' own controllers, as they are, and by their documented rules those of OpenShift, which can't be had
// without it.
package controllers
