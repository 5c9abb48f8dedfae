package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/overwinter/overwinter/test/cloud"
)

// bench sends the requests of a cycle as a client with few costs of its own.
type bench struct {
	tb        testing.TB
	clock     *clocktesting.FakeClock
	cloud     *cloud.Cloud
	transport http.RoundTripper
	token     string
	// sent, if not nil, is called with each request's name and answer.
	sent func(request string, status int, header http.Header, body []byte)
}

func newBench(tb testing.TB, opts cloud.Options) *bench {
	tb.Helper()
	b := &bench{tb: tb, clock: clocktesting.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	opts.Clock, opts.Seed, opts.Latencies = b.clock, 1, cloud.TestBedLatencies()
	opts.URL = "http://cloud.test"
	opts.Sleep = func(_ context.Context, d time.Duration) error {
		b.clock.Step(d)
		return nil
	}
	b.cloud = cloud.New(opts)
	b.transport = b.cloud.RoundTripper()
	return b
}

func (b *bench) logIn() {
	b.tb.Helper()
	header, _ := b.send("POST", "/identity/v3/auth/tokens", "", fmt.Sprintf(
		`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":%q,"domain":{"id":"default"},"password":%q}}},"scope":{"project":{"name":%q,"domain":{"id":"default"}}}}}`,
		cloud.DefaultUser, cloud.DefaultPassword, cloud.DefaultProject))
	b.token = header.Get("X-Subject-Token")
}

func (b *bench) send(method, path, microversion, body string) (http.Header, []byte) {
	b.tb.Helper()
	req, err := http.NewRequestWithContext(b.tb.Context(), method, "http://cloud.test"+path, strings.NewReader(body))
	if err != nil {
		b.tb.Fatal(err)
	}
	if b.token != "" {
		req.Header.Set("X-Auth-Token", b.token)
	}
	if microversion != "" {
		req.Header.Set("Openstack-Api-Version", "compute "+microversion)
	}
	resp, err := b.transport.RoundTrip(req)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || (resp.StatusCode >= 400 && resp.StatusCode != 404) {
		b.tb.Fatal(method, path, resp.StatusCode, string(answer), err)
	}
	if b.sent != nil {
		b.sent(method+" "+path+" "+body, resp.StatusCode, resp.Header, answer)
	}
	return resp.Header, answer
}

// field returns a string of an answer.
func (b *bench) field(answer []byte, keys ...string) string {
	b.tb.Helper()
	for _, key := range keys[:len(keys)-1] {
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(answer, &doc); err != nil {
			b.tb.Fatal(err)
		}
		answer = bytes.Clone(doc[key])
	}
	var doc map[string]any
	if err := json.Unmarshal(answer, &doc); err != nil {
		b.tb.Fatal(err)
	}
	s, _ := doc[keys[len(keys)-1]].(string)
	return s
}

const benchServers = "/compute/v2.1/servers"

// look lists what the engine lists in each pass.
func (b *bench) look(infraID string) {
	b.send("GET", benchServers+"/detail?tags=openshiftClusterID%3D"+infraID, "2.90", "")
	b.send("GET", benchServers+"/detail?name=%5E"+infraID+"-", "2.46", "")
}

// cycle puts all servers to sleep and makes them again.
func (b *bench) cycle(infraID string, all []cloud.Server) {
	b.look(infraID)
	b.send("GET", "/compute/v2.1/os-server-groups", "2.64", "")
	b.send("GET", "/network/v2.0/ports?tags=openshiftClusterID%3D"+infraID, "", "")
	for _, s := range all {
		b.send("POST", benchServers+"/"+s.ID+"/action", "", `{"pause":null}`)
	}
	b.clock.Step(2 * time.Second)
	b.look(infraID)
	images := b.snapshots(infraID, all)
	b.look(infraID)
	for _, s := range all {
		b.send("GET", benchServers+"/"+s.ID+"/os-instance-actions", "", "")
	}
	devices := url.Values{}
	for _, s := range all {
		devices.Add("device_id", s.ID)
		b.send("DELETE", benchServers+"/"+s.ID, "", "")
	}
	b.clock.Step(5 * time.Second)
	b.look(infraID)
	for _, s := range all {
		b.send("GET", benchServers+"/"+s.ID, "2.90", "")
	}
	b.send("GET", "/network/v2.0/ports?"+devices.Encode(), "", "")
	b.create(all, images)
	b.clock.Step(10 * time.Second)
	b.look(infraID)
	b.look(infraID)
	for _, id := range images {
		b.send("DELETE", "/image/v2/images/"+id, "", "")
	}
}

func (b *bench) snapshots(infraID string, all []cloud.Server) []string {
	var images []string
	for _, s := range all {
		_, answer := b.send("POST", benchServers+"/"+s.ID+"/action", "2.45", fmt.Sprintf(
			`{"createImage":{"name":"%s-hibernation-20260102-030405","metadata":{"overwinter_infra_id":%q,"overwinter_cycle":"20260102-030405"}}}`, s.Name, infraID))
		images = append(images, b.field(answer, "image_id"))
	}
	b.clock.Step(5 * time.Second)
	b.send("GET", "/image/v2/images?overwinter_infra_id="+infraID, "", "")
	for _, id := range images {
		b.send("PUT", "/image/v2/images/"+id+"/tags/openshiftClusterID="+infraID, "", "")
	}
	return images
}

func (b *bench) create(all []cloud.Server, images []string) {
	for i, s := range all {
		body, err := json.Marshal(map[string]any{
			"server": map[string]any{
				"name": s.Name, "imageRef": images[i], "flavorRef": s.FlavorID, "networks": []map[string]any{{"port": s.Ports[0]}},
				"metadata": s.Metadata, "tags": s.Tags, "config_drive": true, "availability_zone": s.Zone,
			},
			"os:scheduler_hints": map[string]any{"group": s.Group},
		})
		if err != nil {
			b.tb.Fatal(err)
		}
		_, answer := b.send("POST", benchServers, "2.52", string(body))
		all[i].ID = b.field(answer, "server", "id")
	}
}

// BenchmarkCycle is a cluster of six servers through a cycle, on a cloud of its own.
func BenchmarkCycle(b *testing.B) {
	for b.Loop() {
		one := newBench(b, cloud.Options{})
		all := one.cloud.SeedCluster("demo-x7k2p", 3, 3).Servers()
		one.logIn()
		one.cycle("demo-x7k2p", all)
	}
}

// BenchmarkNew is what a cloud with a cluster of six servers costs.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newBench(b, cloud.Options{}).cloud.SeedCluster("demo-x7k2p", 3, 3)
	}
}

// BenchmarkLongRun is one more cycle on a cloud that has seen many.
func BenchmarkLongRun(b *testing.B) {
	one := newBench(b, cloud.Options{TokenTTL: 1 << 62})
	all := one.cloud.SeedCluster("demo-x7k2p", 3, 3).Servers()
	one.logIn()
	for range 100 {
		one.cycle("demo-x7k2p", all)
	}
	for b.Loop() {
		one.cycle("demo-x7k2p", all)
	}
}

// BenchmarkView is what a checker pays that looks at all servers and images of a cluster of six, asleep but for one.
func BenchmarkView(b *testing.B) {
	one := newBench(b, cloud.Options{})
	all := one.cloud.SeedCluster("demo-x7k2p", 3, 3).Servers()
	one.logIn()
	for _, s := range all {
		one.cloud.SetServerState(s.ID, "PAUSED")
	}
	one.snapshots("demo-x7k2p", all)
	var writes int64
	b.ReportAllocs()
	for b.Loop() {
		one.cloud.View(func(v *cloud.View) {
			for s := range v.Servers() {
				writes += s.Written
			}
			for img := range v.Images() {
				writes += img.Writes
			}
		})
	}
}
