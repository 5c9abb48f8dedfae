package openstackclient

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sirupsen/logrus"
	clocktesting "k8s.io/utils/clock/testing"
)

const (
	// mark is a part of every secret that the fuzz targets give to the client, and of nothing else that they write.
	mark = "hunter2"
	// fuzzToken is what the fuzzed clouds issue.
	fuzzToken = "gAAAAA-" + mark + "-token"
	// rounds is how many requests a fuzzed cloud answers before a list is taken for one that never ends.
	rounds = 64
)

// fuzzCloud answers a client's requests with what a fuzz target makes up.
type fuzzCloud struct {
	t *testing.T
	// token answers the request for a token; a good one if nil.
	token func(*http.Request) *http.Response
	// answer answers all else.
	answer func(*http.Request) *http.Response
	// sent are the requests but those for tokens.
	sent []*http.Request
	log  bytes.Buffer
}

// RoundTrip implements http.RoundTripper.
func (f *fuzzCloud) RoundTrip(request *http.Request) (*http.Response, error) {
	var response *http.Response
	switch {
	case strings.HasSuffix(request.URL.Path, "/auth/tokens") && f.token != nil:
		response = f.token(request)
	case strings.HasSuffix(request.URL.Path, "/auth/tokens"):
		response = reply(201, "X-Subject-Token: "+fuzzToken, []byte(goodToken))
	default:
		f.sent = append(f.sent, request)
		if len(f.sent) > rounds {
			f.t.Fatalf("%d requests, and no end: %s", len(f.sent), request.URL)
		}
		response = f.answer(request)
	}
	response.Request = request
	return response, nil
}

const goodToken = `{"token": {"project": {"id": "project-1", "name": "hive"}, "catalog": [
	{"type": "compute", "endpoints": [{"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": "http://nova/v2.1"}]},
	{"type": "image", "endpoints": [{"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": "http://glance"}]},
	{"type": "network", "endpoints": [{"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": "http://neutron"}]}]}}`

// reply is an answer. headers are "Name: value", one a line; what is no header is left out.
func reply(status int, headers string, body []byte) *http.Response {
	header := http.Header{}
	for line := range strings.Lines(headers) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// client returns a client of the cloud that logs in with a password.
func (f *fuzzCloud) client(password string) *openstackClient {
	f.t.Helper()
	logger := logrus.New()
	logger.SetOutput(&f.log)
	logger.SetLevel(logrus.TraceLevel)
	factory := NewFactory(FactoryOptions{
		Transport: f, Logger: logger, BreakerFailures: 1 << 30, ReadAttempts: 1, Clock: clocktesting.NewFakeClock(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)),
	})
	client, err := factory.newClient(Credentials{Cloud: "c", CloudsYAML: []byte(`clouds: {c: {auth: {` +
		`auth_url: "http://keystone/v3", user_id: u, project_id: p, password: ` + quoteYAML(password) + `}}}`)})
	if err != nil {
		f.t.Fatalf("the client can't be made: %v", err)
	}
	return client
}

// quoteYAML writes a text so that YAML reads it as it is.
func quoteYAML(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// within fails if doing something allocates much more than what it is given.
func within(t *testing.T, input int, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	if used, bound := after.TotalAlloc-before.TotalAlloc, uint64(64<<20+4096*input); used > bound {
		t.Fatalf("%d bytes were allocated for an input of %d", used, input)
	}
}

// statusOf makes an HTTP status of any number.
func statusOf(n uint16) int {
	if n >= 100 && n < 1000 {
		return int(n)
	}
	return 100 + int(n)%900
}

// checkLog fails if the debug log shows a secret.
func (f *fuzzCloud) checkLog(secret string) {
	f.t.Helper()
	if strings.Contains(f.log.String(), secret) {
		f.t.Fatalf("a secret in the log: %s", f.log.String())
	}
}

// checkFailure fails unless an error of the client is one that can stand in a condition.
func checkFailure(t *testing.T, err error, secrets ...string) {
	t.Helper()
	failure := asError(err)
	if failure == nil {
		t.Fatalf("not an *Error: %T %v", err, err)
	}
	if failure.Op == "" || failure.Message == "" || KindOf(err) == "" {
		t.Fatalf("it says too little: %#v", failure)
	}
	if failure.RetryAfter < 0 || failure.RetryAfter > maxRetryAfter {
		t.Fatalf("to be tried again after %s", failure.RetryAfter)
	}
	text := err.Error()
	if why := unfitWords(text); why != "" {
		t.Fatalf("%s: %q", why, text)
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) || strings.Contains(text, shorten(secret)) {
			t.Fatalf("it holds the secret %q: %q", secret, text)
		}
	}
}

// unfitWords says why a text is none that a person reads in a condition, empty if it is.
func unfitWords(text string) string {
	switch {
	case len(text) > 2000:
		return "too long"
	case !utf8.ValidString(text):
		return "no UTF-8"
	case strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	}):
		return "not plain words on one line"
	}
	return ""
}
