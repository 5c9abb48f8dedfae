package hibernation

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

var (
	shownRunning     = [3]string{"Running", "False ResumingOrRunning", "True Running"}
	shownHibernating = [3]string{"Hibernating", "True Hibernating", "False StoppingOrHibernating"}
)

// TestWayToSleep goes through what is shown on the way from running to hibernating.
func TestWayToSleep(t *testing.T) {
	b := newBench(t, installedCD(showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateHibernating)))
	b.actuator.during = func(cd *hivev1.ClusterDeployment) {
		b.Expect(controllerutil.ContainsFinalizer(b.cd(), hivev1.FinalizerRecord)).To(BeTrue(), "the finalizer is there before a machine is touched")
		b.Expect(cd.Finalizers).To(ContainElement(hivev1.FinalizerRecord))
	}
	b.actuator.summary = hibernation.Summary{Exists: true, Cutting: true}
	b.actuator.waiting = []string{"m-0: being paused", "w-0: being paused"}
	b.actuator.progress = hibernation.Progress{Stage: hibernation.StageStopping, After: 3 * time.Second}
	b.Expect(b.visit()).To(Equal(3 * time.Second))
	b.Expect(b.shown()).To(Equal([3]string{"Stopping", "False Stopping", "False StoppingOrHibernating"}))
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(Equal("Stopping the machines: m-0: being paused; w-0: being paused"))
	b.Expect(b.calls()).To(Equal([]string{"Stop", "Stopped"}))

	b.actuator.progress = hibernation.Progress{Stage: hibernation.StageWaitingToStop, After: 2 * time.Second}
	b.actuator.waiting = []string{"w-0: being deleted"}
	b.visit()
	b.Expect(b.shown()).To(Equal([3]string{"WaitingForMachinesToStop", "False WaitingForMachinesToStop", "False StoppingOrHibernating"}))
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(ContainSubstring("w-0: being deleted"))

	b.actuator.stopped, b.actuator.waiting = true, nil
	b.Expect(b.visit()).To(BeZero())
	b.Expect(b.shown()).To(Equal(shownHibernating))
	b.Expect(b.events()).To(Equal([]string{"Normal Hibernating The cluster's machines are stopped"}))
}

// TestStableCostsNothing: a cluster that is where it is to be is not asked about, and nothing is written.
func TestStableCostsNothing(t *testing.T) {
	tests := map[string][]func(cd *hivev1.ClusterDeployment){
		"hibernating":         {showing(StateHibernating, time.Hour), wanting(hivev1.ClusterPowerStateHibernating), withFinalizer},
		"running":             {showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateRunning)},
		"running, by default": {showing(StateRunning, time.Hour)},
		"running, clean-up not due": {showing(StateRunning, time.Minute), withFinalizer, func(cd *hivev1.ClusterDeployment) {
			cd.Annotations = map[string]string{"some": "thing"}
		}},
	}
	for name, changes := range tests {
		t.Run(name, func(t *testing.T) {
			cd := installedCD(changes...)
			b := newBench(t, cd)
			if len(cd.Finalizers) > 0 {
				b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Opened: true}
			}
			for range 3 {
				b.visit()
				b.pass(time.Second)
			}
			b.Expect(b.calls()).To(BeEmpty())
			b.Expect(b.writes).To(BeZero())
			b.Expect(b.events()).To(BeEmpty())
		})
	}
}

// TestRestoredClusterDeployment: one that a backup brought back without our finalizer, or that was made anew, has a record.
func TestRestoredClusterDeployment(t *testing.T) {
	b := newBench(t, installedCD(showing(StateRunning, time.Minute), wanting(hivev1.ClusterPowerStateRunning)))
	b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Opened: true}
	b.visit()
	b.Expect(b.cd().Finalizers).To(ContainElement(hivev1.FinalizerRecord))
}

// TestNeverHibernated: a cluster without a record is ready when its machines run, without being asked itself.
func TestNeverHibernated(t *testing.T) {
	b := newBench(t, installedCD())
	b.remote.err = errors.New("must not be asked")
	b.actuator.waiting = []string{"m-0: BUILD"}
	b.actuator.progress = hibernation.Progress{Stage: hibernation.StageWaitingToStart, After: 9 * time.Second}
	b.Expect(b.visit()).To(Equal(9 * time.Second))
	b.Expect(b.shown()).To(Equal([3]string{"WaitingForMachines", "False ResumingOrRunning", "False WaitingForMachines"}))
	b.actuator.running = true
	b.visit()
	b.Expect(b.shown()).To(Equal(shownRunning))
	b.Expect(b.events()).To(ContainElement("Normal Running The cluster is running"))
}

