// Package hibernation is the controller that makes a cluster's machines follow the power state in its ClusterDeployment.
//
// A reconcile is one visit (visit.go): the guards (guards.go) say whether the cluster is to be touched at all, the desired
// state (desired.go) says which way, and then the visit stops the machines (stop.go), starts them (start.go, readiness.go)
// or, where all is well already, cleans up (cleanup.go). What it found is an Outcome; status.go alone turns outcomes into
// conditions and powerState. Nothing waits inside a reconcile.
package hibernation
