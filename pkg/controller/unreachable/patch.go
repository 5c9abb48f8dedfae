package unreachable

import (
	"encoding/json"
	"fmt"

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

// patchFor returns the patch that makes our conditions what they are to be; nil if they are so already. It names no other
// path and bears the resourceVersion that was decided upon: another's change in between makes it a conflict, and what our
// types don't know is never sent.
func patchFor(cd *hivev1.ClusterDeployment, want ownStatus) (client.Patch, error) {
	conditions := []hivev1.ClusterDeploymentCondition{want.unreachable, want.override}
	if len(cd.Status.Conditions) == 0 {
		// There may be no status at all, which a JSON patch could not add to without knowing. A merge patch replaces lists
		// whole, and this one is empty.
		return encode(types.MergePatchType, map[string]any{
			"metadata": map[string]any{"resourceVersion": cd.ResourceVersion},
			"status":   map[string]any{"conditions": conditions},
		})
	}
	ops := []operation{{"replace", "/metadata/resourceVersion", cd.ResourceVersion}}
	for _, condition := range conditions {
		ops = append(ops, operations(cd, condition)...)
	}
	if len(ops) == 1 {
		return nil, nil
	}
	return encode(types.JSONPatchType, ops)
}

// operations returns what turns a condition into what it is to be, field by field: fields that others have added stay.
func operations(cd *hivev1.ClusterDeployment, want hivev1.ClusterDeploymentCondition) []operation {
	i := indexOf(cd, want.Type)
	if i < 0 {
		return []operation{{"add", "/status/conditions/-", want}}
	}
	is, path := cd.Status.Conditions[i], fmt.Sprintf("/status/conditions/%d", i)
	var ops []operation
	for _, field := range []struct {
		name    string
		differs bool
		value   any
	}{
		{"status", is.Status != want.Status, want.Status},
		{"reason", is.Reason != want.Reason, want.Reason},
		{"message", is.Message != want.Message, want.Message},
		{"lastProbeTime", !is.LastProbeTime.Equal(&want.LastProbeTime), want.LastProbeTime},
		{"lastTransitionTime", !is.LastTransitionTime.Equal(&want.LastTransitionTime), want.LastTransitionTime},
	} {
		if field.differs {
			ops = append(ops, operation{"add", path + "/" + field.name, field.value})
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return append([]operation{{"test", path + "/type", want.Type}}, ops...)
}

func encode(kind types.PatchType, content any) (client.Patch, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode a status patch: %w", err)
	}
	return client.RawPatch(kind, data), nil
}
