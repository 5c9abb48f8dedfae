package cloud_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// open sends a GET with the rig's token, over a real connection or in this process.
func (r *rig) open(ctx context.Context, client *http.Client, base, path string) *http.Response {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, http.NoBody)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	req.Header.Set("X-Auth-Token", r.provider.Token())
	req.Header.Set("OpenStack-API-Version", "compute 2.96")
	res, err := client.Do(req)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return res
}

// bothWays runs a test over TCP and over the transport in this process.
func bothWays(t *testing.T, run func(r *rig, client *http.Client, base string)) {
	t.Helper()
	t.Run("over TCP", func(t *testing.T) {
		r := newRig(t, cloud.Options{})
		url, stop := r.Start()
		defer stop()
		run(r, http.DefaultClient, url)
	})
	t.Run("in this process", func(t *testing.T) {
		r := newRig(t, cloud.Options{})
		run(r, &http.Client{Transport: r.RoundTripper()}, "http://cloud.invalid")
	})
}

// TestLongLists: each service's list, with its own items first and valid JSON to the end.
func TestLongLists(t *testing.T) {
	bothWays(t, func(r *rig, client *http.Client, base string) {
		cluster := r.SeedCluster("demo", 1, 0)
		id := cluster.Masters[0].ID
		for path, c := range map[string]struct {
			op, key string
			own     int
		}{
			"/compute/v2.1/servers/detail":                         {"nova.server.list", "servers", 1},
			"/compute/v2.1/servers?name=nobody":                    {"nova.server.list", "servers", 0},
			"/compute/v2.1/servers/" + id + "/os-instance-actions": {"nova.instanceaction.list", "instanceActions", 1},
			"/compute/v2.1/os-server-groups":                       {"nova.servergroup.list", "server_groups", 2},
			"/image/v2/images":                                     {"glance.image.list", "images", 1},
			"/network/v2.0/ports":                                  {"neutron.port.list", "ports", 3},
		} {
			h := r.AddRule(cloud.Rule{Op: c.op, Effect: cloud.LongList(1000, `{"id":"#"}`)})
			res := r.open(r.ctx, client, base, path)
			r.Expect(res.ContentLength).To(BeEquivalentTo(-1), path)
			var doc map[string]json.RawMessage
			r.Expect(json.NewDecoder(res.Body).Decode(&doc)).To(Succeed(), path)
			r.Expect(res.Body.Close()).To(Succeed())
			var list []struct{ ID string }
			r.Expect(json.Unmarshal(doc[c.key], &list)).To(Succeed(), path)
			r.Expect(list).To(HaveLen(c.own+1000), path)
			r.Expect(list[len(list)-1].ID).To(Equal("999"), path)
			r.Expect(h.Hits()).To(Equal(1))
			h.Remove()
		}
		r.AddRule(cloud.Rule{Op: "nova.server.list", Effect: cloud.LongList(2, "")})
		var doc struct{ Servers []struct{ ID string } }
		res := r.open(r.ctx, client, base, "/compute/v2.1/servers")
		r.Expect(json.NewDecoder(res.Body).Decode(&doc)).To(Succeed())
		r.Expect(res.Body.Close()).To(Succeed())
		r.Expect(doc.Servers).To(And(HaveLen(3), HaveEach(HaveField("ID", id))), "copies of its first")
	})
}

// TestLongCatalogue: the token is as good as ever.
func TestLongCatalogue(t *testing.T) {
	r := newRig(t, cloud.Options{})
	h := r.AddRule(cloud.Rule{Op: "keystone.token.create", Effect: cloud.LongList(5000, `{"id":"#","type":"other","name":"other","endpoints":[]}`)})
	provider, err := openstack.NewClient(r.AuthURL())
	r.Expect(err).NotTo(HaveOccurred())
	provider.HTTPClient = http.Client{Transport: r.RoundTripper()}
	r.Expect(openstack.Authenticate(r.ctx, provider, authOptions(r.Cloud, cloud.DefaultUser, cloud.DefaultProject))).To(Succeed())
	result, ok := provider.GetAuthResult().(interface{ ExtractInto(any) error })
	r.Expect(ok).To(BeTrue())
	var token struct {
		Catalog []struct{ Type string } `json:"catalog"`
	}
	r.Expect(result.ExtractInto(&token)).To(Succeed())
	r.Expect(len(token.Catalog)).To(BeNumerically(">", 5000))
	r.Expect(token.Catalog[0].Type).NotTo(Equal("other"))
	r.Expect(h.Hits()).To(Equal(1))
}

