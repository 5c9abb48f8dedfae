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

const durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

// wireFormat returns Hive's wire format of the fields that are modelled: by path, the type, whether the field is
// required, and its validation.
func wireFormat() map[string]string {
	const reference = "object atomic"
	return map[string]string{
		"spec":                 "object",
		"spec.baseDomain":      "string required",
		"spec.clusterName":     "string required",
		"spec.clusterMetadata": "object",
		"spec.clusterMetadata.adminKubeconfigSecretRef":                   reference + " required",
		"spec.clusterMetadata.adminPasswordSecretRef":                     reference,
		"spec.clusterMetadata.clusterID":                                  "string required",
		"spec.clusterMetadata.infraID":                                    "string required",
		"spec.clusterMetadata.metadataJSONSecretRef":                      reference,
		"spec.clusterMetadata.platform":                                   "object",
		"spec.clusterPoolRef":                                             "object",
		"spec.clusterPoolRef.claimName":                                   "string",
		"spec.clusterPoolRef.claimedTimestamp":                            "string format=date-time",
		"spec.clusterPoolRef.clusterDeploymentCustomization":              reference,
		"spec.clusterPoolRef.namespace":                                   "string required",
		"spec.clusterPoolRef.poolName":                                    "string required",
		"spec.controlPlaneConfig":                                         "object",
		"spec.controlPlaneConfig.apiServerIPOverride":                     "string",
		"spec.controlPlaneConfig.apiURLOverride":                          "string",
		"spec.controlPlaneConfig.servingCertificates":                     "object",
		"spec.controlPlaneConfig.servingCertificates.default":             "string",
		"spec.controlPlaneConfig.servingCertificates.additional":          "array",
		"spec.controlPlaneConfig.servingCertificates.additional[]":        "object",
		"spec.controlPlaneConfig.servingCertificates.additional[].domain": "string required",
		"spec.controlPlaneConfig.servingCertificates.additional[].name":   "string required",
		"spec.hibernateAfter":                                             "string pattern=" + durationPattern,
		"spec.installAttemptsLimit":                                       "integer format=int32",
		"spec.installed":                                                  "boolean",
		"spec.platform":                                                   "object required",
		"spec.platform.agentBareMetal":                                    "object",
		"spec.platform.aws":                                               "object",
		"spec.platform.azure":                                             "object",
		"spec.platform.baremetal":                                         "object",
		"spec.platform.gcp":                                               "object",
		"spec.platform.ibmcloud":                                          "object",
		"spec.platform.none":                                              "object",
		"spec.platform.nutanix":                                           "object",
		"spec.platform.openstack":                                         "object",
		"spec.platform.openstack.certificatesSecretRef":                   reference,
		"spec.platform.openstack.cloud":                                   "string required",
		"spec.platform.openstack.credentialsSecretRef":                    reference + " required",
		"spec.platform.openstack.trunkSupport":                            "boolean",
		"spec.platform.vsphere":                                           "object",
		"spec.powerState":                                                 `string enum="","Running","Hibernating"`,
		"spec.preserveOnDelete":                                           "boolean",
		"spec.provisioning":                                               "object",
		"spec.provisioning.customizationRef":                              reference,
		"spec.provisioning.imageSetRef":                                   "object",
		"spec.provisioning.imageSetRef.name":                              "string required",
		"spec.provisioning.installConfigSecretRef":                        reference,
		"spec.provisioning.manifestsConfigMapRef":                         reference,
		"spec.provisioning.manifestsSecretRef":                            reference,
		"spec.provisioning.releaseImage":                                  "string",
		"spec.provisioning.sshPrivateKeySecretRef":                        reference,
		"spec.pullSecretRef":                                              reference,
		"status":                                                          "object",
		"status.apiURL":                                                   "string",
		"status.conditions":                                               "array",
		"status.conditions[]":                                             "object",
		"status.conditions[].lastProbeTime":                               "string format=date-time",
		"status.conditions[].lastTransitionTime":                          "string format=date-time",
		"status.conditions[].message":                                     "string",
		"status.conditions[].reason":                                      "string",
		"status.conditions[].status":                                      "string required",
		"status.conditions[].type":                                        "string required",
		"status.installedTimestamp":                                       "string format=date-time",
		"status.powerState":                                               "string",
		"status.webConsoleURL":                                            "string",
	}
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
	want := wireFormat()
	for path, description := range wireFormat() {
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
