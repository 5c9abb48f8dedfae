package v1

import (
	"os"
	"sort"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// wireFormat returns the lines of testdata/wire-format.txt by path.
func wireFormat(t *testing.T) map[string]string {
	t.Helper()
	g := NewWithT(t)
	data, err := os.ReadFile("testdata/wire-format.txt")
	g.Expect(err).NotTo(HaveOccurred())
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if path, description, found := strings.Cut(strings.TrimSpace(line), ": "); found && path[0] != '#' {
			fields[path] = description
		}
	}
	g.Expect(fields).NotTo(BeEmpty())
	return fields
}

// readCRD returns the CRD as it is generated into config/crds.
func readCRD(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	g := NewWithT(t)
	data, err := os.ReadFile("../../../config/crds/hive.openshift.io_clusterdeployments.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	crd := &apiextensionsv1.CustomResourceDefinition{}
	g.Expect(yaml.UnmarshalStrict(data, crd)).To(Succeed())
	g.Expect(crd.Spec.Versions).To(HaveLen(1))
	return crd
}

// node is one place in a schema.
type node struct {
	path     string
	schema   apiextensionsv1.JSONSchemaProps
	required bool
}

// nodes returns schema and everything below it.
func nodes(path string, schema apiextensionsv1.JSONSchemaProps, required bool) []node {
	found := []node{{path: path, schema: schema, required: required}}
	if schema.Items != nil && schema.Items.Schema != nil {
		found = append(found, nodes(path+"[]", *schema.Items.Schema, false)...)
	}
	needed := map[string]bool{}
	for _, name := range schema.Required {
		needed[name] = true
	}
	for name, child := range schema.Properties {
		found = append(found, nodes(strings.TrimPrefix(path+"."+name, "."), child, needed[name])...)
	}
	return found
}

// crdNodes returns the nodes of the CRD's schema without the type and object metadata, to which the API server's own
// rules apply.
func crdNodes(t *testing.T) []node {
	t.Helper()
	schema := *readCRD(t).Spec.Versions[0].Schema.OpenAPIV3Schema
	for _, name := range []string{"apiVersion", "kind", "metadata"} {
		delete(schema.Properties, name)
	}
	found := nodes("", schema, false)
	sort.Slice(found, func(i, j int) bool { return found[i].path < found[j].path })
	return found
}

// describe says of a node what wireFormat says.
func describe(n node) string {
	words := []string{n.schema.Type}
	if n.schema.XMapType != nil {
		words = append(words, *n.schema.XMapType)
	}
	if n.schema.Format != "" {
		words = append(words, "format="+n.schema.Format)
	}
	if n.schema.Pattern != "" {
		words = append(words, "pattern="+n.schema.Pattern)
	}
	if len(n.schema.Enum) > 0 {
		var values []string
		for _, value := range n.schema.Enum {
			values = append(values, string(value.Raw))
		}
		words = append(words, "enum="+strings.Join(values, ","))
	}
	if n.required {
		words = append(words, "required")
	}
	if n.schema.Default != nil {
		words = append(words, "default="+string(n.schema.Default.Raw))
	}
	return strings.Join(words, " ")
}

func TestCRDIsHivesWireFormat(t *testing.T) {
	g := NewWithT(t)
	want := wireFormat(t)
	for path, description := range wireFormat(t) {
		if strings.HasPrefix(description, "object atomic") {
			want[path+".name"] = `string default=""`
		}
	}
	got := map[string]string{}
	for _, n := range crdNodes(t) {
		if n.path != "" {
			got[n.path] = describe(n)
		}
	}
	for path, description := range want {
		g.Expect(got).To(HaveKeyWithValue(path, description))
	}
	for path := range got {
		g.Expect(want).To(HaveKey(path))
	}
}

func TestCRDKeepsUnknownFieldsAtEveryObject(t *testing.T) {
	g := NewWithT(t)
	objects := 0
	for _, n := range crdNodes(t) {
		if n.schema.Type != "object" {
			continue
		}
		objects++
		g.Expect(n.schema.XPreserveUnknownFields).To(HaveValue(BeTrue()), "unknown fields at %q", n.path)
		g.Expect(n.schema.AdditionalProperties).To(BeNil(), "at %q", n.path)
	}
	g.Expect(objects).To(BeNumerically(">", 20))
}

func TestCRDNamesAndColumns(t *testing.T) {
	g := NewWithT(t)
	crd := readCRD(t)
	g.Expect(crd.Name).To(Equal("clusterdeployments.hive.openshift.io"))
	g.Expect(crd.Spec.Group).To(Equal("hive.openshift.io"))
	g.Expect(crd.Spec.Scope).To(Equal(apiextensionsv1.NamespaceScoped))
	g.Expect(crd.Spec.Names).To(Equal(apiextensionsv1.CustomResourceDefinitionNames{
		Plural: "clusterdeployments", Singular: "clusterdeployment", ShortNames: []string{"cd"},
		Kind: "ClusterDeployment", ListKind: "ClusterDeploymentList",
	}))
	version := crd.Spec.Versions[0]
	g.Expect(version.Name).To(Equal("v1"))
	g.Expect(version.Served && version.Storage).To(BeTrue())
	g.Expect(version.Subresources.Status).NotTo(BeNil())
	g.Expect(version.Schema.OpenAPIV3Schema.Required).To(BeEmpty())
	var columns []string
	for _, column := range version.AdditionalPrinterColumns {
		columns = append(columns, column.Name+" "+column.Type+" "+column.JSONPath)
	}
	g.Expect(columns).To(Equal([]string{
		`InfraID string .spec.clusterMetadata.infraID`,
		`Platform string .metadata.labels.hive\.openshift\.io/cluster-platform`,
		`Region string .metadata.labels.hive\.openshift\.io/cluster-region`,
		`Version string .metadata.labels.hive\.openshift\.io/version`,
		`ClusterType string .metadata.labels.hive\.openshift\.io/cluster-type`,
		`ProvisionStatus string .status.conditions[?(@.type=='Provisioned')].reason`,
		`PowerState string .status.powerState`,
		`Age date .metadata.creationTimestamp`,
	}))
}
