package unreachable

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/controller/conditions"
)

// noon is when the tests take place.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

type change func(*hivev1.ClusterDeployment)

// clusterDeployment returns one whose cluster is installed, with changes.
func clusterDeployment(changes ...change) *hivev1.ClusterDeployment {
	cd := &hivev1.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "cluster", UID: "uid"},
		Spec: hivev1.ClusterDeploymentSpec{
			Installed:       true,
			ClusterMetadata: &hivev1.ClusterMetadata{AdminKubeconfigSecretRef: corev1.LocalObjectReference{Name: "admin"}},
		},
	}
	for _, change := range changes {
		change(cd)
	}
	return cd
}

// having sets a condition that was last probed, and last changed, a while ago.
func having(kind hivev1.ClusterDeploymentConditionType, status corev1.ConditionStatus, reason, message string, ago time.Duration) change {
	return func(cd *hivev1.ClusterDeployment) {
		at := metav1.NewTime(noon().Add(-ago))
		condition := hivev1.ClusterDeploymentCondition{
			Type: kind, Status: status, Reason: reason, Message: message, LastProbeTime: at, LastTransitionTime: at,
		}
		if i := conditions.Index(cd, kind); i >= 0 {
			cd.Status.Conditions[i] = condition
			return
		}
		cd.Status.Conditions = append(cd.Status.Conditions, condition)
	}
}

func reachable(ago time.Duration) change {
	return having(hivev1.UnreachableCondition, corev1.ConditionFalse, hivev1.UnreachableReasonClusterReachable, messageReachable, ago)
}

func unreachable(message string, ago time.Duration) change {
	return having(hivev1.UnreachableCondition, corev1.ConditionTrue, hivev1.UnreachableReasonErrorConnectingToCluster, message, ago)
}

func overrideWorks(ago time.Duration) change {
	return having(hivev1.ActiveAPIURLOverrideCondition, corev1.ConditionTrue, hivev1.UnreachableReasonClusterReachable, messageReachable, ago)
}

func overrideFails(message string, ago time.Duration) change {
	return having(hivev1.ActiveAPIURLOverrideCondition, corev1.ConditionFalse, hivev1.UnreachableReasonErrorConnectingToCluster, message, ago)
}

func overrideUnknown(ago time.Duration) change {
	return having(hivev1.ActiveAPIURLOverrideCondition, corev1.ConditionUnknown, hivev1.InitializedConditionReason, messageNotLookedAt, ago)
}

func overridden(cd *hivev1.ClusterDeployment) {
	cd.Spec.ControlPlaneConfig = &hivev1.ControlPlaneConfigSpec{APIURLOverride: "https://other.example.com"}
}

func annotated(key, value string) change {
	return func(cd *hivev1.ClusterDeployment) { metav1.SetMetaDataAnnotation(&cd.ObjectMeta, key, value) }
}

func deleted(cd *hivev1.ClusterDeployment) {
	now := metav1.NewTime(noon())
	cd.DeletionTimestamp, cd.Finalizers = &now, []string{hivev1.FinalizerDeprovision}
}

func notInstalled(cd *hivev1.ClusterDeployment) { cd.Spec.Installed = false }

func withoutMetadata(cd *hivev1.ClusterDeployment) { cd.Spec.ClusterMetadata = nil }

func asleep(cd *hivev1.ClusterDeployment) {
	having(hivev1.ClusterHibernatingCondition, corev1.ConditionTrue, hivev1.HibernatingReasonHibernating, "", time.Hour)(cd)
	having(hivev1.ClusterReadyCondition, corev1.ConditionFalse, hivev1.ReadyReasonStoppingOrHibernating, "", time.Hour)(cd)
}

func stopping(cd *hivev1.ClusterDeployment) {
	having(hivev1.ClusterHibernatingCondition, corev1.ConditionFalse, hivev1.HibernatingReasonWaitingForMachinesToStop, "", 0)(cd)
	having(hivev1.ClusterReadyCondition, corev1.ConditionFalse, hivev1.ReadyReasonStoppingOrHibernating, "", 0)(cd)
}

func resuming(reason string) change {
	return func(cd *hivev1.ClusterDeployment) {
		having(hivev1.ClusterHibernatingCondition, corev1.ConditionFalse, hivev1.HibernatingReasonResumingOrRunning, "", 0)(cd)
		having(hivev1.ClusterReadyCondition, corev1.ConditionFalse, reason, "", 0)(cd)
	}
}

