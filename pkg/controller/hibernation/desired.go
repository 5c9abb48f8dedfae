package hibernation

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
)

const (
	// syncSetsBound is for how long after its installation a cluster's hibernation waits for its SyncSets (Hive's
	// reference: ten minutes).
	syncSetsBound = 10 * time.Minute
	// syncSetsPoll is how often they are looked at.
	syncSetsPoll = 20 * time.Second
)

// desired returns the stable state that the spec asks for; an omitted powerState means Running.
func (v *visit) desired() State {
	if v.cd.Spec.PowerState == hivev1.ClusterPowerStateHibernating {
		return StateHibernating
	}
	return StateRunning
}

// shouldHibernate returns whether the cluster is to hibernate, and otherwise when hibernateAfter will want it to (0 for
// never). When it wants to now, it is written into the spec.
func (v *visit) shouldHibernate(ctx context.Context) (bool, time.Duration, error) {
	if v.desired() == StateHibernating {
		return true, 0, nil
	}
	left, wanted := untilHibernateAfter(v.cd, v.now)
	if !wanted || left > 0 {
		return false, left, nil
	}
	if err := v.orderHibernation(ctx); err != nil {
		return false, 0, err
	}
	message := fmt.Sprintf("The cluster has run for %s, as long as hibernateAfter allows", v.cd.Spec.HibernateAfter.Duration)
	v.logger.Info(message)
	v.event(corev1.EventTypeNormal, "HibernateAfter", message)
	return true, 0, nil
}

// untilHibernateAfter returns how long the cluster may still run; false if nothing limits it. It counts from the latest
// of installed, claimed and last resumed. A pool's cluster has no limit before it is claimed.
func untilHibernateAfter(cd *hivev1.ClusterDeployment, now time.Time) (time.Duration, bool) {
	if cd.Spec.HibernateAfter == nil || cd.Spec.HibernateAfter.Duration <= 0 || unclaimed(cd) || stopBegun(cd) {
		// Who takes a hibernation back wants the cluster to run: it begins to count once the cluster shows so.
		return 0, false
	}
	i := conditions.Index(cd, hivev1.ClusterHibernatingCondition)
	if i < 0 || cd.Status.Conditions[i].Status != corev1.ConditionFalse {
		// Asleep, or never looked at: it begins to count once the cluster is seen to run.
		return 0, false
	}
	// A hibernation that was refused and taken back shows in the time of the last probe only.
	times := []time.Time{installedAt(cd), cd.Status.Conditions[i].LastTransitionTime.Time, cd.Status.Conditions[i].LastProbeTime.Time}
	if pool := cd.Spec.ClusterPoolRef; pool != nil && pool.ClaimedTimestamp != nil {
		times = append(times, pool.ClaimedTimestamp.Time)
	}
	if ready, ok := readyNow(cd); ok {
		times = append(times, ready)
	}
	latest := slices.MaxFunc(times, time.Time.Compare)
	return latest.Add(cd.Spec.HibernateAfter.Duration).Sub(now), true
}

// unclaimed tells whether the cluster waits in its pool. Old Hives wrote a claim's name and no time.
func unclaimed(cd *hivev1.ClusterDeployment) bool {
	pool := cd.Spec.ClusterPoolRef
	return pool != nil && pool.PoolName != "" && pool.ClaimName == "" && pool.ClaimedTimestamp == nil
}

// clusterSyncKind is Hive's record of how the SyncSets of a cluster fare. Only status.firstSuccessTime is read.
func clusterSyncKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "hiveinternal.openshift.io", Version: "v1alpha1", Kind: "ClusterSync"}
}

// syncSetsGate holds back the hibernation of a cluster that was just installed until its SyncSets have been applied
// once. It returns nil where nothing is held back.
func (v *visit) syncSetsGate(ctx context.Context) (*Outcome, error) {
	age := v.now.Sub(installedAt(v.cd))
	waited := shownReason(v.cd, hivev1.ClusterHibernatingCondition) == hivev1.HibernatingReasonSyncSetsNotApplied
	applied := true
	if age < syncSetsBound && !stopBegun(v.cd) {
		var err error
		if applied, err = v.syncSetsApplied(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case !applied:
		return &Outcome{
			State:   StateSyncSetsNotApplied,
			Message: "Hibernation waits for the cluster's SyncSets to be applied for the first time",
			After:   min(v.spread(syncSetsPoll), syncSetsBound-age),
		}, nil
	case waited && age < syncSetsBound:
		return &Outcome{State: StateSyncSetsApplied, Message: "The cluster's SyncSets have been applied", After: revisit}, nil
	}
	return nil, nil
}

// syncSetsApplied tells whether the SyncSets of the cluster have been applied once. Where the API serves no ClusterSync
// there are none.
func (v *visit) syncSetsApplied(ctx context.Context) (bool, error) {
	clusterSync := &unstructured.Unstructured{}
	clusterSync.SetGroupVersionKind(clusterSyncKind())
	err := v.Client.Get(ctx, client.ObjectKeyFromObject(v.cd), clusterSync)
	switch {
	case meta.IsNoMatchError(err):
		return true, nil
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read the ClusterSync: %w", err)
	}
	first, _, err := unstructured.NestedString(clusterSync.Object, "status", "firstSuccessTime")
	if err != nil {
		return false, fmt.Errorf("read the ClusterSync: %w", err)
	}
	return first != "", nil
}

// installedAt returns when the cluster was installed, as well as is known.
func installedAt(cd *hivev1.ClusterDeployment) time.Time {
	if cd.Status.InstalledTimestamp != nil {
		return cd.Status.InstalledTimestamp.Time
	}
	return cd.CreationTimestamp.Time
}

// stopBegun tells whether the machines have been told to stop already.
func stopBegun(cd *hivev1.ClusterDeployment) bool {
	switch shownReason(cd, hivev1.ClusterHibernatingCondition) {
	case hivev1.HibernatingReasonStopping, hivev1.HibernatingReasonWaitingForMachinesToStop, hivev1.HibernatingReasonFailedToStop:
		return true
	default:
		return false
	}
}

func shownReason(cd *hivev1.ClusterDeployment, kind hivev1.ClusterDeploymentConditionType) string {
	if i := conditions.Index(cd, kind); i >= 0 {
		return cd.Status.Conditions[i].Reason
	}
	return ""
}
