package hibernation

import (
	"context"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// InfraIDIndex is the index by which ClusterDeployments of one cluster are found.
const InfraIDIndex = "spec.clusterMetadata.infraID"

// InfraIDsOf is the function of InfraIDIndex.
func InfraIDsOf(obj client.Object) []string {
	cd, ok := obj.(*hivev1.ClusterDeployment)
	if !ok || cd.Spec.ClusterMetadata == nil || cd.Spec.ClusterMetadata.InfraID == "" {
		return nil
	}
	return []string{cd.Spec.ClusterMetadata.InfraID}
}

// guard ends a visit before anything is done, by returning an outcome.
type guard func(ctx context.Context, v *visit) (*Outcome, error)

// guards returns what is checked before the machines of a ClusterDeployment that is not being deleted are touched.
func guards() []guard {
	return []guard{paused, notInstalled, unsupported, incomplete, duplicated}
}

// leftAlone tells whether the ClusterDeployment is none of our business: its reconciling is paused, or it is on its way
// to or from another hub, or has gone there. A relocation copies the record; it may not change meanwhile, and two hubs
// may not work on one cluster. Once it is deleted there is our finalizer to take care of.
func leftAlone(cd *hivev1.ClusterDeployment) bool {
	if truthy(cd.Annotations[hivev1.AnnotationReconcilePause]) {
		return true
	}
	return cd.DeletionTimestamp == nil && cd.Annotations[hivev1.AnnotationRelocate] != ""
}

func paused(_ context.Context, v *visit) (*Outcome, error) {
	if !truthy(v.cd.Annotations[hivev1.AnnotationPowerStatePause]) {
		return nil, nil
	}
	return &Outcome{
		State:   StatePaused,
		Message: "The power state is not managed because of the annotation " + hivev1.AnnotationPowerStatePause,
	}, nil
}

func notInstalled(_ context.Context, v *visit) (*Outcome, error) {
	if v.cd.Spec.Installed {
		return nil, nil
	}
	return &Outcome{State: StateNotEvaluated}, nil
}

func unsupported(_ context.Context, v *visit) (*Outcome, error) {
	if v.actuator != nil {
		return nil, nil
	}
	return &Outcome{State: StateUnsupported, Message: "Clusters on this platform cannot be hibernated"}, nil
}

// incomplete refuses a cluster that nothing identifies.
func incomplete(_ context.Context, v *visit) (*Outcome, error) {
	if len(InfraIDsOf(v.cd)) > 0 {
		return nil, nil
	}
	return v.refused("spec.clusterMetadata.infraID is missing, and with it what tells the cluster's machines from others'"), nil
}

// refused is the outcome for a cluster that cannot be brought where its spec wants it, whichever way that is.
func (v *visit) refused(message string) *Outcome {
	return &Outcome{State: v.failedState(), Message: message, After: v.spread(slowRetry)}
}

// failedState is the state of a cluster that cannot be brought where its spec wants it.
func (v *visit) failedState() State {
	if v.desired() == StateHibernating {
		return StateFailedToStop
	}
	return StateFailedToStart
}

// truthy reads the value of an annotation or a label that is a switch.
func truthy(value string) bool {
	on, err := strconv.ParseBool(value)
	return err == nil && on
}
