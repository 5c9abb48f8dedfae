package remoteclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

const (
	// maxHeader is how many bytes of headers are read of an answer.
	maxHeader = 64 << 10
	// maxFailure is how many bytes are read of an answer that says why a request failed: it may end up in the log.
	maxFailure = 16 << 10
	// maxDepth is how deeply the values of an answer may be nested; the objects of clusters have some ten levels.
	maxDepth = 64
)

// answerBounds are what an answer may hold at most. Clusters are others' machines, and one that sends without end must not fill the
// memory of all. Bytes alone are no bound: three of them, an empty object, may become a kilobyte here.
type answerBounds struct {
	// bytes are counted unpacked.
	bytes int64
	// values are the objects, lists, and members of both.
	values int
	// items are the members of the lists right in the answer.
	items int
}

// listBounds are those of one page of a list, objectBounds those of any other answer. A Node of OpenShift has some 30 KB and
// 700 values.
func listBounds() answerBounds   { return answerBounds{bytes: 1 << 20, values: 20_000, items: 500} }
func objectBounds() answerBounds { return answerBounds{bytes: 512 << 10, values: 10_000, items: 500} }

// TooLarge says that a cluster's API sends more than is read of it.
type TooLarge struct{ what string }

// Error says what is too large.
func (e *TooLarge) Error() string { return "the cluster's API sends too much: " + e.what }

func tooLarge(format string, args ...any) error { return &TooLarge{what: fmt.Sprintf(format, args...)} }

var errNotJSON = errors.New("the cluster's API does not answer in JSON")

// answers bounds what is read of each answer, and sees to it that JSON is read and nothing else: an answer in another encoding,
// which a client would understand too, could not be counted.
type answers struct {
	inner        http.RoundTripper
	list, object answerBounds
}

var _ utilnet.RoundTripperWrapper = answers{}

// WrappedRoundTripper returns what carries the requests, so that its connections can be closed.
func (a answers) WrappedRoundTripper() http.RoundTripper { return a.inner }

// RoundTrip implements http.RoundTripper.
func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Accept", onlyJSON(req.Header.Get("Accept")))
	resp, err := a.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		if !isJSON(resp) {
			resp.Header.Set("Content-Type", "text/plain; charset=utf-8")
		}
		resp.Body = cut{Reader: io.LimitReader(resp.Body, maxFailure), Closer: resp.Body}
		return resp, nil
	}
	if !isJSON(resp) {
		_ = resp.Body.Close()
		return nil, errNotJSON
	}
	limit := a.object
	if req.URL.Query().Has("limit") {
		limit = a.list
	}
	resp.Body = &counted{ctx: req.Context(), body: resp.Body, limit: limit}
	return resp, nil
}

type cut struct {
	io.Reader
	io.Closer
}

// onlyJSON leaves the kinds of JSON among what a client accepts.
func onlyJSON(accept string) string {
	var kept []string
	for kind := range strings.SplitSeq(accept, ",") {
		if kind = strings.TrimSpace(kind); strings.HasPrefix(kind, "application/json") {
			kept = append(kept, kind)
		}
	}
	if len(kept) == 0 {
		return "application/json"
	}
	return strings.Join(kept, ",")
}

// isJSON reports whether a client takes an answer for JSON, as it takes one that does not say what it is.
func isJSON(resp *http.Response) bool {
	kind := resp.Header.Get("Content-Type")
	if kind == "" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(kind)
	return err == nil && mediaType == "application/json"
}

// counted counts what is in a JSON text while it is read, before anything is made of it.
type counted struct {
	//nolint:containedctx // it is the request's.
	ctx   context.Context
	body  io.ReadCloser
	limit answerBounds
	over  error

	bytes         int64
	values, items int

	depth             int
	inList            bool // at depth 2
	inString, escaped bool
}

// Close implements io.Closer.
func (c *counted) Close() error { return c.body.Close() }

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	if c.over != nil {
		return 0, c.over
	}
	n, err := c.body.Read(p)
	if errors.Is(err, io.EOF) && c.ctx.Err() != nil {
		// A server may still end its answer in good form when we hang up: that is no whole answer.
		err = c.ctx.Err()
	}
	c.bytes += int64(n)
	for _, b := range p[:n] {
		c.see(b)
	}
	if c.over = c.exceeded(); c.over != nil {
		return 0, c.over
	}
	return n, err
}

func (c *counted) exceeded() error {
	switch {
	case c.bytes > c.limit.bytes:
		return tooLarge("an answer of more than %d bytes", c.limit.bytes)
	case c.items > c.limit.items:
		return tooLarge("a list of more than %d items", c.limit.items)
	case c.values > c.limit.values:
		return tooLarge("an answer of more than %d values", c.limit.values)
	case c.depth > maxDepth:
		return tooLarge("an answer whose values are nested more than %d deep", maxDepth)
	}
	return nil
}

// see goes one byte on. It need not find out whether the text is JSON: what reads it does that.
func (c *counted) see(b byte) {
	if c.inString {
		c.inString = c.escaped || b != '"'
		c.escaped = !c.escaped && b == '\\'
		return
	}
	switch b {
	case '"':
		c.inString = true
	case '{', '[':
		c.values++
		c.depth++
		if c.depth == 2 {
			c.inList = b == '['
			c.item()
		}
	case '}', ']':
		c.depth--
	case ',':
		c.values++
		if c.depth == 2 {
			c.item()
		}
	}
}

func (c *counted) item() {
	if c.inList {
		c.items++
	}
}
