package openstackclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	defaultBreakerFailures = 5
	defaultBreakerPause    = 30 * time.Second
	// patience is how long a request must have waited to say something about the cloud when the caller's time ran out.
	patience = 5 * time.Second
)

var errGivenUp = errors.New("given up by the caller")

// breakerTransport leaves a cloud alone that does not answer, so that its clusters don't hold up the others'. Any HTTP
// answer counts as one, whatever its status.
type breakerTransport struct {
	breaker *gobreaker.CircuitBreaker[*http.Response]
	authURL string
	options FactoryOptions
	next    http.RoundTripper
}

func newBreaker(failures uint32, pause time.Duration) *gobreaker.CircuitBreaker[*http.Response] {
	return gobreaker.NewCircuitBreaker[*http.Response](gobreaker.Settings{
		Timeout:     pause,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= failures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errGivenUp) },
	})
}

// RoundTrip implements http.RoundTripper.
func (b *breakerTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := false
	response, err := b.breaker.Execute(func() (*http.Response, error) {
		sent = true
		return b.send(request)
	})
	if sent || err == nil {
		return response, err
	}
	closeBody(request)
	return nil, &Error{
		Kind: KindTransient,
		// The time left is not in the text: it would change from try to try.
		Message:    fmt.Sprintf("OpenStack at %s does not answer; it is asked again every %s", b.authURL, b.options.BreakerPause),
		RetryAfter: b.options.BreakerPause,
		Cause:      err,
	}
}

// send marks the errors that say nothing about the cloud.
func (b *breakerTransport) send(request *http.Request) (*http.Response, error) {
	start := time.Now()
	response, err := b.next.RoundTrip(request)
	if err == nil {
		return response, nil
	}
	ctx := request.Context()
	enough := min(patience, b.options.RequestTimeout/3)
	outOfTime := errors.Is(ctx.Err(), context.DeadlineExceeded) && time.Since(start) < enough
	if errors.Is(ctx.Err(), context.Canceled) || outOfTime {
		return nil, fmt.Errorf("%w: %w", errGivenUp, err)
	}
	return nil, err
}
