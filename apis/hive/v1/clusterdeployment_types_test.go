package v1

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// readSample returns testdata/modelled.yaml as a typed object and as it is.
func readSample(t *testing.T) (*ClusterDeployment, map[string]any) {
	t.Helper()
	g := NewWithT(t)
	data, err := os.ReadFile("testdata/modelled.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	typed, plain := &ClusterDeployment{}, map[string]any{}
	g.Expect(yaml.UnmarshalStrict(data, typed)).To(Succeed())
	g.Expect(yaml.Unmarshal(data, &plain)).To(Succeed())
	return typed, plain
}

// toMap returns what cd is on the wire.
func toMap(t *testing.T, cd *ClusterDeployment) map[string]any {
	t.Helper()
	g := NewWithT(t)
	data, err := json.Marshal(cd)
	g.Expect(err).NotTo(HaveOccurred())
	out := map[string]any{}
	g.Expect(json.Unmarshal(data, &out)).To(Succeed())
	return out
}

func TestModelledFieldsSurviveARoundTrip(t *testing.T) {
	g := NewWithT(t)
	typed, plain := readSample(t)
	g.Expect(toMap(t, typed)).To(Equal(plain))
	g.Expect(toMap(t, typed.DeepCopy())).To(Equal(plain))
}

// The round trip proves something about the fields that the sample has; so it has to have all.
func TestSampleHasEveryModelledField(t *testing.T) {
	g := NewWithT(t)
	_, plain := readSample(t)
	present := map[string]bool{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		present[path] = true
		switch v := value.(type) {
		case map[string]any:
			for key, child := range v {
				walk(strings.TrimPrefix(path+"."+key, "."), child)
			}
		case []any:
			for _, child := range v {
				walk(path+"[]", child)
			}
		}
	}
	walk("", plain)
	for path := range wireFormat(t) {
		g.Expect(present).To(HaveKey(path), "testdata/modelled.yaml has no %s", path)
	}
}

func TestWhatAnEmptyClusterDeploymentWrites(t *testing.T) {
	g := NewWithT(t)
	out := toMap(t, &ClusterDeployment{Status: ClusterDeploymentStatus{
		Conditions: []ClusterDeploymentCondition{{Type: ClusterReadyCondition, Status: "Unknown"}},
	}})
	// installed is written although it is false, as Hive writes it; what the CRD requires is there too; nothing else.
	g.Expect(out["spec"]).To(Equal(map[string]any{
		"baseDomain": "", "clusterName": "", "installed": false, "platform": map[string]any{},
	}))
	// A time that is not set is left out: null would be refused by the CRD.
	g.Expect(out["status"]).To(Equal(map[string]any{
		"conditions": []any{map[string]any{"type": "Ready", "status": "Unknown"}},
	}))
}

func TestOtherPlatformsAreKept(t *testing.T) {
	g := NewWithT(t)
	cd := &ClusterDeployment{}
	g.Expect(yaml.Unmarshal([]byte(`{spec: {platform: {aws: {region: us-east-1}}}}`), cd)).To(Succeed())
	g.Expect(cd.Spec.Platform.OpenStack).To(BeNil())
	g.Expect(string(cd.Spec.Platform.AWS.Raw)).To(MatchJSON(`{"region":"us-east-1"}`))
}

func TestAddToScheme(t *testing.T) {
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	g.Expect(AddToScheme(scheme)).To(Succeed())
	for _, kind := range []string{"ClusterDeployment", "ClusterDeploymentList"} {
		g.Expect(scheme.Recognizes(GroupVersion.WithKind(kind))).To(BeTrue(), kind)
	}
	g.Expect(scheme.Recognizes(GroupVersion.WithKind("WatchEvent"))).To(BeTrue())
}
