package remoteclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// trusting is the part of a kubeconfig's cluster that names a test server's certificate as its CA.
func trusting(server *httptest.Server) string { return trustingIn(server.Certificate().Raw) }

// trustingAnother is one that names a CA which no test server has a certificate of.
func trustingAnother(t *testing.T) string {
	t.Helper()
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the cluster's own CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	g.Expect(err).NotTo(HaveOccurred())
	return trustingIn(raw)
}

func trustingIn(certificate []byte) string {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	return fmt.Sprintf(", certificate-authority-data: %q", base64.StdEncoding.EncodeToString(ca))
}

// clientsOf returns clients for a kubeconfig.
func clientsOf(kubeconfig string) *Clients {
	return New(fake.NewClientBuilder().WithObjects(kubeconfigSecret(kubeconfig)).Build(), "test")
}

// controlled returns a ClusterDeployment whose API is to be asked elsewhere.
func controlled(config hivev1.ControlPlaneConfigSpec) *hivev1.ClusterDeployment {
	cd := clusterDeployment()
	cd.Spec.ControlPlaneConfig = &config
	return cd
}

// clientTo returns a client to a test server.
func clientTo(t *testing.T, server *httptest.Server) client.Client {
	t.Helper()
	c, err := clientsOf(kubeconfig(server.URL, "", trusting(server))).ClientFor(t.Context(), clusterDeployment())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return c
}

// askedWith asks for the Nodes.
func askedWith(t *testing.T, c client.Client) error {
	t.Helper()
	return c.List(t.Context(), &corev1.NodeList{})
}
