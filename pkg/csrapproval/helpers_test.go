package csrapproval

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"net"
	"net/url"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// noon is the time in all tests.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// ask is what is in a PKCS #10 request.
type ask struct {
	cn         string
	orgs       []string
	more       []pkix.AttributeTypeAndValue
	dns        []string
	ips        []string
	emails     []string
	uris       []string
	extensions []pkix.Extension
	key        crypto.Signer
}

func der(t testing.TB, a ask) []byte {
	t.Helper()
	template := &x509.CertificateRequest{
		Subject:         pkix.Name{CommonName: a.cn, Organization: a.orgs, ExtraNames: a.more},
		DNSNames:        a.dns,
		EmailAddresses:  a.emails,
		ExtraExtensions: a.extensions,
	}
	for _, ip := range a.ips {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	for _, text := range a.uris {
		uri, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, uri)
	}
	key := a.key
	if key == nil {
		key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	}
	out, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pemOf(t testing.TB, a ask) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der(t, a)})
}

// clientAsk and servingAsk are what a kubelet sends.
func clientAsk(node string) ask {
	return ask{cn: nodeUserPrefix + node, orgs: []string{"system:nodes"}}
}

func servingAsk(node, ip string) ask {
	return ask{cn: nodeUserPrefix + node, orgs: []string{"system:nodes"}, dns: []string{node}, ips: []string{ip}}
}

func clientCSR(t testing.TB, name string, a ask) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon().Add(-time.Minute))},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pemOf(t, a),
			SignerName: "kubernetes.io/kube-apiserver-client-kubelet",
			Username:   "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper",
			Groups:     []string{"system:serviceaccounts", "system:serviceaccounts:openshift-machine-config-operator", "system:authenticated"},
			Usages:     []certificatesv1.KeyUsage{"digital signature", "client auth"},
		},
	}
}

func servingCSR(t testing.TB, name, node string, a ask) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon().Add(-time.Minute))},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pemOf(t, a),
			SignerName: "kubernetes.io/kubelet-serving",
			Username:   nodeUserPrefix + node,
			Groups:     []string{"system:nodes", "system:authenticated"},
			Usages:     []certificatesv1.KeyUsage{"digital signature", "server auth"},
		},
	}
}

func testNode(name string) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// testMachine refers to a Node, or to none if that is empty. The UID there is one of before the hibernation.
func testMachine(name, node string, addresses ...corev1.NodeAddress) unstructured.Unstructured {
	status := map[string]any{"phase": "Running"}
	if node != "" {
		status["nodeRef"] = map[string]any{"kind": "Node", "name": node, "uid": "of a Node that was"}
	}
	list := []any{}
	for _, address := range addresses {
		list = append(list, map[string]any{"type": string(address.Type), "address": address.Address})
	}
	status["addresses"] = list
	return unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "machine.openshift.io/v1beta1", "kind": "Machine",
		"metadata": map[string]any{"name": name, "namespace": machineNamespace},
		"status":   status,
	}}
}

// usual are the addresses of a Machine on OpenStack.
func usual(node, ip string) []corev1.NodeAddress {
	return []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: ip},
		{Type: corev1.NodeHostName, Address: node},
		{Type: corev1.NodeInternalDNS, Address: node},
	}
}

func testLease(node string, renewed time.Time) coordinationv1.Lease {
	at := metav1.NewMicroTime(renewed)
	return coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: node, Namespace: corev1.NamespaceNodeLease},
		Spec:       coordinationv1.LeaseSpec{RenewTime: &at},
	}
}

// cluster is the cluster of most tests: worker-0 and worker-1 are as they should be, each other Node lacks one thing.
func cluster() ([]corev1.Node, []coordinationv1.Lease, []unstructured.Unstructured) {
	leaving := testNode("leaving")
	leaving.DeletionTimestamp = &metav1.Time{Time: noon()}
	nodes := []corev1.Node{
		testNode("worker-0"), testNode("worker-1"), testNode("orphan"), testNode("twice"), testNode("dying"), testNode("renamed"),
		testNode("alive"), testNode("ahead"), testNode("unlinked"), testNode("failed"), leaving,
	}
	leases := []coordinationv1.Lease{
		testLease("worker-0", noon().Add(-10*time.Hour)), testLease("alive", noon().Add(-39*time.Second)), testLease("ahead", noon().Add(time.Hour)),
		testLease("gone", noon()), {ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}},
	}
	dying := testMachine("m-dying", "dying", usual("dying", "10.0.0.14")...)
	dying.SetDeletionTimestamp(&metav1.Time{Time: noon()})
	failed := testMachine("m-failed", "failed", usual("failed", "10.0.0.19")...)
	failed.Object["status"].(map[string]any)["phase"] = "Failed"
	odd := testMachine("m-odd", "", corev1.NodeAddress{})
	odd.Object["status"] = "not a map"
	halfOdd := testMachine("m-half-odd", "orphan-too")
	halfOdd.Object["status"].(map[string]any)["addresses"] = []any{"x", map[string]any{"type": int64(1), "address": int64(2)}}
	machines := []unstructured.Unstructured{
		testMachine("m-worker-0", "worker-0", append(usual("worker-0", "10.0.0.10"),
			corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: "192.0.2.10"},
			corev1.NodeAddress{Type: corev1.NodeExternalDNS, Address: "worker-0.example.com."},
			corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "fd00::10"},
			corev1.NodeAddress{Type: corev1.NodeInternalDNS, Address: "10.0.0.98"},
			corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "no-address"},
			corev1.NodeAddress{Type: corev1.NodeInternalDNS, Address: "."},
			corev1.NodeAddress{Type: "Other", Address: "other"}, corev1.NodeAddress{Type: "Other", Address: "10.0.0.99"})...),
		testMachine("m-worker-1", "worker-1", usual("worker-1", "10.0.0.11")...),
		testMachine("m-twice", "twice", usual("twice", "10.0.0.12")...),
		testMachine("m-twice-too", "twice", usual("twice", "10.0.0.12")...),
		dying,
		testMachine("m-renamed", "renamed", usual("another", "10.0.0.15")...),
		testMachine("m-alive", "alive", usual("alive", "10.0.0.16")...),
		testMachine("m-ahead", "ahead", usual("ahead", "10.0.0.17")...),
		testMachine("m-unlinked", "", usual("unlinked", "10.0.0.18")...),
		testMachine("m-gone", "gone", usual("gone", "10.0.0.20")...),
		testMachine("m-leaving", "leaving", usual("leaving", "10.0.0.21")...),
		failed, odd, halfOdd,
	}
	return nodes, leases, machines
}

func testWorld() World {
	nodes, leases, machines := cluster()
	return NewWorld(nodes, leases, machines, noon())
}

// names makes the content of a subject alternative name extension of raw names.
func names(t testing.TB, raw ...asn1.RawValue) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

// general is a GeneralName: 2 is a DNS name, 8 a registered ID.
func general(tag int, content string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(content)}
}

func attribute(value string, oid ...int) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: oid, Value: value}
}
