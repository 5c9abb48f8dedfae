package openstackclient

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"
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
	g.Expect(factory.clients.entries).To(HaveLen(size))
	g.Expect(factory.clients.order.Len()).To(Equal(size))
	g.Expect(factory.gates.entries).To(HaveLen(size))
	g.Expect(runtime.NumGoroutine()).To(BeNumerically("<=", before+5))
}
