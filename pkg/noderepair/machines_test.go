package noderepair_test

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const lostInstance = "Can't find created instance."

func TestMachineGetsItsNewServer(t *testing.T) {
	tests := map[string]struct {
		providerID, before, phase, message string
		want, wantPhase                    string
	}{
		"it runs":                                {id("old"), "Running", "Running", "", id("new"), "Running"},
		"it knows its server already":            {id("new"), "Running", "Running", "", id("new"), "Running"},
		"it failed for its instance":             {id("old"), "Running", "Failed", lostInstance, id("new"), "Running"},
		"it failed, and was patched since":       {id("new"), "Running", "Failed", lostInstance, id("new"), "Running"},
		"it was not known before":                {id("old"), "", "Failed", lostInstance, id("new"), "Running"},
		"it had failed so before":                {id("old"), "Failed", "Failed", lostInstance, id("new"), "Running"},
		"it was being provisioned":               {id("old"), "Provisioned", "Failed", lostInstance, id("new"), "Provisioned"},
		"in other words":                         {id("old"), "Running", "Failed", "reconciling failed: instance 1234 was not found", id("new"), "Running"},
		"in other words, not known before":       {id("old"), "", "Failed", "reconciling failed: instance 1234 was not found", id("new"), "Failed"},
		"it failed for another reason":           {id("old"), "Running", "Failed", "invalid providerSpec: flavor not found", id("new"), "Failed"},
		"it had failed before, in its own words": {id("old"), "Failed", "Failed", "instance was not found", id("new"), "Failed"},
		"it is none of ours":                     {id("strange"), "Running", "Failed", lostInstance, id("strange"), "Failed"},
		"it never had a server":                  {"", "Provisioning", "Provisioning", "", "", "Provisioning"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.machine("w-0", "new", "old")
			w.node("w-0", id("new"))
			obj := w.machineObject("w-0", tt.providerID, tt.before, "")
			w.observe()
			if tt.before == "" {
				w.plan.Observation = nil
			}
			status := map[string]any{"phase": tt.phase, "nodeRef": map[string]any{"name": "w-0"}}
			if tt.message != "" {
				status["errorMessage"], status["errorReason"] = tt.message, "Gone"
			}
			obj.Object["status"] = status
			w.Expect(w.Status().Update(context.Background(), obj)).To(Succeed())
			w.repaired()
			got := w.getMachine("Machine", "w-0")
			w.Expect(field(got, "spec", "providerID")).To(Equal(tt.want))
			w.Expect(field(got, "spec", "more")).To(Equal("kept"))
			w.Expect(field(got, "status", "phase")).To(Equal(tt.wantPhase))
			w.Expect(field(got, "status", "nodeRef", "name")).To(Equal("w-0"))
			if tt.wantPhase != "Failed" {
				w.Expect(field(got, "status", "errorMessage")).To(BeEmpty())
				w.Expect(field(got, "status", "errorReason")).To(BeEmpty())
			} else {
				w.Expect(field(got, "status", "errorMessage")).To(Equal(tt.message))
			}
			made := w.made
			w.repaired()
			w.Expect(w.made).To(Equal(made), "what is done is done")
		})
	}
}

// TestMachineThatIsBeingDeleted gets its server, which would outlive it else, and stays what it is.
func TestMachineThatIsBeingDeleted(t *testing.T) {
	w := newWorld(t)
	w.machine("w-0", "new", "old")
	obj := w.machineObject("w-0", id("old"), "Failed", lostInstance)
	obj.SetFinalizers([]string{"machine.machine.openshift.io"})
	w.Expect(w.Update(context.Background(), obj)).To(Succeed())
	uid := obj.GetUID()
	w.Expect(w.Delete(context.Background(), obj, client.Preconditions{UID: &uid})).To(Succeed())
	w.repaired()
	got := w.getMachine("Machine", "w-0")
	w.Expect(field(got, "spec", "providerID")).To(Equal(id("new")))
	w.Expect(field(got, "status", "phase")).To(Equal("Failed"))
}

// TestMachineChangedMeanwhile: its own controller writes its status at the same time.
func TestMachineChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.machine("w-0", "new", "old")
	w.machineObject("w-0", id("old"), "Running", "")
	raced := false
	w.reject = func(op string, _ client.Object) error {
		if op == "patch" && !raced {
			raced = true
			obj := w.getMachine("Machine", "w-0")
			obj.Object["status"] = map[string]any{"phase": "Failed", "errorMessage": lostInstance}
			w.Expect(w.Status().Update(context.Background(), obj)).To(Succeed())
		}
		return nil
	}
	w.repaired()
	got := w.getMachine("Machine", "w-0")
	w.Expect(field(got, "spec", "providerID")).To(Equal(id("new")))
	w.Expect(field(got, "status", "phase")).To(Equal("Provisioned"))
}
