package unreachable

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// clusters stands in for the clusters: at each address either an answer or an error.
type clusters struct {
	// errs are what the requests end in; makeErr is why there is no client at all.
	errs    map[remoteclient.Address]error
	makeErr error
	// during is done while a cluster is being asked.
	during func()

	asked     []remoteclient.Address
	deadlines []time.Duration
	forgotten []types.NamespacedName
}

func (c *clusters) ClientAt(_ context.Context, _ *hivev1.ClusterDeployment, address remoteclient.Address) (client.Client, error) {
	if c.makeErr != nil {
		return nil, c.makeErr
	}
	get := func(ctx context.Context, _ client.WithWatch, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
		if key.Name != "default" || obj.GetObjectKind().GroupVersionKind().Kind != "Namespace" {
			return fmt.Errorf("it was asked for %s", key)
		}
		deadline, ok := ctx.Deadline()
		if !ok {
			return errors.New("it was asked without a deadline")
		}
		c.asked, c.deadlines = append(c.asked, address), append(c.deadlines, time.Until(deadline))
		if c.during != nil {
			c.during()
		}
		return c.errs[address]
	}
	return fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{Get: get}).Build(), nil
}

func (c *clusters) Forget(key types.NamespacedName) { c.forgotten = append(c.forgotten, key) }

// bench is the controller between a hub and clusters that both stand in.
type bench struct {
	*Reconciler
	g        *WithT
	clock    *clocktesting.FakePassiveClock
	hub      client.Client
	remote   *clusters
	recorder *events.FakeRecorder
	hubErr   map[string]error
}

func newBench(t *testing.T, cds ...client.Object) *bench {
	b := &bench{
		g: NewWithT(t), clock: clocktesting.NewFakePassiveClock(noon()), remote: &clusters{errs: map[remoteclient.Address]error{}},
		recorder: events.NewFakeRecorder(100), hubErr: map[string]error{},
	}
	scheme := runtime.NewScheme()
	b.g.Expect(hivev1.AddToScheme(scheme)).To(Succeed())
	b.hub = fake.NewClientBuilder().WithScheme(scheme).WithObjects(cds...).WithStatusSubresource(&hivev1.ClusterDeployment{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
				if err := b.hubErr["get"]; err != nil {
					return err
				}
				return c.Get(ctx, key, obj, opts...)
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				if err := b.hubErr["patch"]; err != nil {
					return err
				}
				return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
			},
		}).Build()
	b.Reconciler = NewReconciler(Options{Clock: b.clock, Jitter: func(d time.Duration) time.Duration { return d }})
	b.Client, b.Remote, b.Recorder = b.hub, b.remote, b.recorder
	logger := log.New()
	logger.SetOutput(t.Output())
	b.Logger = logger
	return b
}

func key() types.NamespacedName { return types.NamespacedName{Namespace: "ns", Name: "cluster"} }

func (b *bench) visit(ctx context.Context) (reconcile.Result, error) {
	return b.Reconcile(ctx, reconcile.Request{NamespacedName: key()})
}

// visited expects a visit to succeed, and to ask for another one after a while.
func (b *bench) visited(t *testing.T, after time.Duration) {
	t.Helper()
	result, err := b.visit(t.Context())
	b.g.Expect(err).NotTo(HaveOccurred())
	b.g.ExpectWithOffset(1, result).To(Equal(reconcile.Result{RequeueAfter: after}))
}

func (b *bench) pass(d time.Duration) { b.clock.SetTime(b.clock.Now().Add(d)) }

func (b *bench) cd(t *testing.T) *hivev1.ClusterDeployment {
	cd := &hivev1.ClusterDeployment{}
	b.g.Expect(b.hub.Get(t.Context(), key(), cd)).To(Succeed())
	return cd
}

// become changes the ClusterDeployment as others would.
func (b *bench) become(t *testing.T, changes ...change) {
	cd := b.cd(t)
	for _, change := range changes {
		change(cd)
	}
	status := cd.Status
	b.g.Expect(b.hub.Update(t.Context(), cd)).To(Succeed())
	cd.Status = status
	b.g.Expect(b.hub.Status().Update(t.Context(), cd)).To(Succeed())
}

func (b *bench) expect(t *testing.T, unreachable, override corev1.ConditionStatus, message string) {
	t.Helper()
	is := statusOf(b.cd(t))
	b.g.ExpectWithOffset(1, []corev1.ConditionStatus{is.unreachable.Status, is.override.Status}).To(Equal([]corev1.ConditionStatus{unreachable, override}))
	b.g.ExpectWithOffset(1, is.unreachable.Message).To(Equal(message))
}

