//go:build e2e

package openstack

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"
)

// outage is one or several of the cloud's services gone for a while.
type outage struct {
	services []string
	// how: kill and stop end them, pause lets them hang.
	how string
	// at and nth name the request of the manager's with which it begins: before the cloud gets it if before is true, else
	// when it has been answered.
	at     string
	nth    int
	before bool
	// until is a condition of the cloud's that is waited for then, and after a while more.
	until func(ctx context.Context, c *cloud) (bool, error)
	after time.Duration
	lasts time.Duration
}

func (o outage) String() string {
	when := "after"
	if o.before {
		when = "before"
	}
	return fmt.Sprintf("%s of %s for %s, %s request %d of %q", o.how, strings.Join(o.services, " and "), o.lasts, when, o.nth, o.at)
}

// uploading is the time in which the hypervisor sends a snapshot.
func uploading(ctx context.Context, c *cloud) (bool, error) {
	pages, err := images.List(c.image, images.ListOpts{Status: images.ImageStatusSaving}).AllPages(ctx)
	if err != nil {
		return false, err
	}
	empty, err := pages.IsEmpty()
	return !empty, err
}

// saboteur makes outages. All are over, and every service answers again, before the test ends.
type saboteur struct {
	w *world

	at sync.WaitGroup

	mu sync.Mutex
	// gone holds, for each service that was ever gone, who may start and stop it now.
	gone map[string]*sync.Mutex
	made int
}

func (w *world) newSaboteur() *saboteur {
	s := &saboteur{w: w, gone: map[string]*sync.Mutex{}}
	w.t.Cleanup(func() {
		s.at.Wait()
		for name := range s.gone {
			// One that runs stays as it is.
			if err := errors.Join(svc("resume", name), svc("start", name)); err != nil {
				w.t.Errorf("%v", err)
			}
		}
	})
	return s
}

// svc tells one of the cloud's services what to do; start waits until it answers.
func svc(action, name string) error {
	// It is not ended with the test: what is stopped must be started.
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "rig/svc.sh", action, name).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", action, name, err, out)
	}
	return nil
}

// set lets an outage begin with a request of the manager's.
func (s *saboteur) set(o outage) {
	s.w.recorder.set(&trap{
		is:     func(r request) bool { return r.Kind == o.at },
		nth:    o.nth,
		before: o.before,
		spring: func() {
			if o.until == nil && o.after == 0 {
				// So that it hits the request itself, or the next one.
				s.begin(o)
				s.at.Go(func() { s.end(o) })
				return
			}
			s.at.Go(func() {
				s.wait(o)
				s.begin(o)
				s.end(o)
			})
		},
	})
}

func (s *saboteur) wait(o outage) {
	if o.until != nil {
		for range 100 {
			if yes, _ := o.until(s.w.t.Context(), s.w.cloud); yes {
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	time.Sleep(o.after)
}

// begin lets the services go. Until the end no other outage touches them.
func (s *saboteur) begin(o outage) {
	for _, name := range slices.Sorted(slices.Values(o.services)) {
		s.of(name).Lock()
	}
	s.w.t.Logf("outage: %s", o)
	s.all(o, o.how)
}

func (s *saboteur) end(o outage) {
	time.Sleep(o.lasts)
	back := "start"
	if o.how == "pause" {
		back = "resume"
	}
	s.all(o, back)
	for _, name := range o.services {
		s.of(name).Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	s.w.t.Logf("outage over: %s", o)
}

// count returns how many outages there were.
func (s *saboteur) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

func (s *saboteur) of(name string) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone[name] == nil {
		s.gone[name] = &sync.Mutex{}
	}
	return s.gone[name]
}

func (s *saboteur) all(o outage, action string) {
	var all sync.WaitGroup
	for _, name := range o.services {
		all.Go(func() {
			if err := svc(action, name); err != nil {
				s.w.t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
}

// over waits until no service is gone and every API does its work.
func (s *saboteur) over() {
	s.at.Wait()
	ctx, w := s.w.t.Context(), s.w
	NewWithT(w.t).Eventually(func(g Gomega) {
		w.cloud.usage(ctx, g)
		w.cloud.images(ctx, g)
		w.cloud.ports(ctx, g, ports.ListOpts{Name: "api"})
	}).WithTimeout(2 * time.Minute).WithPolling(time.Second).Should(Succeed())
}
