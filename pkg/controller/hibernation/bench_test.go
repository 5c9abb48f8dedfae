package hibernation

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

const (
	testNamespace = "demo"
	testName      = "cluster"
	testInfraID   = "cluster-x7k2p"
)

// startOfTest is when the clock of each test begins; the cluster was installed two days before.
func startOfTest() time.Time { return time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC) }

// fakeActuator is an actuator with all the optional interfaces that answers as it is told.
type fakeActuator struct {
	calls []string

	stopErr, startErr, runningErr error
	stopped, running              bool
	waiting                       []string
	progress                      hibernation.Progress

	summary    hibernation.Summary
	summaryErr error

	cleanup    hibernation.Progress
	cleanupErr error
	// remembered is what was to be saved, healthChecksErr why the MachineHealthChecks can't be un-paused.
	remembered      []hibernation.Observation
	healthChecksErr error
	healthChecks    []string
	released        hibernation.Progress
	releaseErr      error
	kept            bool

	// claims are what is known of the others of one infraID; unless it is set, those that are installed on OpenStack are of the
	// same cluster, and none has a record.
	claims    func(others []*hivev1.ClusterDeployment) (Claim, error)
	forgotten []types.NamespacedName
	// acts, unless nil, is what StartMachines changes in the cloud.
	acts func() string

	// during is called in StopMachines and StartMachines, with the ClusterDeployment as it is then.
	during func(cd *hivev1.ClusterDeployment)
}

var (
	_ HibernationActuator = &fakeActuator{}
	_ Pacer               = &fakeActuator{}
	_ Cleaner             = &fakeActuator{}
	_ Releaser            = &fakeActuator{}
	_ RecordKeeper        = &fakeActuator{}
	_ Caretaker           = &fakeActuator{}
	_ Contender           = &fakeActuator{}
	_ Forgetter           = &fakeActuator{}
)

func (f *fakeActuator) Contend(_ context.Context, _ *hivev1.ClusterDeployment, others []*hivev1.ClusterDeployment, _ client.Client, _ time.Time, _ log.FieldLogger) (Claim, error) {
	if f.claims != nil {
		return f.claims(others)
	}
	var claim Claim
	for _, other := range others {
		if other.Spec.Installed && f.CanHandle(other) {
			claim.Twins = append(claim.Twins, Twin{Cluster: other, Known: true})
		}
	}
	return claim, nil
}

func (f *fakeActuator) Forget(key types.NamespacedName) { f.forgotten = append(f.forgotten, key) }

func (f *fakeActuator) called(name string, cd *hivev1.ClusterDeployment) {
	f.calls = append(f.calls, name)
	if f.during != nil {
		f.during(cd)
	}
}

func (f *fakeActuator) CanHandle(cd *hivev1.ClusterDeployment) bool {
	return cd.Spec.Platform.OpenStack != nil
}

func (f *fakeActuator) StopMachines(_ context.Context, cd *hivev1.ClusterDeployment, _ client.Client, _ log.FieldLogger) error {
	f.called("Stop", cd)
	return f.stopErr
}

func (f *fakeActuator) StartMachines(ctx context.Context, cd *hivev1.ClusterDeployment, _ client.Client, _ log.FieldLogger) error {
	f.called("Start", cd)
	if f.acts != nil {
		_ = note(ctx, nil, f.acts(), "")
	}
	return f.startErr
}

func (f *fakeActuator) MachinesRunning(context.Context, *hivev1.ClusterDeployment, client.Client, log.FieldLogger) (bool, []string, error) {
	f.calls = append(f.calls, "Running")
	return f.running, f.waiting, f.runningErr
}

func (f *fakeActuator) MachinesStopped(context.Context, *hivev1.ClusterDeployment, client.Client, log.FieldLogger) (bool, []string, error) {
	f.calls = append(f.calls, "Stopped")
	return f.stopped, f.waiting, nil
}

func (f *fakeActuator) Progress(context.Context) (hibernation.Progress, bool) {
	return f.progress, true
}

func (f *fakeActuator) Cleanup(context.Context, *hivev1.ClusterDeployment, client.Client, log.FieldLogger) (hibernation.Progress, error) {
	f.calls = append(f.calls, "Cleanup")
	if f.cleanupErr == nil && f.cleanup.Done && f.summary.Leftovers == 0 {
		f.summary = hibernation.Summary{}
	}
	return f.cleanup, f.cleanupErr
}

func (f *fakeActuator) Release(_ context.Context, _ *hivev1.ClusterDeployment, _ client.Client, keep bool, _ log.FieldLogger) (hibernation.Progress, error) {
	f.calls = append(f.calls, "Release")
	f.kept = keep
	return f.released, f.releaseErr
}

func (f *fakeActuator) Summary(context.Context, *hivev1.ClusterDeployment, client.Client, log.FieldLogger) (hibernation.Summary, error) {
	return f.summary, f.summaryErr
}