func running(cd *hivev1.ClusterDeployment) {
	having(hivev1.ClusterHibernatingCondition, corev1.ConditionFalse, hivev1.HibernatingReasonResumingOrRunning, "", 0)(cd)
	having(hivev1.ClusterReadyCondition, corev1.ConditionTrue, hivev1.ReadyReasonRunning, "", 0)(cd)
}

// failed is what is remembered after some failures in a row, the last of them a while ago.
func failed(failures int, ago time.Duration) memo {
	return memo{checked: noon().Add(-ago), failures: failures}
}

// notedAs adds that the ClusterDeployment looked like this, since a while ago.
func (m memo) notedAs(cd *hivev1.ClusterDeployment, ago time.Duration) memo {
	is := outlookOf(cd)
	m.noted, m.notedSince = &is, noon().Add(-ago)
	return m
}

func TestDecide(t *testing.T) {
	waits := func(after time.Duration) decision { return decision{do: nothing, after: after} }
	asks, asksBoth := decision{do: check}, decision{do: check, secondary: true}
	tests := map[string]struct {
		cd   *hivev1.ClusterDeployment
		seen memo
		want decision
	}{
		"paused":                    {clusterDeployment(annotated(hivev1.AnnotationReconcilePause, "true")), memo{}, waits(0)},
		"pause is switched off":     {clusterDeployment(annotated(hivev1.AnnotationReconcilePause, "false")), memo{}, asks},
		"deleted":                   {clusterDeployment(deleted), memo{}, waits(0)},
		"relocating":                {clusterDeployment(annotated(hivev1.AnnotationRelocate, "x/outgoing")), memo{}, asks},
		"power state paused":        {clusterDeployment(annotated(hivev1.AnnotationPowerStatePause, "true")), memo{}, asks},
		"not installed":             {clusterDeployment(notInstalled), memo{}, decision{do: initialize}},
		"installed, no metadata":    {clusterDeployment(withoutMetadata), memo{}, decision{do: initialize}},
		"fake":                      {clusterDeployment(annotated(hivev1.AnnotationFakeCluster, "true")), memo{}, decision{do: assumeReachable}},
		"fake and asleep":           {clusterDeployment(annotated(hivev1.AnnotationFakeCluster, "true"), asleep), memo{}, decision{do: assumeReachable}},
		"asleep":                    {clusterDeployment(asleep, reachable(time.Minute)), memo{}, decision{do: assumeUnreachable}},
		"never looked at":           {clusterDeployment(), memo{}, asks},
		"answered just now":         {clusterDeployment(reachable(time.Minute)), memo{}, waits(2*time.Hour - time.Minute)},
		"answered two hours ago":    {clusterDeployment(reachable(2 * time.Hour)), memo{}, asks},
		"answered in the future":    {clusterDeployment(reachable(-24 * time.Hour)), memo{}, waits(2 * time.Hour)},
		"on its way to sleep":       {clusterDeployment(stopping, reachable(time.Minute)), memo{}, waits(2*time.Hour - time.Minute)},
		"runs":                      {clusterDeployment(running, reachable(time.Minute)), memo{}, waits(2*time.Hour - time.Minute)},
		"failed before the restart": {clusterDeployment(unreachable("why", time.Minute)), memo{}, asks},
		"failed once":               {clusterDeployment(unreachable("why", time.Hour)), failed(1, 4*time.Second), waits(6 * time.Second)},
		"failed thrice":             {clusterDeployment(unreachable("why", time.Hour)), failed(3, 4*time.Second), waits(36 * time.Second)},
		"failed thrice, and due":    {clusterDeployment(unreachable("why", time.Hour)), failed(3, 40*time.Second), asks},
		"failed for days":           {clusterDeployment(unreachable("why", time.Hour)), failed(500, 0), waits(1000 * time.Second)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(decide(tt.cd, tt.seen, noon())).To(Equal(tt.want))
		})
	}

	overrides := map[string]struct {
		cd   *hivev1.ClusterDeployment
		seen memo
		want decision
	}{
		"never looked at":              {clusterDeployment(overridden), memo{}, asksBoth},
		"answered at the override":     {clusterDeployment(overridden, reachable(time.Minute), overrideWorks(time.Hour)), memo{}, waits(2*time.Hour - time.Minute)},
		"two hours ago":                {clusterDeployment(overridden, reachable(2*time.Hour), overrideWorks(time.Hour)), memo{}, asksBoth},
		"neither answered":             {clusterDeployment(overridden, unreachable("why", 0), overrideFails("why", 0)), failed(1, time.Minute), asksBoth},
		"neither answered, just now":   {clusterDeployment(overridden, unreachable("why", 0), overrideFails("why", 0)), failed(1, 0), waits(10 * time.Second)},
		"only the other answered":      {clusterDeployment(overridden, reachable(time.Minute), overrideFails("why", 0)), failed(2, time.Minute), asks},
		"only the other, now":          {clusterDeployment(overridden, reachable(time.Minute), overrideFails("why", 0)), failed(2, 0), waits(20 * time.Second)},
		"only the other, long ago":     {clusterDeployment(overridden, reachable(2*time.Hour), overrideFails("why", 0)), failed(2, time.Minute), asksBoth},
		"an override that is new":      {clusterDeployment(overridden, reachable(time.Minute), overrideUnknown(time.Hour)), memo{}, asks},
		"only the other, and it wakes": {clusterDeployment(overridden, resuming("a"), reachable(time.Minute), overrideFails("why", 0)), failed(2, time.Minute), asksBoth},
	}
	for name, tt := range overrides {
		t.Run("override: "+name, func(t *testing.T) {
			NewWithT(t).Expect(decide(tt.cd, tt.seen, noon())).To(Equal(tt.want))
		})
	}
}

