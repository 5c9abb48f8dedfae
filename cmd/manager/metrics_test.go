package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// TestS05MetricsOfClustersThatComeAndGo: however many hosts are asked, there is one counter for the hub's and one for the others.
func TestS05MetricsOfClustersThatComeAndGo(t *testing.T) {
	g := NewWithT(t)
	api := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(api.Close)
	hub := &rest.Config{Host: api.URL}
	g.Expect(joinHosts(hub)).To(Succeed())
	ask := func(host string) {
		config := &rest.Config{Host: host, Transport: elsewhere(api.Listener.Addr().String())}
		c, err := client.New(config, client.Options{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(c.Get(t.Context(), client.ObjectKey{Name: "x"}, &corev1.Namespace{})).NotTo(Succeed())
	}
	for i := range 100 {
		ask(fmt.Sprintf("http://api-%d.example.com", i))
	}
	ask(api.URL)
	g.Expect(hostsCounted(t)).To(And(ContainElements(api.Listener.Addr().String(), clustersLabel), Not(ContainElement(HavePrefix("api-")))))
}

// elsewhere sends all requests to one address.
type elsewhere string

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = string(e)
	return http.DefaultTransport.RoundTrip(r)
}

func hostsCounted(t *testing.T) []string {
	t.Helper()
	families, err := metrics.Registry.Gather()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	hosts := map[string]bool{}
	for _, family := range families {
		if family.GetName() != "rest_client_requests_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "host" {
					hosts[label.GetValue()] = true
				}
			}
		}
	}
	var names []string
	for host := range hosts {
		names = append(names, host)
	}
	return names
}
