package csrapproval

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type csr = certificatesv1.CertificateSigningRequest

// TestHonest: what kubelets really ask for is approved.
func TestHonest(t *testing.T) {
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	with := func(a ask, key crypto.Signer) ask { a.key = key; return a }
	for name, tt := range map[string]struct {
		csr  *csr
		rule Rule
		node string
	}{
		"client, P-256":              {clientCSR(t, "c", with(clientAsk("worker-0"), ecKey)), RuleClient, "worker-0"},
		"client, no Lease yet":       {clientCSR(t, "c", clientAsk("worker-1")), RuleClient, "worker-1"},
		"client, a Failed Machine":   {clientCSR(t, "c", clientAsk("failed")), RuleClient, "failed"},
		"client, a clock of its own": {clientCSR(t, "c", clientAsk("ahead")), RuleClient, "ahead"},
		"client, RSA": {changed(clientCSR(t, "c", with(clientAsk("worker-0"), rsaKey)), func(c *csr) {
			c.Spec.Usages = []certificatesv1.KeyUsage{"key encipherment", "digital signature", "client auth"}
		}), RuleClient, "worker-0"},
		"client, the control plane's bootstrapper": {changed(clientCSR(t, "c", clientAsk("worker-0")), func(c *csr) {
			c.Spec.Groups = []string{"system:serviceaccounts:openshift-machine-config-operator", "system:authenticated"}
		}), RuleClient, "worker-0"},
		"client, PEM without a line break at its end": {changed(clientCSR(t, "c", clientAsk("worker-0")), func(c *csr) {
			c.Spec.Request = []byte(strings.TrimSpace(string(c.Spec.Request)))
		}), RuleClient, "worker-0"},
		"serving, P-256": {servingCSR(t, "s", "worker-0", with(servingAsk("worker-0", "10.0.0.10"), ecKey)), RuleServing, "worker-0"},
		"serving, RSA": {changed(servingCSR(t, "s", "worker-1", with(servingAsk("worker-1", "10.0.0.11"), rsaKey)), func(c *csr) {
			c.Spec.Usages = []certificatesv1.KeyUsage{"key encipherment", "digital signature", "server auth"}
		}), RuleServing, "worker-1"},
		"serving, its kubelet is alive": {servingCSR(t, "s", "alive", servingAsk("alive", "10.0.0.16")), RuleServing, "alive"},
		"serving, every address": {servingCSR(t, "s", "worker-0", ask{
			cn: "system:node:worker-0", orgs: []string{"system:nodes"},
			dns: []string{"worker-0", "WORKER-0", "worker-0.example.com"}, ips: []string{"10.0.0.10", "192.0.2.10", "fd00::10"},
		}), RuleServing, "worker-0"},
		"serving, an address alone": {servingCSR(t, "s", "worker-0", ask{
			cn: "system:node:worker-0", orgs: []string{"system:nodes"}, ips: []string{"10.0.0.10"},
		}), RuleServing, "worker-0"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			before := tt.csr.DeepCopy()
			verdict := Decide(tt.csr, testWorld())
			g.Expect(verdict.Approve).To(BeTrue(), "%+v", verdict)
			g.Expect(verdict.Rule).To(Equal(tt.rule))
			g.Expect(verdict.Node).To(Equal(tt.node))
			g.Expect(tt.csr).To(Equal(before), "nothing is changed")
		})
	}
}

func changed(c *csr, change func(*csr)) *csr {
	change(c)
	return c
}

// refusals is a table of requests that differ from an honest one in one thing.
type refusals map[string]row

type row struct {
	csr  *csr
	rule Rule
}

func (r refusals) check(t *testing.T) {
	t.Helper()
	for name, tt := range r {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			verdict := Decide(tt.csr, testWorld())
			g.Expect(verdict.Approve).To(BeFalse())
			g.Expect(verdict.Rule).To(Equal(tt.rule), verdict.Why)
			g.Expect(verdict.Why).NotTo(BeEmpty())
			g.Expect(verdict.Node).To(BeEmpty())
		})
	}
}

// both makes a client's and a serving request that were changed in the same way.
func both(t *testing.T, to refusals, name string, rule Rule, change func(*csr)) {
	t.Helper()
	to[name+" (client)"] = row{changed(clientCSR(t, "c", clientAsk("worker-0")), change), rule}
	to[name+" (serving)"] = row{changed(servingCSR(t, "s", "worker-0", servingAsk("worker-0", "10.0.0.10")), change), rule}
}

