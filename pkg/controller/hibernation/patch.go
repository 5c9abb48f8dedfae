package hibernation

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// Every write to a ClusterDeployment is a patch of the few paths that are ours, and bears the resourceVersion that it was
// decided upon: someone else's change in between makes it a conflict, and what our types don't know is never sent.

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// patchStatus returns the patch that makes our part of the status what it is to be; nil if it is so already.
func patchStatus(cd *hivev1.ClusterDeployment, want ownStatus) (client.Patch, error) {
	if len(cd.Status.Conditions) == 0 {
		return firstStatus(cd, want)
	}
	ops := []operation{}
	if cd.Status.PowerState != want.powerState {
		ops = append(ops, operation{"add", "/status/powerState", want.powerState})
	}
	for _, condition := range []hivev1.ClusterDeploymentCondition{want.hibernating, want.ready} {
		ops = append(ops, conditionOperations(cd, condition)...)
	}
	if len(ops) == 0 {
		return nil, nil
	}
	ops = append([]operation{{"replace", "/metadata/resourceVersion", cd.ResourceVersion}}, ops...)
	data, err := json.Marshal(ops)
	if err != nil {
		return nil, fmt.Errorf("encode a status patch: %w", err)
	}
	return client.RawPatch(types.JSONPatchType, data), nil
}

// firstStatus is for a status without conditions, perhaps no status at all, which a JSON patch could not add to without
// knowing. A merge patch replaces lists whole, and this one is empty.
func firstStatus(cd *hivev1.ClusterDeployment, want ownStatus) (client.Patch, error) {
	status := map[string]any{"conditions": []hivev1.ClusterDeploymentCondition{want.hibernating, want.ready}}
	if want.powerState != cd.Status.PowerState {
		status["powerState"] = want.powerState
	}
	return mergePatch(cd, map[string]any{"status": status})
}

// conditionOperations returns what turns a condition into what it is to be, field by field, so that fields which others
// have added to it stay.
func conditionOperations(cd *hivev1.ClusterDeployment, want hivev1.ClusterDeploymentCondition) []operation {
	i := indexOf(cd, want.Type)
	if i < 0 {
		return []operation{{"add", "/status/conditions/-", want}}
	}
	path := fmt.Sprintf("/status/conditions/%d", i)
	is := cd.Status.Conditions[i]
	var ops []operation
	set := func(field string, differs bool, value any) {
		if differs {
			ops = append(ops, operation{"add", path + "/" + field, value})
		}
	}
	set("status", is.Status != want.Status, want.Status)
	set("reason", is.Reason != want.Reason, want.Reason)
	set("message", is.Message != want.Message, want.Message)
	set("lastProbeTime", !is.LastProbeTime.Equal(&want.LastProbeTime), want.LastProbeTime)
	set("lastTransitionTime", !is.LastTransitionTime.Equal(&want.LastTransitionTime), want.LastTransitionTime)
	if len(ops) == 0 {
		return nil
	}
	return append([]operation{{"test", path + "/type", want.Type}}, ops...)
}

// mergePatch returns a JSON merge patch (RFC 7396) that is pinned to the ClusterDeployment's resourceVersion.
func mergePatch(cd *hivev1.ClusterDeployment, fields map[string]any) (client.Patch, error) {
	metadata, _ := fields["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["resourceVersion"] = cd.ResourceVersion
	fields["metadata"] = metadata
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode a patch: %w", err)
	}
	return client.RawPatch(types.MergePatchType, data), nil
}

// apply sends a patch; cd then holds what the API answered.
func (v *visit) apply(ctx context.Context, fields map[string]any) error {
	patch, err := mergePatch(v.cd, fields)
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
