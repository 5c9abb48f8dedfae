package hibernation

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
)

// Every write to a ClusterDeployment is a patch of the few paths that are ours, and bears the resourceVersion that it was
// decided upon: someone else's change in between makes it a conflict, and what our types don't know is never sent.

// patchStatus returns the patch that makes our part of the status what it is to be; nil if it is so already.
func patchStatus(cd *hivev1.ClusterDeployment, want ownStatus) (client.Patch, error) {
	fields := map[string]any{}
	if cd.Status.PowerState != want.powerState {
		fields["powerState"] = want.powerState
	}
	return conditions.Patch(cd, fields, want.hibernating, want.ready)
}

// apply sends a patch; cd then holds what the API answered.
func (v *visit) apply(ctx context.Context, fields map[string]any) error {
	patch, err := conditions.Merge(v.cd, fields)
	if err != nil {
		return err
	}
	return v.Client.Patch(ctx, v.cd, patch)
}

// addFinalizer makes sure that the ClusterDeployment can't go without our having been asked.
func (v *visit) addFinalizer(ctx context.Context) error {
	if controllerutil.ContainsFinalizer(v.cd, hivev1.FinalizerRecord) {
		return nil
	}
	finalizers := append([]string{}, v.cd.Finalizers...)
	finalizers = append(finalizers, hivev1.FinalizerRecord)
	if err := v.apply(ctx, map[string]any{"metadata": map[string]any{"finalizers": finalizers}}); err != nil {
		return fmt.Errorf("add the finalizer %s: %w", hivev1.FinalizerRecord, err)
	}
	return nil
}

// dropFinalizer lets the ClusterDeployment go, as far as we are concerned. Others' finalizers stay.
func (v *visit) dropFinalizer(ctx context.Context) error {
	if !controllerutil.ContainsFinalizer(v.cd, hivev1.FinalizerRecord) {
		return nil
	}
	finalizers := []string{}
	for _, f := range v.cd.Finalizers {
		if f != hivev1.FinalizerRecord {
			finalizers = append(finalizers, f)
		}
	}
	err := v.apply(ctx, map[string]any{"metadata": map[string]any{"finalizers": finalizers}})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove the finalizer %s: %w", hivev1.FinalizerRecord, err)
	}
	return nil
}

// orderHibernation writes into the spec what hibernateAfter asks for.
func (v *visit) orderHibernation(ctx context.Context) error {
	err := v.apply(ctx, map[string]any{"spec": map[string]any{"powerState": hivev1.ClusterPowerStateHibernating}})
	if err != nil {
		return fmt.Errorf("set spec.powerState: %w", err)
	}
	return nil
}

// writeStatus writes our part of the status if it differs, and returns whether it did; cd then holds what the API
// answered.
func (v *visit) writeStatus(ctx context.Context, want ownStatus) (bool, error) {
	patch, err := patchStatus(v.cd, want)
	if err != nil || patch == nil {
		return false, err
	}
	err = v.Client.Status().Patch(ctx, v.cd, patch)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write the status: %w", err)
	}
	return true, nil
}
