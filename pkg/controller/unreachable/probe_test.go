package unreachable

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/overwinter/overwinter/pkg/remoteclient"
)

// secret is what no message may hold.
const secret = "hunter2"

func TestFailure(t *testing.T) {
	namespaces := schema.GroupResource{Resource: "namespaces"}
	dialed := func(err error) error {
		return fmt.Errorf("get: %w", &url.Error{Op: "Get", URL: "https://" + secret + ":6443", Err: err})
	}
	verified := func(err error) error { return dialed(&tls.CertificateVerificationError{Err: err}) }
	old := &x509.Certificate{NotBefore: noon(), NotAfter: noon().Add(time.Hour)}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"credentials":          {apierrors.NewUnauthorized(secret), refused},
		"rights":               {apierrors.NewForbidden(namespaces, secret, nil), "The cluster's API does not let the user of the admin kubeconfig read the Namespace default"},
		"something else":       {apierrors.NewNotFound(namespaces, secret), "What answers is not the API of a cluster: it knows no Namespace default"},
		"it starts":            {apierrors.NewInternalError(errors.New(secret)), deaf},
		"it is busy":           {apierrors.NewTooManyRequests(secret, 3), deaf},
		"not there":            {dialed(&net.OpError{Op: "dial", Source: &net.TCPAddr{Port: 40123}, Err: errors.New(secret)}), deaf},
		"no such name":         {dialed(&net.OpError{Op: "dial", Err: &net.DNSError{Name: secret, IsNotFound: true}}), "The host name in the URL of the cluster's API does not exist"},
		"no DNS":               {dialed(&net.DNSError{Name: secret, IsTimeout: true}), deaf},
		"unknown authority":    {verified(x509.UnknownAuthorityError{}), "The certificate of the cluster's API is not signed by an authority in the admin kubeconfig"},
		"another's":            {verified(x509.HostnameError{Certificate: &x509.Certificate{}, Host: secret}), "The certificate of the cluster's API is not for the host in its URL"},
		"expired":              {verified(x509.CertificateInvalidError{Cert: old, Reason: x509.Expired, Detail: secret}), "A certificate of the cluster's API is valid from 2026-03-01T12:00:00Z to 2026-03-01T13:00:00Z only"},
		"not a CA":             {verified(x509.CertificateInvalidError{Cert: old, Reason: x509.NotAuthorizedToSign, Detail: secret}), "A certificate of the cluster's API is not valid"},
		"anything else at all": {errors.New(secret), deaf},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(failure(tt.err)).To(Equal(tt.want))
		})
	}
}

// certificate returns one for 127.0.0.1 that signs itself.
func certificate(t *testing.T, until time.Time) tls.Certificate {
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	g.Expect(err).NotTo(HaveOccurred())
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// realClient makes the controller ask a real listener, through the real remote client.
func realClient(t *testing.T, b *bench, serving, trusted tls.Certificate, handler http.HandlerFunc) {
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{serving}}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Certificate[0]})
	kubeconfig := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
		clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %q}}], users: [{name: u, user: {token: %s}}]}`,
		server.URL, base64.StdEncoding.EncodeToString(ca), secret)
	b.Remote = remoteclient.New(fake.NewClientBuilder().WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "admin"}, Data: map[string][]byte{"kubeconfig": []byte(kubeconfig)},
	}).Build(), "test")
}

// TestRealListeners: what a cluster does on the wire, and what is then said of it.
func TestRealListeners(t *testing.T) {
	good, expired := certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(-time.Hour))
	answers := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/namespaces/default" || r.Header.Get("Authorization") != "Bearer "+secret {
				code = http.StatusTeapot
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	const namespace = `{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":{"name":"default"}}`
	for name, tt := range map[string]struct {
		serving tls.Certificate
		handler http.HandlerFunc
		status  corev1.ConditionStatus
		says    string
	}{
		"it answers":         {good, answers(http.StatusOK, namespace), no, messageReachable},
		"credentials":        {good, answers(http.StatusUnauthorized, "{}"), yes, refused},
		"rights":             {good, answers(http.StatusForbidden, "{}"), yes, "does not let the user"},
		"it has no quorum":   {good, answers(http.StatusInternalServerError, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"etcdserver: hunter2"}`), yes, deaf},
		"not Kubernetes":     {good, answers(http.StatusOK, "<html>"+secret), yes, deaf},
		"expired":            {expired, answers(http.StatusOK, namespace), yes, "A certificate of the cluster's API is valid from"},
		"another's identity": {certificate(t, time.Now().Add(time.Hour)), answers(http.StatusOK, namespace), yes, "not signed by an authority"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, clusterDeployment())
			trusted := good
			if name == "expired" {
				trusted = expired
			}
			realClient(t, b, tt.serving, trusted, tt.handler)
			_, err := b.visit(t.Context())
			b.g.Expect(err).NotTo(HaveOccurred())
			is := statusOf(b.cd(t)).unreachable
			b.g.Expect(is.Status).To(Equal(tt.status))
			b.g.Expect(is.Message).To(And(ContainSubstring(tt.says), Not(ContainSubstring(secret))))
			b.g.Expect(b.events()).NotTo(ContainElement(ContainSubstring(secret)))
		})
	}
}
