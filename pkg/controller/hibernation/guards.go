package hibernation

import (
	"context"
	"fmt"
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

// duplicated refuses a cluster that two ClusterDeployments lay claim to.
func duplicated(ctx context.Context, v *visit) (*Outcome, error) {
	if shows(v.cd, v.desired()) {
		return nil, nil
	}
	twins, err := v.twins(ctx)
	if err != nil || len(twins) == 0 {
		return nil, err
	}
	return v.refused(lagging(fmt.Sprintf("the infraID %s is also that of", v.cd.Spec.ClusterMetadata.InfraID), twins) +
		"; one cluster may have one ClusterDeployment only, and none of these is acted upon"), nil
}

// twins returns the other ClusterDeployments of this one's cluster, as namespace/name, sorted.
func (v *visit) twins(ctx context.Context) ([]string, error) {
	list := &hivev1.ClusterDeploymentList{}
	err := v.Client.List(ctx, list, client.MatchingFields{InfraIDIndex: v.cd.Spec.ClusterMetadata.InfraID})
	if err != nil {
		return nil, fmt.Errorf("list the ClusterDeployments of one infraID: %w", err)
	}
	var twins []string
	for i := range list.Items {
		if other := &list.Items[i]; other.UID != v.cd.UID {
			twins = append(twins, "ClusterDeployment "+other.Namespace+"/"+other.Name)
		}
	}
	return sorted(twins), nil
}

// refused is the outcome for a cluster that cannot be brought where its spec wants it, whichever way that is.
func (v *visit) refused(message string) *Outcome {
	state := StateFailedToStart
	if v.desired() == StateHibernating {
		state = StateFailedToStop
	}
	return &Outcome{State: state, Message: message, After: v.spread(slowRetry)}
}

// truthy reads the value of an annotation or a label that is a switch.
func truthy(value string) bool {
	on, err := strconv.ParseBool(value)
	return err == nil && on
}