func (f *fakeActuator) Remember(_ context.Context, _ *hivev1.ClusterDeployment, _ client.Client, o hibernation.Observation, _ log.FieldLogger) (hibernation.Summary, error) {
	f.remembered = append(f.remembered, o)
	o.Late = true
	f.summary.Observation = &o
	return f.summary, nil
}

func (f *fakeActuator) ResumeHealthChecks(context.Context, *hivev1.ClusterDeployment, client.Client, log.FieldLogger) error {
	f.healthChecks = append(f.healthChecks, "resume")
	if f.healthChecksErr == nil {
		f.summary.HealthChecksPaused = false
	}
	return f.healthChecksErr
}

func (f *fakeActuator) ForgetHealthChecks(context.Context, *hivev1.ClusterDeployment, client.Client, log.FieldLogger) error {
	f.healthChecks = append(f.healthChecks, "forget")
	f.summary.HealthChecksPaused = false
	return nil
}

// fakeRemote is a Factory with one cluster.
type fakeRemote struct {
	cluster   client.Client
	err       error
	forgotten []types.NamespacedName
}

func (f *fakeRemote) ClientFor(context.Context, *hivev1.ClusterDeployment) (client.Client, error) {
	return f.cluster, f.err
}

func (f *fakeRemote) Forget(key types.NamespacedName) { f.forgotten = append(f.forgotten, key) }

// bench is a reconciler with everything around it faked.
type bench struct {
	*WithT
	actuator   *fakeActuator
	remote     *fakeRemote
	clock      *clocktesting.FakePassiveClock
	recorder   *events.FakeRecorder
	hub        client.Client
	reconciler *Reconciler
	// writes counts the writes to the hub.
	writes int
	// approved counts how often certificates were.
	approved int
	// disturbed makes the next write of a status a conflict.
	disturbed bool
}

func newBench(t *testing.T, hubObjects ...client.Object) *bench {
	t.Helper()
	b := &bench{
		WithT:    NewWithT(t),
		actuator: &fakeActuator{},
		remote:   &fakeRemote{cluster: fake.NewClientBuilder().WithScheme(remoteScheme()).Build()},
		clock:    clocktesting.NewFakePassiveClock(startOfTest()),
		recorder: events.NewFakeRecorder(100),
	}
	b.hub = fake.NewClientBuilder().
		WithScheme(hubScheme()).
		WithStatusSubresource(&hivev1.ClusterDeployment{}).
		WithIndex(&hivev1.ClusterDeployment{}, InfraIDIndex, InfraIDsOf).
		WithObjects(hubObjects...).
		WithInterceptorFuncs(b.counted()).
		Build()
	b.restart()
	return b
}

// restart replaces the reconciler by a new one, which remembers nothing.
func (b *bench) restart() {
	quiet := log.New()
	quiet.SetOutput(io.Discard)
	b.reconciler = NewReconciler(Options{Clock: b.clock, CleanupAfter: 10 * time.Minute, OperatorsSettle: 2 * time.Minute})
	b.reconciler.Client = b.hub
	b.reconciler.Actuators = NewRegistry(b.actuator)
	b.reconciler.Remote = b.remote
	b.reconciler.Recorder = b.recorder
	b.reconciler.Logger = quiet
}

func (b *bench) counted() interceptor.Funcs {
	return interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			b.writes++
			return c.Patch(ctx, obj, patch, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			b.writes++
			if b.disturbed {
				b.disturbed = false
				return apierrors.NewConflict(schema.GroupResource{Resource: "clusterdeployments"}, obj.GetName(), nil)
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
	}
}

func hubScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	_ = corev1.AddToScheme(scheme)
	_ = hivev1.AddToScheme(scheme)
	scheme.AddKnownTypeWithName(clusterSyncKind(), &unstructured.Unstructured{})
	return scheme
}

func operatorKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "config.openshift.io", Version: "v1", Kind: "ClusterOperator"}
}

func remoteScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	_ = corev1.AddToScheme(scheme)
	_ = coordinationv1.AddToScheme(scheme)
	_ = storagev1.AddToScheme(scheme)
	scheme.AddKnownTypeWithName(operatorKind(), &unstructured.Unstructured{})
	scheme.AddKnownTypeWithName(operatorKind().GroupVersion().WithKind("ClusterOperatorList"), &unstructured.UnstructuredList{})
	return scheme
}

func key() types.NamespacedName {
	return types.NamespacedName{Namespace: testNamespace, Name: testName}
}

// visit reconciles once, without an error, and returns when the next visit is due.
func (b *bench) visit() time.Duration {
	result, err := b.reconciler.Reconcile(context.Background(), reconcile.Request{NamespacedName: key()})
	b.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return result.RequeueAfter
}

// pass lets time go by.
func (b *bench) pass(d time.Duration) { b.clock.SetTime(b.clock.Now().Add(d)) }

