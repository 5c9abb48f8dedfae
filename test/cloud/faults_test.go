package cloud_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// Each effect, seen by a client in this process and by one at the other end of a connection.
func TestEffects(t *testing.T) {
	for name, test := range map[string]struct {
		effect cloud.Effect
		done   bool // the server was created all the same
		check  func(g *WithT, resp *http.Response, body string, err error)
	}{
		"answer": {cloud.Answer(503, "", "Retry-After: 7"), false, func(g *WithT, resp *http.Response, body string, err error) {
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(resp.StatusCode).To(Equal(503))
			g.Expect(resp.Header.Get("Retry-After")).To(Equal("7"))
			g.Expect(body).To(ContainSubstring(`"serviceUnavailable"`))
		}},
		"answer after": {cloud.AnswerAfter(504, "gateway"), true, func(g *WithT, resp *http.Response, body string, err error) {
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(resp.StatusCode).To(Equal(504))
			g.Expect(body).To(Equal("gateway"))
		}},
		"reset before": {cloud.ResetBefore(), false, broken},
		"reset after":  {cloud.ResetAfter(), true, broken},
		"hang":         {cloud.Hang(time.Millisecond), false, broken},
		"hang after":   {cloud.HangAfter(0), true, broken},
		"truncated":    {cloud.Truncated(), true, broken},
		"malformed": {cloud.Malformed(), true, func(g *WithT, resp *http.Response, body string, err error) {
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(resp.StatusCode).To(Equal(202))
			g.Expect(body).To(HavePrefix("<html>"))
		}},
		"expired": {cloud.ExpireToken(), false, func(g *WithT, resp *http.Response, _ string, err error) {
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(resp.StatusCode).To(Equal(401))
		}},
		"slow": {cloud.Slow(time.Millisecond), true, func(g *WithT, resp *http.Response, _ string, err error) {
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(resp.StatusCode).To(Equal(202))
		}},
	} {
		for _, over := range []string{"process", "connection"} {
			t.Run(name+" in "+over, func(t *testing.T) {
				r := newRig(t, cloud.Options{})
				s, imageID := freed(r)
				rule := r.AddRule(cloud.Rule{Op: "nova.server.create", Effect: test.effect})
				transport, base := r.RoundTripper(), r.compute.Endpoint
				if over == "connection" {
					served := httptest.NewServer(r.Cloud)
					defer served.Close()
					transport, base = served.Client().Transport, strings.Replace(base, r.URL(), served.URL, 1)
				}
				ctx, cancel := context.WithTimeout(r.ctx, 200*time.Millisecond)
				defer cancel()
				resp, body, err := post(ctx, transport, base+"servers", r.provider.Token(), //nolint:bodyclose // post reads and closes it
					`{"server":{"name":"new","imageRef":"`+imageID+`","flavorRef":"`+s.FlavorID+`","networks":"none"}}`)
				test.check(r.WithT, resp, body, err)
				r.Expect(r.ServersNamed("hive", "new")).To(HaveLen(map[bool]int{true: 1}[test.done]))
				r.Expect(rule.Hits()).To(Equal(1))
				r.Expect(r.Ledger().Entries("nova.server.create")[0].Fault).NotTo(BeEmpty())
			})
		}
	}
}

func broken(g *WithT, _ *http.Response, _ string, err error) { g.Expect(err).To(HaveOccurred()) }

func post(ctx context.Context, transport http.RoundTripper, url, token, body string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("X-Auth-Token", token)
	req.Header.Set("OpenStack-API-Version", "compute 2.90")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func TestErrorsOfBrokenRequests(t *testing.T) {
	r := newRig(t, cloud.Options{})
	get := func() error {
		req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.URL(), nil)
		r.Expect(err).NotTo(HaveOccurred())
		_, err = r.RoundTripper().RoundTrip(req) //nolint:bodyclose // there is none
		return err
	}
	r.AddRule(cloud.Rule{Effect: cloud.Hang(time.Second), Times: 1})
	var netErr net.Error
	r.Expect(errors.As(get(), &netErr) && netErr.Timeout()).To(BeTrue())
	r.AddRule(cloud.Rule{Effect: cloud.ResetBefore(), Skip: 0})
	r.Expect(get()).To(MatchError(ContainSubstring("connection reset by peer")))
}

