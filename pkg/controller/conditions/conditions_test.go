package conditions_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
)

func TestBriefCutsAtCharacters(t *testing.T) {
	g := NewWithT(t)
	g.Expect(conditions.Brief("short", 10)).To(Equal("short"))
	g.Expect(conditions.Brief("ääääääää", 10)).To(Equal("äää…"))
}

// Where there is no condition yet all is written at once; afterwards only what differs is.
func TestPatch(t *testing.T) {
	g := NewWithT(t)
	ready := hivev1.ClusterDeploymentCondition{Type: hivev1.ClusterReadyCondition, Status: "True", Reason: "Running", Message: "m"}
	cd := &hivev1.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "41"}}
	patched := func(fields map[string]any) string {
		patch, err := conditions.Patch(cd, fields, ready)
		g.Expect(err).NotTo(HaveOccurred())
		if patch == nil {
			return ""
		}
		data, err := patch.Data(nil)
		g.Expect(err).NotTo(HaveOccurred())
		return string(data)
	}
	g.Expect(patched(map[string]any{"powerState": "Running"})).To(MatchJSON(`{"metadata": {"resourceVersion": "41"}, "status": {"powerState": "Running",
		"conditions": [{"type": "Ready", "status": "True", "reason": "Running", "message": "m"}]}}`))

	other := hivev1.ClusterDeploymentCondition{Type: hivev1.UnreachableCondition}
	cd.Status.Conditions = []hivev1.ClusterDeploymentCondition{other, ready}
	g.Expect(patched(nil)).To(BeEmpty())
	g.Expect(conditions.Index(cd, hivev1.ClusterReadyCondition)).To(Equal(1))
	g.Expect(conditions.Index(cd, hivev1.ClusterHibernatingCondition)).To(Equal(-1))
	ready.Message = "n"
	g.Expect(patched(map[string]any{"powerState": "Running"})).To(MatchJSON(`[
		{"op": "replace", "path": "/metadata/resourceVersion", "value": "41"},
		{"op": "add", "path": "/status/powerState", "value": "Running"},
		{"op": "test", "path": "/status/conditions/1/type", "value": "Ready"},
		{"op": "add", "path": "/status/conditions/1/message", "value": "n"}]`))
}
