package remoteclient

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

func condition(kind hivev1.ClusterDeploymentConditionType, status corev1.ConditionStatus, reason string) hivev1.ClusterDeploymentCondition {
	return hivev1.ClusterDeploymentCondition{Type: kind, Status: status, Reason: reason}
}

func TestActive(t *testing.T) {
	failed := condition(hivev1.ActiveAPIURLOverrideCondition, corev1.ConditionFalse, hivev1.UnreachableReasonErrorConnectingToCluster)
	answers := condition(hivev1.ActiveAPIURLOverrideCondition, corev1.ConditionTrue, hivev1.UnreachableReasonClusterReachable)
	unknown := condition(hivev1.ActiveAPIURLOverrideCondition, corev1.ConditionUnknown, hivev1.InitializedConditionReason)
	otherwise := condition(hivev1.ActiveAPIURLOverrideCondition, corev1.ConditionFalse, "SomethingElse")
	reachable := condition(hivev1.UnreachableCondition, corev1.ConditionFalse, hivev1.UnreachableReasonClusterReachable)
	deaf := condition(hivev1.UnreachableCondition, corev1.ConditionTrue, hivev1.UnreachableReasonErrorConnectingToCluster)
	tests := map[string]struct {
		override   string
		conditions []hivev1.ClusterDeploymentCondition
		want       Address
	}{
		"nothing known":           {"https://other", nil, Primary},
		"not looked at yet":       {"https://other", []hivev1.ClusterDeploymentCondition{unknown}, Primary},
		"it answers":              {"https://other", []hivev1.ClusterDeploymentCondition{answers, reachable}, Primary},
		"it does not":             {"https://other", []hivev1.ClusterDeploymentCondition{failed}, Secondary},
		"it does not, the other":  {"https://other", []hivev1.ClusterDeploymentCondition{reachable, failed}, Secondary},
		"neither does":            {"https://other", []hivev1.ClusterDeploymentCondition{failed, deaf}, Primary},
		"false for other reasons": {"https://other", []hivev1.ClusterDeploymentCondition{otherwise}, Primary},
		"there is none":           {"", []hivev1.ClusterDeploymentCondition{failed, reachable}, Primary},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cd := clusterDeployment()
			if tt.override != "" {
				cd.Spec.ControlPlaneConfig = &hivev1.ControlPlaneConfigSpec{APIURLOverride: tt.override}
			}
			cd.Status.Conditions = tt.conditions
			g.Expect(Active(cd)).To(Equal(tt.want))
		})
	}
}

// TestAddresses: each address has a client of its own that is kept, and ClientFor goes by the conditions.
func TestAddresses(t *testing.T) {
	g := NewWithT(t)
	preferred, askedPreferred := cluster(t)
	original, askedOriginal := cluster(t)
	clients := New(fake.NewClientBuilder().WithObjects(kubeconfigSecret(kubeconfig(original.URL, "", trusting(original)))).Build(), "test")
	cd := clusterDeployment()
	at := func(address Address) client.Client {
		c, err := clients.ClientAt(t.Context(), cd, address)
		g.Expect(err).NotTo(HaveOccurred())
		return c
	}
	active := func() client.Client {
		c, err := clients.ClientFor(t.Context(), cd)
		g.Expect(err).NotTo(HaveOccurred())
		return c
	}

	g.Expect(at(Secondary)).To(BeIdenticalTo(at(Primary)), "without an override there is one address")

	cd.Spec.ControlPlaneConfig = &hivev1.ControlPlaneConfigSpec{APIURLOverride: preferred.URL}
	g.Expect(at(Secondary)).NotTo(BeIdenticalTo(at(Primary)))
	g.Expect(at(Primary)).To(BeIdenticalTo(at(Primary)))
	g.Expect(at(Secondary)).To(BeIdenticalTo(at(Secondary)))
	g.Expect(at(Primary).List(t.Context(), &corev1.NodeList{})).To(Succeed())
	g.Expect(*askedPreferred).To(HaveLen(1))
	g.Expect(*askedOriginal).To(BeEmpty())
	g.Expect(at(Secondary).List(t.Context(), &corev1.NodeList{})).To(Succeed())
	g.Expect(*askedPreferred).To(HaveLen(1))
	g.Expect(*askedOriginal).To(HaveLen(1))

	g.Expect(active()).To(BeIdenticalTo(at(Primary)))
	cd.Status.Conditions = []hivev1.ClusterDeploymentCondition{
		condition(hivev1.ActiveAPIURLOverrideCondition, corev1.ConditionFalse, hivev1.UnreachableReasonErrorConnectingToCluster),
	}
	g.Expect(active()).To(BeIdenticalTo(at(Secondary)))

	before := []client.Client{at(Primary), at(Secondary)}
	clients.Forget(client.ObjectKeyFromObject(cd))
	g.Expect(at(Primary)).NotTo(BeIdenticalTo(before[0]))
	g.Expect(at(Secondary)).NotTo(BeIdenticalTo(before[1]))
}
