package v1

// ClusterPowerState is a desired (spec) or an observed (status) power state of a cluster. In the spec only
// ClusterPowerStateRunning, ClusterPowerStateHibernating and the empty string, which means Running, are valid.
type ClusterPowerState string

// The stable power states.
const (
	// ClusterPowerStateRunning says that all machines run and the cluster is ready. It is what an omitted
	// spec.powerState asks for.
	ClusterPowerStateRunning ClusterPowerState = "Running"

	// ClusterPowerStateHibernating says that all machines of the cluster are stopped.
	ClusterPowerStateHibernating ClusterPowerState = "Hibernating"

	// ClusterPowerStateUnknown says that the state of the cluster's machines cannot or must not be found out.
	ClusterPowerStateUnknown ClusterPowerState = "Unknown"
)

// The power states of a failure. They are retried.
const (
	// ClusterPowerStateFailedToStartMachines says that starting the machines ended in an error.
	ClusterPowerStateFailedToStartMachines ClusterPowerState = "FailedToStartMachines"

	// ClusterPowerStateFailedToStop says that stopping the machines ended in an error.
	ClusterPowerStateFailedToStop ClusterPowerState = "FailedToStop"
)

// The power states on the way from one stable state to the other.
const (
	// ClusterPowerStateSyncSetsNotApplied says that hibernation waits for the first success of the cluster's SyncSets
	// (status.firstSuccessTime of its ClusterSync).
	ClusterPowerStateSyncSetsNotApplied ClusterPowerState = "SyncSetsNotApplied"

	// ClusterPowerStateStopping says that the machines were told to stop.
	ClusterPowerStateStopping ClusterPowerState = "Stopping"

	// ClusterPowerStateWaitingForMachinesToStop says that some machines have not stopped yet.
	ClusterPowerStateWaitingForMachinesToStop ClusterPowerState = "WaitingForMachinesToStop"

	// ClusterPowerStateStartingMachines says that the machines are being listed and started.
	ClusterPowerStateStartingMachines ClusterPowerState = "StartingMachines"

	// ClusterPowerStateWaitingForMachines says that some machines do not run yet.
	ClusterPowerStateWaitingForMachines ClusterPowerState = "WaitingForMachines"

	// ClusterPowerStateWaitingForNodes says that the machines run and some Nodes are not ready yet.
	ClusterPowerStateWaitingForNodes ClusterPowerState = "WaitingForNodes"

	// ClusterPowerStatePausingForClusterOperatorsToSettle says that the Nodes are ready and the ClusterOperators are
	// given time to start and to report anew before they are believed.
	ClusterPowerStatePausingForClusterOperatorsToSettle ClusterPowerState = "PausingForClusterOperatorsToSettle"

	// ClusterPowerStateWaitingForClusterOperators says that some ClusterOperators are not in a good state yet.
	ClusterPowerStateWaitingForClusterOperators ClusterPowerState = "WaitingForClusterOperators"
)
