package hibernation

import (
	"fmt"
	"time"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// Refusal says that the cluster can't be hibernated now. Nothing of it is, or stays, changed, and it goes on running;
// it is tried again after a while.
type Refusal struct {
	// Message says why, and what to do.
	Message string
	// After is when the next try may come.
	After time.Duration
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Blocked says that nothing more is done until a person has acted. Nothing was touched because of it.
type Blocked struct {
	// Message says what is wrong, where, and what to do.
	Message string
}

// Error returns the message.
func (b *Blocked) Error() string { return b.Message }

func blocked(format string, args ...any) error {
	return &Blocked{Message: fmt.Sprintf(format, args...)}
}

// abandonment is a finding that ends a hibernation before its seal: it is rolled back and tried again later.
type abandonment struct{ why string }

func (a *abandonment) Error() string { return a.why }

func abandon(format string, args ...any) error {
	return &abandonment{why: fmt.Sprintf(format, args...)}
}

// noAnswer is the error for a server of which Nova shows nothing but its ID: the cell that holds it is down.
func noAnswer(serverID string) error {
	return &openstackclient.Error{Kind: openstackclient.KindTransient, Op: "get server", Message: fmt.Sprintf("Nova can't say what server %s is; the cell that holds it does not answer", serverID)}
}

// held says that another manager has claimed the record and may still be at work.
type held struct {
	holder string
	after  time.Duration
}

func (h *held) Error() string { return "the record is claimed by another manager, " + h.holder }
