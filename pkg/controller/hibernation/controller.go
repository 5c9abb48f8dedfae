package hibernation

import (
	"context"
	"fmt"
	"time"

	log "github.com/sirupsen/logrus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// ControllerName is the controller's name, the same as that of Hive's own (see spec.disabledControllers of a HiveConfig).
const ControllerName = "hibernation"

const (
	// visitTimeout ends a visit that hangs. The engine's own budget is far below it.
	visitTimeout = 2 * time.Minute
	// conflictRetry is when a visit is repeated whose ClusterDeployment changed under its hands; it doubles up to
	// lastConflictRetry while that goes on.
	conflictRetry     = time.Second
	lastConflictRetry = time.Minute
	jitter            = 0.2
)

// +kubebuilder:rbac:groups=hive.openshift.io,resources=clusterdeployments,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=hive.openshift.io,resources=clusterdeployments/status,verbs=patch
// +kubebuilder:rbac:groups=hiveinternal.openshift.io,resources=clustersyncs,verbs=get
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;update;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Options are the controller's settings. Zero values mean the defaults.
type Options struct {
	// Clock is the controller's only source of time; nil means the machine's.
	Clock clock.PassiveClock
	// Workers is how many clusters are visited at once (1).
	Workers int
	// CleanupAfter is for how long a cluster must have been ready before its snapshots go; 0 means at once.
	CleanupAfter time.Duration
	// OperatorsSettle is how long the ClusterOperators are given to report anew; 0 means not at all.
	OperatorsSettle time.Duration
	// Jitter spreads the times at which visits are repeated; nil means up to a fifth more, at random.
	Jitter func(time.Duration) time.Duration
}

// Reconciler makes the machines of clusters follow the power state in their ClusterDeployments.
type Reconciler struct {
	// Client reads Secrets uncached and ClusterDeployments, by the index InfraIDIndex too, from a cache.
	Client client.Client
	// Actuators are the clouds that are supported.
	Actuators *Registry
	// Remote leads to the clusters.
	Remote remoteclient.Factory
	// Recorder takes the events.
	Recorder events.EventRecorder
	// Approve approves the certificates that the Nodes of a cluster that wakes ask for, and returns the names of the requests;
	// nil means that none is approved.
	Approve func(ctx context.Context, remote client.Client, logger log.FieldLogger, now time.Time) ([]string, error)
	// Logger takes the logs.
	Logger log.FieldLogger

	options Options
	memory  *memory
}

// NewReconciler returns a reconciler; the fields that are exported have to be set.
func NewReconciler(options Options) *Reconciler {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Jitter == nil {
		options.Jitter = func(d time.Duration) time.Duration { return wait.Jitter(d, jitter) }
	}
	return &Reconciler{options: options, memory: newMemory()}
}

// SetupWithManager adds the controller to the manager, and the index that it reads by to the manager's cache.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr manager.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &hivev1.ClusterDeployment{}, InfraIDIndex, InfraIDsOf)
	if err != nil {
		return fmt.Errorf("index ClusterDeployments by infraID: %w", err)
	}
	err = ctrl.NewControllerManagedBy(mgr).
		Named(ControllerName).
		For(&hivev1.ClusterDeployment{}, builder.WithPredicates(OrdersChanged())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: r.options.Workers,
			ReconciliationTimeout:   visitTimeout,
		}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the %s controller: %w", ControllerName, err)
	}
	return nil
}

// OrdersChanged returns the predicate that lets those updates of ClusterDeployments through that may change what is to be
// done: what we wrote ourselves, and others' conditions, would only cost an early look at the cloud.
func OrdersChanged() predicate.Predicate {
	return predicate.Or[client.Object](
		predicate.GenerationChangedPredicate{},
		predicate.AnnotationChangedPredicate{},
		predicate.LabelChangedPredicate{},
		predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*hivev1.ClusterDeployment)
			if !ok {
				return false
			}
			after, ok := e.ObjectNew.(*hivev1.ClusterDeployment)
			return ok && !before.Status.InstalledTimestamp.Equal(after.Status.InstalledTimestamp)
		}},
	)
}

// Reconcile visits one ClusterDeployment and says when it is to be visited again.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	cd := &hivev1.ClusterDeployment{}
	err := r.Client.Get(ctx, req.NamespacedName, cd)
	if apierrors.IsNotFound(err) {
		r.memory.forget(req.NamespacedName)
		r.Remote.Forget(req.NamespacedName)
		r.Actuators.Forget(req.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read the ClusterDeployment: %w", err)
	}
	if leftAlone(cd) {
		return reconcile.Result{}, nil
	}
	return r.visit(cd).reconcile(WithPass(ctx)), nil
}

// reconcile visits the cluster. When it is to be visited again after an error is decided here and not by the work queue, which
// knows nothing of what the visit got done, or of what it left behind.
func (v *visit) reconcile(ctx context.Context) reconcile.Result {
	v.memo.forOrder(string(v.desired()))
	outcome, err := v.outcome(ctx)
	if err == nil {
		err = v.persist(ctx, outcome)
	}
	if err != nil {
		return v.trouble(ctx, err)
	}
	v.memo.troubles = 0
	return reconcile.Result{RequeueAfter: v.pace(ctx, outcome)}
}
