package openstackclient

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
)

const (
	fakePassword = "hunter2-secret"
	serverID     = "11111111-2222-4333-8444-555555555555"
)

// fakeCloud answers like an OpenStack: it issues tokens, and hands everything else to the handlers of a test.
type fakeCloud struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	requests []recorded
	handlers map[string]http.HandlerFunc
	token    int
	// regions are those of the catalog; "RegionOne" if empty.
	regions []string
	// project is the ID of what new tokens lead to.
	project string
	// urls of the services in the catalog, by type, if they are not the usual ones.
	urls map[string]string
}

type recorded struct {
	method, path, query, body string
	header                    http.Header
}

func newFakeCloud(t *testing.T) *fakeCloud {
	t.Helper()
	f := &fakeCloud{t: t, project: "project-1", handlers: map[string]http.HandlerFunc{}, urls: map[string]string{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// on answers a request like "GET /v2.1/servers/ID".
func (f *fakeCloud) on(request string, handler http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers[request] = handler
}

// answer is a handler that always says the same.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Openstack-Request-Id", "req-00000000-0000-4000-8000-000000000001")
		if version := r.Header.Get("X-Openstack-Nova-Api-Version"); version != "" {
			w.Header().Set("X-Openstack-Nova-Api-Version", version)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (f *fakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	name := r.Method + " " + r.URL.EscapedPath()
	f.mu.Lock()
	f.requests = append(f.requests, recorded{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body), r.Header.Clone()})
	handler := f.handlers[name]
	current := fmt.Sprintf("token-%d", f.token)
	f.mu.Unlock()
	switch {
	case handler != nil && strings.Contains(name, "/auth/tokens"):
		handler(w, r)
	case name == "POST /v3/auth/tokens":
		f.issueToken(w)
	case r.Header.Get("X-Auth-Token") != current:
		answer(401, `{"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}`)(w, r)
	case handler != nil:
		handler(w, r)
	default:
		f.t.Errorf("unexpected request %s", name)
		answer(404, `{"message": "The resource could not be found.<br /><br />\n\n\n", "code": "404 Not Found"}`)(w, r)
	}
}

func (f *fakeCloud) issueToken(w http.ResponseWriter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token++
	regions := f.regions
	if len(regions) == 0 {
		regions = []string{"RegionOne"}
	}
	catalog := []map[string]any{}
	for service, url := range map[string]string{
		"compute": f.URL + "/v2.1", "image": f.URL + "/image", "network": f.URL + "/network",
	} {
		if other, ok := f.urls[service]; ok {
			url = other
		}
		endpoints := []map[string]any{}
		for _, region := range regions {
			for _, kind := range []string{"public", "internal"} {
				endpoints = append(endpoints, map[string]any{"interface": kind, "region": region, "region_id": region, "url": url})
			}
		}
		catalog = append(catalog, map[string]any{"type": service, "endpoints": endpoints})
	}
	w.Header().Set("X-Subject-Token", fmt.Sprintf("token-%d", f.token))
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"token": map[string]any{
		"project": map[string]any{"id": f.project, "name": "hive"}, "catalog": catalog,
	}})
}

// expireTokens makes all tokens issued so far invalid.
func (f *fakeCloud) expireTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token++
}

// log returns the requests so far, like "GET /v2.1/servers/ID".
func (f *fakeCloud) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := []string{}
	for _, r := range f.requests {
		names = append(names, r.method+" "+r.path)
	}
	return names
}

// last returns the latest request.
func (f *fakeCloud) last() recorded {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[len(f.requests)-1]
}

func (f *fakeCloud) cloudsYAML() string {
	return fmt.Sprintf(`clouds:
  mycloud:
    auth:
      auth_url: %s/v3
      username: tenant
      password: %s
      project_name: hive
      user_domain_name: Default
      project_domain_name: Default
`, f.URL, fakePassword)
}

func (f *fakeCloud) credentials() Credentials {
	return Credentials{SecretUID: "uid-1", SecretVersion: "1", CloudsYAML: []byte(f.cloudsYAML()), Cloud: "mycloud"}
}

// client returns a client of its own factory.
func (f *fakeCloud) client(options FactoryOptions) Client {
	f.t.Helper()
	client, err := NewFactory(options).ClientFor(f.t.Context(), f.credentials())
	NewWithT(f.t).Expect(err).NotTo(HaveOccurred())
	return client
}

// roundTripFunc is a connection made of a function.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// inProcess serves requests without a network, so that it works where time is virtual.
func inProcess(handler http.Handler) http.RoundTripper {
	return roundTripFunc(func(r *http.Request) (*http.Response, error) {
		if r.Body == nil {
			r.Body = http.NoBody
		}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		response := recorder.Result()
		response.Request = r
		return response, nil
	})
}

func asError(err error) *Error {
	failure, _ := err.(*Error) //nolint:errorlint // the methods of Client return *Error itself.
	return failure
}
