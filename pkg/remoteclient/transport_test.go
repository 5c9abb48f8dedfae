package remoteclient

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// hasty returns a client whose requests end after an instant, for a kubeconfig.
func hasty(t *testing.T, kubeconfig, ipOverride string) client.Client {
	secrets := fake.NewClientBuilder().WithObjects(kubeconfigSecret(kubeconfig)).Build()
	clients := New(secrets, "test")
	clients.limits = defaultLimits()
	clients.limits.timeout = 300 * time.Millisecond
	cd := controlled(hivev1.ControlPlaneConfigSpec{APIServerIPOverride: ipOverride})
	c, err := clients.ClientFor(t.Context(), cd)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return c
}

// silent accepts connections and says nothing on them.
func silent(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var accepted []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted = append(accepted, conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		for _, conn := range accepted {
			_ = conn.Close()
		}
	})
	return listener.Addr().String()
}

// blackHole does not even accept: what is sent to its port vanishes. Its queue of connections is full.
func blackHole(t *testing.T) string {
	g := NewWithT(t)
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = syscall.Close(socket) })
	g.Expect(syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})).To(Succeed())
	g.Expect(syscall.Listen(socket, 0)).To(Succeed())
	bound, err := syscall.Getsockname(socket)
	g.Expect(err).NotTo(HaveOccurred())
	address := fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	for range 16 {
		conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue of connections does not fill")
	return ""
}

func serving(t *testing.T, handler http.HandlerFunc) string {
	server := httptest.NewTLSServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// TestBounded: whatever a cluster does, a request to it comes to an end by itself.
func TestBounded(t *testing.T) {
	dead := blackHole(t)
	_, deadPort, err := net.SplitHostPort(dead)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	tests := map[string]struct{ url, ipOverride string }{
		"a black hole":             {"https://" + dead, ""},
		"a black hole by override": {"https://api.unreachable.invalid:" + deadPort, "127.0.0.1"},
		"no TLS handshake":         {"https://" + silent(t), ""},
		"no answer": {serving(t, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}), ""},
		"an answer that trickles": {serving(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			beat := time.NewTicker(10 * time.Millisecond)
			defer beat.Stop()
			for {
				if _, err := w.Write([]byte(" ")); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-beat.C:
				}
			}
		}), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			verified := insecure
			if tt.ipOverride != "" {
				verified = trustingAnother(t)
			}
			err := hasty(t, kubeconfig(tt.url, "", verified), tt.ipOverride).List(t.Context(), &corev1.NodeList{})
			var timeout net.Error
			g.Expect(errors.As(err, &timeout)).To(BeTrue(), "%v", err)
			g.Expect(timeout.Timeout()).To(BeTrue(), "%v", err)
		})
	}
}

// TestRetriesAreBounded: client-go tries again by itself, ten times, each time after what the cluster says.
func TestRetriesAreBounded(t *testing.T) {
	g := NewWithT(t)
	url := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	err := hasty(t, kubeconfig(url, "", insecure), "").List(t.Context(), &corev1.NodeList{})
	g.Expect(err).To(HaveOccurred())
}

// TestAnswerWithoutEnd is given up long before its time is over.
func TestAnswerWithoutEnd(t *testing.T) {
	g := NewWithT(t)
	url := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for range 200 {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<14)); err != nil {
				return
			}
		}
		_, _ = w.Write([]byte(`{"apiVersion":"v1","kind":"NodeList"}`))
	})
	err := hasty(t, kubeconfig(url, "", insecure), "").List(t.Context(), &corev1.NodeList{})
	g.Expect(err).To(Satisfy(isTooLarge))
}

func TestRedirectIsNotFollowed(t *testing.T) {
	g := NewWithT(t)
	var followed atomic.Int32
	elsewhere := serving(t, func(http.ResponseWriter, *http.Request) { followed.Add(1) })
	url := serving(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
	})
	err := hasty(t, kubeconfig(url, "", insecure), "").List(t.Context(), &corev1.NodeList{})
	g.Expect(err).To(HaveOccurred())
	g.Expect(followed.Load()).To(BeZero())
}

