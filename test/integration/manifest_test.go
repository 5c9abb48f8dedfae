package integration

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

func TestManifestForHive(t *testing.T) {
	t.Parallel()
	manifest := readManifest(t)
	w := newWorld(t, "hive-manifest", func(s *setup) { s.manifest = manifest.DeepCopy() })
	status := map[string]any{
		"cliImage":             "quay.io/cli",
		"installRestarts":      int64(1),
		"clusterVersionStatus": map[string]any{"availableUpdates": nil, "futureField": map[string]any{"x": "y"}},
		"installedTimestamp":   "2026-01-02T03:04:05Z",
	}
	provisioned := map[string]any{
		"type": "Provisioned", "status": "True", "reason": "Provisioned", "message": "Cluster is provisioned", "futureField": "kept",
		"lastProbeTime": "2026-01-02T03:04:05Z", "lastTransitionTime": "2026-01-02T03:04:05Z",
	}
	w.writeStatus(status, provisioned)

	w.order(hibernating)
	w.reaches(hibernating)
	w.order(running)
	w.eventually(w.powerState).Should(Equal(hivev1.ClusterPowerStateWaitingForNodes), w.story())

	live := w.unstructured()
	w.Expect(cmp.Diff(manifest.Object["spec"], live.Object["spec"])).To(BeEmpty())
	w.Expect(live.GetLabels()).To(Equal(manifest.GetLabels()))
	w.Expect(live.GetAnnotations()).To(Equal(manifest.GetAnnotations()))
	w.Expect(live.GetFinalizers()).To(ContainElements(manifest.GetFinalizers()))
	for field, value := range status {
		w.Expect(live.Object["status"]).To(HaveKeyWithValue(field, value))
	}
	w.Expect(live.Object["status"]).To(HaveKeyWithValue("conditions", ContainElement(Equal(provisioned))))
	w.expectColumns()
}

func TestSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "schema")
	tests := map[string]bool{
		`{"spec":{"powerState":"Asleep"}}`:                   false,
		`{"spec":{"powerState":""}}`:                         true,
		`{"spec":{"powerState":null}}`:                       true,
		`{"spec":{"hibernateAfter":"eight hours"}}`:          false,
		`{"spec":{"hibernateAfter":"-1h"}}`:                  false,
		`{"spec":{"hibernateAfter":8}}`:                      false,
		`{"spec":{"hibernateAfter":"1h30m"}}`:                true,
		`{"spec":{"clusterName":null}}`:                      false,
		`{"spec":{"platform":null}}`:                         false,
		`{"spec":{"platform":{"openstack":{"cloud":null}}}}`: false,
		`{"spec":{"unheardOf":{"deep":[1,2]}}}`:              true,
	}
	for patch, valid := range tests {
		err := w.Patch(context.Background(), &hivev1.ClusterDeployment{ObjectMeta: w.meta(w.name)}, mergePatch(patch))
		w.Expect(apierrors.IsInvalid(err)).To(Equal(!valid), "%s: %v", patch, err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(w.api.Config)
	w.Expect(err).NotTo(HaveOccurred())
	resources, err := client.ServerResourcesForGroupVersion(hivev1.GroupVersion.String())
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(resources.APIResources).To(ContainElement(And(
		HaveField("Name", "clusterdeployments"), HaveField("ShortNames", []string{"cd"}), HaveField("Namespaced", true))))
}

func readManifest(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	g := NewWithT(t)
	content, err := os.ReadFile("testdata/hive-manifest.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	content, err = yaml.YAMLToJSON(content)
	g.Expect(err).NotTo(HaveOccurred())
	manifest := &unstructured.Unstructured{}
	g.Expect(manifest.UnmarshalJSON(content)).To(Succeed())
	return manifest
}

// writeStatus writes what others, Hive's controllers for instance, have in the status.
func (w *world) writeStatus(fields map[string]any, condition map[string]any) {
	w.t.Helper()
	w.eventually(func() error {
		live := w.unstructured()
		status, _, err := unstructured.NestedMap(live.Object, "status")
		if err != nil {
			return err
		}
		if status == nil {
			status = map[string]any{}
		}
		for field, value := range fields {
			status[field] = value
		}
		conditions, _ := status["conditions"].([]any)
		status["conditions"] = append([]any{condition}, conditions...)
		live.Object["status"] = status
		return w.Status().Update(context.Background(), live)
	}).Should(Succeed())
}

func (w *world) unstructured() *unstructured.Unstructured {
	w.t.Helper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(hivev1.GroupVersion.WithKind("ClusterDeployment"))
	w.Expect(w.Get(context.Background(), w.key(), live)).To(Succeed())
	return live
}

// expectColumns checks what `oc get cd` prints.
func (w *world) expectColumns() {
	w.t.Helper()
	httpClient, err := rest.HTTPClientFor(w.api.Config)
	w.Expect(err).NotTo(HaveOccurred())
	url := w.api.Config.Host + "/apis/" + hivev1.GroupVersion.String() + "/namespaces/" + w.name + "/clusterdeployments"
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	w.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := httpClient.Do(request)
	w.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	w.Expect(err).NotTo(HaveOccurred())
	table := &metav1.Table{}
	w.Expect(json.Unmarshal(content, table)).To(Succeed())

	var columns []string
	for _, column := range table.ColumnDefinitions {
		columns = append(columns, column.Name)
	}
	w.Expect(columns).To(Equal([]string{
		"Name", "InfraID", "Platform", "Region", "Version", "ClusterType", "ProvisionStatus", "PowerState", "Age",
	}))
	w.Expect(table.Rows).To(HaveLen(1))
	w.Expect(table.Rows[0].Cells[:8]).To(Equal([]any{
		w.name, w.name, "openstack", "RegionOne", "4.20.1", "managed", "Provisioned", "WaitingForNodes",
	}))
}
