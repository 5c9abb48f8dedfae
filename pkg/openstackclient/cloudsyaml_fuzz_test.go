package openstackclient

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Any bytes are a clouds.yaml that is understood, always in the same way, or one whose error says where it is wrong and
// nothing of what stands there.
func FuzzParseCloud(f *testing.F) {
	f.Add(goodCloud, "mycloud")
	f.Add("clouds: {a: {auth: {auth_url: 'http://x', token: t}, regions: [x, {name: y, values: {}}]}}", "a")
	f.Add("clouds: &x\n  a: *x\n", "a")
	f.Add("clouds:\n  c:\n    auth: {auth_url: 'https://hunter2:hunter2@keystone/v3', password: hunter2}\n", "")
	f.Add("clouds: {c: {auth: {auth_url: 'https://me:hunter2@k/v3', user_id: u, project_id: p, password: hunter2}}}", "c")
	f.Add("clouds: {c: {auth: {auth_url: 'file:///etc/passwd', user_id: u, project_id: p, password: hunter2}}}", "c")
	f.Add("clouds:\n  c:\n    auth:\n      password: *hunter2\n", "c")
	f.Add("clouds:\n  c:\n    auth: {password: {hunter2: hunter2}}\n", "c")
	f.Add("clouds:\n  c:\n    auth_type: hunter2\n    auth: {auth_url: 'http://k', password: !!binary hunter2, project_id: p, user_id: u}\n", "c")
	f.Add("clouds:\n  c:\n    identity_api_version: hunter2\n    verify: hunter2\n    auth: {auth_url: 'http://%zzhunter2', token: hunter2, project_id: p}\n", "c")
	f.Add("clouds: {c: {region_name: r, regions: [{name: r, values: {cacert: /etc/x, auth: {password: hunter2}}}], auth: {auth_url: 'http://k'}}}", "c")
	f.Add("clouds: {c: {auth: {auth_url: 'http://k', application_credential_id: i, application_credential_secret: hunter2, system_scope: all}}}", "c")
	f.Add("clouds: {c: {auth: {auth_url: 'http://k', user_id: u, username: u, password: hunter2, project_id: p, project_name: p, domain_id: d}}}", "c")
	f.Add("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nclouds: {c: {auth: {password: *c}}}\n", "c")
	f.Add("clouds: {c: {<<: [{auth: {password: hunter2}}, {auth: hunter2}]}}", "c")
	f.Add("clouds:\n  ? {a: b}\n  : hunter2\n", "")
	f.Add(strings.Repeat("[", 2000), "c")
	f.Add("clouds: {"+strings.Repeat("c", 3000)+": {}}", "c")
	f.Add("clouds:\n  \"a\\nb\\e\": {}\n  b: {}\n", "\xff\n")
	f.Add(strings.Repeat("clouds:\n ", 200), "c")
	f.Fuzz(func(t *testing.T, content, name string) {
		if len(content) > 1<<20 {
			t.Skip("no Secret holds more than 1 MiB")
		}
		var cloud *cloudConfig
		var err error
		within(t, len(content), func() { cloud, err = parse(content, name) })
		if (cloud == nil) == (err == nil) {
			t.Fatal("neither a cloud nor an error, or both")
		}
		if err != nil {
			checkRefusedCloud(t, content, name, err)
			return
		}
		checkCloud(t, cloud)
		if again, err := parse(content, name); err != nil || !reflect.DeepEqual(again, cloud) {
			t.Fatalf("another time it was read as %+v, %v", again, err)
		}
	})
}

// checkRefusedCloud: a clouds.yaml is a person's to mend, and its error shows nothing of it but the clouds' names.
func checkRefusedCloud(t *testing.T, content, name string, err error) {
	t.Helper()
	checkFailure(t, err)
	if KindOf(err) != KindInvalid {
		t.Fatalf("not KindInvalid: %v", err)
	}
	if !strings.Contains(err.Error(), mark) || strings.Contains(name, mark) {
		return
	}
	var file struct {
		Clouds map[string]any `yaml:"clouds"`
	}
	if yaml.Unmarshal([]byte(content), &file) != nil {
		t.Fatalf("it quotes what it could not read: %v", err)
	}
	for cloud := range file.Clouds {
		if strings.Contains(cloud, mark) {
			return
		}
	}
	t.Fatalf("it shows a secret: %v", err)
}

