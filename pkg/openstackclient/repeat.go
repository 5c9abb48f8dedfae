package openstackclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	defaultReadAttempts = 4
	// firstPause is the pause before the first repetition; each further one is twice as long.
	firstPause = 100 * time.Millisecond
	// repeatWithin bounds how long after its beginning a request is still repeated. It is a sixth of a visit's time.
	repeatWithin = 5 * time.Second
)

// repeat runs one request and repeats it after short pauses if it failed in a passing way and is known not to have
// changed anything. The repetitions end well before the caller's time does: at half of it, and after repeatWithin.
func (c *openstackClient) repeat(ctx context.Context, op operation, once func(context.Context) *Error) error {
	start := time.Now()
	failure := once(ctx)
	if failure == nil {
		return nil
	}
	until := start.Add(min(repeatWithin, c.factory.options.RequestTimeout))
	if deadline, ok := ctx.Deadline(); ok {
		until = earlier(until, start.Add(deadline.Sub(start)/2))
	}
	// All tries together take no longer than one request may, since callers count on that.
	limited, cancel := context.WithDeadline(asRepetition(ctx), start.Add(c.factory.options.RequestTimeout))
	defer cancel()
	pause := firstPause
	for range c.factory.options.ReadAttempts - 1 {
		if !repeatable(op, failure) || !wait(ctx, max(c.factory.options.Jitter(pause), failure.RetryAfter), until) {
			break
		}
		pause *= 2
		if failure = once(limited); failure == nil {
			return nil
		}
	}
	return failure
}

// repeatable reports whether a failed request may be sent again at once.
func repeatable(op operation, failure *Error) bool {
	if errors.Is(failure, errSessionEnded) {
		// The next session may lead elsewhere, and its answers must not pass for those of this one.
		return false
	}
	switch failure.Kind {
	case KindTransient:
		if !op.mutates || failure.Op == opAuthenticate {
			return true
		}
		return failure.Status == 0 && !failure.Ambiguous
	case KindThrottled:
		// Services count requests before they act on them. Without a time it is better to leave them alone.
		return failure.RetryAfter > 0 && failure.Status != 0
	case KindNotFound, KindConflict, KindQuota, KindForbidden, KindUnauthorized, KindInvalid:
	}
	return false
}

// wait returns true after the pause, and false at once if the pause would end too late, or once ctx is done.
func wait(ctx context.Context, pause time.Duration, until time.Time) bool {
	if ctx.Err() != nil || time.Now().Add(pause).After(until) {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// jitter returns between half of a pause and one and a half.
func jitter(pause time.Duration) time.Duration {
	return pause/2 + rand.N(pause) //nolint:gosec // nothing secret depends on it.
}

type repetition struct{}

// asRepetition marks requests that repeat another.
func asRepetition(ctx context.Context) context.Context {
	return context.WithValue(ctx, repetition{}, true)
}

func isRepetition(request *http.Request) bool { return request.Context().Value(repetition{}) != nil }
