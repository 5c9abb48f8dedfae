package openstackclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/bounds"
)

// endless is a body that repeats itself.
type endless struct{ of, rest string }

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.of
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// grown returns how much more heap is in use after do than before, what do returns included, and how much do allocated.
func grown[T any](do func() T) (live, allocated uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := do()
	runtime.ReadMemStats(&after)
	allocated = after.TotalAlloc - before.TotalAlloc
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc, allocated
}

// Whatever a server sends in place of a list, it takes a bounded part of the memory, and is an error that says so.
func TestS05BoundedLists(t *testing.T) {
	const start, entry = `{"servers": [`, `{"id":"x","metadata":{},"addresses":`
	for name, test := range map[string]struct {
		start, repeated string
		kind            Kind
	}{
		"small entries":       {start, `{"id":"x"},`, KindInvalid},
		"large entries":       {start, `{"id":"x","name":"` + strings.Repeat("x", 200<<10) + `"},`, KindInvalid},
		"nesting":             {start + entry, `[`, KindTransient},
		"nested objects":      {start + entry, `{"a":`, KindTransient},
		"many small maps":     {start + entry + `[`, `{"":0},`, KindInvalid},
		"one long string":     {start + `{"id":"`, `x`, KindInvalid},
		"one long number":     {start + `{"id":"x","n":1`, `0`, KindInvalid},
		"one long name":       {`{"`, `x`, KindInvalid},
		"many names":          {`{"a":1`, `,"a":1`, KindTransient},
		"the list repeatedly": {`{"servers":[]`, `,"servers":[]`, KindTransient},
		"a value beside it":   {`{"servers":[],"next":[`, `[],`, KindInvalid},
		"white space":         {`{`, ` `, KindInvalid},
		"white space at end":  {`{"servers":[]}`, "\n", KindInvalid},
		"NULs":                {start, "\x00", KindTransient},
		"packed":              {"\x1f\x8b\x08\x00\x00\x00\x00\x00", "\x00", KindTransient},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			transport := roundTripFunc(func(r *http.Request) (*http.Response, error) {
				response, err := http.DefaultTransport.RoundTrip(r)
				if err == nil && r.Method == http.MethodGet {
					response.Body = io.NopCloser(io.MultiReader(strings.NewReader(test.start), &endless{of: strings.Repeat(test.repeated, 1+4096/len(test.repeated))}))
				}
				return response, err
			})
			cloud.on("GET /v2.1/servers/detail", answer(200, ""))
			client := cloud.client(FactoryOptions{Transport: transport, ReadAttempts: 1})
			_, err := client.Scope(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			var found []Server
			live, allocated := grown(func() []Server {
				found, err = client.ListServers(t.Context(), ViewFlavorID, servers.ListOpts{Name: "x"})
				return found
			})
			g.Expect(found).To(BeNil())
			g.Expect(KindOf(err)).To(Equal(test.kind), "%v", err)
			g.Expect(errors.Is(err, ErrTooLarge)).To(Equal(test.kind == KindInvalid))
			g.Expect(err.Error()).To(ContainSubstring("Nova at " + cloud.URL))
			g.Expect(len(err.Error())).To(BeNumerically("<", 400))
			g.Expect(live).To(BeNumerically("<", 8<<20))
			g.Expect(allocated).To(BeNumerically("<", 128<<20))
		})
	}
}

// The longest list that is accepted takes no more than what the bounds count on.
func TestS05LongestList(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	entries := make([]string, maxListItems)
	for i := range entries {
		entries[i] = `{"id":"` + strconv.Itoa(i) + `"}`
	}
	cloud.on("GET /v2.1/servers/detail", answer(200, `{"servers":[`+strings.Join(entries, ",")+`]}`))
	client := cloud.client(FactoryOptions{})
	_, err := client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	var found []Server
	live, _ := grown(func() []Server {
		found, err = client.ListServers(t.Context(), ViewFlavorID, servers.ListOpts{Name: "x"})
		return found
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(maxListItems))
	g.Expect(live).To(BeNumerically("<", 2*maxListHeap))
}

func TestS05BoundedResourcesAndTokens(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	huge := `{"server": {"id": "` + serverID + `", "metadata": [` + strings.Repeat(`{"":0},`, 40<<10) + `{}]}}`
	cloud.on("GET /v2.1/servers/"+serverID, answer(200, huge))
	client := cloud.client(FactoryOptions{})
	_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
	g.Expect(KindOf(err)).To(Equal(KindInvalid))
	g.Expect(err).To(MatchError(ContainSubstring("too large")))
	g.Expect(cloud.log()).To(HaveLen(2), "it is not asked for again at once")

	cloud = newFakeCloud(t)
	cloud.on("POST /v3/auth/tokens", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Subject-Token", "t")
		answer(201, `{"token": {"catalog": [`+strings.Repeat(`{"":0},`, 100<<10)+`{}]}}`)(w, r)
	})
	client = cloud.client(FactoryOptions{})
	_, allocated := grown(func() error { _, err = client.Scope(t.Context()); return err })
	g.Expect(KindOf(err)).To(Equal(KindInvalid))
	g.Expect(err).To(MatchError(ContainSubstring("Keystone at " + cloud.URL + " sent an answer that is too large")))
	g.Expect(allocated).To(BeNumerically("<", 16<<20))
}

