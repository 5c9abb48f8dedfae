package hibernation

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

const (
	// A transient failure is tried again after firstRetry, doubling up to lastRetry.
	firstRetry = 2 * time.Second
	lastRetry  = 5 * time.Minute
	// A failure that a person has to mend is tried again after slowRetry: nothing tells us when it is mended.
	slowRetry = 2 * time.Minute

	// A transient failure is shown once it has happened in more than quietFailures visits in a row, or for quietFor.
	quietFailures = 3
	quietFor      = time.Minute
)

// failure is what an error means to the controller.
type failure struct {
	// transient says that it may pass by itself, and need not be shown at once.
	transient bool
	// after is when to try again.
	after time.Duration
}

// failureOf classifies an error, which is the n-th in a row in which nothing got done.
func (v *visit) failureOf(err error, n int) failure {
	var (
		refusal *hibernation.Refusal
		blocked *hibernation.Blocked
		wrong   *ConfigurationError
		cloud   *openstackclient.Error
	)
	switch {
	case errors.As(err, &refusal) && refusal.After > 0:
		return failure{after: refusal.After}
	case refusal != nil:
		return failure{after: v.spread(slowRetry)}
	case errors.As(err, &blocked), errors.As(err, &wrong):
		return failure{after: v.spread(slowRetry)}
	case errors.As(err, &cloud):
		return v.cloudFailure(cloud, n)
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsRequestEntityTooLargeError(err):
		return failure{after: v.spread(slowRetry)}
	}
	return failure{transient: true, after: v.backoff(n)}
}

// cloudFailure classifies an error of the cloud by its kind.
func (v *visit) cloudFailure(err *openstackclient.Error, n int) failure {
	switch err.Kind {
	case openstackclient.KindTransient, openstackclient.KindConflict, openstackclient.KindThrottled:
		return failure{transient: true, after: max(err.RetryAfter, v.backoff(n))}
	case openstackclient.KindNotFound, openstackclient.KindQuota, openstackclient.KindForbidden, openstackclient.KindUnauthorized,
		openstackclient.KindInvalid:
	}
	return failure{after: max(err.RetryAfter, v.spread(slowRetry))}
}

// backoff returns the time to wait after the n-th failure in a row.
func (v *visit) backoff(n int) time.Duration {
	d := lastRetry
	if n < 10 {
		d = min(firstRetry<<max(n-1, 0), lastRetry)
	}
	return v.spread(d)
}

// failed returns the outcome of a visit that ended in an error of the actuator. The machines are left alone until the
// time that it names.
func (v *visit) failed(ctx context.Context, state State, err error) Outcome {
	if errors.Is(ctx.Err(), context.Canceled) {
		// The manager is shutting down.
		return Outcome{After: firstRetry}
	}
	v.progressed(ctx)
	count, lasts := v.memo.failed(v.now)
	if ctx.Err() != nil {
		// The visit has taken too long, and can't write a condition any more. A worker that it has kept busy is not kept so all
		// the time.
		after := v.bounded(ctx, v.backoff(v.memo.retries), err)
		v.logger.WithError(err).WithField("retry", after.Round(time.Second).String()).Warn("the visit took too long")
		return Outcome{After: after}
	}
	f := v.failureOf(err, v.memo.retries)
	f.after = v.bounded(ctx, f.after, err)
	v.memo.hold(v.cd, v.now.Add(f.after))
	logger := v.logger.WithError(err).WithField("retry", f.after.Round(time.Second).String())
	if f.transient && count <= quietFailures && lasts < quietFor {
		logger.Info("the visit failed and is repeated")
		return Outcome{After: f.after}
	}
	logger.Warn("the visit failed")
	return Outcome{State: state, Message: err.Error(), After: f.after}
}
