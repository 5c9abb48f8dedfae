//go:build e2e

package openstack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	gopheropenstack "github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	. "github.com/onsi/gomega"
)

// recorder stands between the manager and the cloud's services, one listener in front of each, and writes down every
// request. The catalog that the manager gets leads to it.
type recorder struct {
	// authURL is that of Keystone through the recorder.
	authURL string
	// listeners are scheme and host of all its listeners.
	listeners []string

	replace *strings.Replacer

	mu       sync.Mutex
	requests []request
	traps    []*trap
	// mayDelete tells whether a request to delete a server is passed on; nil: all are.
	mayDelete func(ctx context.Context, serverID string) bool
}

// request is one request of the manager's and how it was answered.
type request struct {
	Start  time.Time
	Kind   string
	Method string
	URL    string
	Agent  string
	Status int
}

// trap waits for the nth request of those that it is for.
type trap struct {
	is  func(request) bool
	nth int
	// before: it springs when the manager asks, not when the cloud has answered.
	before bool
	// lose: that request, or its answer, comes to nothing.
	lose   bool
	spring func()
	sprung chan struct{}
}

// errLost stands for the connection of a manager that is no more.
var errLost = errors.New("the answer is lost")

// authentication is the kind of a request for a token.
const authentication = "POST v3/auth/tokens"

func startRecorder(t *testing.T, c *cloud) *recorder {
	g := NewWithT(t)
	r := &recorder{}
	var pairs []string
	for _, origin := range c.origins(t.Context(), g) {
		target, err := url.Parse(origin)
		g.Expect(err).NotTo(HaveOccurred())
		proxy := &httputil.ReverseProxy{
			Transport: recording{r},
			// The host stays the recorder's, so that the links in the answers lead to it.
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(target)
				p.Out.Host = p.In.Host
			},
			ModifyResponse: r.rewrite,
			// What fails here shows in the manager.
			ErrorLog:     log.New(io.Discard, "", 0),
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		}
		listener := httptest.NewServer(proxy)
		t.Cleanup(listener.Close)
		pairs = append(pairs, origin, listener.URL)
		r.listeners = append(r.listeners, listener.URL)
	}
	r.replace = strings.NewReplacer(pairs...)
	r.authURL = r.replace.Replace(c.authURL)
	return r
}

