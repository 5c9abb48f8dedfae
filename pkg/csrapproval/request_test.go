package csrapproval

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// ofBoth adds a client's and a serving request of which the content was changed in the same way.
func ofBoth(t *testing.T, to refusals, name string, rule Rule, change func(*ask)) {
	t.Helper()
	client, serving := clientAsk("worker-0"), servingAsk("worker-0", "10.0.0.10")
	change(&client)
	change(&serving)
	to[name+" (client)"] = row{clientCSR(t, "c", client), rule}
	to[name+" (serving)"] = row{servingCSR(t, "s", "worker-0", serving), rule}
}

func TestMalformed(t *testing.T) {
	table := refusals{}
	content := func(name string, change func(honest []byte) []byte) {
		both(t, table, name, RuleRequest, func(c *csr) { c.Spec.Request = change(c.Spec.Request) })
	}
	block := func(kind string, headers map[string]string) func([]byte) []byte {
		return func(honest []byte) []byte {
			old, _ := pem.Decode(honest)
			return pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: old.Bytes})
		}
	}
	content("nothing", func([]byte) []byte { return nil })
	content("no PEM", func([]byte) []byte { return []byte("CERTIFICATE REQUEST") })
	content("plain DER", func(honest []byte) []byte { old, _ := pem.Decode(honest); return old.Bytes })
	content("cut off", func(honest []byte) []byte { return honest[:len(honest)/2] })
	content("without an end", func(honest []byte) []byte { return honest[:len(honest)-10] })
	content("another kind", block("NEW CERTIFICATE REQUEST", nil))
	content("a certificate", block("CERTIFICATE", nil))
	content("a header", block(pemType, map[string]string{"Proc-Type": "4,ENCRYPTED"}))
	content("twice", func(honest []byte) []byte { return slices.Concat(honest, honest) })
	content("something in front", func(honest []byte) []byte { return slices.Concat([]byte("hello\n"), honest) })
	content("something behind", func(honest []byte) []byte { return slices.Concat(honest, []byte("hello\n")) })
	content("an unreadable block in front", func(honest []byte) []byte {
		return slices.Concat([]byte("-----BEGIN CERTIFICATE REQUEST-----\n!!!\n-----END CERTIFICATE REQUEST-----\n"), honest)
	})
	content("an unreadable block behind", func(honest []byte) []byte {
		return slices.Concat(honest, []byte("-----BEGIN CERTIFICATE REQUEST-----\n"))
	})
	content("an empty block", func([]byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: pemType}) })
	content("data behind the DER", func(honest []byte) []byte {
		old, _ := pem.Decode(honest)
		return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: append(old.Bytes, 0)})
	})
	content("too large", func(honest []byte) []byte { return append(honest, bytes.Repeat([]byte("\n"), maxRequestBytes)...) })
	table.check(t)
}

func TestObject(t *testing.T) {
	table := refusals{}
	both(t, table, "a large object", RuleSize, func(c *csr) { c.Annotations = map[string]string{"x": strings.Repeat("x", maxObjectBytes)} })
	for _, name := range []string{"", "..", "a b", "a\nb", "A", strings.Repeat("a", 254)} {
		both(t, table, "name "+name, RuleSize, func(c *csr) { c.Name = name })
	}
	table.check(t)
}

func TestSubject(t *testing.T) {
	table := refusals{}
	for _, cn := range []string{
		"", "worker-0", "system:node:", "system:node", "system:nodes:worker-0", "System:node:worker-0", " system:node:worker-0", "system:admin", "system:masters", "kubernetes-admin",
	} {
		ofBoth(t, table, "common name "+cn, RuleSubject, func(a *ask) { a.cn = cn })
	}
	for _, orgs := range [][]string{
		nil, {""}, {"system:masters"}, {"System:nodes"}, {"system:nodes "}, {"system:nodes", "system:nodes"}, {"system:nodes", "system:masters"}, {"system:masters", "system:nodes"},
	} {
		ofBoth(t, table, fmt.Sprintf("organizations %q", orgs), RuleSubject, func(a *ask) { a.orgs = orgs })
	}
	more := func(name string, attributes ...pkix.AttributeTypeAndValue) {
		ofBoth(t, table, name, RuleSubject, func(a *ask) {
			a.more = append([]pkix.AttributeTypeAndValue{attribute(a.cn, 2, 5, 4, 3), attribute("system:nodes", 2, 5, 4, 10)}, attributes...)
			a.cn, a.orgs = "", nil
		})
	}
	more("a unit", attribute("x", 2, 5, 4, 11))
	more("a serial number", attribute("x", 2, 5, 4, 5))
	more("an attribute that nobody knows", attribute("x", 1, 2, 3, 4))
	more("a second common name, the same", attribute("system:node:worker-0", 2, 5, 4, 3))
	more("a second common name, a user", attribute("system:node:worker-0", 2, 5, 4, 3), attribute("system:admin", 2, 5, 4, 3))
	table.check(t)
}