// TestStartStages: what the actuator is about shows in reason and message.
func TestStartStages(t *testing.T) {
	tests := []struct {
		stage  hibernation.Stage
		reason string
		says   string
	}{
		{hibernation.StageStarting, "StartingMachines", "Starting the machines: m-0: x"},
		{hibernation.StageWaitingToStart, "WaitingForMachines", "Waiting for machines to run: m-0: x"},
		{hibernation.StageRollingBack, "StartingMachines", "Undoing the hibernation"},
		{hibernation.StageStopping, "StartingMachines", "Finishing the hibernation"},
		{hibernation.StageWaitingToStop, "StartingMachines", "Finishing the hibernation"},
	}
	for _, tt := range tests {
		t.Run(string(tt.stage), func(t *testing.T) {
			b := newBench(t, installedCD(showing(StateHibernating, time.Hour), withFinalizer))
			b.actuator.waiting = []string{"m-0: x"}
			b.actuator.progress = hibernation.Progress{Stage: tt.stage}
			b.Expect(b.visit()).To(Equal(defaultPace))
			b.Expect(b.shown()).To(Equal([3]string{tt.reason, "False ResumingOrRunning", "False " + tt.reason}))
			b.Expect(b.message(hivev1.ClusterReadyCondition)).To(HavePrefix(tt.says))
		})
	}
}

// TestNotShownAsHibernatingOnceStarted: a cluster that shows as hibernating is not looked at.
func TestNotShownAsHibernatingOnceStarted(t *testing.T) {
	b := newBench(t, installedCD(showing(StateHibernating, time.Hour), withFinalizer))
	b.actuator.during = func(*hivev1.ClusterDeployment) {
		b.Expect(b.shown()).To(Equal([3]string{"StartingMachines", "False ResumingOrRunning", "False StartingMachines"}))
	}
	b.visit()
	b.Expect(b.calls()).To(ContainElement("Start"))
}

// TestTakenBackBeforeItShowed: machines may be paused although the cluster still shows as running.
func TestTakenBackBeforeItShowed(t *testing.T) {
	for name, summary := range map[string]hibernation.Summary{
		"cutting": {Exists: true, Cutting: true},
		"sealed":  {Exists: true, Sealed: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, installedCD(showing(StateRunning, time.Hour), withFinalizer))
			b.actuator.summary = summary
			b.visit()
			b.Expect(b.calls()).To(Equal([]string{"Start", "Running"}))
			b.Expect(b.shown()[2]).To(HavePrefix("False"))
		})
	}
}

// TestReversals: each visit goes where the spec wants it now, from every state.
func TestReversals(t *testing.T) {
	states := []State{
		StateStopping, StateWaitingToStop, StateFailedToStop, StateHibernating, StateStarting, StateWaitingToStart,
		StateFailedToStart, StateWaitingForNodes, StateSettling, StateWaitingForOperators, StateRunning,
	}
	for _, state := range states {
		for want, verb := range map[hivev1.ClusterPowerState]string{
			hivev1.ClusterPowerStateHibernating: "Stop",
			hivev1.ClusterPowerStateRunning:     "Start",
		} {
			if string(state) == string(want) {
				continue
			}
			t.Run(string(state)+" to "+string(want), func(t *testing.T) {
				b := newBench(t, installedCD(showing(state, time.Minute), wanting(want), withFinalizer))
				b.visit()
				b.Expect(b.calls()[0]).To(Equal(verb))
			})
		}
	}
}

// TestReversalForgetsThatMachinesRan: what was seen of the machines is worth nothing once they were told to stop.
func TestReversalForgetsThatMachinesRan(t *testing.T) {
	b := newBench(t, installedCD(showing(StateWaitingToStart, time.Minute), withFinalizer))
	b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Opened: true}
	b.actuator.running = true
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Start", "Running"}))
	b.visit()
	b.Expect(b.calls()).To(BeEmpty(), "the machines were seen a moment ago")

	b.orderPowerState(hivev1.ClusterPowerStateHibernating)
	b.actuator.stopErr = &openstackclient.Error{Kind: openstackclient.KindTransient}
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Stop"}))

	b.orderPowerState(hivev1.ClusterPowerStateRunning)
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Start", "Running"}))
}

