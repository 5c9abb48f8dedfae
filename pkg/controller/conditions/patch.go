package conditions

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Patch returns the patch of the status that makes the conditions what they are to be, and sets the fields, by their names in
// JSON, which have to differ from what they are; nil if there is nothing to change. It names no other path and bears the
// resourceVersion that was decided upon: another's change in between makes it a conflict, and what our types don't know is
// never sent. An error means that something can't be encoded.
func Patch(cd *hivev1.ClusterDeployment, fields map[string]any, want ...hivev1.ClusterDeploymentCondition) (client.Patch, error) {
	if len(cd.Status.Conditions) == 0 {
		// There may be no status at all, which a JSON patch could not add to without knowing. A merge patch replaces lists
		// whole, and this one is empty.
		status := map[string]any{"conditions": want}
		maps.Copy(status, fields)
		return Merge(cd, map[string]any{"status": status})
	}
	ops := []operation{{"replace", "/metadata/resourceVersion", cd.ResourceVersion}}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		ops = append(ops, operation{"add", "/status/" + name, fields[name]})
	}
	for _, condition := range want {
		ops = append(ops, operations(cd, condition)...)
	}
	if len(ops) == 1 {
		return nil, nil
	}
	return encode(types.JSONPatchType, ops)
}

// operations returns what turns a condition into what it is to be, field by field: fields that others have added stay.
func operations(cd *hivev1.ClusterDeployment, want hivev1.ClusterDeploymentCondition) []operation {
	i := Index(cd, want.Type)
	if i < 0 {
		return []operation{{"add", "/status/conditions/-", want}}
	}
	is, path := cd.Status.Conditions[i], fmt.Sprintf("/status/conditions/%d", i)
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

// Merge returns a JSON merge patch (RFC 7396) of the ClusterDeployment's fields that is pinned to its resourceVersion. An error
// means that something can't be encoded.
func Merge(cd *hivev1.ClusterDeployment, fields map[string]any) (client.Patch, error) {
	metadata, _ := fields["metadata"].(map[string]any)
	pinned := map[string]any{"resourceVersion": cd.ResourceVersion}
	maps.Copy(pinned, metadata)
	content := maps.Clone(fields)
	content["metadata"] = pinned
	return encode(types.MergePatchType, content)
}

func encode(kind types.PatchType, content any) (client.Patch, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode a patch: %w", err)
	}
	return client.RawPatch(kind, data), nil
}
