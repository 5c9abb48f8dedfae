package cloud_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// listed is what a list of servers at a moment shows.
func (r *rig) listed() []string {
	names, err := r.names(nil)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return names
}

func TestOldList(t *testing.T) {
	r := newRig(t, cloud.Options{})
	rename := func(name string) { r.RenameServer(r.Servers()[0].ID, name) }
	r.SeedCluster("demo", 1, 0)
	for _, name := range []string{"first", "second", "second", "third"} { // at 0, 1, 2 and 3 minutes
		rename(name)
		r.Expect(r.listed()).To(Equal([]string{name}))
		r.pass(time.Minute)
	}
	rename("now")
	for age, want := range map[time.Duration]string{
		time.Second: "third", time.Minute: "third", 61 * time.Second: "second", 2 * time.Minute: "second", 3 * time.Minute: "second",
		3*time.Minute + 1: "first", 4 * time.Minute: "first", time.Hour: "first",
	} {
		h := r.AddRule(cloud.Rule{Op: "nova.server.list", Effect: cloud.OldList(age)})
		r.Expect(r.listed()).To(Equal([]string{want}), age.String())
		h.Remove()
	}
	r.AddRule(cloud.Rule{Op: "nova.server.list", Effect: cloud.OldList(time.Minute)})
	found, err := r.names(servers.ListOpts{Name: "now"})
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(found).To(Equal([]string{"now"}), "a list that nobody has asked for before")
	r.Expect(r.server(r.Servers()[0].ID).Name).To(Equal("now"), "a GET is right")
	entries := r.Ledger().Entries("nova.server.list")
	r.Expect(entries[len(entries)-1].Fault).To(Equal("old list 1m0s"))
}

func TestOldListIsOfItsOwnMicroversion(t *testing.T) {
	r := newRig(t, cloud.Options{})
	r.SeedCluster("demo", 1, 0)
	_, old := r.raw(http.MethodGet, "servers/detail")
	r.at("2.46")
	_, older := r.raw(http.MethodGet, "servers/detail")
	r.SetCellDown(true, r.Servers()[0].ID)
	r.AddRule(cloud.Rule{Effect: cloud.StaleList()})
	_, again := r.raw(http.MethodGet, "servers/detail")
	r.Expect(again).To(Equal(older))
	r.at("2.96")
	_, again = r.raw(http.MethodGet, "servers/detail")
	r.Expect(again).To(Equal(old))
}

func TestListsWithoutOne(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 3, 0)
	all := r.listed()
	for _, test := range []struct {
		effect cloud.Effect
		want   []string
	}{
		{cloud.ListWithoutOne(), all[1:]},
		{cloud.ListWithoutOne(0), all[1:]},
		{cloud.ListWithoutOne(1), []string{all[0], all[2]}},
		{cloud.ListWithoutOne(2), all[:2]},
		{cloud.ListWithoutOne(4), []string{all[0], all[2]}},
		{cloud.ListWithout(cluster.Masters[1].ID), []string{all[0], all[2]}},
		{cloud.ListWithout("nobody"), all},
		{cloud.DuplicateEntry(), append(slices.Clone(all), all[0])},
		{cloud.DuplicateEntry(2), append(slices.Clone(all), all[2])},
		{cloud.EmptyList(), []string{}},
	} {
		h := r.AddRule(cloud.Rule{Effect: test.effect})
		r.Expect(r.listed()).To(Equal(test.want), test.effect.String())
		for _, s := range cluster.Masters {
			r.Expect(r.server(s.ID).Name).To(Equal(s.Name), "a GET of one")
		}
		r.Expect(r.getImage(cluster.ImageID).Tags).To(Equal([]string{"openshiftClusterID=demo"}), "a GET of one that has a list in it")
		h.Remove()
	}
}