func TestMachinesAreLookedAtAgain(t *testing.T) {
	b := newBench(t, installedCD(showing(StateWaitingToStart, time.Minute), withFinalizer))
	b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Opened: true}
	b.actuator.running = true
	b.visit()
	b.pass(lookAgain)
	b.calls()
	b.visit()
	b.Expect(b.calls()).To(Equal([]string{"Start", "Running"}))
}

// failureCase is an error of the actuator: whether it shows at once, and when it is tried again.
type failureCase struct {
	name  string
	err   error
	shown bool
	after types.GomegaMatcher
}

func failureCases() []failureCase {
	cloud := func(kind openstackclient.Kind, retryAfter time.Duration) error {
		return &openstackclient.Error{Kind: kind, Op: "list servers", Message: "no", RetryAfter: retryAfter}
	}
	soon := And(BeNumerically(">=", firstRetry), BeNumerically("<=", firstRetry*6/5))
	slowly := And(BeNumerically(">=", slowRetry), BeNumerically("<=", slowRetry*6/5))
	return []failureCase{
		{"transient", cloud(openstackclient.KindTransient, 0), false, soon},
		{"conflict", cloud(openstackclient.KindConflict, 0), false, soon},
		{"throttled", cloud(openstackclient.KindThrottled, 3*time.Minute), false, Equal(3 * time.Minute)},
		{"unknown", errors.New("no"), false, soon},
		{"quota", cloud(openstackclient.KindQuota, 0), true, slowly},
		{"forbidden", cloud(openstackclient.KindForbidden, 0), true, slowly},
		{"unauthorized", cloud(openstackclient.KindUnauthorized, 0), true, slowly},
		{"invalid", cloud(openstackclient.KindInvalid, 0), true, slowly},
		{"not found", cloud(openstackclient.KindNotFound, 0), true, slowly},
		{"misconfigured", misconfigured("no"), true, slowly},
		{"blocked", &hibernation.Blocked{Message: "no"}, true, slowly},
	}
}

// TestFailuresToStop: the machines are left alone until the failure is tried again.
func TestFailuresToStop(t *testing.T) {
	cases := append(failureCases(),
		failureCase{"refused", &hibernation.Refusal{Message: "no", After: 20 * time.Minute}, true, Equal(20 * time.Minute)},
		failureCase{"refused without a time", &hibernation.Refusal{Message: "no"}, true, BeNumerically(">=", slowRetry)},
	)
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, installedCD(showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateHibernating)))
			b.actuator.stopErr = tt.err
			after := b.visit()
			b.Expect(after).To(tt.after)
			want := shownRunning
			if tt.shown {
				want = [3]string{"FailedToStop", "False FailedToStop", "True Running"}
				b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(ContainSubstring("no"))
				b.Expect(b.events()).To(ContainElement(HavePrefix("Warning FailedToStop")))
			}
			b.Expect(b.shown()).To(Equal(want))

			b.calls()
			b.pass(after - time.Second)
			b.Expect(b.visit()).To(Equal(time.Second))
			b.Expect(b.calls()).To(BeEmpty(), "before its time nothing is asked")
			b.pass(time.Second)
			b.actuator.stopErr, b.actuator.stopped = nil, true
			b.visit()
			b.Expect(b.shown()).To(Equal(shownHibernating), "no failure is for ever")
		})
	}
}

func TestFailuresToStart(t *testing.T) {
	for _, tt := range failureCases() {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, installedCD(showing(StateWaitingToStart, time.Hour), withFinalizer))
			b.actuator.startErr = tt.err
			after := b.visit()
			b.Expect(after).To(tt.after)
			want := "WaitingForMachines"
			if tt.shown {
				want = "FailedToStartMachines"
			}
			b.Expect(b.shown()).To(Equal([3]string{want, "False ResumingOrRunning", "False " + want}))
			b.pass(after)
			b.actuator.startErr, b.actuator.running = nil, true
			b.visit()
			b.Expect(b.shown()).To(Equal(shownRunning), "no failure is for ever")
		})
	}
}

// TestOwnersChangeEndsTheWaiting: whoever mends something and touches the ClusterDeployment is not kept waiting.
func TestOwnersChangeEndsTheWaiting(t *testing.T) {
	b := newBench(t, installedCD(showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateHibernating)))
	b.actuator.stopErr = misconfigured("no Secret")
	b.visit()
	b.calls()
	// An annotation leaves the generation as it is.
	b.order(func(cd *hivev1.ClusterDeployment) {
		annotated(hivev1.AnnotationRemakeServer, "m-0")(cd)
		cd.Generation--
	})
	b.visit()
	b.Expect(b.calls()).To(ContainElement("Stop"))
}

