package openstackclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// proxied begins the names of answers that do not come from OpenStack itself.
const proxied = "a proxy"

// The bodies are those of Nova 26, Neutron 21, Glance 25 and Keystone 22, unless they say otherwise.
var answers = map[string]struct {
	status    int
	body      string
	kind      Kind
	message   string
	ambiguous bool
}{
	"nova: no server": {404, `{"itemNotFound": {"code": 404, "message": "Instance 1111 could not be found."}}`,
		KindNotFound, "Instance 1111 could not be found.", false},
	"nova: no such route": {404, `{"message": "The resource could not be found.<br /><br />\n\n\n", "code": "404 Not Found", "title": "Not Found"}`,
		KindTransient, "does not know this API (The resource could not be found.)", false},
	"neutron: no port": {404, `{"NeutronError": {"type": "PortNotFound", "message": "Port 1111 could not be found.", "detail": ""}}`,
		KindNotFound, "Port 1111 could not be found.", false},
	"neutron: no such route": {404, `{"NeutronError": {"type": "HTTPNotFound", "message": "The resource could not be found.", "detail": ""}}`,
		KindTransient, "does not know this API", false},
	"glance: no image": {404, `{"message": "No image found with ID 1111<br /><br />\n\n\n", "code": "404 Not Found", "title": "Not Found"}`,
		KindNotFound, "No image found with ID 1111", false},
	"a proxy without its back end": {404, "default backend - 404", KindTransient, "Nova at http://127.0.0.1", false},
	"a proxy, in HTML":             {404, "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", KindTransient, "does not know this API (text/html)", false},
	"an old glance: no image":      {404, "404 Not Found\n\nThe resource could not be found.\n\nNo image found with ID 1111\n\n   ", KindNotFound, "answered Not Found with text/plain, which is no error of OpenStack's", false},
	"an old glance: no such route": {404, "404 Not Found\n\nThe resource could not be found.\n\n   ", KindTransient, "does not know this API", false},
	"a proxy without words":        {404, "", KindTransient, "does not know this API", false},
	"nova: state": {409, `{"conflictingRequest": {"code": 409, "message": "Cannot 'pause' instance 1111 while it is in vm_state stopped"}}`,
		KindConflict, "Cannot 'pause' instance 1111 while it is in vm_state stopped", false},
	"neutron: MAC": {409, `{"NeutronError": {"type": "MacAddressInUse", "message": "Unable to complete operation for network cea1. The mac address fa:16:3e:00:00:01 is in use.", "detail": ""}}`,
		KindConflict, "Unable to complete operation for network cea1. The mac address fa:16:3e:00:00:01 is in use.", false},
	"neutron: quota": {409, `{"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: ['port'].", "detail": ""}}`,
		KindQuota, "Quota exceeded for resources: ['port'].", false},
	"nova: quota": {403, `{"forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances"}}`,
		KindQuota, "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances", false},
	"nova: unified limits (its source)": {403, `{"forbidden": {"code": 403, "message": "Project 1 is over a limit for [Resource servers is over limit of 10 due to current usage 10 and delta 1]"}}`,
		KindQuota, "is over a limit", false},
	"nova: over limit (its API reference)": {413, `{"overLimit": {"code": 413, "message": "This request was rate-limited.", "retryAfter": "5"}}`,
		KindQuota, "This request was rate-limited.", false},
	"glance: quota (its source)": {413, `{"message": "Project 1 is over a limit for [Resource image_count_total is over limit of 1]<br /><br />\n\n\n", "code": "413 Request Entity Too Large"}`,
		KindQuota, "image_count_total is over limit of 1", false},
	"nova: policy on quotas": {403, `{"forbidden": {"code": 403, "message": "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed."}}`,
		KindForbidden, "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.", false},
	"glance: protected": {403, `{"message": "Image 50c7 is protected and cannot be deleted.<br /><br />\n\n\n", "code": "403 Forbidden", "title": "Forbidden"}`,
		KindForbidden, "Image 50c7 is protected and cannot be deleted.", false},
	"nova: bad request": {400, `{"badRequest": {"code": 400, "message": "Flavor nope could not be found."}}`, KindInvalid, "Flavor nope could not be found.", false},
	"nova: microversion": {406, `{"computeFault": {"code": 406, "message": "Version 2.99 is not supported by the API. Minimum is 2.1 and maximum is 2.99."}}`,
		KindInvalid, "maximum is 2.99", false},
	"nova: fault": {500, `{"computeFault": {"code": 500, "message": "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if possible.\n<class 'oslo_db.exception.DBConnectionError'>"}}`,
		KindTransient, "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if possible. <class 'oslo_db.exception.DBConnectionError'>", true},
	"a proxy whose back ends are down": {503, "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n",
		KindTransient, "answered Service Unavailable with text/html, which is no error of OpenStack's", true},
	"a gateway without words": {504, "", KindTransient, "answered Gateway Timeout without a body", true},
	"binary":                  {502, "\xff\xfe\x00", KindTransient, "answered Bad Gateway with application/octet-stream, which is no error of OpenStack's", true},
	"too many requests":       {429, `{"message": "Slow down.", "code": "429 Too Many Requests"}`, KindThrottled, "Slow down.", false},
	"an unexpected success":   {200, `{}`, KindTransient, "answered 200 with application/json instead of the 202 or 204 that is due", true},
	"request IDs are left out": {500, `{"computeFault": {"code": 500, "message": "Timed out (HTTP 500) (Request-ID: req-2f8003a2-7958-42e1-9388-dab1a909e45b) waiting for req-2f8003a2-7958-42e1-9388-dab1a909e45b."}}`,
		KindTransient, "Timed out (HTTP 500) waiting for.", true},
	"secrets are left out": {400, `{"error": {"code": 400, "message": "'hunter2-secret' is not an object"}}`, KindInvalid, "'***' is not an object", false},
}