// A first common name that is hidden behind the one that the parser shows.
func TestHiddenCommonName(t *testing.T) {
	table := refusals{}
	ofBoth(t, table, "hidden", RuleSubject, func(a *ask) {
		a.more = []pkix.AttributeTypeAndValue{attribute("system:admin", 2, 5, 4, 3), attribute(a.cn, 2, 5, 4, 3), attribute("system:nodes", 2, 5, 4, 10)}
		a.cn, a.orgs = "", nil
	})
	table.check(t)
}

func TestExtensions(t *testing.T) {
	table := refusals{}
	basic, err := asn1.Marshal(struct {
		CA bool
	}{true})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, oid := range map[string]asn1.ObjectIdentifier{
		"an authority": {2, 5, 29, 19}, "usages": {2, 5, 29, 15}, "extended usages": {2, 5, 29, 37}, "what nobody knows": {1, 2, 3, 4},
	} {
		ofBoth(t, table, name, RuleExtensions, func(a *ask) { a.extensions = []pkix.Extension{{Id: oid, Value: basic}} })
	}
	ofBoth(t, table, "names twice", RuleRequest, func(a *ask) {
		a.extensions = []pkix.Extension{names(t, general(2, "worker-0")), names(t, general(2, "worker-0"))}
	})
	ofBoth(t, table, "names and data behind them", RuleExtensions, func(a *ask) {
		extension := names(t, general(2, "worker-0"))
		extension.Value = append(extension.Value, 5, 0)
		a.extensions = []pkix.Extension{extension}
	})
	table.check(t)
}

func TestClientNames(t *testing.T) {
	table := refusals{}
	for name, change := range map[string]func(*ask){
		"its own name":    func(a *ask) { a.dns = []string{"worker-0"} },
		"its own address": func(a *ask) { a.ips = []string{"10.0.0.10"} },
		"an e-mail":       func(a *ask) { a.emails = []string{"a@example.com"} },
		"a URI":           func(a *ask) { a.uris = []string{"spiffe://example.com/x"} },
		"a registered ID": func(a *ask) { a.extensions = []pkix.Extension{names(t, general(8, "\x2a\x03"))} },
		"an empty list":   func(a *ask) { a.extensions = []pkix.Extension{names(t)} },
	} {
		client := clientAsk("worker-0")
		change(&client)
		table[name] = row{clientCSR(t, "c", client), RuleNames}
	}
	table.check(t)
}