func (b *bench) events() []string {
	var got []string
	for len(b.recorder.Events) > 0 {
		got = append(got, <-b.recorder.Events)
	}
	return got
}

const (
	deaf     = "The cluster's API does not answer"
	refused  = "The cluster's API refuses the credentials in the admin kubeconfig"
	yes      = corev1.ConditionTrue
	no       = corev1.ConditionFalse
	unknown  = corev1.ConditionUnknown
	atFirst  = remoteclient.Primary
	atSecond = remoteclient.Secondary
)

func errDeaf() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
}

// TestLifeOfACluster: from its installation through a hibernation.
func TestLifeOfACluster(t *testing.T) {
	b := newBench(t, clusterDeployment(notInstalled))
	b.visited(t, 0)
	b.expect(t, unknown, unknown, messageNotLookedAt)

	b.become(t, func(cd *hivev1.ClusterDeployment) { cd.Spec.Installed = true })
	b.visited(t, 2*time.Hour)
	b.expect(t, no, unknown, messageReachable)
	version := b.cd(t).ResourceVersion
	b.pass(time.Hour)
	b.visited(t, time.Hour)
	b.g.Expect(b.remote.asked).To(HaveLen(1))
	b.g.Expect(b.cd(t).ResourceVersion).To(Equal(version))
	b.pass(time.Hour)
	b.visited(t, 2*time.Hour)
	b.g.Expect(b.remote.asked).To(HaveLen(2))
	b.g.Expect(statusOf(b.cd(t)).unreachable.LastProbeTime.Time).To(BeTemporally("==", b.clock.Now()))

	b.become(t, stopping)
	b.visited(t, 2*time.Hour)
	b.become(t, asleep)
	for range 3 {
		b.visited(t, 0)
		b.pass(24 * time.Hour)
	}
	b.g.Expect(b.remote.asked).To(HaveLen(2))
	b.expect(t, yes, unknown, messageAsleep)
	b.g.Expect(b.events()).To(BeEmpty())

	b.remote.errs[atFirst] = errDeaf()
	b.become(t, resuming(hivev1.ReadyReasonStartingMachines))
	b.visited(t, 15*time.Second)
	b.expect(t, yes, unknown, deaf)
	version = b.cd(t).ResourceVersion
	for range 3 {
		b.pass(15 * time.Second)
		b.visited(t, 15*time.Second)
	}
	b.g.Expect(b.remote.asked).To(HaveLen(6))
	b.g.Expect(b.cd(t).ResourceVersion).To(Equal(version))

	delete(b.remote.errs, atFirst)
	b.pass(15 * time.Second)
	b.visited(t, 15*time.Second)
	b.expect(t, no, unknown, messageReachable)
	b.g.Expect(b.events()).To(Equal([]string{"Normal ClusterReachable The cluster's API answers"}))
	b.become(t, running)
	b.visited(t, 2*time.Hour)
	b.g.Expect(b.events()).To(BeEmpty())
}

// TestClusterThatDoesNotAnswer is asked less and less, and written to once.
func TestClusterThatDoesNotAnswer(t *testing.T) {
	b := newBench(t, clusterDeployment())
	b.remote.errs[atFirst] = errDeaf()
	b.visited(t, 10*time.Second)
	b.expect(t, yes, unknown, deaf)
	version := b.cd(t).ResourceVersion
	for _, after := range []time.Duration{20, 40, 80, 160, 320, 640, 1000, 1000} {
		b.pass(after / 2 * time.Second)
		b.visited(t, after*time.Second)
		b.pass(after / 2 * time.Second)
	}
	b.g.Expect(b.cd(t).ResourceVersion).To(Equal(version))
	b.g.Expect(b.events()).To(Equal([]string{"Warning ErrorConnectingToCluster " + deaf}))

	b.remote.errs[atFirst] = apierrors.NewUnauthorized("token-abc")
	b.pass(time.Hour)
	b.visited(t, 1000*time.Second)
	b.expect(t, yes, unknown, refused)
	b.g.Expect(b.events()).To(BeEmpty())
}

