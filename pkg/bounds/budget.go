// Package bounds limits how much of the manager's memory strangers can fill: with the answers to the requests of one visit
// (a budget), and with what is kept of many clusters between visits (a cache).
package bounds

import (
	"context"
	"fmt"
	"sync/atomic"
)

// budget is what the answers of one visit may still take, in bytes of memory.
type budget struct {
	all  int64
	left atomic.Int64
}

type budgetKey struct{}

// WithBudget returns a context whose requests may take so many bytes of memory for their answers, all of them together.
func WithBudget(ctx context.Context, bytes int64) context.Context {
	b := &budget{all: bytes}
	b.left.Store(bytes)
	return context.WithValue(ctx, budgetKey{}, b)
}

// Spend takes bytes of memory from the budget of the context. It fails with an *Exceeded once that is used up. Without a
// budget it always succeeds.
func Spend(ctx context.Context, bytes int64) error {
	b, ok := ctx.Value(budgetKey{}).(*budget)
	if !ok || b.left.Add(-bytes) >= 0 {
		return nil
	}
	return &Exceeded{Bytes: b.all}
}

// Exceeded says that the answers of one visit need more memory than it may use.
type Exceeded struct {
	// Bytes is the budget of the whole visit.
	Bytes int64
}

// Error returns the budget.
func (e *Exceeded) Error() string {
	return fmt.Sprintf("all answers of one visit together take more than %d KiB", e.Bytes>>10)
}
