package hibernation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// guest is a cluster that wakes up: its Nodes, their Leases and its ClusterOperators as its API shows them.
type guest struct {
	client.Client
	*WithT
	// err is what every list is answered with, failing what every change of a Node is; nil: nothing fails.
	err, failing error
}

func newGuest(g *WithT) *guest {
	gu := &guest{WithT: g}
	gu.Client = fake.NewClientBuilder().WithScheme(remoteScheme()).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if gu.err != nil {
				return gu.err
			}
			return c.List(ctx, list, opts...)
		},
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			if _, node := obj.(*corev1.Node); node && gu.failing != nil && obj.GetName() != "x-0" {
				return gu.failing
			}
			return c.Create(ctx, obj, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			if gu.failing != nil {
				return gu.failing
			}
			return c.Delete(ctx, obj, opts...)
		},
	}).Build()
	return gu
}

// node adds a Node whose Lease was last renewed when the cluster went to sleep.
func (gu *guest) node(name string, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	labels := map[string]string{}
	if strings.HasPrefix(name, "m-") {
		labels["node-role.kubernetes.io/master"] = ""
	}
	gu.Expect(gu.Create(context.Background(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}},
	})).To(Succeed())
	slept := metav1.NewMicroTime(startOfTest().Add(-30 * time.Hour))
	gu.Expect(gu.Create(context.Background(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: name},
		Spec:       coordinationv1.LeaseSpec{RenewTime: &slept},
	})).To(Succeed())
}

// renew lets the kubelets of Nodes show that they live, by a clock of their own that is far behind ours.
func (gu *guest) renew(names ...string) {
	for _, name := range names {
		lease := &coordinationv1.Lease{}
		gu.Expect(gu.Get(context.Background(), client.ObjectKey{Namespace: corev1.NamespaceNodeLease, Name: name}, lease)).To(Succeed())
		renewed := metav1.NewMicroTime(lease.Spec.RenewTime.Add(10 * time.Second))
		lease.Spec.RenewTime = &renewed
		gu.Expect(gu.Update(context.Background(), lease)).To(Succeed())
	}
}

func (gu *guest) operator(name string, conditions map[string]string) {
	list := []any{}
	for _, kind := range []string{"Available", "Progressing", "Degraded"} {
		if status, ok := conditions[kind]; ok {
			list = append(list, map[string]any{"type": kind, "status": status})
		}
	}
	operator := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": list}}}
	operator.SetGroupVersionKind(operatorKind())
	operator.SetName(name)
	err := gu.Create(context.Background(), operator)
	if apierrors.IsAlreadyExists(err) {
		gu.Expect(gu.Delete(context.Background(), operator.DeepCopy())).To(Succeed())
		err = gu.Create(context.Background(), operator)
	}
	gu.Expect(err).NotTo(HaveOccurred())
}

func good() map[string]string {
	return map[string]string{"Available": "True", "Progressing": "False", "Degraded": "False"}
}

// waking is a cluster whose machines run again after a sleep before which so many of its Nodes were Ready; -1 if it could
// not be asked.
func waking(t *testing.T, nodesReady int, changes ...func(cd *hivev1.ClusterDeployment)) (*bench, *guest) {
	b := newBench(t, installedCD(append(changes, showing(StateWaitingToStart, time.Minute), withFinalizer)...))
	b.actuator.running = true
	b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Opened: true, ControlPlane: 1}
	if nodesReady >= 0 {
		b.actuator.summary.Observation = &hibernation.Observation{NodesReady: nodesReady}
	}
	gu := newGuest(b.WithT)
	b.remote.cluster = gu
	return b, gu
}

func skipsOperators(cd *hivev1.ClusterDeployment) {
	metav1.SetMetaDataLabel(&cd.ObjectMeta, hivev1.LabelResumeSkipsClusterOperators, "true")
}

func (b *bench) reason() string {
	return b.condition(hivev1.ClusterReadyCondition).Reason
}

