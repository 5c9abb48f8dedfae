package openstackclient

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	testingclock "k8s.io/utils/clock/testing"
)

const serverBody = `{"server": {"id": "` + serverID + `", "name": "demo", "status": "ACTIVE", "created": "2026-11-23T01:02:03Z", "updated": "2026-11-23T01:02:03Z"}}`

func TestOneTokenAndNoDiscovery(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/servers/"+serverID, answer(200, serverBody))
	cloud.on("GET /image/v2/images", answer(200, `{"images": []}`))
	cloud.on("GET /network/v2.0/ports", answer(200, `{"ports": []}`))
	client := cloud.client(FactoryOptions{Version: "1.2.3"})

	server, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(server.ID).To(Equal(serverID))
	g.Expect(cloud.log()).To(Equal([]string{"POST /v3/auth/tokens", "GET /v2.1/servers/" + serverID}))

	_, err = client.ListImages(t.Context(), ListImagesOpts{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = client.ListPorts(t.Context(), ListPortsOpts{})
	g.Expect(err).NotTo(HaveOccurred())
	scope, err := client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(scope).To(Equal(Scope{AuthURL: cloud.URL, ProjectID: "project-1", Region: "RegionOne"}))
	g.Expect(cloud.log()).To(HaveLen(4), "nothing but the image and the port list was asked for")
	for _, request := range cloud.requests {
		g.Expect(request.header.Get("User-Agent")).To(Equal("overwinter/1.2.3"))
	}
	var token map[string]any
	g.Expect(json.Unmarshal([]byte(cloud.requests[0].body), &token)).To(Succeed())
	g.Expect(token).To(HaveKeyWithValue("auth", HaveKeyWithValue("scope", HaveKeyWithValue("project", HaveKeyWithValue("name", "hive")))))
}

func TestManyCallersAuthenticateOnce(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/servers/"+serverID, answer(200, serverBody))
	client := cloud.client(FactoryOptions{})
	errs := make(chan error, 20)
	ask := func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
				errs <- err
			})
		}
		all.Wait()
		for range 20 {
			g.Expect(<-errs).NotTo(HaveOccurred())
		}
	}
	tokens := func() int { return strings.Count(strings.Join(cloud.log(), "\n"), "auth/tokens") }
	ask()
	g.Expect(tokens()).To(Equal(1))
	cloud.expireTokens()
	ask()
	g.Expect(tokens()).To(Equal(2), "the token is renewed once, for all")
}

// Nothing goes on behind the back of a caller that gives up, and the next one, who waited meanwhile, gets a token.
func TestCallerThatGivesUpDoesNotSpoilTheTokenForOthers(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	asked, ended := make(chan struct{}), make(chan struct{})
	cloud.on("POST /v3/auth/tokens", func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the connection is closed
		<-r.Context().Done()
		close(ended)
	})
	client := cloud.client(FactoryOptions{})
	first, cancel := context.WithCancel(t.Context())
	scope := func(ctx context.Context) chan error {
		result := make(chan error, 1)
		go func() { _, err := client.Scope(ctx); result <- err }()
		return result
	}
	failed := scope(first)
	<-asked
	waiting := scope(t.Context())
	cloud.on("POST /v3/auth/tokens", func(w http.ResponseWriter, _ *http.Request) { cloud.issueToken(w) })
	cancel()
	g.Expect(<-failed).To(MatchError(context.Canceled))
	<-ended
	g.Expect(<-waiting).NotTo(HaveOccurred())
	g.Expect(<-scope(t.Context())).NotTo(HaveOccurred())
	g.Expect(cloud.log()).To(HaveLen(2))
}

// Who waits for another's token waits no longer than he may.
func TestWaitingForAToken(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	asked, release := make(chan struct{}), make(chan struct{})
	cloud.on("POST /v3/auth/tokens", func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		cloud.issueToken(w)
	})
	client := cloud.client(FactoryOptions{})
	got := make(chan error, 1)
	go func() { _, err := client.Scope(t.Context()); got <- err }()
	<-asked
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Scope(impatient)
	g.Expect(err).To(MatchError(context.Canceled))
	close(release)
	g.Expect(<-got).NotTo(HaveOccurred())
	g.Expect(cloud.log()).To(HaveLen(1))
}

