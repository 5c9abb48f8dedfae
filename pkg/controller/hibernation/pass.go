package hibernation

import (
	"context"
	"sync"
	"time"

	"github.com/overwinter/overwinter/pkg/bounds"
)

// remoteBudget is for how long one visit talks to the cluster itself, altogether: one that does not answer must not keep a
// worker from others.
const remoteBudget = 10 * time.Second

// visitMemory is how many bytes of memory the answers to all requests of one visit may take, those of the cloud and those of
// the cluster itself. The pod of config/manager has 512 MiB and 10 workers. A visit to a cluster of 135 machines, of which the
// record just fits into a Secret, takes 5 MiB.
const visitMemory = 24 << 20

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
// ClusterDeployment. They are called one after the other, and the answers to their requests have one budget of memory.
func WithPass(ctx context.Context) context.Context {
	ctx = bounds.WithBudget(ctx, visitMemory)
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
