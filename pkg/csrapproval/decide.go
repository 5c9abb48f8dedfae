package csrapproval

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	nodeUserPrefix     = "system:node:"
	nodesGroup         = "system:nodes"
	authenticatedGroup = "system:authenticated"

	bootstrapper        = "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper"
	bootstrapperGroup   = "system:serviceaccounts:openshift-machine-config-operator"
	serviceAccountGroup = "system:serviceaccounts"
)

// Rule names what a request was judged by. It is a plain word, fit for a label.
type Rule string

// The rules. A request is approved by one of the first two; each of the others keeps it from being approved.
const (
	RuleClient     Rule = "client"     // a client certificate for a Node that exists
	RuleServing    Rule = "serving"    // a serving certificate for the names and addresses of a Node's Machine
	RuleSettled    Rule = "settled"    // it has been approved, denied or signed, failed, or is being deleted
	RuleSigner     Rule = "signer"     // it is for none of the two signers of kubelets' certificates
	RuleSize       Rule = "size"       // the object is too large, or has a strange name
	RuleRequestor  Rule = "requestor"  // another user asks than those who may
	RuleGroups     Rule = "groups"     // the user who asks is not in exactly the groups that it should be in
	RuleUsages     Rule = "usages"     // other usages than a kubelet's
	RuleRequest    Rule = "request"    // malformed PEM or PKCS #10, or more than one of it
	RuleSubject    Rule = "subject"    // the common name or the organization, or more in the subject than these
	RuleExtensions Rule = "extensions" // extensions other than alternative names
	RuleNames      Rule = "names"      // alternative names that are not the Machine's, too many or none, or of other kinds
	RuleNode       Rule = "node"       // no such Node
	RuleMachine    Rule = "machine"    // no Machine, several or one that is being deleted refer to the Node, or it has another name
	RuleAlive      Rule = "alive"      // the Node's kubelet has a client certificate that works
	RuleSignature  Rule = "signature"  // it is not signed with its own key, or with one of excessive size
)

// Verdict is what was decided on one request.
type Verdict struct {
	// Approve says whether it may be approved. Nothing is ever to be denied.
	Approve bool
	// Rule is what decided.
	Rule Rule
	// Why says it in words for a person. There is no secret in it, and of the request no more than one quoted and shortened
	// name.
	Why string
	// Node is the name of the Node that an approved request is for, and empty else.
	Node string
}

// refusal is a rule that is broken.
type refusal struct {
	rule Rule
	why  string
}

func (r *refusal) Error() string { return r.why }

func refuse(rule Rule, format string, args ...any) error {
	return &refusal{rule: rule, why: fmt.Sprintf(format, args...)}
}

// Decide says whether a request may be approved in the given world. It changes nothing, and depends on nothing else.
func Decide(csr *certificatesv1.CertificateSigningRequest, world World) Verdict {
	verdict, err := decide(csr, world)
	if err != nil {
		return refused(err)
	}
	return verdict
}

func refused(err error) Verdict {
	var broken *refusal
	if !errors.As(err, &broken) {
		return Verdict{Rule: RuleRequest, Why: "it could not be judged"}
	}
	return Verdict{Rule: broken.rule, Why: broken.why}
}

func decide(csr *certificatesv1.CertificateSigningRequest, world World) (Verdict, error) {
	if err := screen(csr); err != nil {
		return Verdict{}, err
	}
	request, err := parse(csr)
	if err != nil {
		return Verdict{}, err
	}
	name := strings.TrimPrefix(request.Subject.CommonName, nodeUserPrefix)
	verdict := Verdict{Approve: true, Node: name}
	if csr.Spec.SignerName == certificatesv1.KubeAPIServerClientKubeletSignerName {
		verdict.Rule, verdict.Why = RuleClient, "a client certificate for a Node that exists and is its Machine's"
		err = checkClient(request, name, world)
	} else {
		verdict.Rule, verdict.Why = RuleServing, "a serving certificate for names and addresses of the Node's Machine"
		err = checkServing(csr, request, name, world)
	}
	if err == nil {
		err = checkSignature(request)
	}
	if err != nil {
		return Verdict{}, err
	}
	return verdict, nil
}

// screen judges what needs neither the request to be parsed nor the world.
func screen(csr *certificatesv1.CertificateSigningRequest) error {
	if settled(csr) {
		return refuse(RuleSettled, "it is settled already")
	}
	var auth certificatesv1.KeyUsage
	var who func(*certificatesv1.CertificateSigningRequestSpec) error
	switch csr.Spec.SignerName {
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		auth, who = certificatesv1.UsageClientAuth, checkBootstrapper
	case certificatesv1.KubeletServingSignerName:
		auth, who = certificatesv1.UsageServerAuth, checkNodeUser
	default:
		return refuse(RuleSigner, "it is for another signer")
	}
	if csr.Size() > maxObjectBytes {
		return refuse(RuleSize, "the object is larger than %d bytes", maxObjectBytes)
	}
	if len(validation.IsDNS1123Subdomain(csr.Name)) > 0 {
		return refuse(RuleSize, "its name is not a DNS subdomain")
	}
	if err := who(&csr.Spec); err != nil {
		return err
	}
	return checkUsages(csr.Spec.Usages, auth)
}