func TestRefusedCredentials(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("POST /v3/auth/tokens", answer(401, `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`))
	clock := testingclock.NewFakePassiveClock(time.Now())
	client := cloud.client(FactoryOptions{Clock: clock})
	want := `authenticate: Keystone at ` + cloud.URL + ` refuses the credentials of cloud "mycloud" in key "clouds.yaml" of the credentials Secret: The request you have made requires authentication. (HTTP 401)`
	for range 3 {
		err := client.PauseServer(t.Context(), serverID)
		g.Expect(err).To(MatchError(want))
		g.Expect(KindOf(err)).To(Equal(KindUnauthorized))
		g.Expect(IsAmbiguous(err)).To(BeFalse())
	}
	g.Expect(cloud.log()).To(HaveLen(1), "refused credentials are not shown again at once")
	clock.SetTime(clock.Now().Add(2 * time.Minute))
	_, err := client.Scope(t.Context())
	g.Expect(err).To(MatchError(want))
	g.Expect(cloud.log()).To(HaveLen(2))
}

func TestRenewalRefused(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	_, err := client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	cloud.expireTokens()
	cloud.on("POST /v3/auth/tokens", answer(401, `{"error":{"code":401,"message":"The account is locked for user: f6a7.","title":"Unauthorized"}}`))
	err = client.DeleteServer(t.Context(), serverID)
	g.Expect(KindOf(err)).To(Equal(KindUnauthorized))
	g.Expect(err).To(MatchError(ContainSubstring("The account is locked")))
	g.Expect(IsAmbiguous(err)).To(BeFalse(), "a request answered with 401 has changed nothing")
}

func TestRenewalHitsDeadKeystone(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	_, err := client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	cloud.expireTokens()
	cloud.on("POST /v3/auth/tokens", answer(503, `<html><body><h1>503 Service Unavailable</h1>
No server is available to handle this request.
</body></html>`))
	err = client.DeleteServer(t.Context(), serverID)
	g.Expect(err).To(MatchError("authenticate: Keystone at " + cloud.URL + " answered Service Unavailable with application/json, which is no error of OpenStack's (HTTP 503)"))
	g.Expect(KindOf(err)).To(Equal(KindTransient))
	g.Expect(IsAmbiguous(err)).To(BeFalse())
}

func TestRegions(t *testing.T) {
	for name, test := range map[string]struct {
		regions   []string
		configure string
		want, err string
	}{
		"the only one":  {[]string{"one"}, "", "one", ""},
		"the named one": {[]string{"one", "two"}, "two", "two", ""},
		"several":       {[]string{"two", "one"}, "", "", "it has several regions; set region_name to one of: one, two"},
		"an unknown one": {[]string{"two", "one"}, "three", "",
			`it has no region "three"; set region_name to one of: one, two`},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			cloud.regions = test.regions
			credentials := cloud.credentials()
			if test.configure != "" {
				credentials.CloudsYAML = append(credentials.CloudsYAML, "    region_name: "+test.configure+"\n"...)
			}
			client, err := NewFactory(FactoryOptions{}).ClientFor(t.Context(), credentials)
			g.Expect(err).NotTo(HaveOccurred())
			scope, err := client.Scope(t.Context())
			if test.err != "" {
				g.Expect(err).To(MatchError(ContainSubstring(test.err)))
				g.Expect(KindOf(err)).To(Equal(KindInvalid))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(scope.Region).To(Equal(test.want))
		})
	}
}

func TestCatalogWithoutService(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	credentials := cloud.credentials()
	credentials.CloudsYAML = append(credentials.CloudsYAML, "    interface: admin\n"...)
	client, err := NewFactory(FactoryOptions{}).ClientFor(t.Context(), credentials)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = client.Scope(t.Context())
	g.Expect(err).To(MatchError(ContainSubstring(`it has no compute endpoint for the interface "admin"`)))
}

