package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ClusterDeployment is an OpenShift cluster: what it was installed with, and the power state it shall have.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clusterdeployments,shortName=cd,scope=Namespaced
// +kubebuilder:printcolumn:name="InfraID",type="string",JSONPath=".spec.clusterMetadata.infraID"
// +kubebuilder:printcolumn:name="Platform",type="string",JSONPath=".metadata.labels.hive\\.openshift\\.io/cluster-platform"
// +kubebuilder:printcolumn:name="Region",type="string",JSONPath=".metadata.labels.hive\\.openshift\\.io/cluster-region"
// +kubebuilder:printcolumn:name="Version",type="string",JSONPath=".metadata.labels.hive\\.openshift\\.io/version"
// +kubebuilder:printcolumn:name="ClusterType",type="string",JSONPath=".metadata.labels.hive\\.openshift\\.io/cluster-type"
// +kubebuilder:printcolumn:name="ProvisionStatus",type="string",JSONPath=".status.conditions[?(@.type=='Provisioned')].reason"
// +kubebuilder:printcolumn:name="PowerState",type="string",JSONPath=".status.powerState"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
// +kubebuilder:pruning:PreserveUnknownFields
type ClusterDeployment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the cluster shall be.
	// +optional
	Spec ClusterDeploymentSpec `json:"spec,omitempty"`

	// Status is what the cluster was last seen to be.
	// +optional
	Status ClusterDeploymentStatus `json:"status,omitempty"`
}

// ClusterDeploymentList is a list of ClusterDeployments.
//
// +kubebuilder:object:root=true
type ClusterDeploymentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the ClusterDeployments.
	Items []ClusterDeployment `json:"items"`
}

// ClusterDeploymentSpec is what a cluster shall be.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ClusterDeploymentSpec struct {
	// ClusterName is the name of the cluster, without the base domain.
	ClusterName string `json:"clusterName"`

	// BaseDomain is the DNS domain under which the cluster lives.
	BaseDomain string `json:"baseDomain"`

	// Platform says on what the cluster runs.
	Platform Platform `json:"platform"`

	// PowerState is the power state that is wished for: Running, Hibernating, or nothing, which means Running.
	// +kubebuilder:validation:Enum="";Running;Hibernating
	// +optional
	PowerState ClusterPowerState `json:"powerState,omitempty"`

	// HibernateAfter puts the cluster to sleep once it has run for this long since it was installed, claimed, or last
	// resumed, whichever was last. A Go duration, for instance "8h" or "1h30m".
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	HibernateAfter *metav1.Duration `json:"hibernateAfter,omitempty"`

	// Installed is true once the cluster is installed. Nothing is hibernated before. It is always written, as Hive does.
	// +optional
	Installed bool `json:"installed"`

	// ClusterMetadata describes the installed cluster. Needed as soon as installed is true.
	// +optional
	ClusterMetadata *ClusterMetadata `json:"clusterMetadata,omitempty"`

	// ClusterPoolRef is set where the cluster was made for a ClusterPool.
	// +optional
	ClusterPoolRef *ClusterPoolReference `json:"clusterPoolRef,omitempty"`

	// ControlPlaneConfig are settings of the cluster's control plane.
	// +optional
	ControlPlaneConfig *ControlPlaneConfigSpec `json:"controlPlaneConfig,omitempty"`

	// PreserveOnDelete leaves the cluster, and what keeps it asleep, in place when the ClusterDeployment is deleted.
	// +optional
	PreserveOnDelete bool `json:"preserveOnDelete,omitempty"`

	// Provisioning says how the cluster is to be installed.
	// +optional
	Provisioning *Provisioning `json:"provisioning,omitempty"`

	// PullSecretRef names the Secret with the pull secret for the installation.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	PullSecretRef *corev1.LocalObjectReference `json:"pullSecretRef,omitempty"`

	// InstallAttemptsLimit is how often the installation is tried at most.
	// +optional
	InstallAttemptsLimit *int32 `json:"installAttemptsLimit,omitempty"`
}

// ClusterMetadata describes an installed cluster.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ClusterMetadata struct {
	// ClusterID is the cluster's own UUID.
	ClusterID string `json:"clusterID"`

	// InfraID is the name under which the installer made everything that belongs to the cluster. It selects the
	// cluster's machines.
	InfraID string `json:"infraID"`

	// AdminKubeconfigSecretRef names the Secret with the administrator's kubeconfig.
	// +kubebuilder:pruning:PreserveUnknownFields
	AdminKubeconfigSecretRef corev1.LocalObjectReference `json:"adminKubeconfigSecretRef"`

	// AdminPasswordSecretRef names the Secret with the administrator's name and password.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	AdminPasswordSecretRef *corev1.LocalObjectReference `json:"adminPasswordSecretRef,omitempty"`

	// MetadataJSONSecretRef names the Secret with the installer's metadata.json.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	MetadataJSONSecretRef *corev1.LocalObjectReference `json:"metadataJSONSecretRef,omitempty"`

	// Platform is what the installer noted about the platform.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Platform *runtime.RawExtension `json:"platform,omitempty"`
}