func (b *bench) cd() *hivev1.ClusterDeployment {
	cd := &hivev1.ClusterDeployment{}
	b.ExpectWithOffset(1, b.hub.Get(context.Background(), key(), cd)).To(Succeed())
	return cd
}

// order changes the ClusterDeployment as its owner would.
func (b *bench) order(change func(cd *hivev1.ClusterDeployment)) {
	cd := b.cd()
	change(cd)
	cd.Generation++
	b.ExpectWithOffset(1, b.hub.Update(context.Background(), cd)).To(Succeed())
}

func (b *bench) orderPowerState(state hivev1.ClusterPowerState) {
	b.order(func(cd *hivev1.ClusterDeployment) { cd.Spec.PowerState = state })
}

// calls returns what the actuator was asked since the last time.
func (b *bench) calls() []string {
	calls := b.actuator.calls
	b.actuator.calls = nil
	return calls
}

// events returns the events since the last time.
func (b *bench) events() []string {
	var all []string
	for {
		select {
		case e := <-b.recorder.Events:
			all = append(all, e)
		default:
			return all
		}
	}
}

// shown is a ClusterDeployment's status in three lines: powerState, Hibernating, Ready.
func (b *bench) shown() [3]string {
	cd := b.cd()
	line := func(kind hivev1.ClusterDeploymentConditionType) string {
		i := conditions.Index(cd, kind)
		if i < 0 {
			return ""
		}
		return string(cd.Status.Conditions[i].Status) + " " + cd.Status.Conditions[i].Reason
	}
	return [3]string{string(cd.Status.PowerState), line(hivev1.ClusterHibernatingCondition), line(hivev1.ClusterReadyCondition)}
}

func (b *bench) message(kind hivev1.ClusterDeploymentConditionType) string {
	return b.condition(kind).Message
}

func (b *bench) condition(kind hivev1.ClusterDeploymentConditionType) hivev1.ClusterDeploymentCondition {
	cd := b.cd()
	i := conditions.Index(cd, kind)
	b.ExpectWithOffset(1, i).To(BeNumerically(">=", 0))
	return cd.Status.Conditions[i]
}

// installedCD is a cluster on OpenStack that was installed two days ago and that nobody has looked at yet.
func installedCD(changes ...func(cd *hivev1.ClusterDeployment)) *hivev1.ClusterDeployment {
	installed := metav1.NewTime(startOfTest().Add(-48 * time.Hour))
	cd := &hivev1.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: testName, UID: "uid-1", Generation: 1, CreationTimestamp: installed},
		Spec: hivev1.ClusterDeploymentSpec{
			ClusterName: testName,
			Installed:   true,
			ClusterMetadata: &hivev1.ClusterMetadata{
				InfraID:                  testInfraID,
				AdminKubeconfigSecretRef: corev1.LocalObjectReference{Name: "admin-kubeconfig"},
			},
			Platform: hivev1.Platform{OpenStack: &hivev1.OpenStackPlatform{
				CredentialsSecretRef: corev1.LocalObjectReference{Name: "creds"},
				Cloud:                "openstack",
			}},
		},
		Status: hivev1.ClusterDeploymentStatus{InstalledTimestamp: &installed},
	}
	for _, change := range changes {
		change(cd)
	}
	return cd
}

// showing makes the ClusterDeployment show a state since a while before the test.
func showing(state State, ago time.Duration) func(cd *hivev1.ClusterDeployment) {
	return func(cd *hivev1.ClusterDeployment) {
		at := startOfTest().Add(-ago)
		status := statusFor(cd, Outcome{State: state, Message: "as before"}, at)
		cd.Status.PowerState = status.powerState
		cd.Status.Conditions = []hivev1.ClusterDeploymentCondition{status.hibernating, status.ready}
	}
}

func wanting(state hivev1.ClusterPowerState) func(cd *hivev1.ClusterDeployment) {
	return func(cd *hivev1.ClusterDeployment) { cd.Spec.PowerState = state }
}

func withFinalizer(cd *hivev1.ClusterDeployment) {
	cd.Finalizers = append(cd.Finalizers, hivev1.FinalizerRecord)
}

// noClusterSyncs is a hub whose API serves no ClusterSync.
type noClusterSyncs struct{ client.Client }

func (c noClusterSyncs) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if obj.GetObjectKind().GroupVersionKind() == clusterSyncKind() {
		return &meta.NoKindMatchError{GroupKind: clusterSyncKind().GroupKind()}
	}
	return c.Client.Get(ctx, key, obj, opts...)
}

var errNoStatus = errors.New("the API is down")

// noStatus is a hub that takes no status.
type noStatus struct{ client.Client }

func (c noStatus) Status() client.SubResourceWriter { return failingWriter{c.Client.Status()} }

type failingWriter struct{ client.SubResourceWriter }

func (failingWriter) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return errNoStatus
}
