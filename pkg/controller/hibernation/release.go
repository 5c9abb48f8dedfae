package hibernation

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

const messageDeleted = "The ClusterDeployment is being deleted"

// release lets a ClusterDeployment go that is being deleted. While our finalizer is on it there may be a record, and so
// machines that are paused or snapshots that nobody else knows of.
func (v *visit) release(ctx context.Context) (Outcome, error) {
	if !controllerutil.ContainsFinalizer(v.cd, hivev1.FinalizerRecord) {
		return Outcome{State: StateDeleted, Message: messageDeleted}, nil
	}
	if wait := v.memo.holds(v.cd, v.now); wait > 0 {
		return Outcome{After: wait}, nil
	}
	if v.cd.Annotations[hivev1.AnnotationRelocate] != "" {
		// Another hub has a copy of the record, and with it the say over the cluster's machines.
		v.event(corev1.EventTypeNormal, "RecordKept", fmt.Sprintf("The cluster has been or is being moved to another hub: its machines, its snapshots and its record, Secret %s/%s, are left as they are",
			v.cd.Namespace, hibernation.RecordName(v.cd.Name)))
		return Outcome{State: StateDeleted, Message: messageDeleted}, v.dropFinalizer(ctx)
	}
	v.memo.awake = nil
	releaser, ok := v.actuator.(Releaser)
	if !ok || v.cd.Spec.ClusterMetadata == nil {
		return v.stuck(ctx, misconfigured("spec.platform or spec.clusterMetadata no longer says which machines are meant")), nil
	}
	keep, err := v.keeps(ctx)
	if err != nil {
		return v.stuck(ctx, err), nil
	}
	progress, err := releaser.Release(ctx, v.cd, v.Client, keep, v.logger)
	if err != nil {
		return v.stuck(ctx, err), nil
	}
	v.memo.succeeded()
	if progress.Done {
		return Outcome{State: StateDeleted, Message: messageDeleted}, v.dropFinalizer(ctx)
	}
	return Outcome{
		State:   StateDeleted,
		Message: lagging(messageDeleted+"; first", progress.Waiting),
		After:   paced(progress),
	}, nil
}

// stuck is the outcome of a failure to let go.
func (v *visit) stuck(ctx context.Context, err error) Outcome {
	outcome := v.failed(ctx, StateDeleted, err)
	if outcome.State == StateDeleted {
		outcome.Message = messageDeleted + ", and cannot go yet: " + outcome.Message +
			"; to give up what its hibernation left in the cloud, remove the finalizer " + hivev1.FinalizerRecord
	}
	return outcome
}