// The same with what other services list.
func TestOtherListsWithoutOne(t *testing.T) {
	r := newRig(t, cloud.Options{})
	r.SeedCluster("demo", 1, 0)
	id := r.pausedForGood()
	_, err := r.snapshot(id, "snap", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	count := map[string]func() int{
		"images": func() int { return len(r.imageNames("limit=10")) },
		"ports":  func() int { return len(r.portIDs(ports.ListOpts{})) },
		"actions": func() int {
			_, body := r.raw(http.MethodGet, "servers/"+id+"/os-instance-actions")
			return strings.Count(body, "request_id")
		},
		"groups": func() int {
			_, body := r.raw(http.MethodGet, "os-server-groups")
			return strings.Count(body, `"members"`)
		},
	}
	for name, of := range count {
		all := of()
		r.Expect(all).To(BeNumerically(">", 1), name)
		h := r.AddRule(cloud.Rule{Op: "*.list", Effect: cloud.ListWithoutOne()})
		r.Expect(of()).To(Equal(all-1), name)
		h.Remove()
		h = r.AddRule(cloud.Rule{Op: "*.list", Effect: cloud.DuplicateEntry()})
		r.Expect(of()).To(Equal(all+1), name)
		h.Remove()
	}
	r.AddRule(cloud.Rule{Effect: cloud.ListWithoutOne()})
	r.AddRule(cloud.Rule{Effect: cloud.DuplicateEntry()})
	r.Expect(r.imageNames("name=none")).To(BeEmpty(), "an empty list stays one")
}

// pausedForGood is the ID of the first server, which it pauses as a client does.
func (r *rig) pausedForGood() string {
	id := r.Servers()[0].ID
	r.Expect(servers.Pause(r.ctx, r.compute, id).ExtractErr()).To(Succeed())
	r.Settle()
	return id
}

func TestTwice(t *testing.T) {
	for name, test := range map[string]struct {
		effect cloud.Effect
		answer int // of the pause: 0 is 202
	}{"second answer": {cloud.Twice(), 409}, "first answer": {cloud.TwiceFirst(), 0}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Schedule: time.Second, Spawn: time.Second, Pause: time.Second, SnapshotPending: time.Second}})
			s := r.SeedCluster("demo", 1, 0).Masters[0]
			r.AddRule(cloud.Rule{Method: http.MethodPost, Effect: test.effect})
			r.Expect(status(servers.Pause(r.ctx, r.compute, s.ID).Err)).To(Equal(test.answer))
			r.Settle()
			r.Expect(r.server(s.ID).Status).To(Equal("PAUSED"))

			made := r.makeImage(images.CreateOpts{Name: "made"})
			r.Expect(r.imageNames("name=made")).To(HaveLen(2))
			_, known := r.Image(made)
			r.Expect(known).To(BeTrue())

			_, err := r.snapshot(s.ID, "snap", map[string]string{"cycle": "1"})
			r.Expect(status(err)).To(Equal(map[int]int{409: 500}[test.answer]))
			r.Settle()
			r.Expect(r.imageStates("snap")).To(ConsistOf("active", "queued"))

			count := len(r.Servers())
			r.at("2.36") // networks may be left out
			id, err := r.create(cloud.Server{Name: "twin", FlavorID: s.FlavorID}, s.ImageID)
			r.Expect(err).NotTo(HaveOccurred())
			r.Settle()
			r.Expect(r.Servers()).To(HaveLen(count + 2))
			twins := r.ServersNamed("hive", "twin")
			r.Expect(twins).To(HaveLen(2))
			r.Expect(twins).To(ContainElement(HaveField("ID", id)))
		})
	}
}

// imageStates are those of the images of a name that bear the cycle.
func (r *rig) imageStates(name string) []string {
	var states []string
	for _, img := range r.Images() {
		if img.Name == name && img.Properties["cycle"] == "1" {
			states = append(states, img.Status)
		}
	}
	return states
}

// Two creates with one port that come at once: see TestTwoCreatesWithOnePort.
func TestTwiceWithOnePort(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{Schedule: time.Second, Spawn: time.Second}})
	s, imageID := freed(r)
	r.AddRule(cloud.Rule{Op: "nova.server.create", Effect: cloud.Twice()})
	_, err := r.create(s, imageID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	states := []string{}
	for _, one := range r.ServersNamed("hive", s.Name) {
		states = append(states, one.Status)
	}
	r.Expect(states).To(ConsistOf("ACTIVE", "ERROR"))
}

func TestLate(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s := r.SeedCluster("demo", 1, 0).Masters[0]
	r.AddRule(cloud.Rule{Method: http.MethodPost, Effect: cloud.Late(time.Minute)})
	before := r.Version()
	r.Expect(servers.Pause(r.ctx, r.compute, s.ID).ExtractErr()).To(MatchError(ContainSubstring("connection reset by peer")))
	r.pass(59 * time.Second)
	r.Expect(r.server(s.ID).Status).To(Equal("ACTIVE"))
	r.Expect(r.Version()).To(Equal(before))
	r.pass(time.Second)
	r.Expect(r.Version()).To(BeNumerically(">", before))
	r.Expect(r.server(s.ID).Status).To(Equal("PAUSED"))
	r.Expect(r.Ledger().Entries("nova.server.pause")).To(ConsistOf(And(HaveField("Status", 0), HaveField("Fault", "late 1m0s"))))
}