func TestRulesCount(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	rule := r.AddRule(cloud.Rule{Op: "nova.server.*", Method: "GET", Skip: 1, Times: 2, Effect: cloud.Answer(500, "")})
	var codes []int
	for range 5 {
		codes = append(codes, status(servers.Get(r.ctx, r.compute, id).Err))
	}
	r.Expect(codes).To(Equal([]int{0, 500, 500, 0, 0}))
	r.Expect(rule.Hits()).To(Equal(2))
	r.AddRule(cloud.Rule{When: func(k *cloud.Call) bool { return k.Target == id && k.Project == "hive" }, Effect: cloud.Answer(418, "")})
	r.Expect(status(servers.Get(r.ctx, r.compute, id).Err)).To(Equal(418))
	r.Expect(r.names(nil)).To(HaveLen(1))
	r.ClearRules()
	r.Expect(status(servers.Get(r.ctx, r.compute, id).Err)).To(Equal(0))
}

func TestFalseLists(t *testing.T) {
	r := newRig(t, cloud.Options{NovaPageSize: 1})
	r.SeedCluster("demo", 2, 0)
	h := r.AddRule(cloud.Rule{Op: "nova.server.list", Effect: cloud.EmptyList()})
	r.Expect(r.names(nil)).To(BeEmpty())
	h.Remove()
	r.Expect(r.names(nil)).To(HaveLen(2))
	r.SetCellDown(true, r.Servers()[1].ID)
	r.AddRule(cloud.Rule{Op: "nova.server.list", Effect: cloud.StaleList()})
	r.Expect(r.names(nil)).To(HaveLen(2))
	r.ClearRules()
	r.SeedCluster("more", 1, 0)
	r.Expect(r.names(servers.ListOpts{Name: "more"})).To(HaveLen(1))
}

func TestHooks(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	var seen []string
	crash := cloud.ResetAfter()
	r.SetHooks(cloud.Hooks{
		Before: func(k *cloud.Call) *cloud.Effect {
			s, _ := r.Server(id)
			seen = append(seen, "before "+k.Op+" "+s.TaskState)
			return nil
		},
		After: func(k *cloud.Call, _ int) *cloud.Effect {
			s, _ := r.Server(id)
			seen = append(seen, "after "+k.Op+" "+s.Status)
			return &crash
		},
	})
	err := servers.Pause(r.ctx, r.compute, id).ExtractErr()
	r.Expect(err).To(MatchError(ContainSubstring("connection reset by peer")))
	r.Expect(seen).To(Equal([]string{"before nova.server.pause ", "after nova.server.pause PAUSED"}))
}

func TestLedger(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s, imageID := freed(r)
	r.Ledger().Reset()
	_, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	_, err = r.names(nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(r.Ledger().Counts()).To(Equal(map[string]int{"nova.server.create": 1, "nova.server.list": 1}))
	r.Expect(r.Ledger().Changes()).To(HaveLen(1))
	e := r.Ledger().Entries("nova.server.create")[0]
	r.Expect(e).To(And(HaveField("Status", 202), HaveField("Name", s.Name), HaveField("Ports", s.Ports), HaveField("Image", imageID),
		HaveField("Project", "hive"), HaveField("Microversion", "2.96"), HaveField("RequestID", HavePrefix("req-")), HaveField("BodyHash", HaveLen(64))))
	r.as("stranger", "other")
	r.Expect(r.Ledger().Entries("keystone.*")).To(ContainElement(And(HaveField("Op", "keystone.token.create"), HaveField("BodyHash", ""))))
}
