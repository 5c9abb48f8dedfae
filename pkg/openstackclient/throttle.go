package openstackclient

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// maxRetryAfter bounds what a cloud may ask for, so that one wrong header does not stop its clusters for days.
const maxRetryAfter = 15 * time.Minute

// throttle remembers until when a cloud asked to be left alone.
type throttle struct {
	clock clock.PassiveClock

	mu    sync.Mutex
	until time.Time
	kind  Kind
}

// remaining returns how long the cloud still wants to be left alone and what it said with that, zero if not at all.
func (t *throttle) remaining() (time.Duration, Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, t.until.Sub(t.clock.Now())), t.kind
}

func (t *throttle) note(response *http.Response) {
	kind := KindThrottled
	switch response.StatusCode {
	case http.StatusTooManyRequests:
	case http.StatusServiceUnavailable:
		kind = KindTransient
	default:
		return
	}
	pause := retryAfter(response.Header, t.clock.Now())
	if pause == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if until := t.clock.Now().Add(pause); until.After(t.until) {
		t.until, t.kind = until, kind
	}
}

// retryAfter reads the header of that name, which holds seconds or a date (RFC 9110, 10.2.3). Zero if it says nothing.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return min(max(0, time.Duration(min(seconds, 1<<20))*time.Second), maxRetryAfter)
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(0, date.Sub(now)), maxRetryAfter)
	}
	return 0
}

// throttleTransport sends nothing while the cloud wants to be left alone. It does not wait either: the caller comes back.
type throttleTransport struct {
	throttle *throttle
	authURL  string
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *throttleTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if left, kind := t.throttle.remaining(); left > 0 {
		closeBody(request)
		return nil, &Error{
			Kind:       kind,
			Message:    fmt.Sprintf("OpenStack at %s asked to be left alone for a while (Retry-After)", t.authURL),
			RetryAfter: left,
		}
	}
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	t.throttle.note(response)
	return response, nil
}
