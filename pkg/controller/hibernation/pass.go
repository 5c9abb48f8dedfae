package hibernation

import (
	"context"
	"sync"
	"time"
)

// remoteBudget is for how long one visit talks to the cluster itself, altogether: one that does not answer must not keep a
// worker from others.
const remoteBudget = 10 * time.Second

// pass is what the verbs of one reconcile share, so that asking after acting costs no further request.
type pass struct {
	session any
	// remote is for how long the cluster itself has been talked to.
	remote time.Duration

	mu   sync.Mutex
	acts []string
}

// acted notes what was changed in the cloud; several requests may be under way.
func (p *pass) acted(act string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acts = append(p.acts, act)
}

// takeActs returns what was changed since it was last asked for.
func (p *pass) takeActs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	acts := p.acts
	p.acts = nil
	return acts
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

// toRemote returns a context for talking to the cluster itself, for as long as this pass may still do so. The function that
// comes with it has to be called when that is over.
func toRemote(ctx context.Context) (context.Context, func()) {
	p, ok := ctx.Value(passKey{}).(*pass)
	if !ok {
		return context.WithTimeout(ctx, remoteBudget)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, remoteBudget-p.remote)
	return ctx, func() {
		cancel()
		p.remote += time.Since(began)
	}
}