func TestSettled(t *testing.T) {
	table := refusals{}
	for _, condition := range []certificatesv1.RequestConditionType{"Approved", "Denied", "Failed", "Approved by another"} {
		both(t, table, string(condition), RuleSettled, func(c *csr) {
			c.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: condition, Status: "True"}}
		})
	}
	both(t, table, "it has a certificate", RuleSettled, func(c *csr) { c.Status.Certificate = []byte("x") })
	both(t, table, "it is being deleted", RuleSettled, func(c *csr) { c.DeletionTimestamp = &metav1.Time{Time: noon()} })
	table.check(t)
}

func TestSigner(t *testing.T) {
	table := refusals{}
	for _, signer := range []string{
		"", "kubernetes.io/kube-apiserver-client", "kubernetes.io/legacy-unknown", "kubernetes.io/kubelet-serving ", "KUBERNETES.IO/KUBELET-SERVING", "example.com/kubelet-serving",
	} {
		both(t, table, "signer "+signer, RuleSigner, func(c *csr) { c.Spec.SignerName = signer })
	}
	table["a client's request to the other signer"] = row{changed(clientCSR(t, "c", clientAsk("worker-0")), func(c *csr) { c.Spec.SignerName = certificatesv1.KubeletServingSignerName }), RuleRequestor}
	table["a serving request to the other signer"] = row{changed(servingCSR(t, "s", "worker-0", servingAsk("worker-0", "10.0.0.10")), func(c *csr) {
		c.Spec.SignerName = certificatesv1.KubeAPIServerClientKubeletSignerName
	}), RuleRequestor}
	table.check(t)
}

func TestRequestor(t *testing.T) {
	table := refusals{}
	for _, user := range []string{
		"", "mallory", "system:admin", "system:anonymous", "system:node", "system:node:", "system:nodes:worker-0", " system:node:worker-0", "System:Node:worker-0",
		"system:serviceaccount:openshift-machine-config-operator:default", "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper2",
		"system:serviceaccount:default:node-bootstrapper", "system:serviceaccount:openshift-machine-config-operator:NODE-BOOTSTRAPPER",
	} {
		both(t, table, "user "+user, RuleRequestor, func(c *csr) { c.Spec.Username = user })
	}
	table["the Node asks for its own client certificate"] = row{changed(clientCSR(t, "c", clientAsk("worker-0")), func(c *csr) {
		c.Spec.Username, c.Spec.Groups = "system:node:worker-0", []string{"system:nodes", "system:authenticated"}
	}), RuleRequestor}
	table["a Node asks for another's client certificate"] = row{changed(clientCSR(t, "c", clientAsk("worker-0")), func(c *csr) {
		c.Spec.Username, c.Spec.Groups = "system:node:worker-1", []string{"system:nodes", "system:authenticated"}
	}), RuleRequestor}
	table["the bootstrapper asks for a serving certificate"] = row{changed(servingCSR(t, "s", "worker-0", servingAsk("worker-0", "10.0.0.10")), func(c *csr) {
		c.Spec.Username = bootstrapper
	}), RuleRequestor}
	table["a Node asks for another's serving certificate"] = row{servingCSR(t, "s", "worker-1", servingAsk("worker-0", "10.0.0.10")), RuleSubject}
	table["a Node asks for another's addresses"] = row{servingCSR(t, "s", "worker-1", servingAsk("worker-1", "10.0.0.10")), RuleNames}
	table.check(t)
}

// Who wonders why a renewal is left alone reads whose business it is.
func TestRenewalIsAnothers(t *testing.T) {
	g := NewWithT(t)
	renewal := changed(clientCSR(t, "c", clientAsk("worker-0")), func(c *csr) {
		c.Spec.Username, c.Spec.Groups = "system:node:worker-0", []string{"system:nodes", "system:authenticated"}
	})
	g.Expect(Decide(renewal, testWorld()).Why).To(ContainSubstring("kube-controller-manager"))
}

func TestGroups(t *testing.T) {
	table := refusals{}
	both(t, table, "none", RuleGroups, func(c *csr) { c.Spec.Groups = nil })
	both(t, table, "one too few", RuleGroups, func(c *csr) { c.Spec.Groups = c.Spec.Groups[:1] })
	both(t, table, "not authenticated", RuleGroups, func(c *csr) { c.Spec.Groups = c.Spec.Groups[:len(c.Spec.Groups)-1] })
	both(t, table, "one twice instead of another", RuleGroups, func(c *csr) { c.Spec.Groups[0] = c.Spec.Groups[1] })
	both(t, table, "one twice", RuleGroups, func(c *csr) { c.Spec.Groups = append(c.Spec.Groups, c.Spec.Groups[0]) })
	both(t, table, "masters as well", RuleGroups, func(c *csr) { c.Spec.Groups = append(c.Spec.Groups, "system:masters") })
	both(t, table, "masters instead", RuleGroups, func(c *csr) { c.Spec.Groups[0] = "system:masters" })
	both(t, table, "unauthenticated", RuleGroups, func(c *csr) { c.Spec.Groups[len(c.Spec.Groups)-1] = "system:unauthenticated" })
	both(t, table, "the other requestor's", RuleGroups, func(c *csr) {
		if len(c.Spec.Groups) == 3 {
			c.Spec.Groups = []string{"system:nodes", "system:authenticated"}
		} else {
			c.Spec.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:openshift-machine-config-operator", "system:authenticated"}
		}
	})
	table.check(t)
}

