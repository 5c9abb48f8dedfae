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
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	authURL string
	options FactoryOptions
	next    http.RoundTripper
}

func newBreaker(failures uint32, pause time.Duration) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		// Who comes back after the pause finds the breaker ready for a probe, and not closing this very moment.
		Timeout:     pause - pause/10,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= failures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errGivenUp) },
	})
}

// RoundTrip implements http.RoundTripper.
func (b *breakerTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	done, err := b.breaker.Allow()
	if err != nil {
		closeBody(request)
		return nil, &Error{
			Kind: KindTransient,
			// The time left is not in the text: it would change from try to try.
			Message:    fmt.Sprintf("OpenStack at %s does not answer; it is asked again every %s", b.authURL, b.options.BreakerPause),
			RetryAfter: b.options.BreakerPause,
			Cause:      err,
		}
	}
	// A repetition that fails says no more than the request that it repeats; its success counts.
	start := time.Now()
	response, err := b.next.RoundTrip(request)
	if err != nil && (isRepetition(request) || b.saysNothing(request.Context(), time.Since(start))) {
		done(errGivenUp)
		return nil, err
	}
	done(err)
	return response, err
}

// saysNothing tells whether a request failed for a reason of the caller's.
func (b *breakerTransport) saysNothing(ctx context.Context, waited time.Duration) bool {
	enough := min(patience, b.options.RequestTimeout/3)
	return errors.Is(ctx.Err(), context.Canceled) || (errors.Is(ctx.Err(), context.DeadlineExceeded) && waited < enough)
}
