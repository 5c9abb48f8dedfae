package remoteclient

import (
	corev1 "k8s.io/api/core/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// Address is one of the two URLs at which a cluster's API may be asked.
type Address int

const (
	// Primary is spec.controlPlaneConfig.apiURLOverride; where that is not set, the server in the kubeconfig.
	Primary Address = iota
	// Secondary is the server in the kubeconfig.
	Secondary
)

// HasOverride tells whether the two addresses differ.
func HasOverride(cd *hivev1.ClusterDeployment) bool {
	return cd.Spec.ControlPlaneConfig != nil && cd.Spec.ControlPlaneConfig.APIURLOverride != ""
}

// Active returns the address at which a cluster is to be asked, by what the unreachable controller last wrote: the
// secondary while the primary does not answer (ActiveAPIURLOverride is False), but not while neither does (Unreachable is
// True), for then it is the primary that is wanted.
func Active(cd *hivev1.ClusterDeployment) Address {
	failed, deaf := false, false
	for _, condition := range cd.Status.Conditions {
		switch condition.Type {
		case hivev1.ActiveAPIURLOverrideCondition:
			failed = condition.Status == corev1.ConditionFalse && condition.Reason == hivev1.UnreachableReasonErrorConnectingToCluster
		case hivev1.UnreachableCondition:
			deaf = condition.Status == corev1.ConditionTrue
		default:
		}
	}
	if HasOverride(cd) && failed && !deaf {
		return Secondary
	}
	return Primary
}
