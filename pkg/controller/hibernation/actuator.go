package hibernation

import (
	"context"
	"time"

	log "github.com/sirupsen/logrus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// HibernationActuator works with the machines of one cloud provider. The verbs are Hive's, with a ctx. Stopping and
// starting advance as far as is possible now and return; they are called again until the machines are where they should
// be. The strings that come with a false answer name each lagging machine and what it waits for, in a stable order.
//
//nolint:revive // the name is Hive's, so that an actuator can be carried over.
type HibernationActuator interface {
	// CanHandle returns true if the actuator can handle a particular ClusterDeployment.
	CanHandle(cd *hivev1.ClusterDeployment) bool

	// StopMachines advances stopping the machines of the ClusterDeployment's cluster.
	StopMachines(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) error

	// StartMachines advances starting the machines of the ClusterDeployment's cluster.
	StartMachines(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) error

	// MachinesRunning returns true if all machines run.
	MachinesRunning(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) (bool, []string, error)

	// MachinesStopped returns true if all machines are stopped.
	MachinesStopped(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) (bool, []string, error)
}

// Pacer is what an actuator also is that knows when to come back.
type Pacer interface {
	// Progress returns what the last verb of this pass (see WithPass) found; false if none has said anything.
	Progress(ctx context.Context) (hibernation.Progress, bool)
}

// Cleaner is what an actuator also is that keeps things which are of no use once the cluster is healthy again.
type Cleaner interface {
	// Cleanup advances removing them.
	Cleanup(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) (hibernation.Progress, error)
}

// Releaser is what an actuator also is whose ClusterDeployment may not go before it was asked. The ClusterDeployment
// bears hivev1.FinalizerRecord from before the first StopMachines on.
type Releaser interface {
	// Release advances letting go of a ClusterDeployment that is being deleted; keep says that the cluster stays.
	Release(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, keep bool, logger log.FieldLogger) (hibernation.Progress, error)
}

// RecordKeeper is what an actuator also is that remembers what it does.
type RecordKeeper interface {
	// Summary returns what is remembered, without asking the cloud.
	Summary(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) (hibernation.Summary, error)
}

// Caretaker is what an actuator also is that remembers what is done inside of a cluster.
type Caretaker interface {
	// Remember saves what a cluster that wakes says of itself, as far as it is not known, and returns what is then remembered.
	Remember(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, o hibernation.Observation, logger log.FieldLogger) (hibernation.Summary, error)

	// ResumeHealthChecks un-pauses the MachineHealthChecks that were paused for a hibernation, and remembers that.
	ResumeHealthChecks(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) error

	// ForgetHealthChecks gives that up.
	ForgetHealthChecks(ctx context.Context, cd *hivev1.ClusterDeployment, c client.Client, logger log.FieldLogger) error
}

// Contender is what an actuator also is that can tell clusters of one infraID apart.
type Contender interface {
	// Contend finds out which of others, the oldest first, are of the ClusterDeployment's own cluster. Who only names its
	// infraID is not. A cloud is asked no more than once for each version of their credentials, unless it does not answer.
	// An error is the hub's, or says that the ClusterDeployment's own cloud could not be asked.
	Contend(ctx context.Context, cd *hivev1.ClusterDeployment, others []*hivev1.ClusterDeployment, c client.Client, now time.Time, logger log.FieldLogger) (Claim, error)
}

// Forgetter is what an actuator also is that remembers something of ClusterDeployments in this process.
type Forgetter interface {
	// Forget drops what is remembered of a ClusterDeployment that is gone.
	Forget(key types.NamespacedName)
}

// Registry holds the actuators. It is built once, where the manager is wired, and not changed afterwards.
type Registry struct {
	actuators []HibernationActuator
}

// NewRegistry returns a registry of the actuators; where several can handle a cluster, the first one does.
func NewRegistry(actuators ...HibernationActuator) *Registry {
	return &Registry{actuators: actuators}
}

// Forget has all actuators forget a ClusterDeployment that is gone.
func (r *Registry) Forget(key types.NamespacedName) {
	for _, a := range r.actuators {
		if forgetter, ok := a.(Forgetter); ok {
			forgetter.Forget(key)
		}
	}
}

// For returns the actuator that handles the ClusterDeployment, nil if there is none.
func (r *Registry) For(cd *hivev1.ClusterDeployment) HibernationActuator {
	for _, a := range r.actuators {
		if a.CanHandle(cd) {
			return a
		}
	}
	return nil
}
