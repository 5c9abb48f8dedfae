package hibernation

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	clienttesting "k8s.io/client-go/testing"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
)

// allStates are those that are written.
func allStates() []State {
	return []State{
		StateNotEvaluated, StatePaused, StateDeleted, StateUnsupported, StateSyncSetsNotApplied, StateSyncSetsApplied, StateStopping, StateWaitingToStop,
		StateFailedToStop, StateHibernating, StateStarting, StateWaitingToStart, StateFailedToStart, StateWaitingForNodes, StateSettling,
		StateWaitingForOperators, StateRunning,
	}
}

// Whatever others have put into a status, what we write changes our own fields alone, and is not written a second time.
func FuzzPatchStatus(f *testing.F) {
	for _, status := range []string{
		`{}`, `{"conditions": null, "unknown": {"a": [1, 1.50, "x"]}}`, `{"conditions": [], "powerState": "Running"}`,
		`{"conditions": [{"type": "Hibernating"}], "powerState": null}`,
		`{"conditions": [{"type": "Provisioned", "status": "True", "x": "1"}, {"type": "Ready", "status": "True", "reason": "Running", "a/b~1": {"c": null}}]}`,
		`{"conditions": [{"type": "Hibernating", "status": "False", "lastProbeTime": null, "lastTransitionTime": "0001-01-01T00:00:00Z"}, {"type": "Ready", "message": "` + strings.Repeat("x", 3000) + `"}]}`,
		`{"conditions": [{"type": "Ready", "status": "True"}, {"type": "Ready", "status": "False"}, {"type": "Hibernating"}, {"type": "Hibernating"}]}`,
		`{"conditions": [null, {}, {"type": ""}, {"type": "Ready", "lastProbeTime": "2026-11-20T08:00:00.999+14:00"}]}`,
		`{"conditions": [{"Type": "Ready"}, {"type": "ready"}, {"type": "Ready ", "status": "True"}], "Conditions": [{"type": "Ready"}], "PowerState": "x"}`,
		`{"conditions": [{"type": "Hibernating", "lastTransitionTime": "9999-12-31T23:59:59-12:00"}], "powerState": "\u0000"}`,
		`{"powerState": "Hibernating", "conditions": [{"type": "Hibernating", "status": "True", "reason": "Hibernating", "message": "m", "lastProbeTime": "2026-11-20T08:00:00Z", "lastTransitionTime": "2026-11-20T08:00:00Z"}]}`,
	} {
		for which := range allStates() {
			f.Add([]byte(status), uint8(which), "Waiting: demo-master-0: <snapshot> & \u2028 \u00e9")
		}
	}
	f.Add([]byte(`{"conditions": [{"type": "Ready"}]}`), uint8(9), strings.Repeat("é", maxMessage))
	f.Fuzz(func(t *testing.T, status []byte, which uint8, message string) {
		before := &unstructured.Unstructured{}
		err := before.UnmarshalJSON([]byte(`{"apiVersion": "hive.openshift.io/v1", "kind": "ClusterDeployment",
			"metadata": {"namespace": "ns", "name": "cd", "resourceVersion": "41"}, "status": ` + string(status) + `}`))
		if err != nil {
			t.Skip("no API server would have it")
		}
		if before.GetName() != "cd" || before.GetResourceVersion() != "41" {
			t.Skip("it is more than a status")
		}
		cd, ok := typed(before)
		if !ok {
			t.Skip("nor that")
		}
		outcome := Outcome{State: allStates()[int(which)%len(allStates())], Message: message}
		if outcome.State == StateFailedToStop {
			outcome.Awake = &Outcome{State: StateRunning, Message: message}
		}
		want := statusFor(cd, outcome, startOfTest())
		after := patched(t, before, cd, want)
		if !reflect.DeepEqual(foreign(before), foreign(after)) {
			t.Fatalf("others' fields were\n%s and are\n%s", shown(foreign(before)), shown(foreign(after)))
		}
		checkWritten(t, after, outcome, want)
	})
}

// typed returns the ClusterDeployment as our client reads it.
func typed(raw *unstructured.Unstructured) (*hivev1.ClusterDeployment, bool) {
	cd := &hivev1.ClusterDeployment{}
	data, err := raw.MarshalJSON()
	return cd, err == nil && utiljson.Unmarshal(data, cd) == nil
}

// patched returns the object as an API server has it after the write.
func patched(t *testing.T, before *unstructured.Unstructured, cd *hivev1.ClusterDeployment, want ownStatus) *unstructured.Unstructured {
	t.Helper()
	patch, err := patchStatus(cd, want)
	if err != nil {
		t.Fatalf("no patch: %v", err)
	}
	if patch == nil {
		return before
	}
	data, err := patch.Data(cd)
	if err != nil {
		t.Fatalf("no patch: %v", err)
	}
	resource := hivev1.GroupVersion.WithResource("clusterdeployments")
	objects := clienttesting.NewObjectTracker(runtime.NewScheme(), unstructured.UnstructuredJSONScheme)
	if err := objects.Create(resource, before.DeepCopy(), "ns"); err != nil {
		t.Fatal(err)
	}
	_, after, err := clienttesting.ObjectReaction(objects)(clienttesting.NewPatchSubresourceAction(resource, "ns", "cd", patch.Type(), data, "status"))
	if err != nil {
		t.Fatalf("the patch %s can't be applied: %v", data, err)
	}
	return after.(*unstructured.Unstructured)
}

// foreign returns what is others' in an object: all but powerState and the fields of our two conditions.
func foreign(object *unstructured.Unstructured) map[string]any {
	content := object.DeepCopy().Object
	status, _ := content["status"].(map[string]any)
	delete(status, "powerState")
	conditions, _ := status["conditions"].([]any)
	seen := map[any]bool{}
	kept := []any{}
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		kind := condition["type"]
		if (kind == "Hibernating" || kind == "Ready") && !seen[kind] {
			seen[kind] = true
			for _, field := range []string{"type", "status", "reason", "message", "lastProbeTime", "lastTransitionTime"} {
				delete(condition, field)
			}
			if len(condition) == 0 {
				// It may be one that we have made.
				continue
			}
		}
		kept = append(kept, item)
	}
	delete(status, "conditions")
	if len(kept) > 0 {
		status["conditions"] = kept
	}
	if len(status) == 0 {
		delete(content, "status")
	}
	return content
}

// checkWritten: what was to be written is there, and nothing is written again as long as nothing changes.
func checkWritten(t *testing.T, after *unstructured.Unstructured, outcome Outcome, want ownStatus) {
	t.Helper()
	cd, ok := typed(after)
	if !ok {
		t.Fatalf("no client can read %s", shown(after.Object))
	}
	if cd.Status.PowerState != want.powerState {
		t.Fatalf("powerState is %q and was to be %q", cd.Status.PowerState, want.powerState)
	}
	for _, condition := range []hivev1.ClusterDeploymentCondition{want.hibernating, want.ready} {
		i := conditions.Index(cd, condition.Type)
		if i < 0 {
			t.Fatalf("there is no condition %s", condition.Type)
		}
		is := cd.Status.Conditions[i]
		if is.Status != condition.Status || is.Reason != condition.Reason || is.Message != condition.Message {
			t.Fatalf("%+v was to be %+v", is, condition)
		}
	}
	again, err := patchStatus(cd, statusFor(cd, outcome, startOfTest().Add(time.Hour)))
	if err != nil || again != nil {
		t.Fatalf("it is written again: %v (%v)", again, err)
	}
}

func shown(object any) string {
	data, _ := json.Marshal(object)
	return string(data)
}
