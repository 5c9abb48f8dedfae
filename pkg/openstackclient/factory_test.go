package openstackclient

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"strconv"
	"testing"

	. "github.com/onsi/gomega"
)

func TestClientsAreKept(t *testing.T) {
	g := NewWithT(t)
	factory := NewFactory(FactoryOptions{})
	get := func(uid, version, name string) Client {
		client, err := factory.ClientFor(t.Context(), Credentials{
			SecretUID: uid, SecretVersion: version, Cloud: name, CloudsYAML: []byte(goodCloud),
		})
		g.Expect(err).NotTo(HaveOccurred())
		return client
	}
	first := get("a", "1", "mycloud")
	g.Expect(get("a", "1", "mycloud")).To(BeIdenticalTo(first))
	g.Expect(get("b", "1", "mycloud")).NotTo(BeIdenticalTo(first), "credentials of one Secret never serve another")
	g.Expect(get("a", "1", "")).NotTo(BeIdenticalTo(first))
	second := get("a", "2", "mycloud")
	g.Expect(second).NotTo(BeIdenticalTo(first))
	g.Expect(factory.clients.Len()).To(Equal(2), "all clients of the earlier version are gone")
	g.Expect(get("a", "2", "mycloud")).To(BeIdenticalTo(second))
}

func TestClientsAreBounded(t *testing.T) {
	g := NewWithT(t)
	factory := NewFactory(FactoryOptions{CacheSize: 3})
	get := func(i int) Client {
		client, err := factory.ClientFor(t.Context(), Credentials{SecretUID: strconv.Itoa(i), CloudsYAML: []byte(goodCloud)})
		g.Expect(err).NotTo(HaveOccurred())
		return client
	}
	oldest, second := get(0), get(1)
	get(2)
	g.Expect(get(0)).To(BeIdenticalTo(oldest))
	get(3)
	g.Expect(factory.clients.Len()).To(Equal(3))
	g.Expect(get(0)).To(BeIdenticalTo(oldest), "used last but one")
	g.Expect(get(1)).NotTo(BeIdenticalTo(second), "used longest ago")
}

func TestUnusableCredentialsAreNotKept(t *testing.T) {
	g := NewWithT(t)
	factory := NewFactory(FactoryOptions{})
	_, err := factory.ClientFor(t.Context(), Credentials{SecretUID: "a"})
	g.Expect(KindOf(err)).To(Equal(KindInvalid))
	_, err = factory.ClientFor(t.Context(), Credentials{SecretUID: "a", CloudsYAML: []byte(goodCloud), CABundle: []byte("no PEM")})
	g.Expect(err).To(MatchError(ContainSubstring("certificatesSecretRef")))
	g.Expect(factory.clients.Len()).To(BeZero())
}

func TestCABundleOfSecret(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	der, err := x509.MarshalPKCS8PrivateKey(private)
	g.Expect(err).NotTo(HaveOccurred())
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})

	bundle, err := CABundle(map[string][]byte{"z.pem": certificate, "ca.crt": append(append([]byte("# a comment\n"), certificate...), key...), "note": []byte("hello")})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bundle).To(Equal(bytes.Repeat(certificate, 2)), "the certificates of all keys and nothing else")

	for _, data := range []map[string][]byte{nil, {"ca.crt": []byte("nothing")}, {"tls.key": key}} {
		_, err = CABundle(data)
		g.Expect(err).To(MatchError(ContainSubstring("has no key with a PEM certificate")))
		g.Expect(KindOf(err)).To(Equal(KindInvalid))
	}
	_, err = CABundle(map[string][]byte{"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})})
	g.Expect(err).To(MatchError(ContainSubstring(`key "ca.crt"`)))
}

func TestTLS(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	secure := httptest.NewTLSServer(cloud)
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = nil
	cloud.URL = secure.URL
	credentials := cloud.credentials()
	scope := func(credentials Credentials) error {
		client, err := NewFactory(FactoryOptions{}).ClientFor(t.Context(), credentials)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = client.Scope(t.Context())
		return err
	}
	err := scope(credentials)
	g.Expect(err).To(MatchError(ContainSubstring("certificate of an unknown authority; give the CA by platform.openstack.certificatesSecretRef")))
	g.Expect(KindOf(err)).To(Equal(KindTransient))

	trusted := credentials
	trusted.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	g.Expect(scope(trusted)).To(Succeed())

	unverified := credentials
	unverified.CloudsYAML = append(unverified.CloudsYAML, "    verify: false\n"...)
	g.Expect(scope(unverified)).To(Succeed())
}
