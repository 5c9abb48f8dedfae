package remoteclient

import (
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// newScheme knows the types of Kubernetes that are asked of clusters, and no others: an answer is read as the type that it
// says it has, and some take much more memory than they have bytes. OpenShift's own types, and Pods, are asked for as
// unstructured objects.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	builder := runtime.NewSchemeBuilder(
		known(corev1.SchemeGroupVersion, &corev1.Node{}, &corev1.NodeList{}),
		known(coordinationv1.SchemeGroupVersion, &coordinationv1.Lease{}, &coordinationv1.LeaseList{}),
		known(storagev1.SchemeGroupVersion, &storagev1.CSINode{}, &storagev1.CSINodeList{}),
		known(certificatesv1.SchemeGroupVersion, &certificatesv1.CertificateSigningRequest{}, &certificatesv1.CertificateSigningRequestList{}),
	)
	if err := builder.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register the types that are asked of clusters: %w", err)
	}
	return scheme, nil
}

func known(version schema.GroupVersion, types ...runtime.Object) func(*runtime.Scheme) error {
	return func(scheme *runtime.Scheme) error {
		scheme.AddKnownTypes(version, types...)
		metav1.AddToGroupVersion(scheme, version)
		return nil
	}
}

// mapper knows what is asked of clusters, so that none has to be asked which APIs it serves.
func mapper() meta.RESTMapper {
	openshift := func(group, version, kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: group + ".openshift.io", Version: version, Kind: kind}
	}
	m := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Node"),
		corev1.SchemeGroupVersion.WithKind("Namespace"),
		storagev1.SchemeGroupVersion.WithKind("CSINode"),
		certificatesv1.SchemeGroupVersion.WithKind("CertificateSigningRequest"),
		openshift("config", "v1", "ClusterOperator"),
	} {
		m.Add(kind, meta.RESTScopeRoot)
	}
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Pod"),
		corev1.SchemeGroupVersion.WithKind("Secret"),
		coordinationv1.SchemeGroupVersion.WithKind("Lease"),
		openshift("machine", "v1beta1", "Machine"),
		openshift("machine", "v1beta1", "MachineHealthCheck"),
	} {
		m.Add(kind, meta.RESTScopeNamespace)
	}
	return m
}
