package csrapproval

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The oracle: what may be approved in the tests' cluster, written down and not computed.
func oracleServing() map[string]string {
	return map[string]string{
		"system:node:worker-0": " dns=worker-0 dns=worker-0.example.com dns=10.0.0.98 ip=10.0.0.10 ip=192.0.2.10 ip=fd00::10 ",
		"system:node:worker-1": " dns=worker-1 ip=10.0.0.11 ",
		"system:node:renamed":  " dns=another ip=10.0.0.15 ",
		"system:node:alive":    " dns=alive ip=10.0.0.16 ",
		"system:node:ahead":    " dns=ahead ip=10.0.0.17 ",
		"system:node:failed":   " dns=failed ip=10.0.0.19 ",
	}
}

func oracleClient() []string {
	return []string{"system:node:worker-0", "system:node:worker-1", "system:node:ahead", "system:node:failed"}
}

// oracleCaller looks at who asks, and for what, as sorted words in one line.
func oracleCaller(spec *certificatesv1.CertificateSigningRequestSpec) string {
	groups, usages := slices.Clone(spec.Groups), []string{}
	for _, usage := range spec.Usages {
		usages = append(usages, string(usage))
	}
	slices.Sort(groups)
	slices.Sort(usages)
	line := strings.Join([]string{spec.SignerName, strings.Join(groups, " "), strings.Join(usages, "+")}, "/ ")
	switch line {
	case "kubernetes.io/kube-apiserver-client-kubelet/ system:authenticated system:serviceaccounts system:serviceaccounts:openshift-machine-config-operator/ client auth+digital signature",
		"kubernetes.io/kube-apiserver-client-kubelet/ system:authenticated system:serviceaccounts system:serviceaccounts:openshift-machine-config-operator/ client auth+digital signature+key encipherment",
		"kubernetes.io/kube-apiserver-client-kubelet/ system:authenticated system:serviceaccounts:openshift-machine-config-operator/ client auth+digital signature",
		"kubernetes.io/kube-apiserver-client-kubelet/ system:authenticated system:serviceaccounts:openshift-machine-config-operator/ client auth+digital signature+key encipherment":
		if spec.Username == "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper" {
			return "client"
		}
	case "kubernetes.io/kubelet-serving/ system:authenticated system:nodes/ digital signature+server auth",
		"kubernetes.io/kubelet-serving/ system:authenticated system:nodes/ digital signature+key encipherment+server auth":
		return "serving"
	}
	return ""
}