// Ten thousand clusters that come and go leave no more behind than the cache holds.
func TestS05ClientsThatComeAndGo(t *testing.T) {
	g := NewWithT(t)
	const size = 100
	factory := NewFactory(FactoryOptions{CacheSize: size})
	before := runtime.NumGoroutine()
	for i := range 10000 {
		_, err := factory.ClientFor(t.Context(), Credentials{SecretUID: strconv.Itoa(i), SecretVersion: "1", CloudsYAML: []byte(goodCloud)})
		g.Expect(err).NotTo(HaveOccurred())
		factory.gateFor(Scope{ProjectID: strconv.Itoa(i)})
	}
	g.Expect(factory.clients.Len()).To(Equal(size))
	g.Expect(factory.gates.Len()).To(Equal(size))
	g.Expect(runtime.NumGoroutine()).To(BeNumerically("<=", before+5))
}

// The clients of Secrets that are as large as a Secret can be take no more memory than those of small ones.
func TestS05ClientsOfLargeSecrets(t *testing.T) {
	g := NewWithT(t)
	factory := NewFactory(FactoryOptions{})
	large := []byte(goodCloud + "# " + strings.Repeat("x", 400<<10))
	for i := range 100 {
		_, err := factory.ClientFor(t.Context(), Credentials{SecretUID: strconv.Itoa(i), SecretVersion: "1", CloudsYAML: large})
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(factory.clients.Len()).To(And(BeNumerically(">", 10), BeNumerically("<", cacheWeight/len(large)+1)))
}

// What is in a Secret is bounded before anything is made of it.
func TestS05LargeSecretsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		credentials Credentials
		says        string
	}{
		"values":       {Credentials{CloudsYAML: []byte(goodCloud + "x: [" + strings.Repeat("a,", 400<<10) + "]")}, "longer than"},
		"many values":  {Credentials{CloudsYAML: []byte(goodCloud + "x: [" + strings.Repeat("a,", 100<<10) + "]")}, "too many values"},
		"certificates": {Credentials{CloudsYAML: []byte(goodCloud), CABundle: make([]byte, maxCABundle+1)}, "more than 512 KiB of certificates"},
		"auth_url":     {Credentials{CloudsYAML: []byte(strings.Replace(goodCloud, "auth_url: ", "auth_url: http://x/"+strings.Repeat("x", maxURL), 1))}, "auth_url"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			_, err := NewFactory(FactoryOptions{}).ClientFor(t.Context(), test.credentials)
			g.Expect(KindOf(err)).To(Equal(KindInvalid))
			g.Expect(err).To(MatchError(ContainSubstring(test.says)))
			g.Expect(len(err.Error())).To(BeNumerically("<", 400))
		})
	}
}

