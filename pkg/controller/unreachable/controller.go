package unreachable

import (
	"context"
	"fmt"
	"time"

	log "github.com/sirupsen/logrus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
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
	"github.com/overwinter/overwinter/pkg/controller/conditions"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// ControllerName is the controller's name, the same as that of Hive's own (see spec.disabledControllers of a HiveConfig).
const ControllerName = "unreachable"

const (
	// visitTimeout ends a visit that hangs; the cluster itself has remoteclient.Timeout of it.
	visitTimeout = 30 * time.Second
	// changedRetry is when a visit is repeated whose ClusterDeployment changed under its hands.
	changedRetry = time.Second
	jitter       = 0.1
	// maxMessage and maxNote are the longest texts in a condition and in an event, in bytes. The API takes notes of less
	// than 1024 bytes.
	maxMessage = 2048
	maxNote    = 1000

	// actionProbe is what the events of this controller are about.
	actionProbe = "Probe"
	// eventOverrideFailed and eventOverrideWorks are reasons of events; the others are those of the condition Unreachable.
	eventOverrideFailed = "APIURLOverrideFailed"
	eventOverrideWorks  = "APIURLOverrideWorks"
)

// +kubebuilder:rbac:groups=hive.openshift.io,resources=clusterdeployments,verbs=get;list;watch
// +kubebuilder:rbac:groups=hive.openshift.io,resources=clusterdeployments/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Options are the controller's settings. Zero values mean the defaults.
type Options struct {
	// Clock is the controller's only source of time, but for the bounds of requests; nil means the machine's.
	Clock clock.PassiveClock
	// Workers is how many clusters are asked at once (1).
	Workers int
	// Jitter spreads the times at which visits are repeated; nil means up to a tenth more, at random.
	Jitter func(time.Duration) time.Duration
}

// Reconciler finds out which clusters answer.
type Reconciler struct {
	// Client reads ClusterDeployments from a cache and patches their status.
	Client client.Client
	// Remote leads to the clusters.
	Remote remoteclient.Prober
	// Recorder takes the events.
	Recorder events.EventRecorder
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
	return &Reconciler{options: options, memory: &memory{memos: map[types.NamespacedName]*memo{}}}
}

// SetupWithManager adds the controller to the manager.
func (r *Reconciler) SetupWithManager(mgr manager.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named(ControllerName).
		For(&hivev1.ClusterDeployment{}, builder.WithPredicates(OutlookChanged())).
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

// OutlookChanged returns the predicate that lets those updates of ClusterDeployments through after which it may have to be
// looked at once whether the cluster answers: that its power state has come a step further is one, what this controller
// wrote itself is not.
func OutlookChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*hivev1.ClusterDeployment)
		if !ok {
			return false
		}
		after, ok := e.ObjectNew.(*hivev1.ClusterDeployment)
		return ok && outlookOf(before) != outlookOf(after)
	}}
}

// Reconcile visits one ClusterDeployment and says when it is to be visited again.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	cd, err := r.read(ctx, req.NamespacedName)
	if cd == nil || err != nil {
		return reconcile.Result{}, err
	}
	seen := r.memory.of(cd)
	todo := decide(cd, *seen, r.options.Clock.Now())
	var found findings
	if todo.do == check {
		if found, err = r.probe(ctx, cd, todo.secondary); err != nil {
			return reconcile.Result{}, err
		}
		// That may have taken seconds, in which others have written to the ClusterDeployment.
		asked := cd
		if cd, err = r.read(ctx, req.NamespacedName); cd == nil || err != nil {
			return reconcile.Result{}, err
		}
		if cd.UID != asked.UID || outlookOf(cd) != outlookOf(asked) {
			return r.again(changedRetry), nil
		}
	}
	return r.conclude(ctx, cd, seen, todo, found)
}

// conclude writes down what came of a visit.
func (r *Reconciler) conclude(ctx context.Context, cd *hivev1.ClusterDeployment, seen *memo, todo decision, found findings) (reconcile.Result, error) {
	now := r.options.Clock.Now()
	if todo.do != nothing {
		err := r.write(ctx, cd, statusFor(cd, todo.do, found, now))
		if apierrors.IsConflict(err) || apierrors.IsInvalid(err) {
			// Someone was faster; Invalid means that the conditions have other places now.
			return r.again(changedRetry), nil
		}
		if err != nil {
			return reconcile.Result{}, err
		}
	}
	seen.note(outlookOf(cd), now)
	if todo.do == check {
		seen.asked(found.primary == "", now)
		todo = decide(cd, *seen, now)
	}
	return r.again(todo.after), nil
}

// read returns a ClusterDeployment; nil, and forgotten, if it does not exist.
func (r *Reconciler) read(ctx context.Context, key types.NamespacedName) (*hivev1.ClusterDeployment, error) {
	cd := &hivev1.ClusterDeployment{}
	err := r.Client.Get(ctx, key, cd)
	if apierrors.IsNotFound(err) {
		r.memory.forget(key)
		r.Remote.Forget(key)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ClusterDeployment: %w", err)
	}
	return cd, nil
}

// write makes our conditions what they are to be, and says so in an event and in the log where that is news; cd then holds
// what the API answered.
func (r *Reconciler) write(ctx context.Context, cd *hivev1.ClusterDeployment, want ownStatus) error {
	patch, err := want.patch(cd)
	if err != nil || patch == nil {
		return err
	}
	before := statusOf(cd)
	if err := r.Client.Status().Patch(ctx, cd, patch); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("write the status: %w", err))
	}
	if before.unreachable.Status != want.unreachable.Status || before.override.Status != want.override.Status {
		r.loggerFor(cd).WithFields(log.Fields{
			"unreachable": want.unreachable.Status, "activeAPIURLOverride": want.override.Status, "message": want.unreachable.Message,
		}).Info("the cluster's API was looked at")
	}
	if news, ok := eventFor(before, want); ok {
		r.Recorder.Eventf(cd, nil, news.kind, news.reason, actionProbe, "%s", conditions.Brief(news.message, maxNote))
	}
	return nil
}

func (r *Reconciler) again(after time.Duration) reconcile.Result {
	if after > 0 {
		after = r.options.Jitter(after)
	}
	return reconcile.Result{RequeueAfter: after}
}

func (r *Reconciler) loggerFor(cd *hivev1.ClusterDeployment) log.FieldLogger {
	return r.Logger.WithFields(log.Fields{
		"controller": ControllerName, "namespace": cd.Namespace, "clusterDeployment": cd.Name,
	})
}