func settled(csr *certificatesv1.CertificateSigningRequest) bool {
	return len(csr.Status.Conditions) > 0 || len(csr.Status.Certificate) > 0 || csr.DeletionTimestamp != nil
}

// checkBootstrapper: the control plane's machines use a certificate that the installer made, of which older ones lack the
// group of all service accounts; the others use a token, which has it.
func checkBootstrapper(spec *certificatesv1.CertificateSigningRequestSpec) error {
	if strings.HasPrefix(spec.Username, nodeUserPrefix) {
		return refuse(RuleRequestor, "a kubelet renews its own client certificate: kube-controller-manager approves that")
	}
	if spec.Username != bootstrapper {
		return refuse(RuleRequestor, "the node bootstrapper did not ask for it")
	}
	if !sameSet(spec.Groups, bootstrapperGroup, serviceAccountGroup, authenticatedGroup) &&
		!sameSet(spec.Groups, bootstrapperGroup, authenticatedGroup) {
		return refuse(RuleGroups, "the requestor's groups are not exactly the node bootstrapper's")
	}
	return nil
}

func checkNodeUser(spec *certificatesv1.CertificateSigningRequestSpec) error {
	if name, ok := strings.CutPrefix(spec.Username, nodeUserPrefix); !ok || name == "" {
		return refuse(RuleRequestor, "no Node asked for it")
	}
	if !sameSet(spec.Groups, nodesGroup, authenticatedGroup) {
		return refuse(RuleGroups, "the requestor's groups are not exactly a Node's")
	}
	return nil
}

func sameSet(have []string, want ...string) bool {
	have = slices.Sorted(slices.Values(have))
	return slices.Equal(have, slices.Sorted(slices.Values(want)))
}

// checkUsages wants a digital signature, the one kind of authentication and maybe key encipherment, which only RSA keys
// need, each once.
func checkUsages(have []certificatesv1.KeyUsage, auth certificatesv1.KeyUsage) error {
	usages := make([]string, len(have))
	for i, usage := range have {
		usages[i] = string(usage)
	}
	signature, encipherment := string(certificatesv1.UsageDigitalSignature), string(certificatesv1.UsageKeyEncipherment)
	if !sameSet(usages, signature, string(auth)) && !sameSet(usages, signature, string(auth), encipherment) {
		return refuse(RuleUsages, "its usages are not exactly those of a kubelet's certificate for %s", auth)
	}
	return nil
}

// checkClient is the change that waking needs. The reference wants a Machine without a Node, two hours old at most; here the
// Node exists, its Machine refers to it and has its name. One more rule is ours: a kubelet that is alive needs none, so
// whoever asks for one in its name is somebody else.
func checkClient(request *x509.CertificateRequest, name string, world World) error {
	if len(request.Extensions) > 0 {
		return refuse(RuleNames, "a client certificate has no alternative names")
	}
	of, err := world.machineOf(name)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(of.addresses, func(a corev1.NodeAddress) bool {
		return a.Address == name && (a.Type == corev1.NodeInternalDNS || a.Type == corev1.NodeHostName)
	}) {
		return refuse(RuleMachine, "the Machine of this Node has not the Node's name")
	}
	if world.nodes[name].alive {
		return refuse(RuleAlive, "the kubelet of this Node renews its Lease, so it has a client certificate")
	}
	return nil
}

func checkServing(csr *certificatesv1.CertificateSigningRequest, request *x509.CertificateRequest, name string, world World) error {
	if request.Subject.CommonName != csr.Spec.Username {
		return refuse(RuleSubject, "its common name is not the Node's that asks")
	}
	of, err := world.machineOf(name)
	if err != nil {
		return err
	}
	if len(request.DNSNames)+len(request.IPAddresses) == 0 {
		return refuse(RuleNames, "a serving certificate has a DNS name or an IP address")
	}
	for _, dns := range request.DNSNames {
		if !of.hasDNS(dns) {
			return refuse(RuleNames, "the DNS name %.80q is not this Node's Machine's", dns)
		}
	}
	for _, ip := range request.IPAddresses {
		if !of.hasIP(ip) {
			return refuse(RuleNames, "the IP address %s is not this Node's Machine's", ip)
		}
	}
	return nil
}

// hasDNS compares as the reference does: without regard to case, and to a dot at the end of the Machine's name.
func (m machine) hasDNS(name string) bool {
	return name != "" && slices.ContainsFunc(m.addresses, func(a corev1.NodeAddress) bool {
		return isDNS(a) && strings.EqualFold(name, strings.TrimSuffix(a.Address, "."))
	})
}

func (m machine) hasIP(ip net.IP) bool {
	return slices.ContainsFunc(m.addresses, func(a corev1.NodeAddress) bool {
		return isIP(a) && ip.Equal(net.ParseIP(a.Address))
	})
}