// TestOverrideAndFallback: the cluster is asked at the URL in the kubeconfig while its override does not answer.
func TestOverrideAndFallback(t *testing.T) {
	b := newBench(t, clusterDeployment(overridden))
	b.visited(t, 2*time.Hour)
	b.expect(t, no, yes, messageReachable)
	b.g.Expect(b.remote.asked).To(Equal([]remoteclient.Address{atFirst}))

	b.remote.errs[atFirst] = errDeaf()
	b.pass(2 * time.Hour)
	b.visited(t, 10*time.Second)
	b.expect(t, no, no, messageReachable)
	b.g.Expect(remoteclient.Active(b.cd(t))).To(Equal(atSecond))
	b.g.Expect(b.remote.asked).To(Equal([]remoteclient.Address{atFirst, atFirst, atSecond}))
	b.g.Expect(b.events()).To(ConsistOf(HavePrefix("Warning " + eventOverrideFailed)))

	b.pass(10 * time.Second)
	b.visited(t, 20*time.Second)
	b.g.Expect(b.remote.asked[3:]).To(Equal([]remoteclient.Address{atFirst}), "the other is taken to answer")
	b.pass(2 * time.Hour)
	b.visited(t, 40*time.Second)
	b.g.Expect(b.remote.asked[4:]).To(Equal([]remoteclient.Address{atFirst, atSecond}), "for two hours")

	b.remote.errs[atSecond] = apierrors.NewUnauthorized("token-abc")
	b.pass(2 * time.Hour)
	b.visited(t, 80*time.Second)
	b.expect(t, yes, no, "At the URL in spec.controlPlaneConfig.apiURLOverride: "+deaf+"; at the URL in the admin kubeconfig: "+refused)
	b.g.Expect(remoteclient.Active(b.cd(t))).To(Equal(atFirst))

	delete(b.remote.errs, atFirst)
	b.pass(2 * time.Hour)
	b.visited(t, 2*time.Hour)
	b.expect(t, no, yes, messageReachable)
	b.become(t, func(cd *hivev1.ClusterDeployment) { cd.Spec.ControlPlaneConfig = nil })
	b.visited(t, 2*time.Hour)
	b.expect(t, no, unknown, messageReachable)
}

// TestBudget: no worker is held up for longer than the time for one request, whatever is asked.
func TestBudget(t *testing.T) {
	b := newBench(t, clusterDeployment(overridden))
	b.remote.errs[atFirst], b.remote.errs[atSecond] = errDeaf(), errDeaf()
	b.visited(t, 10*time.Second)
	b.g.Expect(b.remote.asked).To(Equal([]remoteclient.Address{atFirst, atSecond}))
	b.g.Expect(b.remote.deadlines[0]).To(BeNumerically("<=", remoteclient.Timeout/2))
	b.g.Expect(b.remote.deadlines[1]).To(BeNumerically("<=", remoteclient.Timeout))

	b.become(t, func(cd *hivev1.ClusterDeployment) { cd.Spec.ControlPlaneConfig = nil })
	b.visited(t, 10*time.Second)
	b.g.Expect(b.remote.deadlines[2]).To(And(BeNumerically(">", remoteclient.Timeout/2), BeNumerically("<=", remoteclient.Timeout)))
}

// TestNotAsked: nobody's business, or nobody there.
func TestNotAsked(t *testing.T) {
	for name, cd := range map[string]*hivev1.ClusterDeployment{
		"paused":  clusterDeployment(annotated(hivev1.AnnotationReconcilePause, "true")),
		"deleted": clusterDeployment(deleted),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, cd)
			b.visited(t, 0)
			b.g.Expect(b.cd(t).Status.Conditions).To(BeEmpty())
			b.g.Expect(b.remote.asked).To(BeEmpty())
		})
	}
	t.Run("fake", func(t *testing.T) {
		b := newBench(t, clusterDeployment(annotated(hivev1.AnnotationFakeCluster, "true")))
		b.visited(t, 0)
		b.expect(t, no, unknown, messageFake)
		b.g.Expect(b.remote.asked).To(BeEmpty())
	})
	t.Run("gone", func(t *testing.T) {
		b := newBench(t)
		b.visited(t, 0)
		b.g.Expect(b.remote.forgotten).To(Equal([]types.NamespacedName{key()}))
	})
}

// TestKubeconfigThatIsRefused is a cluster that can't be reached; the message says what to do.
func TestKubeconfigThatIsRefused(t *testing.T) {
	b := newBench(t, clusterDeployment())
	b.remote.makeErr = fmt.Errorf("wrapped: %w", &remoteclient.Refusal{Message: "the Secret ns/admin does not exist: create it"})
	b.visited(t, 10*time.Second)
	b.expect(t, yes, unknown, "the Secret ns/admin does not exist: create it")
}

