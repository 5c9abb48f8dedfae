package hibernation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
)

// TestS05MessagesAreBounded: however many machines lag and however long their names and errors are, conditions and events fit
// the API, which takes 32 KiB and 1 KiB.
func TestS05MessagesAreBounded(t *testing.T) {
	long := strings.Repeat("ü", 1<<19)
	var machines []string
	for i := range 5000 {
		machines = append(machines, fmt.Sprintf("demo-worker-%d-%s: BUILD", i, strings.Repeat("x", 200)))
	}
	for name, set := range map[string]func(b *bench){
		"machines lag": func(b *bench) { b.actuator.waiting = machines },
		"one long one": func(b *bench) { b.actuator.waiting = []string{long} },
		"a refusal":    func(b *bench) { b.actuator.stopErr = &hibernation.Refusal{Message: long, After: time.Minute} },
		"blocked":      func(b *bench) { b.actuator.stopErr = &hibernation.Blocked{Message: long} },
		"an error":     func(b *bench) { b.actuator.stopErr = errors.New(long) },
		"notes": func(b *bench) {
			b.actuator.stopped = true
			b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Unobserved: long}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, installedCD(wanting(hivev1.ClusterPowerStateHibernating), withFinalizer))
			b.actuator.progress = hibernation.Progress{Stage: hibernation.StageStopping, After: 2 * time.Second}
			set(b)
			for range 6 {
				b.pass(max(b.visit(), time.Minute))
			}
			b.Expect(b.cd().Status.Conditions).To(HaveLen(2))
			for _, condition := range b.cd().Status.Conditions {
				b.Expect(len(condition.Message)).To(BeNumerically("<=", maxMessage))
			}
			message := b.message(hivev1.ClusterHibernatingCondition)
			b.Expect(len(message)).To(BeNumerically(">", 1000))
			for _, event := range b.events() {
				// The recorder writes the type and the reason before the text.
				b.Expect(len(event)).To(BeNumerically("<=", maxNote+64))
			}
		})
	}
}

// TestS11VisitsThatTakeTooLong: a cloud that keeps a worker until the end of each visit gets it less and less often.
func TestS11VisitsThatTakeTooLong(t *testing.T) {
	b := newBench(t, installedCD(showing(StateWaitingToStart, time.Minute), withFinalizer))
	b.actuator.summary = hibernation.Summary{Exists: true, Sealed: true, Opened: true}
	b.actuator.startErr = context.DeadlineExceeded
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	visits := 0
	for end := b.clock.Now().Add(time.Hour); b.clock.Now().Before(end); visits++ {
		result, err := b.reconciler.Reconcile(over, reconcile.Request{NamespacedName: key()})
		b.Expect(err).NotTo(HaveOccurred())
		b.Expect(result.RequeueAfter).To(BeNumerically(">", 0))
		b.pass(result.RequeueAfter)
	}
	b.Expect(visits).To(BeNumerically("<=", 30))

	stopped, stop := context.WithCancel(t.Context())
	stop()
	b.restart()
	result, err := b.reconciler.Reconcile(stopped, reconcile.Request{NamespacedName: key()})
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(result.RequeueAfter).To(Equal(firstRetry), "that the manager stops is no failure")
	b.Expect(b.reconciler.memory.of(b.cd()).failures).To(BeZero())
}

// TestS05LastRecordsAreWeighed: what is remembered of the records of clusters that wake takes no more memory than it may,
// however many there are.
func TestS05LastRecordsAreWeighed(t *testing.T) {
	g := NewWithT(t)
	m := newMemory()
	at := func(i int) apitypes.NamespacedName {
		return apitypes.NamespacedName{Namespace: "ns", Name: fmt.Sprint(i)}
	}
	heavy := &hibernation.Summary{Observation: &hibernation.Observation{Nodes: []hibernation.ObservedNode{
		{Annotations: map[string]string{"a": strings.Repeat("x", 1<<20)}},
	}}}
	for i := range 100 {
		m.keepSlept(at(i), heavy)
	}
	g.Expect(m.slept.Len()).To(And(BeNumerically(">", 20), BeNumerically("<=", sleptMemory>>20)))
	g.Expect(m.lastSlept(at(99))).To(Equal(heavy))
	g.Expect(m.lastSlept(at(0))).To(BeNil())
	for i := range 2 * sleptKept {
		m.keepSlept(at(i), &hibernation.Summary{})
	}
	g.Expect(m.slept.Len()).To(Equal(sleptKept))
	m.keepSlept(at(2*sleptKept-1), nil)
	m.forget(at(2*sleptKept - 2))
	again := installedCD()
	again.Namespace, again.Name = "ns", fmt.Sprint(2*sleptKept-3)
	m.of(again)
	g.Expect(m.slept.Len()).To(Equal(sleptKept-3), "it is forgotten with its ClusterDeployment, and when there is another one")
}

// TestS05LeasesAreBounded: so are the Leases.
func TestS05LeasesAreBounded(t *testing.T) {
	g := NewWithT(t)
	now := metav1.NewMicroTime(startOfTest())
	var list []coordinationv1.Lease
	for i := range 3 * maxLeases {
		name := fmt.Sprint(i)
		if i%3 == 0 {
			name += strings.Repeat("x", maxName)
		}
		list = append(list, coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: coordinationv1.LeaseSpec{RenewTime: &now}})
	}
	kept := renewTimes(list)
	g.Expect(kept).To(HaveLen(maxLeases))
	for name := range kept {
		g.Expect(len(name)).To(BeNumerically("<=", maxName))
	}
	g.Expect(renewTimes(list[1:2])).To(HaveKeyWithValue("1", startOfTest()))
}

// TestS05FingerprintsAreShort: three of them are kept of each ClusterDeployment, whose annotations may take 256 KiB.
func TestS05FingerprintsAreShort(t *testing.T) {
	g := NewWithT(t)
	cd := installedCD()
	before := fingerprint(cd)
	cd.Annotations = map[string]string{"a": strings.Repeat("x", 256<<10)}
	g.Expect(fingerprint(cd)).NotTo(Equal(before))
	g.Expect(len(fingerprint(cd))).To(BeNumerically("<", 100))
}
