package unreachable

import (
	"maps"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// shown is a condition in short: its ages are those at noon.
type shown struct {
	status          corev1.ConditionStatus
	reason, message string
	probed, changed time.Duration
}

func show(condition hivev1.ClusterDeploymentCondition) shown {
	return shown{
		status: condition.Status, reason: condition.Reason, message: condition.Message,
		probed: noon().Sub(condition.LastProbeTime.Time), changed: noon().Sub(condition.LastTransitionTime.Time),
	}
}

// statusTest is a status that is decided upon.
type statusTest struct {
	cd                    *hivev1.ClusterDeployment
	did                   verb
	found                 findings
	unreachable, override shown
}

const (
	good        = hivev1.UnreachableReasonClusterReachable
	bad         = hivev1.UnreachableReasonErrorConnectingToCluster
	initialized = hivev1.InitializedConditionReason
	h, m        = time.Hour, time.Minute
)

func unset() shown { return shown{status: unknown, reason: initialized, message: messageNotLookedAt} }

// statuses are those of clusters without an override.
func statuses() map[string]statusTest {
	unset, was := unset(), unset()
	was.probed, was.changed = h, h
	return map[string]statusTest{
		"not installed": {clusterDeployment(), initialize, findings{}, unset, unset},
		"it answers":    {clusterDeployment(), check, findings{}, shown{status: no, reason: good, message: messageReachable}, unset},
		"it does not":   {clusterDeployment(), check, findings{primary: "why"}, shown{status: yes, reason: bad, message: "why"}, unset},
		"it still answers": {clusterDeployment(reachable(h), overrideUnknown(h)), check, findings{},
			shown{no, good, messageReachable, h, h}, was},
		"it still answers after two hours": {clusterDeployment(reachable(2*h), overrideUnknown(h)), check, findings{},
			shown{no, good, messageReachable, 0, 2 * h}, was},
		"it answered in other words": {clusterDeployment(having(hivev1.UnreachableCondition, no, good, "cluster is reachable", m), overrideUnknown(h)), check, findings{},
			shown{no, good, "cluster is reachable", m, m}, was},
		"it still does not": {clusterDeployment(unreachable("why", 5*h), overrideUnknown(h)), check, findings{primary: "why"},
			shown{yes, bad, "why", 5 * h, 5 * h}, was},
		"it does not for another reason": {clusterDeployment(unreachable("why", 5*h), overrideUnknown(h)), check, findings{primary: "because"},
			shown{yes, bad, "because", 0, 5 * h}, was},
		"it answers again": {clusterDeployment(unreachable("why", m), overrideUnknown(h)), check, findings{},
			shown{no, good, messageReachable, 0, 0}, was},
		"it fell asleep": {clusterDeployment(asleep, reachable(m), overrideUnknown(h)), assumeUnreachable, findings{},
			shown{yes, bad, messageAsleep, 0, 0}, was},
		"it sleeps on": {clusterDeployment(asleep, unreachable(messageAsleep, 50*h), overrideUnknown(h)), assumeUnreachable, findings{},
			shown{yes, bad, messageAsleep, 50 * h, 50 * h}, was},
		"it wakes": {clusterDeployment(unreachable(messageAsleep, 50*h), overrideUnknown(h)), check, findings{primary: "why"},
			shown{yes, bad, "why", 0, 50 * h}, was},
		"it is fake": {clusterDeployment(), assumeReachable, findings{}, shown{status: no, reason: good, message: messageFake}, unset},
		"fake for long": {clusterDeployment(reachable(50*h), overrideUnknown(h)), assumeReachable, findings{},
			shown{no, good, messageReachable, 50 * h, 50 * h}, was},
	}
}

// overriddenStatuses are those of clusters with one.
func overriddenStatuses() map[string]statusTest {
	return map[string]statusTest{
		"the override answers": {clusterDeployment(overridden), check, findings{},
			shown{status: no, reason: good, message: messageReachable}, shown{status: yes, reason: good, message: messageReachable}},
		"the override still answers": {clusterDeployment(overridden, reachable(h), overrideWorks(5*h)), check, findings{},
			shown{no, good, messageReachable, h, h}, shown{yes, good, messageReachable, 5 * h, 5 * h}},
		"only the other answers": {clusterDeployment(overridden), check, findings{primary: "why", askedSecondary: true},
			shown{status: no, reason: good, message: messageReachable}, shown{status: no, reason: bad, message: "why"}},
		"the override still does not": {clusterDeployment(overridden, reachable(m), overrideFails("why", h)), check, findings{primary: "why"},
			shown{no, good, messageReachable, m, m}, shown{no, bad, "why", h, h}},
		"the override does not for another reason": {clusterDeployment(overridden, reachable(m), overrideFails("why", h)), check, findings{primary: "because"},
			shown{no, good, messageReachable, m, m}, shown{no, bad, "because", 0, h}},
		"neither answers, for one reason": {clusterDeployment(overridden), check, findings{primary: "why", secondary: "why", askedSecondary: true},
			shown{status: yes, reason: bad, message: "why"}, shown{status: no, reason: bad, message: "why"}},
		"neither answers, for two": {clusterDeployment(overridden), check, findings{primary: "why", secondary: "because", askedSecondary: true},
			shown{status: yes, reason: bad, message: "At the URL in spec.controlPlaneConfig.apiURLOverride: why; at the URL in the admin kubeconfig: because"},
			shown{status: no, reason: bad, message: "why"}},
		"with an override it fell asleep": {clusterDeployment(overridden, asleep, reachable(m), overrideWorks(h)), assumeUnreachable, findings{},
			shown{yes, bad, messageAsleep, 0, 0}, shown{no, bad, messageAsleep, 0, 0}},
		"fake with an override": {clusterDeployment(overridden), assumeReachable, findings{},
			shown{status: no, reason: good, message: messageFake}, shown{status: yes, reason: good, message: messageFake}},
		"the override is gone": {clusterDeployment(reachable(m), overrideFails("why", h)), check, findings{},
			shown{no, good, messageReachable, m, m}, shown{status: unknown, reason: initialized, message: messageNoOverride}},
		"the override is long gone": {clusterDeployment(reachable(m), having(hivev1.ActiveAPIURLOverrideCondition, unknown, initialized, messageNoOverride, h)), check, findings{},
			shown{no, good, messageReachable, m, m}, shown{unknown, initialized, messageNoOverride, h, h}},
	}
}

func TestStatus(t *testing.T) {
	tests := statuses()
	maps.Copy(tests, overriddenStatuses())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			got := statusFor(tt.cd, tt.did, tt.found, noon())
			g.Expect(show(got.unreachable)).To(Equal(tt.unreachable))
			g.Expect(show(got.override)).To(Equal(tt.override))
			g.Expect([]hivev1.ClusterDeploymentConditionType{got.unreachable.Type, got.override.Type}).To(Equal(
				[]hivev1.ClusterDeploymentConditionType{hivev1.UnreachableCondition, hivev1.ActiveAPIURLOverrideCondition}))
		})
	}
}

