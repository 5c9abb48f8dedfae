package hibernation

import "context"

// pass is what the verbs of one reconcile share, so that asking after acting costs no further request.
type pass struct {
	session any
}

type passKey struct{}

// WithPass returns a context by which an actuator's verbs know that they belong to one reconcile of one
// ClusterDeployment. They are called one after the other.
func WithPass(ctx context.Context) context.Context {
	return context.WithValue(ctx, passKey{}, &pass{})
}

// sessionIn returns the session that the verbs of this pass share; false if there is none yet.
func sessionIn[T any](ctx context.Context) (T, bool) {
	if p, ok := ctx.Value(passKey{}).(*pass); ok {
		s, ok := p.session.(T)
		return s, ok
	}
	var none T
	return none, false
}

// shareIn makes the session known to the later verbs of this pass. Outside of a pass nothing is shared.
func shareIn(ctx context.Context, session any) {
	if p, ok := ctx.Value(passKey{}).(*pass); ok {
		p.session = session
	}
}
