// Package csrapproval approves the CertificateSigningRequests that the kubelets of a cluster make when it wakes: their
// certificates ran out while it slept, and the cluster's own approver refuses a client certificate to a Node that exists
// already.
//
// The rules are those of OpenShift's machine approver (openshift/cluster-machine-approver, pkg/controller/csr_check.go)
// with the one change that waking needs (openshift/hive, pkg/controller/hibernation/csr_utility.go): a client certificate is
// for a Machine that has a Node, whatever its age. Where the references leave something open the stricter reading is taken;
// docs/csr.md lists the rules. A request that they don't name is left alone: it is never denied, it may be somebody else's.
package csrapproval
