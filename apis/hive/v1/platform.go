package v1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Platform says on what a cluster runs; one of its fields is set. Only OpenStack is modelled. What is in the others is
// kept as it came.
//
// +kubebuilder:pruning:PreserveUnknownFields
type Platform struct {
	// OpenStack is set where the cluster runs on OpenStack.
	// +optional
	OpenStack *OpenStackPlatform `json:"openstack,omitempty"`

	// AgentBareMetal is set where the cluster runs on machines that an agent installed.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	AgentBareMetal *runtime.RawExtension `json:"agentBareMetal,omitempty"`

	// AWS is set where the cluster runs on Amazon Web Services.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	AWS *runtime.RawExtension `json:"aws,omitempty"`

	// Azure is set where the cluster runs on Microsoft Azure.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Azure *runtime.RawExtension `json:"azure,omitempty"`

	// BareMetal is set where the cluster runs on bare metal.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	BareMetal *runtime.RawExtension `json:"baremetal,omitempty"`

	// GCP is set where the cluster runs on Google Cloud.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	GCP *runtime.RawExtension `json:"gcp,omitempty"`

	// IBMCloud is set where the cluster runs on IBM Cloud.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	IBMCloud *runtime.RawExtension `json:"ibmcloud,omitempty"`

	// None is set where nothing is known about what the cluster runs on.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	None *runtime.RawExtension `json:"none,omitempty"`

	// Nutanix is set where the cluster runs on Nutanix.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Nutanix *runtime.RawExtension `json:"nutanix,omitempty"`

	// VSphere is set where the cluster runs on VMware vSphere.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	VSphere *runtime.RawExtension `json:"vsphere,omitempty"`
}

// OpenStackPlatform says where and as whom a cluster runs on OpenStack.
//
// +kubebuilder:pruning:PreserveUnknownFields
type OpenStackPlatform struct {
	// CredentialsSecretRef names the Secret, in the ClusterDeployment's namespace, whose key clouds.yaml (see
	// CloudsSecretKey) holds the credentials.
	// +kubebuilder:pruning:PreserveUnknownFields
	CredentialsSecretRef corev1.LocalObjectReference `json:"credentialsSecretRef"`

	// CertificatesSecretRef names the Secret, in the ClusterDeployment's namespace, with the certificates of the
	// authorities that the cloud's own certificates are signed by. Where it is omitted the system's are used.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	CertificatesSecretRef *corev1.LocalObjectReference `json:"certificatesSecretRef,omitempty"`

	// Cloud is the section of the clouds.yaml to use.
	Cloud string `json:"cloud"`

	// TrunkSupport says whether the cloud has trunk ports.
	// +optional
	TrunkSupport bool `json:"trunkSupport,omitempty"`
}