// TestWholeResume goes through the four steps.
func TestWholeResume(t *testing.T) {
	b, gu := waking(t, 2)
	gu.err = errors.New("dial tcp 10.0.0.5:6443: connect: connection refused")
	b.visit()
	b.Expect(b.shown()).To(Equal([3]string{"WaitingForNodes", "False ResumingOrRunning", "False WaitingForNodes"}))
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal("The cluster's API does not answer yet"))

	gu.err = nil
	gu.node("m-0", true)
	gu.node("w-0", true)
	b.visit()
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal(
		"0 of 2 Nodes are ready: m-0: has not reported since the resume; w-0: has not reported since the resume"))

	gu.renew("m-0")
	b.Expect(b.visit()).To(BeNumerically("<=", nodesPoll*6/5))
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal("1 of 2 Nodes are ready: w-0: has not reported since the resume"))

	gu.renew("w-0")
	b.Expect(b.visit()).To(Equal(2 * time.Minute))
	b.Expect(b.reason()).To(Equal("PausingForClusterOperatorsToSettle"))

	b.pass(2*time.Minute - 5*time.Second)
	b.Expect(b.visit()).To(Equal(5*time.Second), "an early visit does not begin the pause again")
	b.pass(5 * time.Second)
	gu.operator("etcd", good())
	gu.operator("network", map[string]string{"Available": "True", "Progressing": "True", "Degraded": "False"})
	gu.operator("console", map[string]string{"Available": "False", "Degraded": "True"})
	b.visit()
	b.Expect(b.reason()).To(Equal("WaitingForClusterOperators"))
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal(
		"Waiting for ClusterOperators: console: Available=False, Progressing not reported, Degraded=True; network: Progressing=True"))

	gu.operator("console", good())
	gu.operator("network", good())
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.cd().Finalizers).To(ContainElement(hivev1.FinalizerRecord), "the record is still there")
}

func TestNodesExpected(t *testing.T) {
	tests := []struct {
		name         string
		before       int
		controlPlane int
		nodes        map[string]bool
		renewed      []string
		enough       bool
		says         string
	}{
		{"as many as before", 2, 1, map[string]bool{"m-0": true, "w-0": true}, []string{"m-0", "w-0"}, true, ""},
		{"one was broken before", 1, 1, map[string]bool{"m-0": true, "w-0": false}, []string{"m-0"}, true, ""},
		{"one does not live", 2, 1, map[string]bool{"m-0": true, "w-0": true}, []string{"m-0"}, false, "1 of 2 Nodes are ready: w-0: has not reported"},
		{"one is not ready", 2, 1, map[string]bool{"m-0": true, "w-0": false}, []string{"m-0", "w-0"}, false, "1 of 2 Nodes are ready: w-0: not ready"},
		{"not known, all ready", -1, 1, map[string]bool{"m-0": true, "w-0": true}, []string{"m-0", "w-0"}, true, ""},
		{"not known, one not ready", -1, 1, map[string]bool{"m-0": true, "w-0": false}, []string{"m-0", "w-0"}, false, "1 of 2 Nodes are ready"},
		{"not known, control plane not complete", -1, 3, map[string]bool{"m-0": true, "m-1": true, "w-0": true}, []string{"m-0", "m-1", "w-0"}, false, "2 of 3 control plane Nodes exist"},
		{"not known, no Node", -1, 0, nil, nil, false, "no Node"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, gu := waking(t, tt.before, skipsOperators)
			b.actuator.summary.ControlPlane = tt.controlPlane
			for name, ready := range tt.nodes {
				gu.node(name, ready)
			}
			b.visit()
			b.Expect(b.reason()).To(Equal("WaitingForNodes"))
			gu.renew(tt.renewed...)
			b.visit()
			if tt.enough {
				b.Expect(b.shown()).To(Equal(shownRunning))
				return
			}
			b.Expect(b.reason()).To(Equal("WaitingForNodes"))
			b.Expect(b.message(hivev1.ClusterReadyCondition)).To(ContainSubstring(tt.says))
		})
	}
}

// TestFirstContactBelongsToOneResume: what was renewed in the last resume does not count in this one.
func TestFirstContactBelongsToOneResume(t *testing.T) {
	b, gu := waking(t, 1, skipsOperators)
	gu.node("m-0", true)
	b.visit()
	gu.renew("m-0")
	b.orderPowerState(hivev1.ClusterPowerStateHibernating)
	b.visit()
	b.orderPowerState(hivev1.ClusterPowerStateRunning)
	b.visit()
	b.Expect(b.reason()).To(Equal("WaitingForNodes"))
	gu.renew("m-0")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
}

func TestRestartBeginsFirstContactAnew(t *testing.T) {
	b, gu := waking(t, 1, skipsOperators)
	gu.node("m-0", true)
	b.visit()
	gu.renew("m-0")
	b.restart()
	b.visit()
	b.Expect(b.reason()).To(Equal("WaitingForNodes"))
	gu.renew("m-0")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
}

func TestNoOperatorsIsNotGood(t *testing.T) {
	b, gu := waking(t, 1)
	gu.node("m-0", true)
	b.visit()
	gu.renew("m-0")
	b.visit()
	b.pass(3 * time.Minute)
	b.visit()
	b.Expect(b.reason()).To(Equal("WaitingForClusterOperators"))
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(ContainSubstring("none exists yet"))
}

func TestKubeconfigThatIsRefused(t *testing.T) {
	b, _ := waking(t, 1)
	b.remote.err = &remoteclient.Refusal{Message: "the Secret demo/admin-kubeconfig does not exist"}
	b.Expect(b.visit()).To(BeNumerically(">=", slowRetry))
	b.Expect(b.reason()).To(Equal("WaitingForNodes"))
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(ContainSubstring("demo/admin-kubeconfig"))
}

