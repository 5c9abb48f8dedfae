package openstackclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/semaphore"
	"k8s.io/utils/clock"

	"github.com/overwinter/overwinter/pkg/bounds"
	"github.com/overwinter/overwinter/pkg/dialguard"
)

const (
	defaultRequestTimeout = 30 * time.Second
	defaultCacheSize      = 512
	// dialTimeout leaves time for another try in a visit.
	dialTimeout = 10 * time.Second
	// maxCABundle is twice as large as what all public authorities take.
	maxCABundle = 512 << 10
	// maxHeader is far above the headers of any OpenStack service.
	maxHeader = 64 << 10
	// cacheWeight bounds the Secrets from which the clients that are kept were made, clientWeight is what each takes besides.
	cacheWeight  = 32 << 20
	clientWeight = 16 << 10
)

// FactoryOptions say how clients talk to clouds. The zero value works.
type FactoryOptions struct {
	// Version is the manager's own; requests carry "User-Agent: overwinter/<Version>".
	Version string
	// RequestTimeout bounds each request from sending it to having read its answer; 30 seconds if zero.
	RequestTimeout time.Duration
	// QPS and Burst bound the requests to one project of one cloud. QPS 0 means no bound.
	QPS   float64
	Burst int
	// BreakerFailures is after how many requests in a row without an answer a project of a cloud is left alone, and
	// BreakerPause for how long; 5 and 30 seconds if zero.
	BreakerFailures uint32
	BreakerPause    time.Duration
	// ReadAttempts is how often a request is sent at most if it fails in a way that passes and has changed nothing: reads,
	// and what never got to the cloud; 4 if zero. Jitter varies the pauses between; a random one if nil.
	ReadAttempts int
	Jitter       func(time.Duration) time.Duration
	// Logger gets one debug line for each request; nothing is logged if it is nil.
	Logger logrus.FieldLogger
	// Clock is what Retry-After is measured by; the real one if nil.
	Clock clock.PassiveClock
	// CacheSize is how many clients are kept; 512 if zero.
	CacheSize int
	// Guard denies connections to some addresses; none if nil.
	Guard *dialguard.Guard
	// Proxy selects the HTTP proxy; none if nil. The environment is not looked at. The address that Guard checks is then
	// the proxy's: the proxy resolves the clouds' names, and has to deny addresses itself.
	Proxy func(*http.Request) (*url.URL, error)
	// Transport, unless nil, carries the requests instead of a connection made for each client; CA bundles,
	// "verify: false" and Guard then have no effect.
	Transport http.RoundTripper
}

// Factory makes clients and keeps them, so that using the same credentials again authenticates no second time. It is
// safe for concurrent use.
type Factory struct {
	options FactoryOptions

	mu      sync.Mutex
	clients *bounds.Cache[clientKey, *openstackClient]
	gates   *bounds.Cache[gateKey, *gate]
}

type clientKey struct{ secretUID, secretVersion, cloud string }

// NewFactory returns a Factory.
func NewFactory(options FactoryOptions) *Factory {
	if options.Version == "" {
		options.Version = "unknown"
	}
	if options.RequestTimeout == 0 {
		options.RequestTimeout = defaultRequestTimeout
	}
	if options.BreakerFailures == 0 {
		options.BreakerFailures = defaultBreakerFailures
	}
	if options.BreakerPause == 0 {
		options.BreakerPause = defaultBreakerPause
	}
	if options.ReadAttempts == 0 {
		options.ReadAttempts = defaultReadAttempts
	}
	if options.Jitter == nil {
		options.Jitter = jitter
	}
	if options.CacheSize == 0 {
		options.CacheSize = defaultCacheSize
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Factory{
		options: options,
		clients: bounds.NewCache[clientKey, *openstackClient](options.CacheSize, cacheWeight),
		gates:   bounds.NewCache[gateKey, *gate](options.CacheSize, cacheWeight),
	}
}

// ClientFor returns the client for these credentials: the one made earlier for the same Secret, version and cloud, or a
// new one. It sends nothing; a new client authenticates at its first request. Another version of a Secret drops the
// clients of the earlier one. KindInvalid if the credentials can't be used as they are.
func (f *Factory) ClientFor(ctx context.Context, credentials Credentials) (Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := clientKey{credentials.SecretUID, credentials.SecretVersion, credentials.Cloud}
	f.mu.Lock()
	defer f.mu.Unlock()
	if client, ok := f.clients.Get(key); ok {
		return client, nil
	}
	client, err := f.newClient(credentials)
	if err != nil {
		return nil, err
	}
	stale := f.clients.RemoveIf(func(k clientKey) bool {
		return k.secretUID == key.secretUID && k.secretVersion != key.secretVersion
	})
	weight := int64(len(credentials.CloudsYAML) + len(credentials.CABundle) + clientWeight)
	for _, old := range append(stale, f.clients.Put(key, client, weight)...) {
		old.closeIdleConnections()
	}
	return client, nil
}

func (f *Factory) newClient(credentials Credentials) (*openstackClient, error) {
	cloud, err := parseCloud(credentials)
	if err != nil {
		return nil, err
	}
	transport, err := f.transport(cloud, credentials.CABundle)
	if err != nil {
		return nil, err
	}
	return &openstackClient{
		factory: f, cloud: cloud, transport: transport,
		// Not shared: where only these credentials fail to connect (another CA), no one else's are held up.
		identityGate:   newGate(cloud.authURL, f.options),
		authenticating: semaphore.NewWeighted(1),
	}, nil
}

// transport returns what carries the requests of one client. Each client has its own, since each may trust other CAs.
func (f *Factory) transport(cloud *cloudConfig, caBundle []byte) (http.RoundTripper, error) {
	if f.options.Transport != nil {
		return f.options.Transport, nil
	}
	//nolint:gosec // "verify: false" is the user's own decision about the user's own cloud.
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: cloud.insecure}
	if len(caBundle) > maxCABundle {
		return nil, invalidCredentials("the Secret in certificatesSecretRef has more than %d KiB of certificates", maxCABundle>>10)
	}
	if len(caBundle) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(caBundle) {
			return nil, invalidCredentials("the Secret in certificatesSecretRef has no PEM certificate")
		}
		tlsConfig.RootCAs = pool
	}
	// A client of HTTP/2 takes megabytes of an answer that nobody has read yet.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               f.options.Proxy,
		DialContext:         f.options.Guard.Dialer(net.Dialer{Timeout: dialTimeout}),
		TLSClientConfig:     tlsConfig,
		Protocols:           protocols,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		// The bounds of answers count the bytes that arrive; packed ones would become many more.
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}, nil
}

// gateFor returns what all clients of one project of one cloud share.
func (f *Factory) gateFor(scope Scope) *gate {
	key := gateKey(scope)
	f.mu.Lock()
	defer f.mu.Unlock()
	if g, ok := f.gates.Get(key); ok {
		return g
	}
	g := newGate(scope.AuthURL, f.options)
	f.gates.Put(key, g, clientWeight)
	return g
}
