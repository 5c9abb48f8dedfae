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
)

// limits are what a request may take.
type limits struct {
	timeout      time.Duration
	list, object answerBounds
	// listed is how many bytes of memory the items of a list may take.
	listed int64
}

func defaultLimits() limits {
	return limits{timeout: Timeout, list: listBounds(), object: objectBounds(), listed: maxListed}
}

// httpClientFor returns the client that carries the requests, and makes config fit it. It connects to ipOverride, if that is
// set, whatever the host is, and then directly: a proxy would look for the host by itself. Redirects are not followed: no
// cluster's API sends any, and the credentials would go along.
func httpClientFor(config *rest.Config, ipOverride string, most limits, guard *dialguard.Guard) (*http.Client, error) {
	// client-go waits 30 s for a connection, also after whoever asked has gone. With a dialer of its own a client also has
	// connections of its own: clusters with the same CA do not share any.
	dial := guard.Dialer(net.Dialer{Timeout: most.timeout, KeepAlive: 30 * time.Second})
	config.Timeout = most.timeout
	config.Dial = dial
	if ipOverride != "" {
		config.Dial = dialInstead(dial, ipOverride)
		config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	// A client of HTTP/2 takes megabytes that nobody has read yet.
	config.NextProtos = []string{"http/1.1"}
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper {
		return answers{inner: inner, list: most.list, object: most.object}
	})
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make an HTTP client: %w", err)
	}
	if err := boundHeaders(httpClient.Transport); err != nil {
		return nil, err
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

// boundHeaders bounds the headers of answers, which nothing of client-go does. Nothing may have been sent yet.
func boundHeaders(carrier http.RoundTripper) error {
	for {
		switch is := carrier.(type) {
		case *http.Transport:
			is.MaxResponseHeaderBytes = maxHeader
			return nil
		case utilnet.RoundTripperWrapper:
			carrier = is.WrappedRoundTripper()
		default:
			return fmt.Errorf("bound the headers of answers: there is no way to do so with a %T", carrier)
		}
	}
}
