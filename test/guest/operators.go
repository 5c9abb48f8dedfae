package guest

import (
	"context"
	"fmt"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// operatorNames are a few of the ClusterOperators of an OpenShift cluster.
func operatorNames() []string {
	return []string{"authentication", "console", "etcd", "ingress", "kube-apiserver", "storage"}
}

func operatorKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "config.openshift.io", Version: "v1", Kind: "ClusterOperator"}
}

// installOperators makes the ClusterOperators, all in a good state.
func installOperators(ctx context.Context, config *rest.Config, c client.Client) error {
	options := envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{operatorCRD()}}
	if _, err := envtest.InstallCRDs(config, options); err != nil {
		return fmt.Errorf("install the ClusterOperator CRD: %w", err)
	}
	for _, name := range operatorNames() {
		operator := &unstructured.Unstructured{}
		operator.SetGroupVersionKind(operatorKind())
		operator.SetName(name)
		if err := c.Create(ctx, operator); err != nil {
			return fmt.Errorf("make ClusterOperator %s: %w", name, err)
		}
	}
	return reportOperators(ctx, c, true, time.Now())
}

// reportOperators has each ClusterOperator say whether it is good or still at work.
func reportOperators(ctx context.Context, c client.Client, good bool, now time.Time) error {
	progressing, reason := "False", "AsExpected"
	if !good {
		progressing, reason = "True", "RollingOut"
	}
	condition := func(kind, status, reason string) any {
		return map[string]any{
			"type": kind, "status": status, "reason": reason,
			"lastTransitionTime": now.UTC().Format(time.RFC3339),
		}
	}
	for _, name := range operatorNames() {
		operator := &unstructured.Unstructured{}
		operator.SetGroupVersionKind(operatorKind())
		if err := c.Get(ctx, client.ObjectKey{Name: name}, operator); err != nil {
			return fmt.Errorf("get ClusterOperator %s: %w", name, err)
		}
		operator.Object["status"] = map[string]any{"conditions": []any{
			condition("Available", "True", "AsExpected"),
			condition("Progressing", progressing, reason),
			condition("Degraded", "False", "AsExpected"),
		}}
		if err := c.Status().Update(ctx, operator); err != nil {
			return fmt.Errorf("report of ClusterOperator %s: %w", name, err)
		}
	}
	return nil
}

func operatorCRD() *apiextensionsv1.CustomResourceDefinition {
	kind := operatorKind()
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "clusteroperators." + kind.Group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: kind.Group,
			Scope: apiextensionsv1.ClusterScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{
				Plural: "clusteroperators", Singular: "clusteroperator", ShortNames: []string{"co"},
				Kind: kind.Kind, ListKind: kind.Kind + "List",
			},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: kind.Version, Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{
					Status: &apiextensionsv1.CustomResourceSubresourceStatus{},
				},
				Schema: &apiextensionsv1.CustomResourceValidation{
					OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
						Type: "object", XPreserveUnknownFields: ptr.To(true),
					},
				},
			}},
		},
	}
}