// TestRemoteMessages: what differs from try to try does not reach the condition.
func TestRemoteMessages(t *testing.T) {
	nodes := schema.GroupResource{Resource: "nodes"}
	tests := []struct {
		err  error
		says string
	}{
		{errors.New("read tcp 10.0.0.1:43210->10.0.0.5:6443: connection reset by peer"), "does not answer yet"},
		{context.DeadlineExceeded, "does not answer yet"},
		{apierrors.NewServiceUnavailable("etcd"), "does not answer yet"},
		{apierrors.NewUnauthorized("no"), "refuses the credentials"},
		{apierrors.NewForbidden(nodes, "", errors.New("rbac")), "cannot be used"},
		{fmt.Errorf("Get: %w", x509.UnknownAuthorityError{}), "certificate"},
	}
	for _, tt := range tests {
		b, gu := waking(t, 1)
		gu.err = tt.err
		b.visit()
		b.Expect(b.message(hivev1.ClusterReadyCondition)).To(ContainSubstring(tt.says))
	}
}

// TestUndoneHibernation: its record is gone when the machines run again, and the Nodes are waited for all the same.
func TestUndoneHibernation(t *testing.T) {
	b, gu := waking(t, 1, skipsOperators)
	gu.node("m-0", true)
	gu.node("w-0", false)
	b.actuator.running = false
	b.actuator.summary = hibernation.Summary{Exists: true, Cutting: true, Observation: &hibernation.Observation{NodesReady: 1}}
	b.visit()
	b.actuator.running, b.actuator.summary = true, hibernation.Summary{}
	b.visit()
	b.Expect(b.reason()).To(Equal("WaitingForNodes"))
	gu.renew("m-0")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.cd().Finalizers).To(BeEmpty())
}

// TestUndoneHibernationOfAnUnknownCluster: one that could not be asked, with a server that was off. Nothing starts that server
// again, so its Node is not waited for, whatever it is called.
func TestUndoneHibernationOfAnUnknownCluster(t *testing.T) {
	b, gu := waking(t, -1, skipsOperators)
	for _, name := range []string{"m-0", "w-0", "w-1", "as-its-host-is-called"} {
		gu.node(name, name == "m-0" || name == "w-0")
	}
	gu.onServer("as-its-host-is-called", "server-of-w-2")
	b.actuator.running = false
	b.actuator.summary = hibernation.Summary{Exists: true, Cutting: true, ControlPlane: 1, Machines: []hibernation.MachineState{
		{Name: "m-0", ControlPlane: true, ServerID: "server-of-m-0", Running: true},
		{Name: "w-0", ServerID: "server-of-w-0", Running: true},
		{Name: "w-1", ServerID: "server-of-w-1", Running: true, Off: true},
		{Name: "w-2", ServerID: "server-of-w-2", Running: true, Off: true},
	}}
	b.visit()
	b.actuator.running, b.actuator.summary = true, hibernation.Summary{}
	b.visit()
	gu.renew("m-0")
	b.visit()
	b.Expect(b.message(hivev1.ClusterReadyCondition)).To(Equal("1 of 2 Nodes are ready: w-0: has not reported since the resume"))
	gu.renew("m-0", "w-0")
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
}

// TestRefusedClusterIsFollowed: after it was rolled back, FailedToStop stays and Ready tells how the cluster comes back.
func TestRefusedClusterIsFollowed(t *testing.T) {
	b, gu := waking(t, 1, wanting(hivev1.ClusterPowerStateHibernating), skipsOperators)
	gu.node("m-0", true)
	b.actuator.summary = hibernation.Summary{Exists: true}
	b.actuator.stopErr = &hibernation.Refusal{Message: "quota for images", After: 20 * time.Minute}
	after := b.visit()
	b.Expect(b.shown()).To(Equal([3]string{"FailedToStop", "False FailedToStop", "False WaitingForNodes"}))
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(Equal("quota for images"))
	for range 3 {
		b.Expect(after).To(BeNumerically("<=", nodesPoll*6/5))
		b.pass(after)
		after = b.visit()
	}

	gu.renew("m-0")
	b.pass(after)
	b.Expect(b.visit()).To(Equal(20 * time.Minute))
	b.Expect(b.shown()).To(Equal([3]string{"FailedToStop", "False FailedToStop", "True Running"}))

	b.calls()
	b.pass(19 * time.Minute)
	b.Expect(b.visit()).To(Equal(time.Minute))
	b.Expect(b.calls()).To(BeEmpty())

	b.orderPowerState(hivev1.ClusterPowerStateRunning)
	b.actuator.summary = hibernation.Summary{}
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.cd().Finalizers).To(BeEmpty())
}
