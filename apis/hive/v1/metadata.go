package v1

// The annotations of a ClusterDeployment that are read here.
const (
	// AnnotationReconcilePause with a true value ("true", "1", …) makes the controllers leave the ClusterDeployment alone.
	AnnotationReconcilePause = "hive.openshift.io/reconcile-pause"

	// AnnotationPowerStatePause with a true value makes the power state unmanaged; it is then shown as Unknown.
	AnnotationPowerStatePause = "hive.openshift.io/powerstate-pause"

	// AnnotationFakeCluster with a true value says that there is no cluster: nothing is asked of a cloud or of a cluster's
	// API for this ClusterDeployment.
	AnnotationFakeCluster = "hive.openshift.io/fake-cluster"

	// AnnotationRelocate says that the ClusterDeployment is moving, or has moved, to another hub. Its value is
	// "<name of the ClusterRelocate>/<status>", see RelocateStatusComplete.
	AnnotationRelocate = "hive.openshift.io/relocate"

	// AnnotationRemakeServer orders that the servers it names are made again from a snapshot older than what they
	// last ran with. Its value is a comma-separated list of server names. A name that is there already when a hibernation
	// begins orders nothing of that one. Not part of Hive's API.
	AnnotationRemakeServer = "hibernation.overwinter.io/remake-server"

	// AnnotationLeaveOutServer orders that the cluster goes on without the servers it names, should their snapshots be
	// lost while it sleeps. Its value is a comma-separated list of server names. A name that is there already when a
	// hibernation begins orders nothing of that one. Not part of Hive's API.
	AnnotationLeaveOutServer = "hibernation.overwinter.io/leave-out-server"
)

// The statuses in the value of AnnotationRelocate.
const (
	// RelocateStatusOutgoing: the ClusterDeployment is being copied to another hub.
	RelocateStatusOutgoing = "outgoing"

	// RelocateStatusComplete: the other hub has taken over; this ClusterDeployment goes without its cluster.
	RelocateStatusComplete = "complete"

	// RelocateStatusIncoming: the ClusterDeployment was copied from another hub that has not let go yet.
	RelocateStatusIncoming = "incoming"
)

// The labels of a ClusterDeployment.
const (
	// LabelResumeSkipsClusterOperators with a true value ends a resume as soon as the Nodes are ready.
	LabelResumeSkipsClusterOperators = "hive.openshift.io/resume-skips-cluster-operators"

	// LabelResumeSkipsNodeRepair with a true value leaves the objects inside the cluster alone at a hibernation and at a
	// resume: no MachineHealthCheck is paused, no Node or Machine is repaired, no CSR is approved. Not part of Hive's API.
	LabelResumeSkipsNodeRepair = "hive.openshift.io/resume-skips-node-repair"

	// LabelClusterPlatform holds the platform of the cluster, for instance "openstack".
	LabelClusterPlatform = "hive.openshift.io/cluster-platform"

	// LabelClusterRegion holds the region of the cluster.
	LabelClusterRegion = "hive.openshift.io/cluster-region"

	// LabelClusterType holds the type of the cluster, as its owner sorts them.
	LabelClusterType = "hive.openshift.io/cluster-type"

	// LabelClusterVersion holds the OpenShift version of the cluster.
	LabelClusterVersion = "hive.openshift.io/version"
)

// The finalizers of a ClusterDeployment.
const (
	// FinalizerRecord keeps the ClusterDeployment while a hibernation record of it exists. Not part of Hive's API.
	FinalizerRecord = "hibernation.overwinter.io/record"

	// FinalizerDeprovision is Hive's: it keeps the ClusterDeployment until its cluster is deprovisioned.
	FinalizerDeprovision = "hive.openshift.io/deprovision"
)

// The keys in the data of the Secrets that a ClusterDeployment refers to.
const (
	// CloudsSecretKey is the key of the OpenStack credentials in platform.openstack.credentialsSecretRef: a clouds.yaml.
	CloudsSecretKey = "clouds.yaml"

	// KubeconfigSecretKey is the key of the kubeconfig in clusterMetadata.adminKubeconfigSecretRef.
	KubeconfigSecretKey = "kubeconfig"
)
