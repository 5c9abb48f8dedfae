package cloud

import (
	"container/heap"
	"time"
)

// event is work that takes effect at a later time.
type event struct {
	at  time.Time
	seq int // keeps those of the same time in the order in which they were made
	run func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}

// after has run called under the mutex d after the cloud's present.
func (c *Cloud) after(d time.Duration, run func()) {
	heap.Push(&c.queue, event{at: c.now.Add(d), seq: c.nextSeq(), run: run})
}

// catchUp does all that is due by now.
func (c *Cloud) catchUp() {
	until := c.clock.Now().Add(c.ahead)
	for len(c.queue) > 0 && !c.queue[0].at.After(until) {
		c.runNext()
	}
	if until.After(c.now) { // a clock may be set back, the cloud's time goes on
		c.now = until
	}
}

func (c *Cloud) runNext() {
	e := heap.Pop(&c.queue).(event)
	if e.at.After(c.now) {
		c.now = e.at
	}
	c.version++
	e.run()
}

// Advance does everything that is due by now. Looking at the cloud in any way does so as well.
func (c *Cloud) Advance() { c.locked(func() {}) }

// Settle does everything that is under way, as if the time for it had passed. The cloud is ahead of the clock by that time from then on.
func (c *Cloud) Settle() {
	c.locked(func() {
		before := c.now
		for len(c.queue) > 0 {
			c.runNext()
		}
		c.ahead += c.now.Sub(before)
	})
}

// NextEvent returns the clock's time at which the next piece of work is due, and false if nothing is under way.
func (c *Cloud) NextEvent() (time.Time, bool) {
	var at time.Time
	var ok bool
	c.locked(func() {
		if ok = len(c.queue) > 0; ok {
			at = c.queue[0].at.Add(-c.ahead)
		}
	})
	return at, ok
}

// alter is locked for an f that changes something.
func (c *Cloud) alter(f func()) {
	c.locked(func() {
		c.version++
		f()
	})
}

// locked runs f on the present state, then tells the watchers.
func (c *Cloud) locked(f func()) {
	news := false
	func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.catchUp()
		f()
		news = len(c.undelivered) > 0
	}()
	if news {
		c.deliver()
	}
}
