// Package hibernation is the engine: it puts the servers of a cluster to sleep as snapshots and makes them again.
//
// It works in passes. A pass loads the record, looks at the cloud, does what can be done now, says what is pending, and
// returns; nothing waits inside it. Which step comes next is derived from the record's facts and the live cloud, so a
// pass that is cut short anywhere is simply repeated. The steps are listed in plan.go, in order.
//
// The engine knows servers, snapshots and records. It knows no ClusterDeployment.
package hibernation