// oracleContent looks at the request itself, from its raw subject and with every name as a word.
func oracleContent(content []byte) (cn string, words []string, ok bool) {
	block, _ := pem.Decode(content)
	if block == nil || strings.Count(string(content), "-----") != 4 || strings.TrimSpace(string(content))[:10] != "-----BEGIN" || len(block.Headers) > 0 {
		return "", nil, false
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || request.CheckSignature() != nil || len(request.EmailAddresses)+len(request.URIs) > 0 || len(request.Extensions) > 1 {
		return "", nil, false
	}
	var subject pkix.RDNSequence
	if _, err := asn1.Unmarshal(request.RawSubject, &subject); err != nil {
		return "", nil, false
	}
	seen := map[string]string{}
	count := 0
	for _, set := range subject {
		for _, attribute := range set {
			text, _ := attribute.Value.(string)
			seen[attribute.Type.String()] = text
			count++
		}
	}
	for _, dns := range request.DNSNames {
		words = append(words, "dns="+strings.ToLower(dns))
	}
	for _, ip := range request.IPAddresses {
		words = append(words, "ip="+ip.String())
	}
	return seen["2.5.4.3"], words, count == 2 && seen["2.5.4.10"] == "system:nodes" && (len(words) > 0) == (len(request.Extensions) == 1)
}

func oracle(csr *certificatesv1.CertificateSigningRequest) bool {
	cn, words, ok := oracleContent(csr.Spec.Request)
	if !ok || csr.Name != "x" {
		return false
	}
	switch oracleCaller(&csr.Spec) {
	case "client":
		return len(words) == 0 && slices.Contains(oracleClient(), cn)
	case "serving":
		known := oracleServing()[cn]
		for _, word := range words {
			if strings.Contains(word, " ") || !strings.Contains(known, " "+word+" ") {
				return false
			}
		}
		return len(words) > 0 && cn == csr.Spec.Username
	}
	return false
}

// parts are split at commas.
func parts(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// made is a request of the given parts, or nil if there can be none.
func made(t *testing.T, cn, orgs, dns, ips, emails string) []byte {
	t.Helper()
	a := ask{cn: cn, orgs: parts(orgs), dns: parts(dns), emails: parts(emails)}
	for _, ip := range parts(ips) {
		if net.ParseIP(ip) == nil {
			return nil
		}
		a.ips = append(a.ips, ip)
	}
	for _, text := range append(slices.Concat(a.orgs, a.dns, a.emails), cn) {
		if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
			return nil
		}
	}
	return pemOf(t, a)
}

// FuzzDecide: whatever is asked for by whomever, nothing is approved that the oracle does not name; what it names is, if it
// is of a sane size. Without content a request is made, and signed, of the other parts.
func FuzzDecide(f *testing.F) {
	const bootstrapperGroups = "system:serviceaccounts,system:serviceaccounts:openshift-machine-config-operator,system:authenticated"
	client := []string{"kubernetes.io/kube-apiserver-client-kubelet", bootstrapper, bootstrapperGroups, "digital signature,client auth"}
	serving := []string{"kubernetes.io/kubelet-serving", "system:node:worker-0", "system:nodes,system:authenticated", "digital signature,key encipherment,server auth"}
	for _, caller := range [][]string{client, serving} {
		for _, what := range [][5]string{
			{"system:node:worker-0", "system:nodes", "", "", ""},
			{"system:node:worker-0", "system:nodes", "worker-0,WORKER-0.example.com", "10.0.0.10,fd00::10", ""},
			{"system:node:worker-0", "system:nodes,system:masters", "worker-0", "", ""},
			{"system:node:worker-1", "system:nodes", "worker-1", "10.0.0.11", "a@example.com"},
			{"system:admin", "system:masters", "*", "0.0.0.0", ""},
		} {
			f.Add([]byte{}, caller[0], caller[1], caller[2], caller[3], what[0], what[1], what[2], what[3], what[4])
		}
	}
	f.Fuzz(func(t *testing.T, content []byte, signer, user, groups, usages, cn, orgs, dns, ips, emails string) {
		whole := len(content) == 0
		if whole {
			if content = made(t, cn, orgs, dns, ips, emails); content == nil {
				return
			}
		}
		csr := &certificatesv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: "x"},
			Spec:       certificatesv1.CertificateSigningRequestSpec{Request: content, SignerName: signer, Username: user, Groups: parts(groups)},
		}
		for _, usage := range parts(usages) {
			csr.Spec.Usages = append(csr.Spec.Usages, certificatesv1.KeyUsage(usage))
		}
		before := csr.DeepCopy()
		verdict := Decide(csr, testWorld())
		allowed := oracle(csr)
		sane := whole && len(content) <= maxRequestBytes && len(parts(dns))+len(parts(ips)) <= maxNames
		switch {
		case verdict.Approve && !allowed:
			t.Fatalf("approved, and should not be: %+v", verdict)
		case allowed && sane && !verdict.Approve:
			t.Fatalf("not approved, and should be: %+v", verdict)
		case verdict.Approve != (verdict.Node != ""), verdict.Approve != (verdict.Rule == RuleClient || verdict.Rule == RuleServing):
			t.Fatalf("it contradicts itself: %+v", verdict)
		case verdict.Why == "", len(verdict.Why) > 500, strings.ContainsFunc(verdict.Why, unicode.IsControl):
			t.Fatalf("not plain words: %q", verdict.Why)
		case !reflect.DeepEqual(csr, before):
			t.Fatal("the request was changed")
		}
	})
}