// checkCloud: what is accepted leads to an identity service, with credentials, and to no file of ours.
func checkCloud(t *testing.T, cloud *cloudConfig) {
	t.Helper()
	for _, address := range []string{cloud.authURL, cloud.auth.IdentityEndpoint} {
		if !leadsToService(address) {
			t.Fatalf("it leads to %q", address)
		}
	}
	if strings.HasSuffix(cloud.authURL, "/") {
		t.Fatalf("the same cloud could be written in two ways: %q", cloud.authURL)
	}
	auth := cloud.auth
	if auth.Password == "" && auth.Passcode == "" && auth.TokenID == "" && auth.ApplicationCredentialSecret == "" {
		t.Fatalf("it has no credentials: %+v", auth)
	}
	if _, err := auth.ToTokenV3ScopeMap(); err != nil {
		t.Fatalf("it leads nowhere: %v", err)
	}
}

func leadsToService(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" && parsed.User == nil
}

// certificatePEM is of a CA that was made for this test and signs nothing.
const certificatePEM = `-----BEGIN CERTIFICATE-----
MIIBMDCB46ADAgECAhRWv9k4vypzcmDTbUq3h7FPUVqODDAFBgMrZXAwDTELMAkG
A1UEAwwCY2EwIBcNMjYxMTIzMDUwNTM0WhgPMjEyNjEwMzAwNTA1MzRaMA0xCzAJ
BgNVBAMMAmNhMCowBQYDK2VwAyEAZi7RPiYmWryY9M12bpRmPG3Ej+fkNHOZ9K6H
/PYooFGjUzBRMB0GA1UdDgQWBBR4QY1WUAYEWaHc5x9d8N8lAl1ZAzAfBgNVHSME
GDAWgBR4QY1WUAYEWaHc5x9d8N8lAl1ZAzAPBgNVHRMBAf8EBTADAQH/MAUGAytl
cANBAA8Qab1AAKAnfeqhemt96vOlDX0g5I7iD9+vte95+V7ViNArGk+9qG4INI8g
ftVoRP588iLmNi4oLVPgDCojFQ0=
-----END CERTIFICATE-----
`

// Any values of a Secret are a bundle of certificates and nothing else, or an error that shows none of them.
func FuzzCABundle(f *testing.F) {
	f.Add("ca.crt", []byte(certificatePEM), "tls.key", []byte("-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n"))
	f.Add("a", []byte("-----BEGIN CERTIFICATE-----\nhunter2:x\n\naHVudGVyMg==\n-----END CERTIFICATE-----\n"), "b", []byte("hunter2"))
	f.Add("a", []byte(strings.Repeat("-----BEGIN ", 1000)), "a", []byte{})
	f.Add("a", []byte(certificatePEM), "b", []byte("words before\n"+certificatePEM+"words behind"))
	f.Fuzz(func(t *testing.T, key string, value []byte, otherKey string, other []byte) {
		if len(key) > 253 || len(otherKey) > 253 {
			t.Skip("no Secret has such keys")
		}
		data := map[string][]byte{key: value, otherKey: other}
		var bundle []byte
		var err error
		within(t, len(value)+len(other), func() { bundle, err = CABundle(data) })
		if err != nil {
			checkFailure(t, err)
			if KindOf(err) != KindInvalid || len(bundle) > 0 {
				t.Fatalf("%v, and %q", err, bundle)
			}
			if strings.Contains(err.Error(), mark) && !strings.Contains(key+otherKey, mark) {
				t.Fatalf("it shows what is in the Secret: %v", err)
			}
			if good, bad := certificates(data); good > 0 && bad == 0 {
				t.Fatalf("%d certificates, and yet: %v", good, err)
			}
			return
		}
		checkBundle(t, bundle)
	})
}

// certificates counts the blocks that are certificates, and those that are said to be some.
func certificates(data map[string][]byte) (good, bad int) {
	for _, value := range data {
		for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" {
				continue
			}
			if _, err := x509.ParseCertificate(block.Bytes); err != nil {
				bad++
			} else {
				good++
			}
		}
	}
	return good, bad
}

// checkBundle: a bundle is certificates alone, and is its own bundle.
func checkBundle(t *testing.T, bundle []byte) {
	t.Helper()
	if !x509.NewCertPool().AppendCertsFromPEM(bundle) {
		t.Fatalf("no certificate in %q", bundle)
	}
	for block, rest := pem.Decode(bundle); len(rest) > 0 || block != nil; block, rest = pem.Decode(rest) {
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			t.Fatalf("more than certificates: %q", bundle)
		}
	}
	if again, err := CABundle(map[string][]byte{"x": bundle}); err != nil || !bytes.Equal(again, bundle) {
		t.Fatalf("read again it is %q, %v", again, err)
	}
}
