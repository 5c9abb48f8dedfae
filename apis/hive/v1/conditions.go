package v1

// ClusterDeploymentConditionType names a condition of a ClusterDeployment.
type ClusterDeploymentConditionType string

// The condition types that are read or written here. Others that a ClusterDeployment carries belong to others.
const (
	// ClusterHibernatingCondition is True while the cluster hibernates. While it and ClusterReadyCondition are both
	// False the cluster is on its way from one state to the other, and reason and message of the two say where.
	ClusterHibernatingCondition ClusterDeploymentConditionType = "Hibernating"

	// ClusterReadyCondition is True while the cluster runs and is ready for use.
	ClusterReadyCondition ClusterDeploymentConditionType = "Ready"

	// UnreachableCondition is True while the cluster's API does not answer; so it is while the cluster hibernates.
	UnreachableCondition ClusterDeploymentConditionType = "Unreachable"

	// ActiveAPIURLOverrideCondition is True while the cluster's API answers at
	// spec.controlPlaneConfig.apiURLOverride. It stays Unknown where there is no override.
	ActiveAPIURLOverrideCondition ClusterDeploymentConditionType = "ActiveAPIURLOverride"

	// ProvisionedCondition tells how far the installation is. It is only read here.
	ProvisionedCondition ClusterDeploymentConditionType = "Provisioned"

	// ProvisionStoppedCondition is True once the installation was given up. It is only read here.
	ProvisionStoppedCondition ClusterDeploymentConditionType = "ProvisionStopped"
)

// InitializedConditionReason is the reason of every condition that has not been evaluated yet; its status is Unknown.
const InitializedConditionReason = "Initialized"

// The reasons of ClusterHibernatingCondition.
const (
	// HibernatingReasonResumingOrRunning (False): the cluster is resuming or runs; ClusterReadyCondition says more.
	HibernatingReasonResumingOrRunning = "ResumingOrRunning"

	// HibernatingReasonStopping (False): the machines were told to stop.
	HibernatingReasonStopping = string(ClusterPowerStateStopping)

	// HibernatingReasonWaitingForMachinesToStop (False): some machines have not stopped yet; the message names them.
	HibernatingReasonWaitingForMachinesToStop = string(ClusterPowerStateWaitingForMachinesToStop)

	// HibernatingReasonHibernating (True): all machines are stopped.
	HibernatingReasonHibernating = string(ClusterPowerStateHibernating)

	// HibernatingReasonUnsupported (False): no actuator handles the platform of the cluster.
	HibernatingReasonUnsupported = "Unsupported"

	// HibernatingReasonFailedToStop (False): stopping the machines ended in an error; the message gives it.
	HibernatingReasonFailedToStop = string(ClusterPowerStateFailedToStop)

	// HibernatingReasonSyncSetsNotApplied (False): hibernation waits for the first success of the SyncSets.
	HibernatingReasonSyncSetsNotApplied = string(ClusterPowerStateSyncSetsNotApplied)

	// HibernatingReasonSyncSetsApplied (False): the SyncSets succeeded once, which had been waited for.
	HibernatingReasonSyncSetsApplied = "SyncSetsApplied"

	// HibernatingReasonPowerStatePaused (Unknown): AnnotationPowerStatePause is set.
	HibernatingReasonPowerStatePaused = "PowerStatePaused"

	// HibernatingReasonClusterDeploymentDeleted (Unknown): the ClusterDeployment is being deleted.
	HibernatingReasonClusterDeploymentDeleted = "ClusterDeploymentDeleted"
)

// The reasons of ClusterReadyCondition.
const (
	// ReadyReasonStoppingOrHibernating (False): the cluster is stopping or hibernates; ClusterHibernatingCondition
	// says more.
	ReadyReasonStoppingOrHibernating = "StoppingOrHibernating"

	// ReadyReasonStartingMachines (False): the machines are being listed and started.
	ReadyReasonStartingMachines = string(ClusterPowerStateStartingMachines)

	// ReadyReasonFailedToStartMachines (False): starting the machines ended in an error; the message gives it.
	ReadyReasonFailedToStartMachines = string(ClusterPowerStateFailedToStartMachines)

	// ReadyReasonWaitingForMachines (False): some machines do not run yet; the message names them.
	ReadyReasonWaitingForMachines = string(ClusterPowerStateWaitingForMachines)

	// ReadyReasonWaitingForNodes (False): some Nodes are not ready yet.
	ReadyReasonWaitingForNodes = string(ClusterPowerStateWaitingForNodes)

	// ReadyReasonPausingForClusterOperatorsToSettle (False): the ClusterOperators are given time to report anew.
	ReadyReasonPausingForClusterOperatorsToSettle = string(ClusterPowerStatePausingForClusterOperatorsToSettle)

	// ReadyReasonWaitingForClusterOperators (False): some ClusterOperators are not in a good state yet.
	ReadyReasonWaitingForClusterOperators = string(ClusterPowerStateWaitingForClusterOperators)

	// ReadyReasonRunning (True): the cluster runs and is ready. Also used where the platform is not supported.
	ReadyReasonRunning = string(ClusterPowerStateRunning)

	// ReadyReasonPowerStatePaused (Unknown): AnnotationPowerStatePause is set.
	ReadyReasonPowerStatePaused = "PowerStatePaused"

	// ReadyReasonClusterDeploymentDeleted (Unknown): the ClusterDeployment is being deleted.
	ReadyReasonClusterDeploymentDeleted = "ClusterDeploymentDeleted"
)

// The reasons of UnreachableCondition and of ActiveAPIURLOverrideCondition.
const (
	// UnreachableReasonClusterReachable (Unreachable False, ActiveAPIURLOverride True): the API answered.
	UnreachableReasonClusterReachable = "ClusterReachable"

	// UnreachableReasonErrorConnectingToCluster (Unreachable True, ActiveAPIURLOverride False): the API did not answer,
	// or the cluster hibernates; the message says why.
	UnreachableReasonErrorConnectingToCluster = "ErrorConnectingToCluster"
)
