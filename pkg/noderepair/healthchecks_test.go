package noderepair_test

import (
	"context"
	"errors"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/pkg/noderepair"
)

const (
	pausedAnnotation = "cluster.x-k8s.io/paused"
	oursAnnotation   = "hibernation.overwinter.io/paused"
)

func (w *world) healthCheck(name string, annotations map[string]string) {
	content := map[string]any{"spec": map[string]any{"maxUnhealthy": "40%"}}
	obj := w.machineAPI("MachineHealthCheck", name, content)
	obj.SetAnnotations(annotations)
	w.Expect(w.Update(context.Background(), obj)).To(Succeed())
}

func (w *world) annotationsOf(name string) map[string]string {
	return w.getMachine("MachineHealthCheck", name).GetAnnotations()
}

func TestHealthChecks(t *testing.T) {
	w := newWorld(t)
	w.healthCheck("workers", map[string]string{"mine": "kept"})
	w.healthCheck("masters", nil)
	w.healthCheck("theirs", map[string]string{pausedAnnotation: ""})
	for range 2 {
		w.Expect(noderepair.PauseHealthChecks(t.Context(), w.Client)).To(Succeed())
		for _, name := range []string{"workers", "masters"} {
			w.Expect(w.annotationsOf(name)).To(And(HaveKey(pausedAnnotation), HaveKey(oursAnnotation)), name)
		}
		w.Expect(w.annotationsOf("workers")).To(HaveKeyWithValue("mine", "kept"))
		w.Expect(w.annotationsOf("theirs")).To(Equal(map[string]string{pausedAnnotation: ""}))
	}
	for range 2 {
		w.Expect(noderepair.ResumeHealthChecks(t.Context(), w.Client)).To(Succeed())
		w.Expect(w.annotationsOf("workers")).To(Equal(map[string]string{"mine": "kept"}))
		w.Expect(w.annotationsOf("masters")).To(BeEmpty())
		w.Expect(w.annotationsOf("theirs")).To(Equal(map[string]string{pausedAnnotation: ""}))
	}
}

// TestHealthCheckPausedAnewByItsOwner stays paused.
func TestHealthCheckPausedAnewByItsOwner(t *testing.T) {
	w := newWorld(t)
	w.healthCheck("workers", map[string]string{pausedAnnotation: "by me", oursAnnotation: "hibernation"})
	w.Expect(noderepair.ResumeHealthChecks(t.Context(), w.Client)).To(Succeed())
	w.Expect(w.annotationsOf("workers")).To(Equal(map[string]string{pausedAnnotation: "by me"}))
}

func TestHealthChecksOfAClusterWithoutMachineAPI(t *testing.T) {
	w := newWorld(t)
	w.noMachineAPI = true
	w.Expect(noderepair.PauseHealthChecks(t.Context(), w.Client)).To(Succeed())
	w.Expect(noderepair.ResumeHealthChecks(t.Context(), w.Client)).To(Succeed())
}

// TestOneHealthCheckThatFails does not keep the others; one that changes meanwhile is decided on anew.
func TestOneHealthCheckThatFails(t *testing.T) {
	w := newWorld(t)
	w.healthCheck("a", nil)
	w.healthCheck("b", nil)
	raced := false
	w.reject = func(_ string, obj client.Object) error {
		if obj.GetName() == "a" {
			return errors.New("no")
		}
		if !raced {
			raced = true
			b := w.getMachine("MachineHealthCheck", "b")
			b.SetAnnotations(map[string]string{pausedAnnotation: "theirs"})
			w.Expect(w.Update(context.Background(), b)).To(Succeed())
		}
		return nil
	}
	w.Expect(noderepair.PauseHealthChecks(t.Context(), w.Client)).To(MatchError("pause MachineHealthCheck a: no"))
	w.Expect(w.annotationsOf("b")).To(Equal(map[string]string{pausedAnnotation: "theirs"}), "it was paused by somebody else meanwhile")
}