// contentTypes are those of the answers that are no JSON, where nothing finds them out by itself.
var contentTypes = map[string]string{
	"an old glance: no image": "text/plain", "an old glance: no such route": "text/plain", "a proxy, in HTML": "text/html", "a gateway without words": "text/html",
	"binary": "application/octet-stream", "a proxy whose back ends are down": "text/html",
}

// typed has a handler answer with a content type of its own.
func typed(contentType string, handler http.HandlerFunc) http.HandlerFunc {
	if contentType == "" {
		return handler
	}
	return func(w http.ResponseWriter, r *http.Request) { handler(retyped{w, contentType}, r) }
}

type retyped struct {
	http.ResponseWriter
	contentType string
}

func (r retyped) WriteHeader(status int) {
	r.Header().Set("Content-Type", r.contentType)
	r.ResponseWriter.WriteHeader(status)
}

func TestAnswersAreClassified(t *testing.T) {
	for name, test := range answers {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			fromProxy := strings.HasPrefix(name, proxied)
			reply := func(status int) http.HandlerFunc {
				if !fromProxy {
					return typed(contentTypes[name], answer(status, test.body))
				}
				return func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(status)
					_, _ = io.WriteString(w, test.body)
				}
			}
			cloud.on("DELETE /v2.1/servers/"+serverID, reply(test.status))
			err := cloud.client(FactoryOptions{}).DeleteServer(t.Context(), serverID)
			failure := asError(err)
			g.Expect(failure).NotTo(BeNil())
			g.Expect(failure.Kind).To(Equal(test.kind))
			g.Expect(failure.Message).To(ContainSubstring(test.message))
			g.Expect(failure.Op).To(Equal("delete server"))
			g.Expect(failure.Status).To(Equal(test.status))
			g.Expect(failure.Ambiguous).To(Equal(test.ambiguous))
			if !fromProxy {
				g.Expect(failure.RequestID).To(Equal("req-00000000-0000-4000-8000-000000000001"))
			}
			g.Expect(err.Error()).NotTo(ContainSubstring("req-"))
			g.Expect(failure.Cause.Error()).NotTo(ContainSubstring(fakePassword))
			// A read that failed has changed nothing.
			cloud.on("GET /v2.1/servers/"+serverID, reply(max(test.status, 400)))
			_, err = cloud.client(FactoryOptions{}).GetServer(t.Context(), ViewFlavorID, serverID)
			g.Expect(IsAmbiguous(err)).To(BeFalse())
		})
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	g := NewWithT(t)
	message := readWords(400, []byte(`{"badRequest": {"code": 400, "message": "`+strings.Repeat("ä ", 400)+`"}}`), strings.Clone).message
	g.Expect(len(message)).To(BeNumerically("<=", maxMessage+len("…")))
	g.Expect(message).To(HaveSuffix("…"))
	g.Expect(message).NotTo(ContainSubstring("\uFFFD"))
}

