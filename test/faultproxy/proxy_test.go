package faultproxy_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/faultproxy"
)

// service is a service behind the proxy. It counts the requests that reach it.
type service struct {
	*httptest.Server
	served atomic.Int64
}

func startService(t *testing.T, body func(r *http.Request) string) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		_, _ = io.WriteString(w, body(r))
	}))
	t.Cleanup(s.Close)
	return s
}

func startProxy(t *testing.T, o faultproxy.Options, origins ...string) *faultproxy.Proxy {
	p, err := faultproxy.Start(t.Context(), origins, o)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Close)
	return p
}

// outcome sends a request on a connection of its own and returns how it ended.
func outcome(g Gomega, address string) (status string, retryAfter string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	// POST, because Go's client repeats a GET by itself.
	response, err := client.Post(address, "application/json", strings.NewReader("{}"))
	if err != nil {
		g.Expect(errors.Is(err, syscall.ECONNRESET)).To(BeTrue(), "%v", err)
		return "reset", ""
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	return response.Status, response.Header.Get("Retry-After")
}

// TestShareAndKinds sends many requests: the share that was asked for fails, in every way, and the service sees exactly
// the requests that the kinds let through.
func TestShareAndKinds(t *testing.T) {
	g := NewWithT(t)
	s := startService(t, func(*http.Request) string { return "fine" })
	p := startProxy(t, faultproxy.Options{Seed: 1, Percent: 40, Delay: time.Millisecond}, s.URL)
	const all = 1000
	seen := map[string]int{}
	for range all {
		status, retryAfter := outcome(g, p.URL(s.URL)+"/servers")
		seen[status]++
		asks := strings.HasPrefix(status, "503") || strings.HasPrefix(status, "429")
		g.Expect(retryAfter != "").To(Equal(asks), status)
	}
	c := p.Counts()
	g.Expect(c.Requests).To(Equal(all))
	g.Expect(c.Total()).To(BeNumerically("~", 400, 60))
	for _, kind := range faultproxy.Kinds() {
		g.Expect(c.Failed[kind]).To(BeNumerically("~", c.Total()/len(faultproxy.Kinds()), 30), string(kind))
	}
	stopped := c.Failed[faultproxy.InternalError] + c.Failed[faultproxy.Unavailable] +
		c.Failed[faultproxy.TooManyRequests] + c.Failed[faultproxy.ResetBefore]
	g.Expect(s.served.Load()).To(BeNumerically("==", all-stopped))
	g.Expect(seen).To(Equal(map[string]int{
		"500 Internal Server Error": c.Failed[faultproxy.InternalError],
		"503 Service Unavailable":   c.Failed[faultproxy.Unavailable],
		"429 Too Many Requests":     c.Failed[faultproxy.TooManyRequests],
		"reset":                     c.Failed[faultproxy.ResetBefore] + c.Failed[faultproxy.ResetAfter],
		"200 OK":                    all - c.Total() + c.Failed[faultproxy.Delay],
	}))
}

// TestSeed sends the same requests through two proxies: the same ones fail for the same seed alone.
func TestSeed(t *testing.T) {
	g := NewWithT(t)
	s := startService(t, func(*http.Request) string { return "fine" })
	fates := func(seed uint64) (all []string) {
		p := startProxy(t, faultproxy.Options{Seed: seed, Percent: 50, Delay: time.Millisecond}, s.URL)
		for range 50 {
			status, _ := outcome(g, p.URL(s.URL))
			all = append(all, status)
		}
		return all
	}
	g.Expect(fates(7)).To(Equal(fates(7)))
	g.Expect(fates(7)).NotTo(Equal(fates(8)))
}

// TestSetPercent stops the faults and starts them again.
func TestSetPercent(t *testing.T) {
	g := NewWithT(t)
	s := startService(t, func(*http.Request) string { return "fine" })
	p := startProxy(t, faultproxy.Options{Percent: 100, Delay: time.Millisecond}, s.URL)
	for percent, failed := range map[int]int{0: 0, 100: 20} {
		p.SetPercent(percent)
		for range 20 {
			outcome(g, p.URL(s.URL))
		}
		g.Expect(p.Counts().Total()).To(Equal(failed))
		g.Expect(p.Counts().Requests).To(Equal(20))
	}
}

// TestCatalog asks for a token: the catalog leads to the proxy, also for a service whose address begins with another's.
func TestCatalog(t *testing.T) {
	g := NewWithT(t)
	nova := startService(t, func(*http.Request) string { return "nova" })
	elsewhere := nova.URL + "0/v2" // a longer port
	var keystone *service
	keystone = startService(t, func(r *http.Request) string {
		if r.URL.Path == "/v3/auth/tokens" {
			return `{"token": {"catalog": [{"url": "` + keystone.URL + `/v3"}, {"url": "` + nova.URL + `/v2.1"}, {"url": "` + elsewhere + `"}]}}`
		}
		return keystone.URL + " seen as " + r.Host
	})
	p := startProxy(t, faultproxy.Options{}, keystone.URL, nova.URL)

	get := func(address string) string {
		response, err := http.Get(address)
		g.Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		g.Expect(err).NotTo(HaveOccurred())
		return string(body)
	}
	g.Expect(get(p.URL(keystone.URL + "/v3/auth/tokens"))).To(Equal(`{"token": {"catalog": [{"url": "` +
		p.URL(keystone.URL) + `/v3"}, {"url": "` + p.URL(nova.URL) + `/v2.1"}, {"url": "` + elsewhere + `"}]}}`))
	g.Expect(p.URL(nova.URL)).NotTo(Equal(nova.URL))
	g.Expect(get(p.URL(nova.URL + "/v2.1"))).To(Equal("nova"))
	host := strings.TrimPrefix(p.URL(keystone.URL), "http://")
	g.Expect(get(p.URL(keystone.URL+"/v3"))).To(Equal(keystone.URL+" seen as "+host), "only tokens are rewritten, and links lead back")
}
