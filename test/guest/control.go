package guest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/overwinter/overwinter/test/env"
)

// Controller is a program of the cluster's control plane. It runs while the API does.
type Controller struct {
	// Name is what it is called in messages.
	Name string
	// Delay is the time from the API being there to the controller's being at work: it boots, and most wait for the
	// lease of a predecessor that is gone.
	Delay time.Duration
	// Run works until the context ends, and returns what made it end earlier.
	Run func(ctx context.Context, api *env.API) error
}

// control is the part of the control plane that runs on the API.
type control struct {
	controllers []Controller
	api         *env.API

	cancel context.CancelFunc
	done   sync.WaitGroup

	mu  sync.Mutex
	err error
}

// follow starts the controllers when the API is there, and stops them with it.
func (c *control) follow(ctx context.Context, serving bool) {
	switch {
	case serving && c.cancel == nil:
		ctx, c.cancel = context.WithCancel(ctx)
		for _, controller := range c.controllers {
			c.done.Go(func() { c.run(ctx, controller) })
		}
	case !serving && c.cancel != nil:
		c.stop()
	}
}

func (c *control) stop() {
	if c.cancel != nil {
		c.cancel()
		c.done.Wait()
		c.cancel = nil
	}
}

func (c *control) run(ctx context.Context, controller Controller) {
	timer := time.NewTimer(controller.Delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	if err := controller.Run(ctx, c.api); err != nil && ctx.Err() == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err = errors.Join(c.err, fmt.Errorf("%s: %w", controller.Name, err))
	}
}

// failure returns why controllers ended by themselves.
func (c *control) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