func TestLostAnswers(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer 127.0.0.1:54321")}
	for name, test := range map[string]struct {
		err       error
		message   string
		ambiguous bool
	}{
		"reset":      {reset, "the connection to %s failed", true},
		"end":        {io.EOF, "the connection to %s failed", true},
		"no route":   {&net.OpError{Op: "dial", Err: errors.New("no route to host")}, "the connection to %s failed", false},
		"no name":    {&net.OpError{Op: "dial", Err: &net.DNSError{Name: "keystone", IsNotFound: true}}, "%s: the host name can't be resolved", false},
		"handshake":  {&net.OpError{Op: "dial", Err: &timeoutError{}}, "%s did not answer in time", false},
		"no headers": {&timeoutError{}, "%s did not answer in time", true},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			transport := roundTripFunc(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/auth/tokens") {
					return http.DefaultTransport.RoundTrip(r)
				}
				return nil, test.err
			})
			client := cloud.client(FactoryOptions{Transport: transport})
			err := client.PauseServer(t.Context(), serverID)
			g.Expect(err).To(MatchError("pause server: " + strings.ReplaceAll(test.message, "%s", cloud.URL)))
			g.Expect(KindOf(err)).To(Equal(KindTransient))
			g.Expect(IsAmbiguous(err)).To(Equal(test.ambiguous))
			g.Expect(errors.Is(err, test.err)).To(BeTrue())
			_, err = client.GetServer(t.Context(), ViewFlavorID, serverID)
			g.Expect(IsAmbiguous(err)).To(BeFalse())
		})
	}
}

type timeoutError struct{}

func (*timeoutError) Error() string   { return "i/o timeout" }
func (*timeoutError) Timeout() bool   { return true }
func (*timeoutError) Temporary() bool { return true }

func TestRequestsHaveADeadline(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	cloud.on("POST /v2.1/servers/"+serverID+"/action", func(http.ResponseWriter, *http.Request) { <-hang })
	client := cloud.client(FactoryOptions{RequestTimeout: 200 * time.Millisecond})
	err := client.PauseServer(t.Context(), serverID)
	g.Expect(err).To(MatchError("pause server: " + cloud.URL + " did not answer in time"))
	g.Expect(errors.Is(err, context.DeadlineExceeded)).To(BeTrue())
	g.Expect(IsAmbiguous(err)).To(BeTrue())
}

func TestCancellationIsRecognisable(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	cloud.on("POST /v2.1/servers/"+serverID+"/action", func(http.ResponseWriter, *http.Request) { cancel(); <-hang })
	err := cloud.client(FactoryOptions{}).PauseServer(ctx, serverID)
	g.Expect(errors.Is(err, context.Canceled)).To(BeTrue())
	g.Expect(err).To(MatchError("pause server: cancelled"))
	g.Expect(IsAmbiguous(err)).To(BeTrue(), "it may have been paused")
}
