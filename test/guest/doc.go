// Package guest plays the OpenShift cluster that is hibernated, as far as a hub sees it and as far as its servers' new
// IDs matter: a Kubernetes API with Nodes, their Leases, CSINodes and pods, Machines, MachineHealthChecks and
// ClusterOperators, which live and stop with the cluster's servers. While a server is ACTIVE its kubelet reports; while
// most control plane servers are, the API answers at its virtual IP address, and the controllers run that it was given.
//
// What a stopped cluster last said stays as it was, as it does in the etcd of a real one: after a resume every Node
// says Ready, and names the server it was on, before its machine has even booted.
package guest