// TestAuthority: the CA in the kubeconfig is the one that counts, at each of the addresses.
func TestAuthority(t *testing.T) {
	g := NewWithT(t)
	server, _ := cluster(t)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	g.Expect(err).NotTo(HaveOccurred())
	trusted := trusting(server)
	// The certificate of httptest is for example.com and 127.0.0.1.
	named := "https://example.com:" + port

	for name, tt := range map[string]struct {
		server, cluster string
		control         hivev1.ControlPlaneConfigSpec
		accepted        bool
	}{
		"the kubeconfig's server": {server.URL, trusted, hivev1.ControlPlaneConfigSpec{}, true},
		"another URL":             {"https://api.unreachable.invalid:6443", trusted, hivev1.ControlPlaneConfigSpec{APIURLOverride: server.URL}, true},
		"another address":         {named, trusted, hivev1.ControlPlaneConfigSpec{APIServerIPOverride: "127.0.0.1"}, true},
		"both": {"https://api.unreachable.invalid:6443", trusted,
			hivev1.ControlPlaneConfigSpec{APIURLOverride: named, APIServerIPOverride: "127.0.0.1"}, true},
		"a name that the certificate lacks": {"https://api.unreachable.invalid:" + port, trusted, hivev1.ControlPlaneConfigSpec{APIServerIPOverride: "127.0.0.1"}, false},
		"another CA":                        {server.URL, "", hivev1.ControlPlaneConfigSpec{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cd := clusterDeployment()
			cd.Spec.ControlPlaneConfig = &tt.control
			secrets := fake.NewClientBuilder().WithObjects(kubeconfigSecret(kubeconfig(tt.server, "", tt.cluster))).Build()
			c, err := New(secrets, "test").ClientFor(t.Context(), cd)
			g.Expect(err).NotTo(HaveOccurred())
			err = c.List(t.Context(), &corev1.NodeList{})
			if tt.accepted {
				g.Expect(err).NotTo(HaveOccurred())
			} else {
				g.Expect(err).To(MatchError(ContainSubstring("certificate")))
			}
		})
	}
}

// TestProxy: a kubeconfig may name a proxy; where the address is overridden, the way leads there directly.
func TestProxy(t *testing.T) {
	g := NewWithT(t)
	server, _ := cluster(t)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	g.Expect(err).NotTo(HaveOccurred())
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(proxy.Close)
	content := kubeconfig("https://example.com:"+port, "", trusting(server)+fmt.Sprintf(", proxy-url: %q", proxy.URL))

	g.Expect(hasty(t, content, "").List(t.Context(), &corev1.NodeList{})).To(MatchError(ContainSubstring("Bad Gateway")))
	g.Expect(asked.Load()).To(Equal(int32(1)))
	g.Expect(hasty(t, content, host).List(t.Context(), &corev1.NodeList{})).To(Succeed())
	g.Expect(asked.Load()).To(Equal(int32(1)))
}

// TestForgetClosesConnections to a cluster that is none of our business any more.
func TestForgetClosesConnections(t *testing.T) {
	g := NewWithT(t)
	var open atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		default:
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	clients := New(fake.NewClientBuilder().WithObjects(kubeconfigSecret(kubeconfig(server.URL, "", insecure))).Build(), "test")
	cd := clusterDeployment()
	c, err := clients.ClientFor(t.Context(), cd)
	g.Expect(err).NotTo(HaveOccurred())
	err = c.List(t.Context(), &corev1.NodeList{})
	g.Expect(apierrors.IsUnauthorized(err)).To(BeTrue())
	g.Expect(open.Load()).To(Equal(int32(1)))
	clients.Forget(client.ObjectKeyFromObject(cd))
	g.Eventually(open.Load).Should(BeZero())
}
