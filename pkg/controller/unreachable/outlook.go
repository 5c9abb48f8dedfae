package unreachable

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// outlook is all in a ClusterDeployment, beside our own conditions, that decides whether its cluster is asked, and where.
// When it changes, what was found out before no longer counts.
type outlook struct {
	// leftAlone: nothing is even written.
	leftAlone bool
	// installed: there is a cluster, and a kubeconfig to it.
	installed bool
	// fake: the cluster exists on paper alone.
	fake bool
	// asleep: the cluster hibernates.
	asleep bool
	// resuming is how far a cluster is that wakes; empty for one that does not.
	resuming string

	hasOverride                             bool
	urlOverride, ipOverride, kubeconfigName string
}

func outlookOf(cd *hivev1.ClusterDeployment) outlook {
	o := outlook{
		leftAlone:   cd.DeletionTimestamp != nil || truthy(cd.Annotations[hivev1.AnnotationReconcilePause]),
		installed:   cd.Spec.Installed && cd.Spec.ClusterMetadata != nil,
		fake:        truthy(cd.Annotations[hivev1.AnnotationFakeCluster]),
		hasOverride: remoteclient.HasOverride(cd),
	}
	if config := cd.Spec.ControlPlaneConfig; config != nil {
		o.urlOverride, o.ipOverride = config.APIURLOverride, config.APIServerIPOverride
	}
	if metadata := cd.Spec.ClusterMetadata; metadata != nil {
		o.kubeconfigName = metadata.AdminKubeconfigSecretRef.Name
	}
	hibernating, ready := conditionOf(cd, hivev1.ClusterHibernatingCondition), conditionOf(cd, hivev1.ClusterReadyCondition)
	o.asleep = hibernating.Status == corev1.ConditionTrue
	if hibernating.Status == corev1.ConditionFalse && hibernating.Reason == hivev1.HibernatingReasonResumingOrRunning &&
		ready.Status != corev1.ConditionTrue {
		o.resuming = "resuming: " + ready.Reason
	}
	return o
}

// conditionOf returns a condition; one without a status if it does not exist.
func conditionOf(cd *hivev1.ClusterDeployment, kind hivev1.ClusterDeploymentConditionType) hivev1.ClusterDeploymentCondition {
	if i := conditions.Index(cd, kind); i >= 0 {
		return cd.Status.Conditions[i]
	}
	return hivev1.ClusterDeploymentCondition{Type: kind}
}

// truthy reads the value of an annotation that is a switch.
func truthy(value string) bool {
	on, err := strconv.ParseBool(value)
	return err == nil && on
}
