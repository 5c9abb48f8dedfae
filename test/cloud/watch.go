package cloud

import "time"

// EventKind says what happened to a server.
type EventKind string

// What watchers are told of.
const (
	ServerCreated EventKind = "created" // accepted, in BUILD
	ServerActive  EventKind = "active"
	ServerPaused  EventKind = "paused"
	ServerStopped EventKind = "stopped"
	ServerFailed  EventKind = "failed" // in ERROR
	ServerDeleted EventKind = "deleted"
)

// ServerEvent is a change of a server and the server's state right after it.
type ServerEvent struct {
	Kind   EventKind
	At     time.Time
	Server Server
}

// Subscribe has f called for each server event, in order and one at a time, without the cloud's mutex: f may use the cloud. The
// function returned ends it. As nothing in the cloud happens by itself, events come with requests, or by Advance.
func (c *Cloud) Subscribe(f func(ServerEvent)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextSeq()
	c.watchers[id] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, id)
	}
}

func (c *Cloud) notify(kind EventKind, s *server) {
	if len(c.watchers) > 0 {
		c.undelivered = append(c.undelivered, ServerEvent{Kind: kind, At: c.now, Server: c.serverState(s)})
	}
}

// deliver tells the watchers what has happened. One goroutine delivers at a time, so that the order is kept; others leave theirs to it.
func (c *Cloud) deliver() {
	mine := false
	for {
		e, watchers := c.nextDelivery(&mine)
		if !mine {
			return
		}
		for _, f := range watchers {
			f(e)
		}
	}
}

// nextDelivery returns the oldest event not yet told. mine says whether the caller is the one who delivers.
func (c *Cloud) nextDelivery(mine *bool) (ServerEvent, []func(ServerEvent)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.delivering && !*mine {
		return ServerEvent{}, nil
	}
	*mine = len(c.undelivered) > 0
	c.delivering = *mine
	if !*mine {
		return ServerEvent{}, nil
	}
	e := c.undelivered[0]
	c.undelivered = c.undelivered[1:]
	watchers := make([]func(ServerEvent), 0, len(c.watchers))
	for _, id := range sortedKeys(c.watchers) {
		watchers = append(watchers, c.watchers[id])
	}
	return e, watchers
}
