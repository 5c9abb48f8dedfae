package hibernation

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/remoteclient"
)

func TestYoungClusterIsWarnedOnce(t *testing.T) {
	for _, tt := range []struct {
		age  time.Duration
		told int
	}{{23 * time.Hour, 1}, {25 * time.Hour, 0}} {
		b := newBench(t, installedCD(showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateHibernating), installedAgo(tt.age)))
		b.actuator.progress = hibernation.Progress{Stage: hibernation.StageStopping}
		b.visit()
		b.restart()
		b.visit()
		told := 0
		for _, e := range b.events() {
			if ok, _ := HavePrefix("Warning ClusterYoung").Match(e); ok {
				told++
			}
		}
		b.Expect(told).To(Equal(tt.told))
	}
}

// sleeper is the record of a cluster that fell asleep a day ago.
func sleeper(expires time.Duration) hibernation.Summary {
	s := hibernation.Summary{Exists: true, Sealed: true, SealedAt: startOfTest().Add(-24 * time.Hour)}
	if expires != 0 {
		s.Observation = &hibernation.Observation{Signers: []hibernation.Signer{
			{Name: "later", NotAfter: startOfTest().Add(expires + time.Hour)}, {Name: "first", NotAfter: startOfTest().Add(expires)},
		}}
	}
	return s
}

func ofVersion(version string) func(cd *hivev1.ClusterDeployment) {
	return func(cd *hivev1.ClusterDeployment) {
		metav1.SetMetaDataLabel(&cd.ObjectMeta, hivev1.LabelClusterVersion, version)
	}
}

func TestClusterThatSleepsTooLong(t *testing.T) {
	day := 24 * time.Hour
	tests := map[string]struct {
		record  hibernation.Summary
		version string
		after   time.Duration
	}{
		"its signers are known":     {sleeper(5 * time.Hour), "4.18.3", 5 * time.Hour},
		"they are not":              {sleeper(0), "4.18.3", 89 * day},
		"they are not, 5.0":         {sleeper(0), "5.0", 89 * day},
		"they are not, an old one":  {sleeper(0), "4.17.9", 29 * day},
		"they are not, nor what it": {sleeper(0), "", 29 * day},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, installedCD(showing(StateHibernating, time.Hour), wanting(hivev1.ClusterPowerStateHibernating), withFinalizer, ofVersion(tt.version)))
			b.actuator.summary = tt.record
			b.Expect(b.visit()).To(Equal(tt.after))
			b.pass(tt.after - time.Minute)
			b.Expect(b.visit()).To(Equal(time.Minute))
			b.Expect(b.events()).To(BeEmpty())
			b.pass(time.Minute)
			b.Expect(b.visit()).To(BeZero())
			b.visit()
			b.Expect(b.events()).To(ConsistOf(HavePrefix("Warning SleepsTooLong")))
			b.Expect(b.writes).To(BeZero())
			b.pass(2 * tellsLate)
			b.restart()
			b.visit()
			b.Expect(b.events()).To(BeEmpty(), "a manager that starts later does not repeat it")

			b.orderPowerState(hivev1.ClusterPowerStateRunning)
			b.visit()
			b.Expect(b.events()).To(ContainElement(HavePrefix("Warning SleptTooLong")))
			b.visit()
			b.Expect(b.events()).To(BeEmpty())
		})
	}
}

// TestTheTimeIsKnownAsItFallsAsleep, without another look.
func TestTheTimeIsKnownAsItFallsAsleep(t *testing.T) {
	b := newBench(t, installedCD(showing(StateWaitingToStop, time.Minute), wanting(hivev1.ClusterPowerStateHibernating), withFinalizer))
	b.actuator.summary, b.actuator.stopped = sleeper(5*time.Hour), true
	b.Expect(b.visit()).To(Equal(5 * time.Hour))
	b.Expect(b.shown()).To(Equal(shownHibernating))
}

func TestWokenInTime(t *testing.T) {
	b := newBench(t, installedCD(showing(StateHibernating, time.Hour), withFinalizer))
	b.actuator.summary = sleeper(time.Hour)
	b.visit()
	b.Expect(b.events()).To(BeEmpty())
}

// TestUnreachableClusterSaysSo as it goes to sleep and as it sleeps.
func TestUnreachableClusterSaysSo(t *testing.T) {
	const says = "; its Nodes could not be asked for: The cluster's API does not answer yet, they are repaired at the resume from what its API then holds"
	b := newBench(t, installedCD(showing(StateRunning, time.Hour), wanting(hivev1.ClusterPowerStateHibernating)))
	b.actuator.summary = hibernation.Summary{Exists: true, Cutting: true, Unobserved: "The cluster's API does not answer yet"}
	b.actuator.waiting = []string{"m-0: being paused"}
	b.actuator.progress = hibernation.Progress{Stage: hibernation.StageStopping}
	b.visit()
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(Equal("Stopping the machines: m-0: being paused" + says))
	b.actuator.stopped, b.actuator.summary.Sealed = true, true
	b.visit()
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(Equal("The cluster's machines are stopped" + says))

	b.orderPowerState(hivev1.ClusterPowerStateRunning)
	b.visit()
	b.orderPowerState(hivev1.ClusterPowerStateHibernating)
	b.actuator.summary.Unobserved, b.actuator.summary.HealthChecksFailed = "", "no"
	b.visit()
	b.Expect(b.message(hivev1.ClusterHibernatingCondition)).To(HaveSuffix("; its MachineHealthChecks could not all be paused: no"))
}

// TestRefusedKubeconfig: the cluster could not be repaired when it wakes. Its owner may want it to sleep all the same.
func TestRefusedKubeconfig(t *testing.T) {
	r := newRig(t, creds())
	r.remote.err = &remoteclient.Refusal{Message: "a kubeconfig with a command (exec) is not accepted"}
	r.Expect(r.actuator.StopMachines(t.Context(), r.cd, r.hub, r.log)).To(Succeed())
	_, err := r.cluster.Observe(t.Context())
	var refusal *hibernation.Refusal
	r.Expect(errors.As(err, &refusal)).To(BeTrue())
	r.Expect(refusal.Message).To(And(ContainSubstring("a command (exec)"), ContainSubstring(hivev1.LabelResumeSkipsNodeRepair)))
	r.Expect(r.cluster.PauseHealthChecks).NotTo(BeNil())

	skipsNodeRepair(r.cd)
	r.Expect(r.actuator.StopMachines(t.Context(), r.cd, r.hub, r.log)).To(Succeed())
	_, err = r.cluster.Observe(t.Context())
	r.Expect(err).To(HaveOccurred())
	r.Expect(errors.As(err, &refusal)).To(BeFalse())
	r.Expect(r.cluster.PauseHealthChecks).To(BeNil())
}

// TestWhyAClusterCouldNotBeAsked is kept in words that do not change.
func TestWhyAClusterCouldNotBeAsked(t *testing.T) {
	r := newRig(t, creds())
	gu := newGuest(r.WithT)
	gu.err = errors.New("read tcp 10.0.0.1:43210->10.0.0.5:6443: connection reset by peer")
	r.remote.cluster = gu
	r.Expect(r.actuator.StopMachines(t.Context(), r.cd, r.hub, r.log)).To(Succeed())
	_, err := r.cluster.Observe(t.Context())
	r.Expect(err).To(MatchError("The cluster's API does not answer yet"))
	r.Expect(errors.Unwrap(err)).To(MatchError(ContainSubstring("43210")))
	r.Expect(r.cluster.PauseHealthChecks(t.Context())).To(MatchError("The cluster's API does not answer yet"))
}