// The answers to the requests of one visit have one budget, however many they are; the next visit has its own.
func TestS05AnswersOfOneVisit(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	wide := strings.Replace(serverBody, `"name": "demo"`, `"name": "`+strings.Repeat("x", 200<<10)+`"`, 1)
	cloud.on("GET /v2.1/servers/"+serverID, answer(200, wide))
	cloud.on("GET /v2.1/servers/detail", answer(200, `{"servers": [`+strings.Repeat(`{"id": "x"},`, 99)+`{"id": "x"}]}`))
	client := cloud.client(FactoryOptions{})
	asks := map[string]func(context.Context) error{
		"one": func(ctx context.Context) error { _, err := client.GetServer(ctx, ViewFlavorID, serverID); return err },
		"list": func(ctx context.Context) error {
			_, err := client.ListServers(ctx, ViewFlavorID, servers.ListOpts{})
			return err
		},
	}
	for name, ask := range asks {
		visit, answered := bounds.WithBudget(t.Context(), 1<<20), 0
		var err error
		for err == nil && answered < 100 {
			if err = ask(visit); err == nil {
				answered++
			}
		}
		g.Expect(answered).To(And(BeNumerically(">", 2), BeNumerically("<", 8)), name)
		g.Expect(KindOf(err)).To(Equal(KindInvalid), name)
		g.Expect(err).To(MatchError(And(ContainSubstring("Nova at "+cloud.URL), ContainSubstring("all answers of one visit together take more than 1024 KiB"))), name)
		g.Expect(ask(bounds.WithBudget(t.Context(), 1<<20))).To(Succeed(), name)
	}
	// What became of a change is always read.
	cloud.on("POST /v2.1/servers", answer(202, `{"server": {"id": "`+serverID+`"}}`))
	id, err := client.CreateServer(bounds.WithBudget(t.Context(), 1), CreateServerOpts{CreateOpts: servers.CreateOpts{Name: "x", FlavorRef: "x", ImageRef: "x"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(id).To(Equal(serverID))
	// The token of a visit counts as well.
	client = cloud.client(FactoryOptions{})
	_, err = client.Scope(bounds.WithBudget(t.Context(), 100))
	g.Expect(err).To(MatchError(ContainSubstring("all answers of one visit together")))
}

// Of a token nothing is kept but itself, where it leads and three URLs, also once it was renewed.
func TestS05TokensAreNotKept(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/servers/"+serverID, answer(200, serverBody))
	for i := range 1000 {
		cloud.regions = append(cloud.regions, fmt.Sprintf("Region%04d", i))
	}
	cloud.regions = append(cloud.regions, "RegionOne")
	cloud.urls["image"], cloud.urls["network"] = cloud.URL, cloud.URL
	credentials := cloud.credentials()
	credentials.CloudsYAML = append(credentials.CloudsYAML, "    region_name: RegionOne\n"...)
	const clients = 8
	factory := NewFactory(FactoryOptions{})
	ask := func() (all []Client) {
		for i := range clients {
			credentials.SecretUID = strconv.Itoa(i)
			client, err := factory.ClientFor(t.Context(), credentials)
			g.Expect(err).NotTo(HaveOccurred())
			_, err = client.GetServer(t.Context(), ViewFlavorID, serverID)
			g.Expect(err).NotTo(HaveOccurred())
			all = append(all, client)
		}
		cloud.requests = nil
		return all
	}
	for _, renewed := range []bool{false, true} {
		live, _ := grown(func() []Client {
			if renewed {
				cloud.expireTokens()
			}
			return ask()
		})
		g.Expect(live).To(BeNumerically("<", clients*(256<<10)), "renewed: %v", renewed)
	}
}

// IDs, names and URLs of a token are kept as long as the session, and are no longer than OpenStack's.
func TestS05LongTextsInTokens(t *testing.T) {
	for name, spoil := range map[string]func(*fakeCloud){
		"the project's ID": func(f *fakeCloud) { f.project = strings.Repeat("x", maxID+1) },
		"a region":         func(f *fakeCloud) { f.regions = []string{strings.Repeat("x", maxID+1)} },
		"an endpoint":      func(f *fakeCloud) { f.urls["compute"] = f.URL + "/" + strings.Repeat("x", maxURL) },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			spoil(cloud)
			_, err := cloud.client(FactoryOptions{ReadAttempts: 1}).Scope(t.Context())
			g.Expect(err).To(HaveOccurred())
			g.Expect(len(err.Error())).To(BeNumerically("<", 400))
		})
	}
}

// A client of HTTP/2 would buffer megabytes of each answer before anybody reads it.
func TestS05HTTP1Only(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	var spoken atomic.Value
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spoken.Store(r.Proto)
		cloud.ServeHTTP(w, r)
	}))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	cloud.URL = secure.URL
	credentials := cloud.credentials()
	credentials.CloudsYAML = append(credentials.CloudsYAML, "    verify: false\n"...)
	client, err := NewFactory(FactoryOptions{}).ClientFor(t.Context(), credentials)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(spoken.Load()).To(Equal("HTTP/1.1"))
}

func TestS05BoundedHeaders(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/servers/"+serverID, func(w http.ResponseWriter, r *http.Request) {
		for i := range 2 * maxHeader >> 10 {
			w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("x", 1<<10))
		}
		answer(200, serverBody)(w, r)
	})
	_, err := cloud.client(FactoryOptions{ReadAttempts: 1}).GetServer(t.Context(), ViewFlavorID, serverID)
	g.Expect(KindOf(err)).To(Equal(KindTransient))
}

// Of an error that has no end only the beginning is read.
func TestS05BoundedErrors(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/servers/"+serverID, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.Copy(w, io.LimitReader(&endless{of: `{"badRequest": {"code": 400, "message": "` + strings.Repeat("x", 4<<10)}, 64<<20))
	})
	client := cloud.client(FactoryOptions{ReadAttempts: 1})
	_, err := client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	_, allocated := grown(func() error { _, err = client.GetServer(t.Context(), ViewFlavorID, serverID); return err })
	g.Expect(KindOf(err)).To(Equal(KindInvalid))
	g.Expect(len(err.Error())).To(BeNumerically("<", 2*maxMessage))
	g.Expect(allocated).To(BeNumerically("<", 4<<20))
}

// The histories of thirty servers that each have had five hundred things done to them, as by a backup every day, fit into one visit.
func TestS05LongHistoriesFitTheBudget(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	action := `{"action": "createBackup", "instance_uuid": "` + serverID + `", "request_id": "req-%036d", "user_id": "` + strings.Repeat("u", 32) +
		`", "project_id": "` + strings.Repeat("p", 32) + `", "start_time": "2026-11-23T01:02:03.000000", "updated_at": "2026-11-23T01:02:03.000000", "message": null}`
	actions := make([]string, 500)
	for i := range actions {
		actions[i] = fmt.Sprintf(action, i)
	}
	cloud.on("GET /v2.1/servers/"+serverID+"/os-instance-actions", answer(200, `{"instanceActions": [`+strings.Join(actions, ",")+`]}`))
	client := cloud.client(FactoryOptions{})
	visit := bounds.WithBudget(t.Context(), 24<<20)
	for range 30 {
		found, err := client.ListServerActions(visit, serverID)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).To(HaveLen(len(actions)))
	}
}