// TestEndlessAnswers: the cloud holds nothing of them, and ends them with the client.
func TestEndlessAnswers(t *testing.T) {
	bothWays(t, func(r *rig, client *http.Client, base string) {
		for name, e := range map[string]cloud.Effect{"list": cloud.LongList(-1, `{"id":"x"}`), "answer": cloud.EndlessAnswer(), "big": cloud.BigAnswer(1 << 40)} {
			h := r.AddRule(cloud.Rule{Op: "nova.server.list", Effect: e})
			ctx, cancel := context.WithCancel(r.ctx)
			res := r.open(ctx, client, base, "/compute/v2.1/servers")
			const most = 32 << 20
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			n, err := io.Copy(io.Discard, io.LimitReader(res.Body, most))
			r.Expect(err).NotTo(HaveOccurred(), name)
			r.Expect(n).To(BeEquivalentTo(most), name)
			runtime.GC()
			runtime.ReadMemStats(&after)
			r.Expect(int64(after.HeapAlloc)-int64(before.HeapAlloc)).To(BeNumerically("<", 8<<20), name) //nolint:gosec // far below its limits
			cancel()
			_, err = io.Copy(io.Discard, res.Body)
			r.Expect(err).To(MatchError(context.Canceled), name)
			r.Expect(res.Body.Close()).To(Succeed())
			h.Remove()
		}
		r.AddRule(cloud.Rule{Op: "nova.server.get", Effect: cloud.BigAnswer(1000)})
		id := r.SeedCluster("demo", 1, 0).Masters[0].ID
		var doc struct {
			Padding string
			Server  struct{ ID string }
		}
		res := r.open(r.ctx, client, base, "/compute/v2.1/servers/"+id)
		r.Expect(json.NewDecoder(res.Body).Decode(&doc)).To(Succeed())
		r.Expect(res.Body.Close()).To(Succeed())
		r.Expect(doc.Padding).To(HaveLen(1000))
		r.Expect(doc.Server.ID).To(Equal(id))
	})
}

// TestLoginPage: 200 with HTML, and nothing was done.
func TestLoginPage(t *testing.T) {
	r := newRig(t, cloud.Options{})
	id := r.SeedCluster("demo", 1, 0).Masters[0].ID
	r.AddRule(cloud.Rule{Op: "nova.server.*", Effect: cloud.LoginPage()})
	res := r.open(r.ctx, &http.Client{Transport: r.RoundTripper()}, "http://cloud.invalid", "/compute/v2.1/servers/"+id)
	page, err := io.ReadAll(res.Body)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(res.Body.Close()).To(Succeed())
	r.Expect(res.StatusCode).To(Equal(http.StatusOK))
	r.Expect(res.Header.Get("Content-Type")).To(HavePrefix("text/html"))
	r.Expect(strings.ToLower(string(page))).To(HavePrefix("<!doctype html>"))
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, "http://cloud.invalid/compute/v2.1/servers/"+id+"/action", strings.NewReader(`{"pause":null}`))
	r.Expect(err).NotTo(HaveOccurred())
	req.Header.Set("X-Auth-Token", r.provider.Token())
	res, err = r.RoundTripper().RoundTrip(req)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(res.Body.Close()).To(Succeed())
	r.Settle()
	s, _ := r.Server(id)
	r.Expect(s.Status).To(Equal("ACTIVE"))
}