// TestNothingIsConcluded from what is not the cluster's fault.
func TestNothingIsConcluded(t *testing.T) {
	resource := schema.GroupResource{Resource: "clusterdeployments"}
	tests := map[string]struct {
		spoil func(*testing.T, *bench)
		after time.Duration
		fails bool
	}{
		"the hub's Secrets can't be read": {func(_ *testing.T, b *bench) { b.remote.makeErr = errors.New("hub") }, 0, true},
		"the hub can't be read":           {func(_ *testing.T, b *bench) { b.hubErr["get"] = errors.New("hub") }, 0, true},
		"the hub can't be written to":     {func(_ *testing.T, b *bench) { b.hubErr["patch"] = errors.New("hub") }, 0, true},
		"a conflict": {func(_ *testing.T, b *bench) {
			b.hubErr["patch"] = apierrors.NewConflict(resource, "cluster", errors.New("changed"))
		}, time.Second, false},
		"conditions in other places": {func(_ *testing.T, b *bench) {
			b.hubErr["patch"] = apierrors.NewInvalid(schema.GroupKind{Kind: "ClusterDeployment"}, "cluster", nil)
		}, time.Second, false},
		"it falls asleep meanwhile": {func(t *testing.T, b *bench) {
			b.remote.during = func() { b.become(t, asleep) }
		}, time.Second, false},
		"it is another meanwhile": {func(t *testing.T, b *bench) {
			b.remote.during = func() {
				other := clusterDeployment(func(cd *hivev1.ClusterDeployment) { cd.UID = "other" })
				b.g.Expect(b.hub.Delete(t.Context(), b.cd(t))).To(Succeed())
				b.g.Expect(b.hub.Create(t.Context(), other)).To(Succeed())
			}
		}, time.Second, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, clusterDeployment())
			tt.spoil(t, b)
			result, err := b.visit(t.Context())
			b.g.Expect(err != nil).To(Equal(tt.fails), "%v", err)
			b.g.Expect(result.RequeueAfter).To(Equal(tt.after))
			b.hubErr = map[string]error{}
			b.g.Expect(statusOf(b.cd(t)).unreachable.Status).To(BeEmpty())
			b.g.Expect(b.events()).To(BeEmpty())

			// The next visit is not put off by it.
			b.remote.makeErr, b.remote.during, b.remote.errs = nil, nil, nil
			_, err = b.visit(t.Context())
			b.g.Expect(err).NotTo(HaveOccurred())
			b.g.Expect(statusOf(b.cd(t)).unreachable.Status).NotTo(BeEmpty())
		})
	}
}

// TestManagerThatEnds while a cluster is being asked: that it was cut off says nothing about the cluster.
func TestManagerThatEnds(t *testing.T) {
	b := newBench(t, clusterDeployment())
	ctx, end := context.WithCancel(t.Context())
	b.remote.during, b.remote.errs[atFirst] = end, context.Canceled
	_, err := b.visit(ctx)
	b.g.Expect(err).To(MatchError(context.Canceled))
	b.g.Expect(b.cd(t).Status.Conditions).To(BeEmpty())
}

// TestOthersWriteMeanwhile: what others wrote while the cluster was being asked is no conflict.
func TestOthersWriteMeanwhile(t *testing.T) {
	b := newBench(t, clusterDeployment())
	b.remote.during = func() {
		b.become(t, having(hivev1.ProvisionedCondition, yes, "Provisioned", "", 0))
	}
	b.visited(t, 2*time.Hour)
	b.expect(t, no, unknown, messageReachable)
	b.g.Expect(b.cd(t).Status.Conditions).To(HaveLen(3))
}

// TestWhatIsWatched: what may have to be looked at anew, and not what we wrote ourselves.
func TestWhatIsWatched(t *testing.T) {
	before := clusterDeployment(asleep, unreachable(messageAsleep, 0))
	tests := map[string]struct {
		after *hivev1.ClusterDeployment
		want  bool
	}{
		"our conditions":        {clusterDeployment(asleep, unreachable("why", 0), overrideUnknown(0)), false},
		"others' conditions":    {clusterDeployment(asleep, unreachable(messageAsleep, 0), having(hivev1.ProvisionedCondition, yes, "", "", 0)), false},
		"it wakes":              {clusterDeployment(resuming(hivev1.ReadyReasonStartingMachines), unreachable(messageAsleep, 0)), true},
		"an override":           {clusterDeployment(asleep, overridden), true},
		"it is paused":          {clusterDeployment(asleep, annotated(hivev1.AnnotationReconcilePause, "true")), true},
		"an annotation of none": {clusterDeployment(asleep, annotated("a", "b")), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(OutlookChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: tt.after})).To(Equal(tt.want))
			g.Expect(OutlookChanged().Create(event.CreateEvent{Object: tt.after})).To(BeTrue())
		})
	}
}