// TestDecideWhileItWakes: often, for a while after each step; then like any other cluster that does not answer.
func TestDecideWhileItWakes(t *testing.T) {
	deaf := clusterDeployment(resuming(hivev1.ReadyReasonWaitingForMachines), unreachable(messageAsleep, time.Hour))
	nextStep := clusterDeployment(resuming(hivev1.ReadyReasonWaitingForNodes), unreachable(messageAsleep, time.Hour))
	answers := clusterDeployment(resuming(hivev1.ReadyReasonWaitingForNodes), reachable(time.Minute))
	wakes := clusterDeployment(resuming(hivev1.ReadyReasonStartingMachines), unreachable(messageAsleep, time.Hour))
	slept := clusterDeployment(asleep, unreachable(messageAsleep, time.Hour))
	isUp := clusterDeployment(running, reachable(time.Minute))
	tests := map[string]struct {
		cd   *hivev1.ClusterDeployment
		seen memo
		want decision
	}{
		"it begins to":              {wakes, memo{}.notedAs(slept, time.Hour), decision{do: check}},
		"asked just now":            {deaf, failed(7, 5*time.Second).notedAs(deaf, time.Minute), decision{after: 10 * time.Second}},
		"asked a while ago":         {deaf, failed(7, 15*time.Second).notedAs(deaf, time.Minute), decision{do: check}},
		"a step further":            {nextStep, failed(7, 0).notedAs(deaf, 2*time.Hour), decision{do: check}},
		"no step for hours":         {deaf, failed(3, 15*time.Second).notedAs(deaf, time.Hour), decision{after: 25 * time.Second}},
		"after a restart":           {deaf, memo{}, decision{do: check}},
		"it answers":                {answers, failed(0, 5*time.Second).notedAs(answers, time.Minute), decision{after: 10 * time.Second}},
		"it answered a while ago":   {answers, failed(0, 15*time.Second).notedAs(answers, time.Minute), decision{do: check}},
		"it answers, hours ago":     {answers, failed(0, 15*time.Second).notedAs(answers, time.Hour), decision{after: 2*time.Hour - time.Minute}},
		"it is awake":               {isUp, failed(0, time.Minute).notedAs(isUp, time.Minute), decision{after: 2*time.Hour - time.Minute}},
		"it has just become so":     {isUp, failed(0, time.Minute).notedAs(answers, time.Minute), decision{do: check}},
		"the kubeconfig is another": {clusterDeployment(func(cd *hivev1.ClusterDeployment) { cd.Spec.ClusterMetadata.AdminKubeconfigSecretRef.Name = "b" }, running, reachable(0)), memo{}.notedAs(isUp, 0), decision{do: check}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(decide(tt.cd, tt.seen, noon())).To(Equal(tt.want))
		})
	}
}
