package hibernation

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/env"
)

func patchOf(g *WithT, cd *hivev1.ClusterDeployment, outcome Outcome) (types.PatchType, []byte) {
	patch, err := patchStatus(cd, statusFor(cd, outcome, startOfTest()))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(patch).NotTo(BeNil())
	data, err := patch.Data(cd)
	g.Expect(err).NotTo(HaveOccurred())
	return patch.Type(), data
}

// TestPatchNamesOurPathsOnly: conditions are changed field by field where they stand, and the patch is pinned.
func TestPatchNamesOurPathsOnly(t *testing.T) {
	g := NewWithT(t)
	cd := installedCD(showing(StateRunning, time.Hour))
	cd.ResourceVersion = "41"
	cd.Status.Conditions = append([]hivev1.ClusterDeploymentCondition{{Type: "Provisioned", Status: "True"}}, cd.Status.Conditions...)
	kind, data := patchOf(g, cd, Outcome{State: StateStopping, Message: "why"})
	g.Expect(kind).To(Equal(types.JSONPatchType))
	var ops []map[string]any
	g.Expect(json.Unmarshal(data, &ops)).To(Succeed())
	g.Expect(ops[0]).To(Equal(map[string]any{"op": "replace", "path": "/metadata/resourceVersion", "value": "41"}))
	for _, op := range ops[1:] {
		g.Expect(op["path"]).To(MatchRegexp(`^/status/(powerState|conditions/[12]/(type|status|reason|message|lastProbeTime|lastTransitionTime))$`))
	}
	g.Expect(ops).To(ContainElement(map[string]any{"op": "test", "path": "/status/conditions/1/type", "value": "Hibernating"}))
	g.Expect(ops).To(ContainElement(map[string]any{"op": "add", "path": "/status/conditions/2/status", "value": "False"}))
	g.Expect(ops).NotTo(ContainElement(HaveKeyWithValue("path", "/status/conditions/1/status")), "Hibernating was False before")
}

func TestNoPatchWithoutChange(t *testing.T) {
	g := NewWithT(t)
	cd := installedCD(showing(StateRunning, time.Hour))
	patch, err := patchStatus(cd, statusFor(cd, Outcome{State: StateRunning, Message: "as before"}, startOfTest()))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(patch).To(BeNil())
}

// TestWritesOnAnAPIServer: what an API server makes of each of our writes.
func TestWritesOnAnAPIServer(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS does not say where kube-apiserver and etcd are; `make test` does")
	}
	g := NewWithT(t)
	environment, err := env.Start(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = environment.Stop() })
	api, err := environment.StartAPI(t.Context(), "hub", filepath.Join("..", "..", "..", "config", "crds", "hive.openshift.io_clusterdeployments.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	hub, err := client.New(api.Config, client.Options{Scheme: hubScheme()})
	g.Expect(err).NotTo(HaveOccurred())

	t.Run("unknown fields survive", func(t *testing.T) { unknownFieldsSurvive(t, hub) })
	t.Run("a change in between is a conflict", func(t *testing.T) { conflicts(t, hub) })
	t.Run("the first status", func(t *testing.T) { firstStatusIsWritten(t, hub) })
}

func rawCD(name string) *unstructured.Unstructured {
	raw := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "default", "name": name, "finalizers": []any{"hive.openshift.io/deprovision"}},
		"spec": map[string]any{
			"clusterName": "c", "baseDomain": "example.com", "installed": true, "unknownSpec": map[string]any{"a": []any{"b", int64(1)}},
			"platform": map[string]any{"openstack": map[string]any{
				"cloud": "openstack", "unknownPlatform": "p", "credentialsSecretRef": map[string]any{"name": "creds"},
			}},
		},
	}}
	raw.SetGroupVersionKind(hivev1.GroupVersion.WithKind("ClusterDeployment"))
	return raw
}

func rawStatus() map[string]any {
	return map[string]any{
		"powerState":    "Running",
		"unknownStatus": map[string]any{"deep": map[string]any{"er": "value"}},
		"conditions": []any{
			map[string]any{"type": "Provisioned", "status": "True", "unknownInOthers": "1"},
			map[string]any{"type": "Hibernating", "status": "False", "reason": "ResumingOrRunning", "unknownInOurs": map[string]any{"x": "y"}},
			map[string]any{"type": "Unreachable", "status": "False", "lastProbeTime": "2026-11-20T07:00:00Z"},
			map[string]any{"type": "Ready", "status": "True", "reason": "Running", "unknownInOurs": "2"},
		},
	}
}

// visitIn begins a visit of a ClusterDeployment as it stands.
func visitIn(t *testing.T, hub client.Client, name string) *visit {
	cd := &hivev1.ClusterDeployment{}
	NewWithT(t).Expect(hub.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, cd)).To(Succeed())
	r := NewReconciler(Options{})
	r.Client = hub
	return &visit{Reconciler: r, cd: cd, memo: &memo{}, now: startOfTest()}
}

