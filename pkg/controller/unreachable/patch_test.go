package unreachable

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/env"
)

func patchData(t *testing.T, cd *hivev1.ClusterDeployment, did verb, found findings) (types.PatchType, []byte) {
	g := NewWithT(t)
	patch, err := statusFor(cd, did, found, noon()).patch(cd)
	g.Expect(err).NotTo(HaveOccurred())
	if patch == nil {
		return "", nil
	}
	data, err := patch.Data(cd)
	g.Expect(err).NotTo(HaveOccurred())
	return patch.Type(), data
}

// TestPatchNamesOurPathsOnly: conditions are changed field by field where they stand, and the patch is pinned.
func TestPatchNamesOurPathsOnly(t *testing.T) {
	g := NewWithT(t)
	cd := clusterDeployment(overridden, having(hivev1.ProvisionedCondition, yes, "Provisioned", "", 0), running, reachable(0))
	cd.ResourceVersion = "41"
	kind, data := patchData(t, cd, check, findings{primary: "why", secondary: "why", askedSecondary: true})
	g.Expect(kind).To(Equal(types.JSONPatchType))
	var ops []map[string]any
	g.Expect(json.Unmarshal(data, &ops)).To(Succeed())
	g.Expect(ops[0]).To(Equal(map[string]any{"op": "replace", "path": "/metadata/resourceVersion", "value": "41"}))
	for _, op := range ops[1:] {
		g.Expect(op["path"]).To(MatchRegexp(`^/status/conditions/(-|3/(type|status|reason|message|lastProbeTime|lastTransitionTime))$`))
	}
	g.Expect(ops).To(ContainElement(map[string]any{"op": "test", "path": "/status/conditions/3/type", "value": "Unreachable"}))
	g.Expect(ops).To(ContainElement(map[string]any{"op": "add", "path": "/status/conditions/3/status", "value": "True"}))
	g.Expect(ops).NotTo(ContainElement(HaveKeyWithValue("path", "/status/conditions/3/lastTransitionTime")), "it was noon already")
	g.Expect(ops[len(ops)-1]["path"]).To(Equal("/status/conditions/-"))
}

func TestNoPatchWithoutChange(t *testing.T) {
	kind, data := patchData(t, clusterDeployment(unreachable("why", 0), overrideUnknown(0)), check, findings{primary: "why"})
	NewWithT(t).Expect(string(kind) + string(data)).To(BeEmpty())
}

// TestWritesOnAnAPIServer: what an API server makes of our writes.
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
	scheme := runtime.NewScheme()
	g.Expect(hivev1.AddToScheme(scheme)).To(Succeed())
	hub, err := client.New(api.Config, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())

	raw := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "default", "name": "cluster"},
		"spec": map[string]any{
			"clusterName": "c", "baseDomain": "example.com", "installed": true, "unknownSpec": "a", "platform": map[string]any{},
			"clusterMetadata": map[string]any{"clusterID": "i", "infraID": "i", "adminKubeconfigSecretRef": map[string]any{"name": "admin"}},
		},
	}}
	raw.SetGroupVersionKind(hivev1.GroupVersion.WithKind("ClusterDeployment"))
	g.Expect(hub.Create(t.Context(), raw.DeepCopy())).To(Succeed())
	b := newBench(t)
	b.Client = hub
	cd := &hivev1.ClusterDeployment{}
	at := types.NamespacedName{Namespace: "default", Name: "cluster"}
	g.Expect(hub.Get(t.Context(), at, cd)).To(Succeed())
	stale := cd.DeepCopy()
	g.Expect(b.write(t.Context(), cd, statusFor(cd, check, findings{}, noon()))).To(Succeed())
	g.Expect(statusOf(cd).unreachable.Status).To(Equal(no))

	g.Expect(apierrors.IsConflict(b.write(t.Context(), stale, statusFor(stale, check, findings{primary: "why"}, noon())))).To(BeTrue())

	// Others write: a field that our types don't know, and a condition in the place of ours.
	stale = cd.DeepCopy()
	g.Expect(hub.Get(t.Context(), at, raw)).To(Succeed())
	ours, _, err := unstructured.NestedSlice(raw.Object, "status", "conditions")
	g.Expect(err).NotTo(HaveOccurred())
	others := append([]any{map[string]any{"type": "Other", "status": "True", "unknown": "b"}}, ours...)
	g.Expect(unstructured.SetNestedSlice(raw.Object, others, "status", "conditions")).To(Succeed())
	g.Expect(unstructured.SetNestedField(raw.Object, "c", "status", "unknownStatus")).To(Succeed())
	g.Expect(hub.Status().Update(t.Context(), raw)).To(Succeed())
	err = b.write(t.Context(), stale, statusFor(stale, check, findings{primary: "why"}, noon()))
	g.Expect(apierrors.IsConflict(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)

	g.Expect(hub.Get(t.Context(), at, cd)).To(Succeed())
	g.Expect(b.write(t.Context(), cd, statusFor(cd, check, findings{primary: "why"}, noon()))).To(Succeed())
	g.Expect(hub.Get(t.Context(), at, raw)).To(Succeed())
	status, _ := raw.Object["status"].(map[string]any)
	g.Expect(status).To(HaveKeyWithValue("unknownStatus", "c"))
	g.Expect(status["conditions"]).To(And(HaveLen(3), ContainElement(HaveKeyWithValue("unknown", "b"))))
	g.Expect(raw.Object["spec"]).To(HaveKeyWithValue("unknownSpec", "a"))
	g.Expect(statusOf(cd).unreachable.Message).To(Equal("why"))
}
