package integration

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// TestHiveIsThere has an API server of its own: what HiveConfig says concerns every manager there.
func TestHiveIsThere(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	api, err := shared.env.StartAPI(t.Context(), "hive", crdDir)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = api.Stop(0) })
	kubeconfig, err := api.GrantManager(t.Context(), roleFile)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = envtest.InstallCRDs(api.Config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{hiveConfigCRD()}})
	g.Expect(err).NotTo(HaveOccurred())
	c, err := client.New(api.Config, client.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	config := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "hive.openshift.io/v1", "kind": "HiveConfig", "metadata": map[string]any{"name": "hive"}, "spec": map[string]any{},
	}}
	g.Expect(c.Create(t.Context(), config)).To(Succeed())

	manager, err := shared.env.StartManager(t.Context(), "manager-beside-hive", shared.program, kubeconfig)
	g.Expect(err).To(HaveOccurred())
	g.Expect(manager.Done()).To(BeClosed())
	g.Expect(manager.Tail(20)).To(ContainSubstring("disabledControllers"))

	manager, err = shared.env.StartManager(t.Context(), "manager-that-ignores-hive", shared.program, kubeconfig, "--ignore-hive")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(manager.Stop(time.Minute)).To(Succeed())

	patch := mergePatch(`{"spec":{"disabledControllers":["clustersync","hibernation"]}}`)
	g.Expect(c.Patch(t.Context(), config, patch)).To(Succeed())
	manager, err = shared.env.StartManager(t.Context(), "manager-instead-of-hive", shared.program, kubeconfig)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(manager.Stop(time.Minute)).To(Succeed())
}

func hiveConfigCRD() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "hiveconfigs.hive.openshift.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "hive.openshift.io",
			Scope: apiextensionsv1.ClusterScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "hiveconfigs", Kind: "HiveConfig"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: ptr.To(true),
				}},
			}},
		},
	}
}