func unknownFieldsSurvive(t *testing.T, hub client.Client) {
	g := NewWithT(t)
	raw := rawCD("survives")
	g.Expect(hub.Create(t.Context(), raw)).To(Succeed())
	raw.Object["status"] = rawStatus()
	g.Expect(hub.Status().Update(t.Context(), raw)).To(Succeed())

	v := visitIn(t, hub, "survives")
	g.Expect(v.addFinalizer(t.Context())).To(Succeed())
	g.Expect(v.orderHibernation(t.Context())).To(Succeed())
	written, err := v.writeStatus(t.Context(), statusFor(v.cd, Outcome{State: StateStopping, Message: "why"}, startOfTest()))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(written).To(BeTrue())
	g.Expect(shows(v.cd, StateStopping)).To(BeTrue(), "cd holds what was written")

	want := rawCD("survives").Object["spec"].(map[string]any)
	want["powerState"] = "Hibernating"
	g.Expect(hub.Get(t.Context(), client.ObjectKeyFromObject(raw), raw)).To(Succeed())
	g.Expect(raw.Object["spec"]).To(Equal(want))
	g.Expect(raw.GetFinalizers()).To(Equal([]string{"hive.openshift.io/deprovision", hivev1.FinalizerRecord}))

	now := "2026-11-20T08:00:00Z"
	status := rawStatus()
	status["powerState"] = "Stopping"
	conditions := status["conditions"].([]any)
	for field, value := range map[string]any{"reason": "Stopping", "message": "why", "lastProbeTime": now} {
		conditions[1].(map[string]any)[field] = value
	}
	for field, value := range map[string]any{"status": "False", "reason": "StoppingOrHibernating", "message": messageSeeHibernating, "lastProbeTime": now, "lastTransitionTime": now} {
		conditions[3].(map[string]any)[field] = value
	}
	g.Expect(raw.Object["status"]).To(Equal(status))

	g.Expect(v.dropFinalizer(t.Context())).To(Succeed())
	g.Expect(hub.Get(t.Context(), client.ObjectKeyFromObject(raw), raw)).To(Succeed())
	g.Expect(raw.GetFinalizers()).To(Equal([]string{"hive.openshift.io/deprovision"}))
}

// conflicts: someone else changes the ClusterDeployment after it was read.
func conflicts(t *testing.T, hub client.Client) {
	g := NewWithT(t)
	raw := rawCD("conflicts")
	g.Expect(hub.Create(t.Context(), raw)).To(Succeed())
	raw.Object["status"] = rawStatus()
	g.Expect(hub.Status().Update(t.Context(), raw)).To(Succeed())

	writes := map[string]func(v *visit) error{
		"finalizer": func(v *visit) error { return v.addFinalizer(t.Context()) },
		"spec":      func(v *visit) error { return v.orderHibernation(t.Context()) },
		"status": func(v *visit) error {
			_, err := v.writeStatus(t.Context(), statusFor(v.cd, Outcome{State: StateStopping}, startOfTest()))
			return err
		},
	}
	for name, write := range writes {
		v := visitIn(t, hub, "conflicts")
		g.Expect(hub.Get(t.Context(), client.ObjectKeyFromObject(raw), raw)).To(Succeed())
		raw.SetAnnotations(map[string]string{"changed-before": name})
		g.Expect(hub.Update(t.Context(), raw)).To(Succeed())
		g.Expect(apierrors.IsConflict(write(v))).To(BeTrue(), name)
	}
	g.Expect(hub.Get(t.Context(), client.ObjectKeyFromObject(raw), raw)).To(Succeed())
	g.Expect(raw.Object["status"]).To(Equal(rawStatus()))
}

// firstStatusIsWritten: an object without status, and one whose status only others have written to.
func firstStatusIsWritten(t *testing.T, hub client.Client) {
	for name, status := range map[string]map[string]any{
		"none":       nil,
		"of-others":  {"unknownStatus": "kept"},
		"empty-list": {"unknownStatus": "kept", "conditions": []any{}},
	} {
		g := NewWithT(t)
		raw := rawCD(name)
		g.Expect(hub.Create(t.Context(), raw)).To(Succeed())
		if status != nil {
			raw.Object["status"] = status
			g.Expect(hub.Status().Update(t.Context(), raw)).To(Succeed())
		}
		v := visitIn(t, hub, name)
		written, err := v.writeStatus(t.Context(), statusFor(v.cd, Outcome{State: StateNotEvaluated}, startOfTest()))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(written).To(BeTrue())
		g.Expect(hub.Get(t.Context(), client.ObjectKeyFromObject(raw), raw)).To(Succeed())
		kept, _, _ := unstructured.NestedString(raw.Object, "status", "unknownStatus")
		g.Expect(kept != "").To(Equal(status != nil))
		cd := &hivev1.ClusterDeployment{}
		g.Expect(hub.Get(t.Context(), client.ObjectKeyFromObject(raw), cd)).To(Succeed())
		g.Expect(cd.Status.Conditions).To(ConsistOf(
			HaveField("Type", hivev1.ClusterHibernatingCondition), HaveField("Type", hivev1.ClusterReadyCondition)))
		g.Expect(cd.Status.Conditions).To(HaveEach(HaveField("Reason", hivev1.InitializedConditionReason)))
		g.Expect(cd.Status.Conditions).To(HaveEach(HaveField("LastTransitionTime", metav1.NewTime(startOfTest().Local()))))
	}
}