// ClusterPoolReference says to which ClusterPool a cluster belongs and who claimed it.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ClusterPoolReference struct {
	// Namespace is the namespace of the ClusterPool.
	Namespace string `json:"namespace"`

	// PoolName is the name of the ClusterPool.
	PoolName string `json:"poolName"`

	// ClaimName is the name of the ClusterClaim that the cluster was given to. Empty: not claimed.
	// +optional
	ClaimName string `json:"claimName,omitempty"`

	// ClaimedTimestamp is when the cluster was given to the claim.
	// +optional
	ClaimedTimestamp *metav1.Time `json:"claimedTimestamp,omitempty"`

	// CustomizationRef names the ClusterDeploymentCustomization, in the pool's namespace, that this cluster uses up.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	CustomizationRef *corev1.LocalObjectReference `json:"clusterDeploymentCustomization,omitempty"`
}

// ControlPlaneConfigSpec are settings of a cluster's control plane.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ControlPlaneConfigSpec struct {
	// ServingCertificates are the certificates of the API.
	// +optional
	ServingCertificates *ControlPlaneServingCertificateSpec `json:"servingCertificates,omitempty"`

	// APIURLOverride is a URL at which the cluster's API is to be used instead of the one it was installed with.
	// +optional
	APIURLOverride string `json:"apiURLOverride,omitempty"`

	// APIServerIPOverride is an address at which the host name in the API's URL is reached.
	// +optional
	APIServerIPOverride string `json:"apiServerIPOverride,omitempty"`
}

// ControlPlaneServingCertificateSpec are the certificates of a cluster's API.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ControlPlaneServingCertificateSpec struct {
	// Default names the certificate bundle for the API's own domain.
	// +optional
	Default string `json:"default,omitempty"`

	// Additional are certificates for further domains of the API.
	// +optional
	Additional []ControlPlaneAdditionalCertificate `json:"additional,omitempty"`
}

// ControlPlaneAdditionalCertificate is the certificate for a further domain of a cluster's API.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ControlPlaneAdditionalCertificate struct {
	// Name names the certificate bundle.
	Name string `json:"name"`

	// Domain is the domain it is for.
	Domain string `json:"domain"`
}

// Provisioning says how a cluster is to be installed. Whoever installs the cluster reads it.
//
// +kubebuilder:pruning:PreserveUnknownFields
type Provisioning struct {
	// ReleaseImage is the OpenShift release to install, as a pull spec.
	// +optional
	ReleaseImage string `json:"releaseImage,omitempty"`

	// ImageSetRef names the ClusterImageSet with the OpenShift release to install.
	// +optional
	ImageSetRef *ClusterImageSetReference `json:"imageSetRef,omitempty"`

	// InstallConfigSecretRef names the Secret with the install-config.yaml.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	InstallConfigSecretRef *corev1.LocalObjectReference `json:"installConfigSecretRef,omitempty"`

	// CustomizationRef names the ClusterDeploymentCustomization that is applied to the install-config.yaml.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	CustomizationRef *corev1.LocalObjectReference `json:"customizationRef,omitempty"`

	// ManifestsConfigMapRef names the ConfigMap with additional manifests.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	ManifestsConfigMapRef *corev1.LocalObjectReference `json:"manifestsConfigMapRef,omitempty"`

	// ManifestsSecretRef names the Secret with additional manifests.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	ManifestsSecretRef *corev1.LocalObjectReference `json:"manifestsSecretRef,omitempty"`

	// SSHPrivateKeySecretRef names the Secret with the SSH key that opens the machines.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	SSHPrivateKeySecretRef *corev1.LocalObjectReference `json:"sshPrivateKeySecretRef,omitempty"`
}

// ClusterImageSetReference names a ClusterImageSet.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ClusterImageSetReference struct {
	// Name is the name of the ClusterImageSet.
	Name string `json:"name"`
}

// ClusterDeploymentStatus is what a cluster was last seen to be.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ClusterDeploymentStatus struct {
	// PowerState is the power state that was last observed.
	// +optional
	PowerState ClusterPowerState `json:"powerState,omitempty"`

	// Conditions say more about the state of the cluster.
	// +optional
	Conditions []ClusterDeploymentCondition `json:"conditions,omitempty"`

	// InstalledTimestamp is when the cluster's installation was complete.
	// +optional
	InstalledTimestamp *metav1.Time `json:"installedTimestamp,omitempty"`

	// APIURL is the URL of the cluster's API.
	// +optional
	APIURL string `json:"apiURL,omitempty"`

	// WebConsoleURL is the URL of the cluster's web console.
	// +optional
	WebConsoleURL string `json:"webConsoleURL,omitempty"`
}

// ClusterDeploymentCondition is one aspect of a cluster's state.
//
// +kubebuilder:pruning:PreserveUnknownFields
type ClusterDeploymentCondition struct {
	// Type names the condition.
	Type ClusterDeploymentConditionType `json:"type"`

	// Status is True, False or Unknown.
	Status corev1.ConditionStatus `json:"status"`

	// LastProbeTime is when the condition was last changed or confirmed.
	// +optional
	LastProbeTime metav1.Time `json:"lastProbeTime,omitempty,omitzero"`

	// LastTransitionTime is when the status last went from one value to another.
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty,omitzero"`

	// Reason says in one CamelCase word why the status is what it is.
	// +optional
	Reason string `json:"reason,omitempty"`

	// Message says the same to a human, in detail.
	// +optional
	Message string `json:"message,omitempty"`
}
