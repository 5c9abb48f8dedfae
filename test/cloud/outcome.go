package cloud

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
)

// outcomeKind says how an answer reaches the client.
type outcomeKind int

const (
	whole outcomeKind = iota
	reset
	truncated
	timedOut
)

// outcome is what becomes of a request.
type outcome struct {
	kind  outcomeKind
	reply *reply // nil if the client gets none
	fault string // the name of the rule that made it so
}

// ServeHTTP answers a request.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := c.process(r)
	if out.reply == nil {
		breakOff(w)
		return
	}
	for key, values := range out.reply.header {
		w.Header()[key] = values
	}
	if out.reply.stream != nil {
		w.WriteHeader(out.reply.status)
		_, _ = io.Copy(w, bounded{r.Context(), out.reply.stream()}) // until the client has gone, at the latest
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(out.reply.body)))
	w.WriteHeader(out.reply.status)
	if out.kind == truncated {
		// The server closes the connection of a body that is shorter than was announced.
		_, _ = w.Write(out.reply.body[:len(out.reply.body)/2])
		return
	}
	_, _ = w.Write(out.reply.body) // a client that has gone is no concern here
}

// breakOff closes the connection within the status line: an answer that has begun is one that no client's transport asks for again by itself.
func breakOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not a connection of its own (HTTP/2, a recorder)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 ")
	_ = conn.Close()
}

// RoundTripper returns a transport that calls the cloud in this process, whatever host the URL names. Broken connections and
// hanging requests come back as the errors of a real transport.
func (c *Cloud) RoundTripper() http.RoundTripper { return roundTripper{c} }

type roundTripper struct{ cloud *Cloud }

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r
	if in.Host == "" {
		in = r.Clone(r.Context())
		in.Host = r.URL.Host
	}
	out := t.cloud.process(in)
	if r.Body != nil {
		_ = r.Body.Close() // a transport's duty; it has been read
	}
	if out.reply == nil {
		return nil, brokenError(r.Context(), out.kind)
	}
	rep := out.reply
	length := int64(len(rep.body))
	var body io.Reader = bytes.NewReader(rep.body)
	switch {
	case rep.stream != nil:
		body, length = bounded{r.Context(), rep.stream()}, -1
	case out.kind == truncated:
		body = io.MultiReader(bytes.NewReader(rep.body[:len(rep.body)/2]), brokenReader{})
	}
	return &http.Response{
		Status: strconv.Itoa(rep.status) + " " + http.StatusText(rep.status), StatusCode: rep.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rep.header, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}, nil
}

func brokenError(ctx context.Context, kind outcomeKind) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := error(os.NewSyscallError("read", syscall.ECONNRESET))
	if kind == timedOut {
		err = os.ErrDeadlineExceeded
	}
	return &net.OpError{Op: "read", Net: "tcp", Err: err}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
