package remoteclient

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// mark is a part of every secret in the seeds, and of nothing that this package writes.
const mark = "hunter2"

// hostile are kubeconfigs, each with something in it that must not be accepted or must not be shown.
func hostile() []string {
	const server = "https://api.example.com:6443"
	var out []string
	for _, user := range []string{
		"", `, password: hunter2, username: admin`, `, exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never}`,
		`, Exec: {command: hunter2}`, `, exec: {}`, `, exec: null`, `, auth-provider: {name: oidc, config: {a: hunter2}}`, `, client-certificate: /etc/passwd`,
		`, client-key: /etc/passwd`, `, tokenFile: /etc/passwd`, `, TOKENFILE: /etc/passwd`, `, token: [hunter2]`, `, token: *hunter2`, `, client-key-data: hunter2`,
		`, as: system:admin, as-user-extra: {a: [b]}`, `, <<: {tokenFile: /etc/passwd}`, `, extensions: [{name: x, extension: {exec: hunter2}}]`,
	} {
		out = append(out, kubeconfig(server, user, ""))
	}
	for _, cluster := range []string{
		`, certificate-authority: /etc/passwd`, `, certificate-authority-data: aHVudGVyMg==`, `, proxy-url: "http://me:hunter2@proxy:8080"`, `, proxy-url: "socks5://hunter2"`,
		`, proxy-url: "file:///etc/passwd"`, `, tls-server-name: hunter2`, insecure, `, insecure-skip-tls-verify: hunter2`, `, server: other`,
	} {
		out = append(out, kubeconfig(server, "", cluster))
	}
	for _, address := range []string{
		"", "api.example.com:6443", "https://me:hunter2@api.example.com:6443", "https://me:hunter2@[", "me:hunter2@api/x", "ftp://hunter2", "unix:///var/run/x.sock",
		"https://api/?token=hunter2", "https://api/#hunter2", "://hunter2", "%zzhunter2", "https://api\\nhunter2/", "file:///etc/passwd",
	} {
		out = append(out, kubeconfig(address, "", ""))
	}
	return append(out,
		`{"kind": "Config", "apiVersion": "v1", "clusters": [null], "users": [{}], "contexts": {}, "current-context": 5}`,
		"---\n"+kubeconfig(server, "", "")+"---\n"+kubeconfig(server, "", ""),
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nusers: *c\n",
		strings.Repeat("[", 2000), strings.Repeat("{a: ", 2000), "\xff\xfe", "kind: !!binary hunter2", "",
	)
}

// Any bytes are a kubeconfig that leads to a cluster by what is in it alone, or are refused with words that hold nothing of it.
func FuzzKubeconfig(f *testing.F) {
	for _, content := range hostile() {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 1<<20 {
			t.Skip("no Secret holds more than 1 MiB")
		}
		secret := kubeconfigSecret(string(content))
		var config *rest.Config
		var err error
		within(t, len(content), func() { config, err = restConfig(secret) })
		if err != nil {
			checkRefusal(t, err)
			return
		}
		checkConfig(t, config)
		checkContent(t, content)
		made, err := New(nil, "test").make(secret, origin{})
		if err != nil {
			checkRefusal(t, err)
			return
		}
		checkLeads(t, config)
		// Nothing is sent any more; what can't be sent shows all the same.
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for _, list := range []client.ObjectList{&corev1.NodeList{}, &corev1.SecretList{}} {
			if err := made.client.List(gone, list); err == nil || strings.Contains(err.Error(), mark) {
				t.Fatalf("it shows a secret: %v", err)
			}
		}
	})
}

// within fails if doing something allocates much more than what it is given.
func within(t *testing.T, input int, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	if used, bound := after.TotalAlloc-before.TotalAlloc, uint64(64<<20+4096*input); used > bound {
		t.Fatalf("%d bytes were allocated for an input of %d", used, input)
	}
}

// checkRefusal: a person has to mend it, and reads where.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var refusal *Refusal
	text := err.Error()
	switch {
	case !errors.As(err, &refusal):
		t.Fatalf("not a Refusal: %T %v", err, err)
	case strings.Contains(text, mark):
		t.Fatalf("it shows a secret: %v", err)
	case !strings.Contains(text, "ns/admin"), len(text) > 500, !utf8.ValidString(text), strings.ContainsFunc(text, unicode.IsControl):
		t.Fatalf("not plain words that say where: %q", text)
	}
}

// checkConfig: nothing here is run or read to reach the cluster.
func checkConfig(t *testing.T, config *rest.Config) {
	t.Helper()
	files := config.CertFile + config.KeyFile + config.CAFile + config.BearerTokenFile
	if config.ExecProvider != nil || config.AuthProvider != nil || config.AuthConfigPersister != nil || files != "" {
		t.Fatalf("it runs a command or reads a file: %v", config)
	}
}

// checkLeads: the API is at an HTTP URL that holds no password.
func checkLeads(t *testing.T, config *rest.Config) {
	t.Helper()
	address, _, err := rest.DefaultServerUrlFor(config)
	if err != nil || address.User != nil || (address.Scheme != "https" && address.Scheme != "http") || address.Host == "" {
		t.Fatalf("it leads to %q (%v)", config.Host, err)
	}
}

// checkContent looks at what was accepted with other eyes: as YAML, whatever it may mean.
func checkContent(t *testing.T, content []byte) {
	t.Helper()
	var file map[string]any
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatalf("accepted, and not even YAML: %v", err)
	}
	bad := map[string]bool{
		"exec": true, "auth-provider": true, "client-certificate": true, "client-key": true, "tokenFile": true, "certificate-authority": true,
	}
	for list, inner := range map[string]string{"users": "user", "clusters": "cluster"} {
		for _, entry := range inside(file, list) {
			named, _ := entry.(map[string]any)
			for _, fields := range inside(named, inner) {
				known, _ := fields.(map[string]any)
				for key, value := range known {
					if bad[key] && value != nil && value != "" {
						t.Fatalf("accepted with %s: %v", key, value)
					}
				}
			}
		}
	}
}

// inside returns what is under a key, however that is spelled; of a list its entries.
func inside(object map[string]any, key string) []any {
	var out []any
	for k, value := range object {
		if !strings.EqualFold(k, key) {
			continue
		}
		if list, ok := value.([]any); ok {
			out = append(out, list...)
		} else {
			out = append(out, value)
		}
	}
	return out
}

// Wherever the ClusterDeployment has its cluster's API, the client either goes there or says what is wrong with it.
func FuzzOverride(f *testing.F) {
	for _, address := range []string{
		"https://api-int.example.com:6443", "api:6443", "https://me:hunter2@api", "https://[::1", "%zz", "ftp://api", " ", "https://", "//api", "https://api/a/b?c#d",
	} {
		f.Add(address, "10.0.0.1")
	}
	server := httptest.NewTLSServer(http.NotFoundHandler())
	f.Cleanup(server.Close)
	secret := kubeconfigSecret(kubeconfig("https://api.example.com:6443", "", trusting(server)))
	f.Fuzz(func(t *testing.T, address, ip string) {
		made, err := New(nil, "test").make(secret, origin{urlOverride: address, ipOverride: ip})
		if err != nil {
			var refusal *Refusal
			if !errors.As(err, &refusal) || bytes.ContainsAny([]byte(err.Error()), "\r\n") || strings.Contains(err.Error(), mark) || strings.Contains(err.Error(), token) {
				t.Fatalf("not plain words: %q", err)
			}
			return
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := made.client.List(gone, &corev1.NodeList{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("it was accepted, and can't be asked: %v", err)
		}
	})
}