func TestUsages(t *testing.T) {
	table := refusals{}
	add := func(usages ...certificatesv1.KeyUsage) func(*csr) {
		return func(c *csr) { c.Spec.Usages = append(c.Spec.Usages, usages...) }
	}
	both(t, table, "none", RuleUsages, func(c *csr) { c.Spec.Usages = nil })
	both(t, table, "no signature", RuleUsages, func(c *csr) { c.Spec.Usages[0] = "key encipherment" })
	both(t, table, "no authentication", RuleUsages, func(c *csr) { c.Spec.Usages = c.Spec.Usages[:1] })
	both(t, table, "no authentication, encipherment", RuleUsages, func(c *csr) { c.Spec.Usages[1] = "key encipherment" })
	both(t, table, "one twice", RuleUsages, add("digital signature"))
	both(t, table, "server and client", RuleUsages, func(c *csr) {
		c.Spec.Usages = []certificatesv1.KeyUsage{"digital signature", "client auth", "server auth"}
	})
	for _, usage := range []certificatesv1.KeyUsage{"cert sign", "any", "signing", "code signing", "crl sign", "data encipherment", ""} {
		both(t, table, "and "+string(usage), RuleUsages, add(usage))
		both(t, table, "encipherment and "+string(usage), RuleUsages, add("key encipherment", usage))
	}
	table["server authentication of a client"] = row{changed(clientCSR(t, "c", clientAsk("worker-0")), func(c *csr) { c.Spec.Usages[1] = "server auth" }), RuleUsages}
	table["client authentication of a server"] = row{changed(servingCSR(t, "s", "worker-0", servingAsk("worker-0", "10.0.0.10")), func(c *csr) {
		c.Spec.Usages[1] = "client auth"
	}), RuleUsages}
	table.check(t)
}

func TestNodesAndMachines(t *testing.T) {
	table := refusals{}
	for node, rule := range map[string]Rule{
		"unknown": RuleNode, "gone": RuleNode, "leaving": RuleNode, "WORKER-0": RuleNode, "../worker-0": RuleNode, "worker-0/": RuleNode, "worker-0.": RuleNode,
		" worker-0": RuleNode, "worker-0\x00": RuleNode, "worker-0\n": RuleNode, "*": RuleNode, "system:node:worker-0": RuleNode, "wörker-0": RuleNode,
		"m-worker-0": RuleNode, "orphan": RuleMachine, "unlinked": RuleMachine, "twice": RuleMachine, "dying": RuleMachine,
	} {
		table["client of "+node] = row{clientCSR(t, "c", clientAsk(node)), rule}
		table["serving of "+node] = row{servingCSR(t, "s", node, ask{cn: nodeUserPrefix + node, orgs: []string{"system:nodes"}, ips: []string{"10.0.0.10"}}), rule}
	}
	table["the Machine has another name"] = row{clientCSR(t, "c", clientAsk("renamed")), RuleMachine}
	table["the name is another Machine's, which has no such Node"] = row{clientCSR(t, "c", clientAsk("another")), RuleNode}
	table["the kubelet is alive"] = row{clientCSR(t, "c", clientAsk("alive")), RuleAlive}
	table.check(t)
}

// A Lease of 40 s ago is one of a kubelet that has gone.
func TestAliveAtTheBound(t *testing.T) {
	g := NewWithT(t)
	nodes, leases, machines := cluster()
	request := clientCSR(t, "c", clientAsk("alive"))
	g.Expect(Decide(request, NewWorld(nodes, leases, machines, noon())).Approve).To(BeFalse())
	g.Expect(Decide(request, NewWorld(nodes, leases, machines, noon().Add(time.Second))).Approve).To(BeTrue())
	g.Expect(Decide(request, NewWorld(nodes, leases, machines, noon().Add(-78*time.Second))).Approve).To(BeFalse())
	g.Expect(Decide(request, NewWorld(nodes, leases, machines, noon().Add(-79*time.Second))).Approve).To(BeTrue())
}

func TestEmptyWorld(t *testing.T) {
	g := NewWithT(t)
	g.Expect(Decide(clientCSR(t, "c", clientAsk("worker-0")), World{}).Rule).To(Equal(RuleNode))
	g.Expect(Decide(&csr{}, World{}).Rule).To(Equal(RuleSigner))
}
