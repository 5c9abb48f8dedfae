package hibernation

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// TestStatusOfEveryState pins how each state shows, against Hive's reference.
func TestStatusOfEveryState(t *testing.T) {
	tests := []struct {
		state                          State
		powerState, hibernating, ready string
	}{
		{StatePaused, "Unknown", "Unknown PowerStatePaused", "Unknown PowerStatePaused"},
		{StateDeleted, "Unknown", "Unknown ClusterDeploymentDeleted", "Unknown ClusterDeploymentDeleted"},
		{StateUnsupported, "Running", "False Unsupported", "True Running"},
		{StateSyncSetsNotApplied, "SyncSetsNotApplied", "False SyncSetsNotApplied", "Unknown Initialized"},
		{StateSyncSetsApplied, "", "False SyncSetsApplied", "Unknown Initialized"},
		{StateStopping, "Stopping", "False Stopping", "False StoppingOrHibernating"},
		{StateWaitingToStop, "WaitingForMachinesToStop", "False WaitingForMachinesToStop", "False StoppingOrHibernating"},
		{StateFailedToStop, "FailedToStop", "False FailedToStop", "Unknown Initialized"},
		{StateHibernating, "Hibernating", "True Hibernating", "False StoppingOrHibernating"},
		{StateStarting, "StartingMachines", "False ResumingOrRunning", "False StartingMachines"},
		{StateWaitingToStart, "WaitingForMachines", "False ResumingOrRunning", "False WaitingForMachines"},
		{StateFailedToStart, "FailedToStartMachines", "False ResumingOrRunning", "False FailedToStartMachines"},
		{StateWaitingForNodes, "WaitingForNodes", "False ResumingOrRunning", "False WaitingForNodes"},
		{StateSettling, "PausingForClusterOperatorsToSettle", "False ResumingOrRunning", "False PausingForClusterOperatorsToSettle"},
		{StateWaitingForOperators, "WaitingForClusterOperators", "False ResumingOrRunning", "False WaitingForClusterOperators"},
		{StateRunning, "Running", "False ResumingOrRunning", "True Running"},
		{StateNotEvaluated, "", "Unknown Initialized", "Unknown Initialized"},
		{StateUnchanged, "", "Unknown Initialized", "Unknown Initialized"},
	}
	for _, tt := range tests {
		t.Run(string(tt.state), func(t *testing.T) {
			g := NewWithT(t)
			got := statusFor(&hivev1.ClusterDeployment{}, Outcome{State: tt.state, Message: "why"}, startOfTest())
			g.Expect(string(got.powerState)).To(Equal(tt.powerState))
			g.Expect(string(got.hibernating.Status) + " " + got.hibernating.Reason).To(Equal(tt.hibernating))
			g.Expect(string(got.ready.Status) + " " + got.ready.Reason).To(Equal(tt.ready))
			g.Expect(got.hibernating.Message).NotTo(BeEmpty())
			g.Expect(got.ready.Message).NotTo(BeEmpty())
		})
	}
}

func TestMessageStandsWhereTheStateIs(t *testing.T) {
	g := NewWithT(t)
	cd := &hivev1.ClusterDeployment{}

	asleep := statusFor(cd, Outcome{State: StateStopping, Message: "why"}, startOfTest())
	g.Expect(asleep.hibernating.Message).To(Equal("why"))
	g.Expect(asleep.ready.Message).To(Equal(messageSeeHibernating))

	awake := statusFor(cd, Outcome{State: StateStarting, Message: "why"}, startOfTest())
	g.Expect(awake.ready.Message).To(Equal("why"))
	g.Expect(awake.hibernating.Message).To(Equal(messageSeeReady))
}

func TestRefusedClusterShowsHowReadyItIs(t *testing.T) {
	g := NewWithT(t)
	running := installedCD(showing(StateRunning, time.Hour))

	kept := statusFor(running, Outcome{State: StateFailedToStop, Message: "quota"}, startOfTest())
	g.Expect(kept.ready).To(Equal(running.Status.Conditions[1]))

	waking := statusFor(running, Outcome{
		State: StateFailedToStop, Message: "quota",
		Awake: &Outcome{State: StateWaitingForNodes, Message: "2 of 3"},
	}, startOfTest())
	g.Expect(waking.powerState).To(Equal(hivev1.ClusterPowerStateFailedToStop))
	g.Expect(waking.hibernating.Reason).To(Equal("FailedToStop"))
	g.Expect(waking.hibernating.Message).To(Equal("quota"))
	g.Expect(waking.ready.Reason).To(Equal("WaitingForNodes"))
	g.Expect(waking.ready.Message).To(Equal("2 of 3"))
}

func TestConditionTimes(t *testing.T) {
	before := metav1.NewTime(startOfTest().Add(-time.Hour))
	now := startOfTest()
	old := hivev1.ClusterDeploymentCondition{
		Type: hivev1.ClusterReadyCondition, Status: corev1.ConditionFalse, Reason: "A", Message: "m",
		LastProbeTime: before, LastTransitionTime: before,
	}
	tests := []struct {
		name                    string
		want                    view
		message                 string
		probeMoved, statusMoved bool
	}{
		{"nothing new", view{status: corev1.ConditionFalse, reason: "A"}, "m", false, false},
		{"another message", view{status: corev1.ConditionFalse, reason: "A"}, "n", true, false},
		{"another reason", view{status: corev1.ConditionFalse, reason: "B"}, "m", true, false},
		{"another status", view{status: corev1.ConditionTrue, reason: "A"}, "m", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := NewWithT(t)
			got := changed(old, tt.want, tt.message, now)
			g.Expect(got.LastProbeTime.Time.Equal(now)).To(Equal(tt.probeMoved))
			g.Expect(got.LastTransitionTime.Time.Equal(now)).To(Equal(tt.statusMoved))
		})
	}
}

func TestLagging(t *testing.T) {
	g := NewWithT(t)
	g.Expect(lagging("Waiting", nil)).To(Equal("Waiting"))
	g.Expect(lagging("Waiting", []string{"a: x", "b: y"})).To(Equal("Waiting: a: x; b: y"))
	many := strings.Split("a b c d e f g h i j k l", " ")
	g.Expect(lagging("Waiting", many)).To(Equal("Waiting: a; b; c; d; e; f; g; h; i; j; and 2 more"))
}

func TestSoonest(t *testing.T) {
	g := NewWithT(t)
	g.Expect(soonest(0, 0)).To(BeZero())
	g.Expect(soonest(0, time.Minute, time.Second)).To(Equal(time.Second))
}