func TestEvents(t *testing.T) {
	never := ownStatus{}
	of := func(changes ...change) ownStatus { return statusOf(clusterDeployment(changes...)) }
	tests := map[string]struct {
		before, after ownStatus
		kind, reason  string
	}{
		"a new cluster answers":       {never, of(reachable(0)), "", ""},
		"a new cluster does not":      {never, of(unreachable("why", 0)), corev1.EventTypeWarning, "ErrorConnectingToCluster"},
		"it still answers":            {of(reachable(0)), of(reachable(0)), "", ""},
		"it does not any more":        {of(reachable(0)), of(unreachable("why", 0)), corev1.EventTypeWarning, "ErrorConnectingToCluster"},
		"it does not, otherwise":      {of(unreachable("because", 0)), of(unreachable("why", 0)), "", ""},
		"it does again":               {of(unreachable("why", 0)), of(reachable(0)), corev1.EventTypeNormal, "ClusterReachable"},
		"it falls asleep":             {of(reachable(0)), of(unreachable(messageAsleep, 0)), "", ""},
		"it wakes":                    {of(unreachable(messageAsleep, 0)), of(unreachable("why", 0)), "", ""},
		"it has woken":                {of(unreachable(messageAsleep, 0), overrideFails("why", 0)), of(reachable(0), overrideWorks(0)), corev1.EventTypeNormal, "ClusterReachable"},
		"the override fails":          {of(reachable(0), overrideWorks(0)), of(reachable(0), overrideFails("why", 0)), corev1.EventTypeWarning, eventOverrideFailed},
		"a new override fails":        {of(reachable(0), overrideUnknown(0)), of(reachable(0), overrideFails("why", 0)), corev1.EventTypeWarning, eventOverrideFailed},
		"a new override works":        {of(reachable(0), overrideUnknown(0)), of(reachable(0), overrideWorks(0)), "", ""},
		"the override works again":    {of(reachable(0), overrideFails("why", 0)), of(reachable(0), overrideWorks(0)), corev1.EventTypeNormal, eventOverrideWorks},
		"the override is gone":        {of(reachable(0), overrideFails("why", 0)), of(reachable(0), overrideUnknown(0)), "", ""},
		"neither answers any more":    {of(reachable(0), overrideWorks(0)), of(unreachable("why", 0), overrideFails("why", 0)), corev1.EventTypeWarning, "ErrorConnectingToCluster"},
		"neither, and other messages": {of(unreachable("why", 0), overrideFails("why", 0)), of(unreachable("because", 0), overrideFails("because", 0)), "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			got, ok := eventFor(tt.before, tt.after)
			g.Expect(ok).To(Equal(tt.kind != ""))
			g.Expect([]string{got.kind, got.reason}).To(Equal([]string{tt.kind, tt.reason}))
			g.Expect(got.message == "").To(Equal(!ok))
		})
	}
}