func TestVersioned(t *testing.T) {
	g := NewWithT(t)
	for _, test := range [][3]string{
		{"http://nova:8774/v2.1", "v2.1", "http://nova:8774/v2.1/"},
		{"http://nova:8774/v2.1/", "v2.1", "http://nova:8774/v2.1/"},
		{"http://nova:8774/v2.1/abc", "v2.1", "http://nova:8774/v2.1/abc/"},
		{"http://nova:8774/v2/abc", "v2.1", "http://nova:8774/v2.1/abc/"},
		{"https://cloud/compute", "v2.1", "https://cloud/compute/v2.1/"},
		{"http://glance:9292", "v2", "http://glance:9292/v2/"},
		{"http://glance:9292/v2/", "v2", "http://glance:9292/v2/"},
		{"https://cloud/dev2/network", "v2.0", "https://cloud/dev2/network/v2.0/"},
		{"http://neutron:9696/v2.0", "v2.0", "http://neutron:9696/v2.0/"},
	} {
		url, err := versioned(test[0], test[1])
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(url).To(Equal(test[2]))
	}
	for _, bad := range []string{"", "nova:8774", "ftp://nova", "%zz"} {
		_, err := versioned(bad, "v2")
		g.Expect(err).To(HaveOccurred())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	g := NewWithT(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host got %s with token %q", r.Method, r.Header.Get("X-Auth-Token"))
	}))
	t.Cleanup(elsewhere.Close)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/servers/"+serverID, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
	})
	client := cloud.client(FactoryOptions{})
	_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
	g.Expect(err).To(MatchError(ContainSubstring("redirects elsewhere")))
	g.Expect(KindOf(err)).To(Equal(KindInvalid))
}

func TestNoKeystoneAtAuthURL(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("POST /v3/auth/tokens", answer(404, "404 page not found\n"))
	_, err := cloud.client(FactoryOptions{}).Scope(t.Context())
	g.Expect(err).To(MatchError(ContainSubstring("there is no Identity API v3 at " + cloud.URL + "; correct auth_url")))
	g.Expect(KindOf(err)).To(Equal(KindInvalid))
}

func TestMalformedToken(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON": `<html>`, "nothing": `{}`, "another type": `{"token": {"catalog": 5, "project": {"id": "p"}}}`, "a list": `[]`,
		"project of another type": `{"token": {"catalog": [], "project": []}}`,
	} {
		for _, withHeader := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				g := NewWithT(t)
				cloud := newFakeCloud(t)
				cloud.on("POST /v3/auth/tokens", func(w http.ResponseWriter, r *http.Request) {
					if withHeader {
						w.Header().Set("X-Subject-Token", "t")
					}
					answer(201, body)(w, r)
				})
				_, err := cloud.client(FactoryOptions{}).Scope(t.Context())
				g.Expect(asError(err)).NotTo(BeNil())
				g.Expect(asError(err).Op).To(Equal("authenticate"))
			})
		}
	}
}

func TestUnreachableKeystone(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	cloud.Close()
	err := client.DeleteServer(t.Context(), serverID)
	g.Expect(err).To(MatchError("authenticate: " + cloud.URL + " refuses the connection"))
	g.Expect(KindOf(err)).To(Equal(KindTransient))
	g.Expect(IsAmbiguous(err)).To(BeFalse())
	var own *Error
	g.Expect(errors.As(err, &own)).To(BeTrue())
}

// A project may be renamed and another one take its name, and then a renewed token leads there: what it answers must not be
// taken for the answers of the first.
func TestRenewedTokenForAnotherProject(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/servers/"+serverID, answer(404, `{"itemNotFound": {"code": 404, "message": "Instance could not be found."}}`))
	client := cloud.client(FactoryOptions{})
	_, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
	g.Expect(KindOf(err)).To(Equal(KindNotFound))

	cloud.expireTokens()
	cloud.mu.Lock()
	cloud.project = "project-2"
	cloud.mu.Unlock()
	_, err = client.GetServer(t.Context(), ViewFlavorID, serverID)
	g.Expect(err).To(HaveOccurred())
	g.Expect(KindOf(err)).NotTo(Equal(KindNotFound), "the server was looked for in the other project")
	scope, err := client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(scope.ProjectID).To(Equal("project-2"), "who asks is told")
}
