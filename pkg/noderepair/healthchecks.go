package noderepair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// pausedAnnotation keeps a MachineHealthCheck from remediating, whatever its value
	// (openshift/machine-api-operator, pkg/controller/machinehealthcheck).
	pausedAnnotation = "cluster.x-k8s.io/paused"
	// pausedByUs marks the MachineHealthChecks that we paused; its value is that of pausedAnnotation then.
	pausedByUs = "hibernation.overwinter.io/paused"
	pausedFor  = "hibernation"
	// tries is how often a write is repeated at once that somebody else's was ahead of.
	tries = 3
)

// PauseHealthChecks pauses the MachineHealthChecks of the cluster that are not paused, each marked as ours in the same write.
// One that is paused already is left as it is. What fails does not keep the others.
func PauseHealthChecks(ctx context.Context, c client.Client) error {
	return eachHealthCheck(ctx, c, "pause", func(annotations map[string]string) map[string]any {
		if _, paused := annotations[pausedAnnotation]; paused {
			return nil
		}
		return map[string]any{pausedAnnotation: pausedFor, pausedByUs: pausedFor}
	})
}

// ResumeHealthChecks un-pauses the MachineHealthChecks that we paused. One that somebody has paused in his own way since
// only loses our mark.
func ResumeHealthChecks(ctx context.Context, c client.Client) error {
	return eachHealthCheck(ctx, c, "un-pause", func(annotations map[string]string) map[string]any {
		ours, marked := annotations[pausedByUs]
		if !marked {
			return nil
		}
		change := map[string]any{pausedByUs: nil}
		if annotations[pausedAnnotation] == ours {
			change[pausedAnnotation] = nil
		}
		return change
	})
}

// eachHealthCheck changes the annotations of MachineHealthChecks; nil leaves one as it is.
func eachHealthCheck(ctx context.Context, c client.Client, what string, change func(map[string]string) map[string]any) error {
	list, err := listMachineAPI(ctx, c, "MachineHealthCheck")
	if err != nil {
		return err
	}
	var failures []error
	for i := range list {
		if err := annotate(ctx, c, &list[i], change); err != nil {
			failures = append(failures, fmt.Errorf("%s MachineHealthCheck %s: %w", what, list[i].GetName(), err))
		}
	}
	return errors.Join(failures...)
}

// annotate changes an object's annotations if it is as the decision found it, and decides anew if it is not.
func annotate(ctx context.Context, c client.Client, obj *unstructured.Unstructured, change func(map[string]string) map[string]any) error {
	for try := 1; ; try++ {
		annotations := change(obj.GetAnnotations())
		if annotations == nil {
			return nil
		}
		err := mergePatch(ctx, c, obj, map[string]any{"metadata": map[string]any{"annotations": annotations}})
		if !apierrors.IsConflict(err) || try == tries {
			return client.IgnoreNotFound(err)
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
}

// mergePatch changes the given fields of an object, if it is still the version at hand, which then is what the API answered.
func mergePatch(ctx context.Context, c client.Client, obj client.Object, fields map[string]any) error {
	data, err := pinned(obj, fields)
	if err != nil {
		return err
	}
	return c.Patch(ctx, obj, client.RawPatch(types.MergePatchType, data))
}

func pinned(obj client.Object, fields map[string]any) ([]byte, error) {
	metadata, _ := fields["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["resourceVersion"], metadata["uid"] = obj.GetResourceVersion(), obj.GetUID()
	fields["metadata"] = metadata
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode a patch: %w", err)
	}
	return data, nil
}
