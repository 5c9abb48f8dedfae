package openstackclient

import (
	"net/http"

	"golang.org/x/time/rate"
)

// rateLimit spreads requests out. It waits for no longer than the request's own deadline allows.
type rateLimit struct {
	limiter *rate.Limiter
	next    http.RoundTripper
}

func newLimiter(qps float64, burst int) *rate.Limiter {
	if qps <= 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(qps), max(burst, 1))
}

// RoundTrip implements http.RoundTripper.
func (r *rateLimit) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := r.limiter.Wait(request.Context()); err != nil {
		closeBody(request)
		return nil, &Error{
			Kind: KindTransient, Message: "too many requests are waiting for their turn within the configured rate", Cause: err,
		}
	}
	return r.next.RoundTrip(request)
}
