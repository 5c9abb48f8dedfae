package faultproxy

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how bad the cloud is.
type Options struct {
	// Seed determines which requests fail and how: requests that come one after the other get the same fates again.
	Seed uint64
	// Percent is how many of a hundred requests fail; SetPercent changes it.
	Percent int
	// Delay is the longest that a delayed request waits; 0 means 5 seconds.
	Delay time.Duration
}

// Proxy is a running proxy. It is safe for concurrent use.
type Proxy struct {
	listeners map[string]string // the services' origins and those of the listeners in front of them
	servers   []*http.Server

	mu      sync.Mutex
	rng     *rand.Rand
	percent int
	delay   time.Duration
	counts  Counts
}

// Counts are the requests that a proxy got, and how many of them failed in which way.
type Counts struct {
	Requests int
	Failed   map[Kind]int
}

// Total returns how many requests failed.
func (c Counts) Total() int {
	n := 0
	for _, failed := range c.Failed {
		n += failed
	}
	return n
}

// String lists the counts by kind.
func (c Counts) String() string {
	parts := []string{fmt.Sprintf("%d of %d requests failed", c.Total(), c.Requests)}
	for _, kind := range Kinds() {
		parts = append(parts, fmt.Sprintf("%s: %d", kind, c.Failed[kind]))
	}
	return strings.Join(parts, ", ")
}

// Start listens on loopback in front of each of the services, which are named by scheme and host, for instance
// http://127.0.0.1:5000. The caller closes the proxy.
func Start(ctx context.Context, origins []string, o Options) (*Proxy, error) {
	p := &Proxy{
		listeners: map[string]string{},
		rng:       rand.New(rand.NewPCG(o.Seed, 0)),
		percent:   o.Percent,
		delay:     o.Delay,
		counts:    Counts{Failed: map[Kind]int{}},
	}
	if p.delay == 0 {
		p.delay = 5 * time.Second
	}
	for _, origin := range origins {
		if err := p.listen(ctx, origin); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

func (p *Proxy) listen(ctx context.Context, origin string) error {
	target, err := url.Parse(origin)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen in front of %s: %w", origin, err)
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			// The host stays the proxy's, so that links in answers lead through it.
			r.Out.Host = r.In.Host
			// Without the client's own wish the transport decompresses what rewrite has to read.
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: p.rewrite,
		ErrorLog:       log.New(io.Discard, "", 0),
		// A service that is really gone looks the same through the proxy.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.draw().serve(w, r, forward)
		}),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	p.listeners[origin] = "http://" + listener.Addr().String()
	p.servers = append(p.servers, server)
	go func() { _ = server.Serve(listener) }()
	return nil
}

// draw decides what happens to the next request.
func (p *Proxy) draw() fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Requests++
	if p.rng.IntN(100) >= p.percent {
		return fault{}
	}
	kinds := Kinds()
	f := fault{kind: kinds[p.rng.IntN(len(kinds))]}
	if f.kind == Delay {
		f.delay = time.Duration(p.rng.Int64N(int64(p.delay)))
	}
	p.counts.Failed[f.kind]++
	return f
}

// origins finds scheme and host of addresses in JSON.
var origins = regexp.MustCompile(`https?://[^/?"\s\\]+`)

// URL returns the address that leads through the proxy to where the given one leads. Addresses of other services, in a
// longer text too, stay as they are.
func (p *Proxy) URL(address string) string {
	return origins.ReplaceAllStringFunc(address, func(origin string) string {
		if listener, ok := p.listeners[origin]; ok {
			return listener
		}
		return origin
	})
}

// rewrite makes the catalog in Keystone's answer to a request for a token lead through the proxy.
func (p *Proxy) rewrite(response *http.Response) error {
	if !strings.HasSuffix(response.Request.URL.Path, "/v3/auth/tokens") {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	changed := p.URL(string(body))
	response.Body = io.NopCloser(strings.NewReader(changed))
	response.ContentLength = int64(len(changed))
	response.Header.Set("Content-Length", strconv.Itoa(len(changed)))
	return nil
}

// SetPercent changes how many of a hundred requests fail from now on, and starts the counts anew.
func (p *Proxy) SetPercent(percent int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.percent = percent
	p.counts = Counts{Failed: map[Kind]int{}}
}

// Counts returns what has happened since the start, or since SetPercent.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Counts{Requests: p.counts.Requests, Failed: maps.Clone(p.counts.Failed)}
}

// Close ends all listeners and connections.
func (p *Proxy) Close() {
	for _, server := range p.servers {
		_ = server.Close()
	}
}
