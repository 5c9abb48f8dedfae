package openstackclient

import (
	"errors"
	"fmt"
	"time"
)

// Kind classifies what an error means to a caller.
type Kind string

const (
	// KindNotFound says that the object does not exist, or belongs to another project.
	KindNotFound Kind = "NotFound"
	// KindConflict says that the object's present state does not allow the request; it may later.
	KindConflict Kind = "Conflict"
	// KindQuota says that a quota of the project is used up.
	KindQuota Kind = "Quota"
	// KindForbidden says that the credentials may not do this.
	KindForbidden Kind = "Forbidden"
	// KindUnauthorized says that the credentials are refused.
	KindUnauthorized Kind = "Unauthorized"
	// KindThrottled says that there were too many requests; see RetryAfter.
	KindThrottled Kind = "Throttled"
	// KindTransient says that the cloud failed or could not be reached (5xx, connection errors, time limits).
	KindTransient Kind = "Transient"
	// KindInvalid says that the cloud, or this client before it asked, rejects the request as it is.
	KindInvalid Kind = "Invalid"
)

// Error is a failed request to a cloud. Its text is stable from try to try and holds no credential and no request ID,
// so that it can stand in a condition.
type Error struct {
	Kind Kind
	// Op is what was tried, e.g. "create server".
	Op string
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Message says what is wrong, in the cloud's words where it gave any.
	Message string
	// RequestID is OpenStack's own ID of the request, for logs; may be empty.
	RequestID string
	// RetryAfter is how long the cloud asked to be left alone, 0 if it did not say.
	RetryAfter time.Duration
	// Ambiguous says that the request may have taken effect although it failed: its answer was lost, or was a 5xx.
	Ambiguous bool
	// Cause is the underlying error; it may hold details that are not for conditions.
	Cause error
}

// Error returns the operation and what went wrong with it.
func (e *Error) Error() string {
	// The message about an unexpected success holds the status.
	if e.Status < 300 {
		return fmt.Sprintf("%s: %s", e.Op, e.Message)
	}
	return fmt.Sprintf("%s: %s (HTTP %d)", e.Op, e.Message, e.Status)
}

// Unwrap returns the underlying error.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the Kind of an error that came from a Client, "" for any other error and for nil.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// IsNotFound tells whether the error says that the object does not exist.
func IsNotFound(err error) bool { return KindOf(err) == KindNotFound }

// IsAmbiguous tells whether the failed request may have taken effect all the same.
func IsAmbiguous(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Ambiguous
}
