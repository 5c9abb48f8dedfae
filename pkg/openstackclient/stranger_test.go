package openstackclient

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/dialguard"
)

const strangersWords = "the-words-of-a-stranger"

// What is not OpenStack's own form of an error is never quoted, whatever it is.
func TestS12NothingOfAStrangerIsQuoted(t *testing.T) {
	for _, body := range []string{
		strangersWords, "<html><body>" + strangersWords + "</body></html>", `{"secret": "` + strangersWords + `"}`, `"` + strangersWords + `"`,
		`{"message": "` + strangersWords + `"}`, `{"message": "` + strangersWords + `", "code": "599 Else"}`, `{"a": {"message": "` + strangersWords + `"}}`,
		`{"a": {"code": 599, "message": "` + strangersWords + `"}}`, `{"server": {"id": "` + serverID + `", "created": "` + strangersWords + `"}}`,
		`{"server": {"id": "` + serverID + `", "status": {"` + strangersWords + `": 5}}}`, `{"server": {"id": 5` + strangersWords + `}}`,
		"404 Not Found\n\n" + strangersWords + "\n\n",
	} {
		for _, status := range []int{200, 202, 302, 400, 403, 404, 406, 409, 429, 500, 503, 599 - 1} {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			reply := func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/"+strings.ToUpper(strangersWords)+"!; charset=x")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			}
			cloud.on("GET /v2.1/servers/"+serverID, reply)
			cloud.on("POST /v2.1/servers/"+serverID+"/os-interface", reply)
			client := cloud.client(FactoryOptions{ReadAttempts: 1})
			_, get := client.GetServer(t.Context(), ViewFlavorID, serverID)
			for _, err := range []error{get, client.AttachPort(t.Context(), serverID, "p")} {
				g.Expect(err).To(HaveOccurred(), "%d %s", status, body)
				g.Expect(strings.ToLower(err.Error())).NotTo(ContainSubstring(strangersWords), "%d %s", status, body)
				g.Expect(err.Error()).To(ContainSubstring("Nova at " + cloud.URL))
			}
		}
	}
}

// A catalog may lead anywhere: nothing is sent to a denied address, and the error is the same whether or not anything
// listens there.
func TestS12CatalogsThatLeadToDeniedAddresses(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the denied address was asked") }))
	t.Cleanup(inside.Close)
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	for host, class := range map[string]string{
		"169.254.169.254": "link-local", "localhost" + port: "loopback", "localhost:1": "loopback", "[::ffff:127.0.0.1]" + port: "loopback",
		"0.0.0.0" + port: "unspecified", "[::]" + port: "unspecified", port: "unspecified", "[::1]" + port: "loopback",
	} {
		t.Run(host, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			cloud.urls["compute"] = "http://" + host + "/v2.1"
			// The identity endpoint of the test is on this machine as well.
			denied := append(dialguard.DefaultDenied(), netip.MustParsePrefix("::ffff:0:0/96"))
			identity := strings.TrimPrefix(cloud.URL, "http://")
			guard := dialguard.New(denied)
			factory := NewFactory(FactoryOptions{Guard: guard})
			transport, err := factory.transport(&cloudConfig{}, nil)
			g.Expect(err).NotTo(HaveOccurred())
			both := roundTripFunc(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == identity {
					return http.DefaultTransport.RoundTrip(r)
				}
				return transport.RoundTrip(r)
			})
			err = cloud.client(FactoryOptions{Transport: both}).PauseServer(t.Context(), serverID)
			g.Expect(KindOf(err)).To(Equal(KindInvalid))
			g.Expect(IsAmbiguous(err)).To(BeFalse())
			g.Expect(err).To(MatchError(And(HavePrefix("pause server: Nova is not asked: "), HaveSuffix(class+" address, which --deny-cidrs does not allow"))))
		})
	}
}

// The identity endpoint is guarded too, and a redirect leads nowhere.
func TestS12IdentityEndpointAndRedirects(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	_, err := cloud.client(FactoryOptions{Guard: dialguard.New(dialguard.DefaultDenied())}).Scope(t.Context())
	g.Expect(err).To(MatchError("authenticate: Keystone is not asked: 127.0.0.1 leads to a loopback address, which --deny-cidrs does not allow"))
	g.Expect(cloud.log()).To(BeEmpty())

	cloud.on("GET /v2.1/servers/"+serverID, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusTemporaryRedirect)
	})
	_, err = cloud.client(FactoryOptions{}).GetServer(t.Context(), ViewFlavorID, serverID)
	g.Expect(err).To(MatchError(ContainSubstring("redirects elsewhere")))
}

func TestS16UnexpectedSuccess(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	page := func(status int) http.HandlerFunc { return typed("text/html; charset=utf-8", answer(status, "<html>")) }
	client := cloud.client(FactoryOptions{ReadAttempts: 1})
	cloud.on("POST /v2.1/servers/"+serverID+"/action", page(200))
	err := client.PauseServer(t.Context(), serverID)
	g.Expect(err).To(MatchError("pause server: Nova at " + cloud.URL + " answered 200 with text/html instead of the 201 or 202 that is due"))
	g.Expect(IsAmbiguous(err)).To(BeTrue())

	cloud.on("GET /v2.1/servers/"+serverID, page(200))
	cloud.on("POST /v2.1/servers", page(202))
	cloud.on("POST /v2.1/servers/"+serverID+"/os-interface", page(200))
	_, get := client.GetServer(t.Context(), ViewFlavorID, serverID)
	_, create := client.CreateServer(t.Context(), CreateServerOpts{})
	attach := client.AttachPort(t.Context(), serverID, "p")
	g.Expect(get).To(MatchError("get server: malformed answer: Nova at " + cloud.URL + " answered 200 with text/html that can't be used: it is not JSON"))
	g.Expect(attach).To(MatchError(ContainSubstring("answered 200 with text/html that can't be used: it is not JSON")))
	g.Expect(create).To(HaveOccurred())
	g.Expect(IsAmbiguous(attach)).To(BeTrue())
}