// TestTransientFailuresShowOnceTheyPersist, and are tried again ever more slowly.
func TestTransientFailuresShowOnceTheyPersist(t *testing.T) {
	b := newBench(t, installedCD(showing(StateStopping, time.Hour), wanting(hivev1.ClusterPowerStateHibernating), withFinalizer))
	b.actuator.stopErr = &openstackclient.Error{Kind: openstackclient.KindTransient, Op: "list servers", Message: "bad gateway", Status: 502}
	b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true}
	var last time.Duration
	for n := 1; n <= 16; n++ {
		after := b.visit()
		shown := b.shown()[0]
		if n <= quietFailures {
			b.Expect(shown).To(Equal("Stopping"), "failure %d", n)
			b.Expect(after).To(BeNumerically(">", last))
		} else {
			b.Expect(shown).To(Equal("FailedToStop"), "failure %d", n)
		}
		b.Expect(after).To(BeNumerically("<=", lastRetry*6/5))
		last = after
		b.pass(after)
	}
	b.Expect(last).To(BeNumerically(">=", lastRetry))
	b.Expect(b.shown()).To(Equal([3]string{"FailedToStop", "False FailedToStop", "False StoppingOrHibernating"}), "half asleep is not ready")

	b.actuator.stopErr = nil
	b.visit()
	b.actuator.stopErr = &openstackclient.Error{Kind: openstackclient.KindTransient}
	b.Expect(b.visit()).To(BeNumerically("<=", 6*time.Second), "a success begins the count anew")
}

func TestTransientFailureShowsAfterAMinute(t *testing.T) {
	b := newBench(t, installedCD(showing(StateStopping, time.Hour), wanting(hivev1.ClusterPowerStateHibernating), withFinalizer))
	b.actuator.stopErr = &openstackclient.Error{Kind: openstackclient.KindThrottled, RetryAfter: 2 * time.Minute}
	b.pass(b.visit())
	b.Expect(b.shown()[0]).To(Equal("Stopping"))
	b.visit()
	b.Expect(b.shown()[0]).To(Equal("FailedToStop"))
}

// TestHalfAsleepIsNotReady: an error in the middle leaves a cluster that still showed as ready.
func TestHalfAsleepIsNotReady(t *testing.T) {
	b := newBench(t, installedCD(showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateHibernating)))
	b.actuator.stopErr = &openstackclient.Error{Kind: openstackclient.KindForbidden, Message: "no"}
	b.actuator.summary = hibernation.Summary{Exists: true, Cutting: true}
	b.visit()
	b.Expect(b.shown()).To(Equal([3]string{"FailedToStop", "False FailedToStop", "False StoppingOrHibernating"}))
}

func TestRollingBack(t *testing.T) {
	b := newBench(t, installedCD(showing(StateStopping, time.Hour), wanting(hivev1.ClusterPowerStateHibernating), withFinalizer))
	b.actuator.progress = hibernation.Progress{Stage: hibernation.StageRollingBack, After: 2 * time.Second}
	b.actuator.waiting = []string{"m-0: being unpaused"}
	b.visit()
	b.Expect(b.shown()).To(Equal([3]string{"FailedToStop", "False FailedToStop", "False StoppingOrHibernating"}))
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(ContainSubstring("m-0: being unpaused"))
}

// TestOneEventForEachFailure: a failure that lasts is told once, whatever the message does.
func TestOneEventForEachFailure(t *testing.T) {
	b := newBench(t, installedCD(showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateHibernating)))
	for _, message := range []string{"no Secret", "no Secret", "no key"} {
		b.actuator.stopErr = misconfigured("%s", message)
		b.pass(b.visit())
		b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(Equal(message))
	}
	b.Expect(b.events()).To(HaveLen(1))
}

// TestFailureIsShownAfterAConflict: that a failure could not be written must not hide it for as long as it is not repeated.
func TestFailureIsShownAfterAConflict(t *testing.T) {
	b := newBench(t, installedCD(func(cd *hivev1.ClusterDeployment) { cd.Spec.PowerState = hivev1.ClusterPowerStateHibernating }, withFinalizer, showing(StateStopping, time.Minute)))
	b.actuator.stopErr = &hibernation.Refusal{Message: "no volumes, please", After: 10 * time.Minute}
	b.disturbed = true
	b.Expect(b.visit()).To(BeNumerically("<=", conflictRetry*6/5))
	b.visit()
	b.Expect(b.shown()[0]).To(Equal(string(hivev1.ClusterPowerStateFailedToStop)))
}
