package remoteclient

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// thief is a server of somebody who may patch a ClusterDeployment and not read its Secrets. It keeps every header that it is
// sent.
type thief struct {
	mu  sync.Mutex
	got []string
}

func (th *thief) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	th.mu.Lock()
	defer th.mu.Unlock()
	var all strings.Builder
	_ = r.Header.Write(&all)
	th.got = append(th.got, r.Method+" "+r.RequestURI+" "+all.String())
	w.WriteHeader(http.StatusUnauthorized)
}

func (th *thief) loot() []string {
	th.mu.Lock()
	defer th.mu.Unlock()
	return th.got
}

// serve starts a server of a thief, with a certificate of httptest's or without.
func (th *thief) serve(t *testing.T, tls bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(th)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

// TestS09OverrideGetsNoCredentials: whoever may patch a ClusterDeployment, and not read Secrets, gets nothing of the kubeconfig
// sent to a server of his own.
func TestS09OverrideGetsNoCredentials(t *testing.T) {
	const cluster = "https://api.example.com:6443"
	for name, tt := range map[string]struct {
		kubeconfig string
		tls        bool
		control    func(address string) hivev1.ControlPlaneConfigSpec
		says       string
	}{
		"http": {kubeconfig(cluster, "", "CLUSTERS"), false, func(address string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIURLOverride: "http://" + address}
		}, "is not an https URL"},
		"no scheme, and no TLS in the kubeconfig": {kubeconfig("http://api.example.com", "", ""), false, func(address string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIURLOverride: address}
		}, "is not an https URL"},
		"no verification": {kubeconfig(cluster, "", insecure), true, func(address string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIURLOverride: "https://" + address}
		}, "take insecure-skip-tls-verify out of the Secret ns/admin"},
		"no CA": {kubeconfig(cluster, "", ""), true, func(address string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIURLOverride: "https://" + address}
		}, "certificate-authority-data of the Secret ns/admin"},
		"a certificate of somebody else's": {kubeconfig(cluster, "", "CLUSTERS"), true, func(address string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIURLOverride: "https://" + address}
		}, "certificate signed by unknown authority"},
		"the address alone, no verification": {kubeconfig("https://api.example.com:PORT", "", insecure), true, func(string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIServerIPOverride: "127.0.0.1"}
		}, "insecure-skip-tls-verify"},
		"the address alone, no TLS": {kubeconfig("http://api.example.com:PORT", "", ""), false, func(string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIServerIPOverride: "127.0.0.1"}
		}, "not asked by https"},
		"the address alone, the system's authorities": {kubeconfig("https://api.example.com:PORT", "", ""), true, func(string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIServerIPOverride: "127.0.0.1"}
		}, "certificate"},
		"a name for an address": {kubeconfig("https://api.example.com:PORT", "", "CLUSTERS"), true, func(string) hivev1.ControlPlaneConfigSpec {
			return hivev1.ControlPlaneConfigSpec{APIServerIPOverride: "localhost"}
		}, "not an IP address"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			th := &thief{}
			server := th.serve(t, tt.tls)
			address := server.Listener.Addr().String()
			_, port, err := net.SplitHostPort(address)
			g.Expect(err).NotTo(HaveOccurred())
			content := strings.ReplaceAll(tt.kubeconfig, "PORT", port)
			content = strings.ReplaceAll(content, "CLUSTERS", trustingAnother(t))
			c, err := clientsOf(content).ClientFor(t.Context(), controlled(tt.control(address)))
			if err == nil {
				err = askedWith(t, c)
			}
			g.Expect(err).To(MatchError(ContainSubstring(tt.says)))
			g.Expect(err.Error()).NotTo(ContainSubstring(token))
			g.Expect(th.loot()).To(BeEmpty())
		})
	}
}

// TestS09SensibleOverrides: what is no plain URL of a server is refused, and says nothing of what it holds; a port is anybody's
// choice.
func TestS09SensibleOverrides(t *testing.T) {
	server, asked := cluster(t)
	host := server.Listener.Addr().String()
	content := kubeconfig("https://api.example.com:6443", "", trusting(server))
	for override, says := range map[string]string{
		"https://" + host:                    "",
		"https://" + host + "/":              "",
		"https://me:hunter2@" + host:         "a user name or a password",
		"https://" + host + "?token=hunter2": "a query or a fragment",
		"https://" + host + "/#hunter2":      "a query or a fragment",
		"HTTP://" + host:                     "not an https URL",
		"https:hunter2":                      "not an https URL",
		"https://:6443":                      "not an https URL",
		"//" + host:                          "not an https URL",
		"unix:///var/run/hunter2":            "not an https URL",
		"https://" + host + "\r\nX: hunter2": "not an https URL",
	} {
		t.Run(override, func(t *testing.T) {
			g := NewWithT(t)
			c, err := clientsOf(content).ClientFor(t.Context(), controlled(hivev1.ControlPlaneConfigSpec{APIURLOverride: override}))
			if says != "" {
				g.Expect(err).To(MatchError(ContainSubstring(says)))
				g.Expect(err.Error()).NotTo(ContainSubstring("hunter2"))
				g.Expect(err).To(BeAssignableToTypeOf(&Refusal{}))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			before := len(*asked)
			g.Expect(askedWith(t, c)).To(Succeed())
			g.Expect(*asked).To(HaveLen(before + 1))
		})
	}
}

// TestS09RedirectGetsNoCredentials: a cluster's API that redirects, to a host of others or to http, has nobody follow.
func TestS09RedirectGetsNoCredentials(t *testing.T) {
	for _, tls := range []bool{true, false} {
		for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
			g := NewWithT(t)
			th := &thief{}
			elsewhere := th.serve(t, tls)
			api := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL, status))
			t.Cleanup(api.Close)
			g.Expect(askedWith(t, clientTo(t, api))).NotTo(Succeed())
			g.Expect(th.loot()).To(BeEmpty())
		}
	}
}

// TestS09HostileAPIIsNotQuoted: what a cluster's API writes into its answers does not get into what people read of it.
func TestS09HostileAPIIsNotQuoted(t *testing.T) {
	const secret = "ami-id hunter2"
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusInternalServerError} {
		for _, kind := range []string{"text/plain", "application/json", "text/html"} {
			g := NewWithT(t)
			api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"`+secret+`","details":{"name":"`+secret+`"}}`)
			}))
			t.Cleanup(api.Close)
			err := askedWith(t, clientTo(t, api))
			g.Expect(err).To(HaveOccurred())
			g.Expect(Explain(err)).NotTo(ContainSubstring("hunter2"))
		}
	}
}
