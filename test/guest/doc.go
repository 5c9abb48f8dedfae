// Package guest plays the OpenShift cluster that is hibernated, as far as a hub sees it: a Kubernetes API with Nodes,
// their Leases and ClusterOperators, which live and stop with the cluster's servers. While a server is ACTIVE its
// kubelet reports; while most control plane servers are, the API answers at its virtual IP address.
//
// What a stopped cluster last said stays as it was, as it does in the etcd of a real one: after a resume every Node
// says Ready before its machine has even booted.
package guest