// A late request finds things as they are by then.
func TestLateSnapshot(t *testing.T) {
	r := newRig(t, cloud.Options{Latencies: cloud.Latencies{SnapshotPending: time.Hour}})
	id := pausedServer(r).ID
	r.AddRule(cloud.Rule{Op: "nova.server.createImage", Times: 1, Effect: cloud.Late(time.Minute)})
	_, err := r.snapshot(id, "late", nil)
	r.Expect(err).To(HaveOccurred())
	_, err = r.snapshot(id, "again", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.Expect(r.imageNames("name=late")).To(BeEmpty(), "refused, as the server has a task")
	r.Expect(r.imageNames("name=again")).To(HaveLen(1))
}

// What is injected has the form that each service gives its errors.
func TestFormsOfErrors(t *testing.T) {
	r := newRig(t, cloud.Options{})
	for path, shape := range map[string]struct {
		key   map[int]string // of the outermost object, by status; 0 is any other
		inner string         // what says the status within
	}{
		"/compute/v2.1/servers": {map[int]string{
			400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit", 429: "overLimit",
			501: "notImplemented", 503: "serviceUnavailable", 0: "computeFault",
		}, "code"},
		"/image/v2/images":        {map[int]string{0: "message"}, ""},
		"/network/v2.0/ports":     {map[int]string{0: "NeutronError"}, "type"},
		"/identity/v3/auth/token": {map[int]string{0: "error"}, "code"},
	} {
		for _, code := range []int{400, 401, 403, 404, 409, 413, 429, 500, 501, 502, 503, 504} {
			for _, retryAfter := range []string{"", "Retry-After: 30"} {
				h := r.AddRule(cloud.Rule{Effect: cloud.Answer(code, "", retryAfter)})
				got, header, doc := r.answerOf(path)
				h.Remove()
				r.Expect(got).To(Equal(code))
				r.Expect(header.Get("X-Openstack-Request-Id")).To(HavePrefix("req-"))
				want := shape.key[code]
				if want == "" {
					want = shape.key[0]
				}
				if code == 401 {
					r.Expect(header.Get("WWW-Authenticate")).To(ContainSubstring("/identity/v3"))
					want = map[bool]string{true: "message", false: "error"}[strings.HasPrefix(path, "/image")]
				}
				r.Expect(doc).To(HaveKey(want), "%s %d", path, code)
				if retryAfter == "" {
					continue
				}
				r.Expect(header.Get("Retry-After")).To(Equal("30"))
				if want == "overLimit" {
					r.Expect(doc[want]).To(And(HaveKeyWithValue("retryAfter", "30"), HaveKeyWithValue("code", BeEquivalentTo(code))))
				}
			}
		}
	}
}

func TestQuotaExceeded(t *testing.T) {
	r := newRig(t, cloud.Options{})
	for path, test := range map[string]struct {
		status, want int
		text         string
	}{
		"/compute/v2.1/servers/x": {403, 403, `"forbidden":{"code":403,"message":"Quota exceeded for instances`},
		"/compute/v2.1/servers":   {413, 413, `"overLimit":{"code":413,"message":"Quota exceeded for instances`},
		"/image/v2/images":        {413, 413, `"code":"413 Request Entity Too Large"`},
		"/image/v2/images/x":      {403, 403, `over a limit`},
		"/network/v2.0/ports":     {413, 409, `"type":"OverQuota"`},
	} {
		h := r.AddRule(cloud.Rule{Effect: cloud.QuotaExceeded(test.status)})
		got, header, doc := r.answerOf(path)
		h.Remove()
		r.Expect(got).To(Equal(test.want), path)
		b, err := json.Marshal(doc)
		r.Expect(err).NotTo(HaveOccurred())
		r.Expect(string(b)).To(ContainSubstring(test.text))
		r.Expect(header.Get("Retry-After")).To(Equal(map[string]string{"/compute/v2.1/servers": "0"}[path]))
	}
}

// answerOf is the answer to a GET.
func (r *rig) answerOf(path string) (int, http.Header, map[string]any) {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.URL()+path, nil)
	r.Expect(err).NotTo(HaveOccurred())
	req.Header.Set("X-Auth-Token", r.provider.Token())
	resp, err := r.RoundTripper().RoundTrip(req)
	r.Expect(err).NotTo(HaveOccurred())
	defer resp.Body.Close()
	var doc map[string]any
	r.Expect(json.NewDecoder(resp.Body).Decode(&doc)).To(Succeed())
	return resp.StatusCode, resp.Header, doc
}

// Names are what traces and commands that repeat a run show: they stay as they are.
func TestNamesOfEffects(t *testing.T) {
	g := NewWithT(t)
	for _, test := range []struct {
		effect cloud.Effect
		want   string
	}{
		{cloud.Answer(503, ""), "answer 503"}, {cloud.AnswerAfter(504, ""), "answer 504 after"}, {cloud.ResetBefore(), "reset before"},
		{cloud.ResetAfter(), "reset after"}, {cloud.Hang(0), "hang"}, {cloud.HangAfter(0), "hang after"}, {cloud.Slow(1), "slow"},
		{cloud.Truncated(), "truncated"}, {cloud.Malformed(), "malformed"}, {cloud.EmptyList(), "empty list"}, {cloud.StaleList(), "stale list"},
		{cloud.OldList(5 * time.Minute), "old list 5m0s"}, {cloud.ListWithoutOne(), "list without one"}, {cloud.ListWithoutOne(2), "list without one 2"},
		{cloud.ListWithout("x"), "list without x"}, {cloud.DuplicateEntry(), "duplicate entry"}, {cloud.DuplicateEntry(1), "duplicate entry 1"},
		{cloud.Twice(), "twice"}, {cloud.TwiceFirst(), "twice, first answer"}, {cloud.Late(time.Minute), "late 1m0s"},
		{cloud.QuotaExceeded(413), "quota exceeded 413"}, {cloud.ExpireToken(), "expire token"},
	} {
		g.Expect(test.effect.String()).To(Equal(test.want))
	}
}
