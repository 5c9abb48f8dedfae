package openstackclient

import (
	"net/http"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// gateKey is Scope: the clients of one project share a gate, whatever Secret they come from.
type gateKey Scope

// gate is what decides whether a request is sent at all.
type gate struct {
	authURL  string
	throttle *throttle
	limiter  *rate.Limiter
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
}

func newGate(authURL string, options FactoryOptions) *gate {
	return &gate{
		authURL:  authURL,
		throttle: &throttle{clock: options.Clock},
		limiter:  newLimiter(options.QPS, options.Burst),
		breaker:  newBreaker(options.BreakerFailures, options.BreakerPause),
	}
}

// chain returns the round trippers around a connection, in the order in which a request passes them: a request that the
// cloud asked not to get must not take up a place in the rate, and one that waits for its place must not look to the
// breaker like one that gets no answer.
func (f *Factory) chain(g *gate, base http.RoundTripper) http.RoundTripper {
	var next http.RoundTripper = &userAgent{value: "overwinter/" + f.options.Version, next: base}
	next = &bodyLimit{next: next}
	if f.options.Logger != nil {
		next = &debugLog{logger: f.options.Logger, clock: f.options.Clock, next: next}
	}
	next = &breakerTransport{breaker: g.breaker, authURL: g.authURL, options: f.options, next: next}
	next = &rateLimit{limiter: g.limiter, next: next}
	return &throttleTransport{throttle: g.throttle, authURL: g.authURL, next: next}
}

// closeBody ends a request that is not passed on, as the contract of http.RoundTripper asks.
func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}
