package remoteclient

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/overwinter/overwinter/pkg/dialguard"
)

const (
	// Timeout bounds each request to a cluster from the first byte that is sent to the last that is read, tries that the
	// cluster asks for with Retry-After included: a visit must not wait for an API that is still booting.
	Timeout = 10 * time.Second

	// maxAnswer is how many bytes of an answer are read, unpacked. Clusters are others' machines, and one that sends
	// without end must not fill the memory of all.
	maxAnswer = 64 << 20
)

// limits are what a request may take.
type limits struct {
	timeout time.Duration
	// answer is in bytes.
	answer int64
}

// httpClientFor returns the client that carries the requests, and makes config fit it. It connects to ipOverride, if that is
// set, whatever the host is, and then directly: a proxy would look for the host by itself. Redirects are not followed: no
// cluster's API sends any, and the credentials would go along.
func httpClientFor(config *rest.Config, ipOverride string, bounds limits, guard *dialguard.Guard) (*http.Client, error) {
	// client-go waits 30 s for a connection, also after whoever asked has gone. With a dialer of its own a client also has
	// connections of its own: clusters with the same CA do not share any.
	dial := guard.Dialer(net.Dialer{Timeout: bounds.timeout, KeepAlive: 30 * time.Second})
	config.Timeout = bounds.timeout
	config.Dial = dial
	if ipOverride != "" {
		config.Dial = dialInstead(dial, ipOverride)
		config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper { return bounded{inner: inner, limit: bounds.answer} })
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make an HTTP client: %w", err)
	}
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return httpClient, nil
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialInstead connects to the port that is asked for at another address.
func dialInstead(dial dialFunc, ip string) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", address, err)
		}
		return dial(ctx, network, net.JoinHostPort(ip, port))
	}
}

// bounded ends an answer with an error after limit bytes.
type bounded struct {
	inner http.RoundTripper
	limit int64
}

var _ utilnet.RoundTripperWrapper = bounded{}

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, b.limit)
	return resp, nil
}

// WrappedRoundTripper returns what carries the requests, so that its connections can be closed.
func (b bounded) WrappedRoundTripper() http.RoundTripper { return b.inner }