// origins returns scheme and host of Keystone and of every public endpoint in the catalog.
func (c *cloud) origins(ctx context.Context, g Gomega) []string {
	identity, err := gopheropenstack.NewIdentityV3(c.compute.ProviderClient, gophercloud.EndpointOpts{})
	g.Expect(err).NotTo(HaveOccurred())
	catalog, err := tokens.Get(ctx, identity, c.compute.TokenID).ExtractServiceCatalog()
	g.Expect(err).NotTo(HaveOccurred())
	found := map[string]bool{origin(g, c.authURL): true}
	for _, service := range catalog.Entries {
		for _, endpoint := range service.Endpoints {
			found[origin(g, endpoint.URL)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func origin(g Gomega, address string) string {
	u, err := url.Parse(address)
	g.Expect(err).NotTo(HaveOccurred())
	return u.Scheme + "://" + u.Host
}

// rewrite lets the catalog in Keystone's answer lead to the recorder.
func (r *recorder) rewrite(response *http.Response) error {
	if !strings.HasPrefix(response.Request.URL.Path, "/v3/auth/tokens") {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	changed := r.replace.Replace(string(body))
	response.Body = io.NopCloser(strings.NewReader(changed))
	response.ContentLength = int64(len(changed))
	response.Header.Set("Content-Length", strconv.Itoa(len(changed)))
	return nil
}

// recording is the transport between the recorder and the cloud.
type recording struct{ *recorder }

// RoundTrip passes the request on and writes it down.
func (r recording) RoundTrip(in *http.Request) (*http.Response, error) {
	kind, err := kindOf(in)
	if err != nil {
		return nil, err
	}
	entry := request{Start: time.Now(), Kind: kind, Method: in.Method, URL: in.URL.RequestURI(), Agent: in.UserAgent()}
	if deletes(kind) && r.mayDelete != nil && !r.mayDelete(in.Context(), uuids.FindString(in.URL.Path)) {
		return nil, errLost
	}
	if r.springs(entry, true) {
		return nil, errLost
	}
	response, err := http.DefaultTransport.RoundTrip(in)
	if err == nil {
		entry.Status = response.StatusCode
	}
	r.add(entry)
	if r.springs(entry, false) {
		if err == nil {
			response.Body.Close()
		}
		return nil, errLost
	}
	return response, err
}

func deletes(kind string) bool {
	return kind == "DELETE servers/*" || kind == "POST servers/*/action forceDelete"
}

func (r *recorder) add(entry request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, entry)
}

// springs counts a request, springs the traps that were set for it, and tells whether it is lost.
func (r *recorder) springs(entry request, before bool) bool {
	r.mu.Lock()
	var due []*trap
	r.traps = slices.DeleteFunc(r.traps, func(t *trap) bool {
		if t.before != before || !t.is(entry) {
			return false
		}
		if t.nth--; t.nth > 0 {
			return false
		}
		due = append(due, t)
		return true
	})
	r.mu.Unlock()
	lost := false
	for _, t := range due {
		t.spring()
		close(t.sprung)
		lost = lost || t.lose
	}
	return lost
}

// set sets a trap and returns a channel that is closed when it has sprung.
func (r *recorder) set(t *trap) <-chan struct{} {
	t.sprung = make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.traps = append(r.traps, t)
	return t.sprung
}

// disarm takes all traps away that have not sprung.
func (r *recorder) disarm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.traps = nil
}

// between returns the requests that began in a span of time; a zero end is now.
func (r *recorder) between(begin, end time.Time) requests {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found requests
	for _, entry := range r.requests {
		if !entry.Start.Before(begin) && (end.IsZero() || entry.Start.Before(end)) {
			found = append(found, entry)
		}
	}
	return found
}

type requests []request

// authentications returns how many ask for a token.
func (rs requests) authentications() int {
	n := 0
	for _, r := range rs {
		if r.Kind == authentication {
			n++
		}
	}
	return n
}

// writes returns those that change something; asking for a token does not.
func (rs requests) writes() requests {
	return slices.DeleteFunc(slices.Clone(rs), func(r request) bool {
		return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Kind == authentication
	})
}

// table lists the kinds, the most frequent first.
func (rs requests) table() string {
	counts := map[string]int{}
	for _, r := range rs {
		counts[fmt.Sprintf("%-46s %d", r.Kind, r.Status)]++
	}
	lines := make([]string, 0, len(counts))
	for kind, n := range counts {
		lines = append(lines, fmt.Sprintf("%4d  %s", n, kind))
	}
	slices.Sort(lines)
	slices.Reverse(lines)
	return strings.Join(lines, "\n")
}

var (
	uuids  = regexp.MustCompile(`[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}`)
	tags   = regexp.MustCompile(`/tags/[^/]+$`)
	prefix = regexp.MustCompile(`^/(v2\.1/|v2\.0/|v2/)?`)
)

// kindOf names what a request asks for: the method, the path without IDs, and the action in the body.
func kindOf(in *http.Request) (string, error) {
	path := tags.ReplaceAllString(uuids.ReplaceAllString(in.URL.Path, "*"), "/tags/*")
	kind := in.Method + " " + prefix.ReplaceAllString(path, "")
	if !strings.HasSuffix(path, "/action") || in.Body == nil {
		return kind, nil
	}
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return "", err
	}
	in.Body = io.NopCloser(bytes.NewReader(body))
	var action map[string]json.RawMessage
	if err := json.Unmarshal(body, &action); err != nil {
		return "", err
	}
	for name := range action {
		kind += " " + name
	}
	return kind, nil
}