func TestServingNames(t *testing.T) {
	table := refusals{}
	many := func(a *ask) {
		for range maxNames {
			a.dns = append(a.dns, "worker-0")
		}
	}
	for name, change := range map[string]func(*ask){
		"none":                       func(a *ask) { a.dns, a.ips = nil, nil },
		"an empty list":              func(a *ask) { a.dns, a.ips, a.extensions = nil, nil, []pkix.Extension{names(t)} },
		"an empty DNS name":          func(a *ask) { a.dns = []string{""} },
		"a foreign DNS name as well": func(a *ask) { a.dns = append(a.dns, "api.example.com") },
		"a foreign DNS name first":   func(a *ask) { a.dns = append([]string{"api.example.com"}, a.dns...) },
		"another Machine's name":     func(a *ask) { a.dns = append(a.dns, "worker-1") },
		"the service of the API":     func(a *ask) { a.dns = append(a.dns, "kubernetes.default.svc") },
		"a wildcard":                 func(a *ask) { a.dns = append(a.dns, "*") },
		"a wildcard below it":        func(a *ask) { a.dns = append(a.dns, "*.worker-0") },
		"its name and more":          func(a *ask) { a.dns = append(a.dns, "worker-0.other.example.com") },
		"a part of its name":         func(a *ask) { a.dns = append(a.dns, "worker") },
		"its name with a zero byte":  func(a *ask) { a.dns = append(a.dns, "worker-0\x00.example.com") },
		"its name with a dot":        func(a *ask) { a.dns = append(a.dns, "worker-0.") },
		"its address as a DNS name":  func(a *ask) { a.dns = append(a.dns, "10.0.0.10") },
		"another Machine's address":  func(a *ask) { a.ips = append(a.ips, "10.0.0.11") },
		"a foreign address":          func(a *ask) { a.ips = append(a.ips, "203.0.113.1") },
		"a foreign address first":    func(a *ask) { a.ips = append([]string{"203.0.113.1"}, a.ips...) },
		"the local address":          func(a *ask) { a.ips = append(a.ips, "127.0.0.1") },
		"any address":                func(a *ask) { a.ips = append(a.ips, "0.0.0.0") },
		"another IPv6 address":       func(a *ask) { a.ips = append(a.ips, "fd00::11") },
		"an e-mail":                  func(a *ask) { a.emails = []string{"worker-0@example.com"} },
		"a URI":                      func(a *ask) { a.uris = []string{"https://worker-0"} },
		"a registered ID beside its own name": func(a *ask) {
			a.extensions = []pkix.Extension{names(t, general(2, "worker-0"), general(8, "\x2a\x03"))}
		},
		"a name of another type":               func(a *ask) { a.dns = append(a.dns, "other") },
		"an address of another type":           func(a *ask) { a.ips = append(a.ips, "10.0.0.99") },
		"an address that is a name there":      func(a *ask) { a.ips = append(a.ips, "10.0.0.98") },
		"a name that is an address there":      func(a *ask) { a.dns = append(a.dns, "no-address") },
		"its own name more often than is sane": many,
	} {
		serving := servingAsk("worker-0", "10.0.0.10")
		change(&serving)
		table[name] = row{servingCSR(t, "s", "worker-0", serving), RuleNames}
	}
	table.check(t)
}

func TestSignature(t *testing.T) {
	table := refusals{}
	both(t, table, "a flipped bit", RuleSignature, func(c *csr) {
		block, _ := pem.Decode(c.Spec.Request)
		block.Bytes[len(block.Bytes)-1] ^= 1
		c.Spec.Request = pem.EncodeToMemory(block)
	})
	both(t, table, "another request's signature", RuleSignature, func(c *csr) {
		block, _ := pem.Decode(c.Spec.Request)
		other := der(t, clientAsk("worker-1"))
		copy(block.Bytes[len(block.Bytes)-64:], other[len(other)-64:])
		c.Spec.Request = pem.EncodeToMemory(block)
	})
	table.check(t)
}

// A signature by a key that makes checking it slow is not checked.
func TestLargeKey(t *testing.T) {
	g := NewWithT(t)
	request := func(bits uint) *x509.CertificateRequest {
		return &x509.CertificateRequest{PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}}
	}
	g.Expect(checkSignature(request(maxRSABits))).To(MatchError(ContainSubstring("not signed")))
	g.Expect(checkSignature(request(maxRSABits + 1))).To(MatchError(ContainSubstring("bits")))
}

// Words for people hold of somebody else's input no more than one name, quoted and shortened.
func TestWhyIsPlain(t *testing.T) {
	g := NewWithT(t)
	serving := servingAsk("worker-0", "10.0.0.10")
	serving.dns = []string{"evil\nlevel=info " + strings.Repeat("x", 1000)}
	why := Decide(servingCSR(t, "s", "worker-0", serving), testWorld()).Why
	g.Expect(why).To(ContainSubstring(`"evil\nlevel=info xxx`))
	g.Expect(why).NotTo(ContainSubstring("\n"))
	g.Expect(len(why)).To(BeNumerically("<", 200))
}
