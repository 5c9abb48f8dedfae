package faultproxy

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// Kind is a way in which a request fails.
type Kind string

// The ways in which requests fail.
const (
	// InternalError answers 500 in OpenStack's own form; the service never sees the request.
	InternalError Kind = "500"
	// Unavailable answers 503 with Retry-After and a page of HTML, as a load balancer without a backend does.
	Unavailable Kind = "503"
	// TooManyRequests answers 429 with Retry-After, as a rate limiter does.
	TooManyRequests Kind = "429"
	// ResetBefore resets the connection; the service never sees the request.
	ResetBefore Kind = "reset before"
	// ResetAfter resets the connection after the service has carried the request out: the answer is lost.
	ResetAfter Kind = "reset after"
	// Delay passes the request on late.
	Delay Kind = "delay"
)

// Kinds returns all ways in which requests fail. Each is as likely as the others.
func Kinds() []Kind {
	return []Kind{InternalError, Unavailable, TooManyRequests, ResetBefore, ResetAfter, Delay}
}

// retryAfter is what answers with Retry-After ask for, in seconds.
const retryAfter = "2"

// fault is the fate of one request. The zero value lets it pass.
type fault struct {
	kind  Kind
	delay time.Duration
}

// serve answers a request in the way of the fault. forward passes it on to the service.
func (f fault) serve(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	switch f.kind {
	case InternalError:
		answer(w, http.StatusInternalServerError, "application/json",
			`{"computeFault": {"code": 500, "message": "Unexpected API Error."}}`)
	case Unavailable:
		w.Header().Set("Retry-After", retryAfter)
		answer(w, http.StatusServiceUnavailable, "text/html",
			"<html><body><h1>503 Service Unavailable</h1>No server is available to handle this request.</body></html>")
	case TooManyRequests:
		w.Header().Set("Retry-After", retryAfter)
		answer(w, http.StatusTooManyRequests, "application/json",
			`{"overLimit": {"code": 429, "message": "This request was rate-limited.", "retryAfter": "`+retryAfter+`"}}`)
	case ResetBefore:
		reset(w)
	case ResetAfter:
		forward.ServeHTTP(&discarded{header: http.Header{}}, r)
		reset(w)
	case Delay:
		select {
		case <-time.After(f.delay):
			forward.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	default:
		forward.ServeHTTP(w, r)
	}
}

func answer(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// reset ends the client's connection with a TCP reset.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// The server then closes the connection without an answer.
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		// With data unsent and no time to linger the kernel sends RST instead of FIN.
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// discarded is an answer that nobody gets.
type discarded struct{ header http.Header }

// Header implements http.ResponseWriter.
func (d *discarded) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (d *discarded) WriteHeader(int) {}
