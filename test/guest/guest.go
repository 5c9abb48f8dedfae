package guest

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/test/env"
)

// ServerSource tells how the cluster's servers are.
type ServerSource interface {
	// Active returns, for each server of the cluster that exists, by name, whether it is ACTIVE.
	Active(ctx context.Context) (map[string]bool, error)
}

// Options say how the cluster behaves.
type Options struct {
	// Name is what the API server's process is called.
	Name string
	// Source is asked for the servers. Those that there are at the start become Nodes.
	Source ServerSource
	// Poll is how often the source is asked and the kubelets report; half a second if 0.
	Poll time.Duration
	// Boot is the time from a new server being ACTIVE to its kubelet's first report.
	Boot time.Duration
	// Settle is the time from the API being back to the ClusterOperators being good again.
	Settle time.Duration
}

// Guest is a running cluster.
type Guest struct {
	options  Options
	api      *env.API
	client   client.Client
	vip      *vip
	machines map[string]*machine

	cancel context.CancelFunc
	done   sync.WaitGroup

	// serving says that the API has been back since the time up; settled, that the ClusterOperators have got over it.
	serving, settled bool
	up               time.Time

	mu      sync.Mutex
	err     error
	hurried bool
}

// Start starts a cluster whose servers run. Stop ends it; its API server ends with e.
func Start(ctx context.Context, e *env.Env, options Options) (*Guest, error) {
	if options.Poll == 0 {
		options.Poll = 500 * time.Millisecond
	}
	api, err := e.StartAPI(ctx, options.Name)
	if err != nil {
		return nil, err
	}
	c, err := client.New(api.Config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client for the cluster: %w", err)
	}
	g := &Guest{options: options, api: api, client: c}
	if err := g.install(ctx); err != nil {
		return nil, err
	}
	if g.vip, err = newVIP(api.Address); err != nil {
		return nil, err
	}
	loop, cancel := context.WithCancel(ctx)
	g.cancel = cancel
	g.look(loop)
	g.done.Go(func() { g.run(loop) })
	return g, nil
}

// Stop ends the cluster. It returns what kept it from following its servers the last time it tried, if anything did.
func (g *Guest) Stop() error {
	g.cancel()
	g.done.Wait()
	g.vip.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Kubeconfig returns the administrator's kubeconfig; it leads to the virtual IP address.
func (g *Guest) Kubeconfig() ([]byte, error) { return g.api.KubeconfigFor(g.vip.address()) }

// Client reaches the API also while the cluster is stopped.
func (g *Guest) Client() client.Client { return g.client }

// Serving tells whether the API answers at its virtual IP address.
func (g *Guest) Serving() bool { return g.vip.isOpen() }

// Settle makes the ClusterOperators good from now on, whatever the options say.
func (g *Guest) Settle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hurried = true
}

func (g *Guest) isHurried() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hurried
}

// install makes what the cluster has right after its installation.
func (g *Guest) install(ctx context.Context) error {
	active, err := g.options.Source.Active(ctx)
	if err != nil {
		return fmt.Errorf("ask for the cluster's servers: %w", err)
	}
	g.machines = make(map[string]*machine, len(active))
	for name := range active {
		m := &machine{name: name}
		g.machines[name] = m
		if err := m.createNode(ctx, g.client); err != nil {
			return fmt.Errorf("make Node %s: %w", name, err)
		}
	}
	g.settled = true
	return installOperators(ctx, g.api.Config, g.client)
}

func (g *Guest) run(ctx context.Context) {
	ticker := time.NewTicker(g.options.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.look(ctx)
		}
	}
}

// look asks how the servers are and has the cluster follow.
func (g *Guest) look(ctx context.Context) {
	err := g.follow(ctx, time.Now())
	if ctx.Err() == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.err = err
	}
}

func (g *Guest) follow(ctx context.Context, now time.Time) error {
	active, err := g.options.Source.Active(ctx)
	if err != nil {
		return fmt.Errorf("ask for the cluster's servers: %w", err)
	}
	for name, m := range g.machines {
		runs, exists := active[name]
		m.observe(exists, runs, now, g.options.Boot)
	}
	g.serve(now)
	if !g.serving {
		return nil
	}
	if err := g.settle(ctx, now); err != nil {
		return err
	}
	for _, name := range g.names() {
		if m := g.machines[name]; m.up(now) {
			if err := m.report(ctx, g.client, now); err != nil {
				return fmt.Errorf("report of the kubelet on %s: %w", name, err)
			}
		}
	}
	return nil
}

// serve opens the API while etcd has its quorum.
func (g *Guest) serve(now time.Time) {
	all, up := 0, 0
	for _, m := range g.machines {
		if !m.controlPlane() {
			continue
		}
		all++
		if m.up(now) {
			up++
		}
	}
	serving := up > all/2
	if serving && !g.serving {
		g.up = now
	}
	if !serving {
		g.settled = false
	}
	g.serving = serving
	g.vip.setOpen(serving)
}

// settle has the ClusterOperators notice that the cluster was away, and get over it.
func (g *Guest) settle(ctx context.Context, now time.Time) error {
	if g.settled {
		return nil
	}
	settled := now.Sub(g.up) >= g.options.Settle || g.isHurried()
	if err := reportOperators(ctx, g.client, settled, now); err != nil {
		return err
	}
	g.settled = settled
	return nil
}

func (g *Guest) names() []string {
	names := make([]string, 0, len(g.machines))
	for name := range g.machines {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// isControlPlane tells by a server's name, as the installer gives it, what it is for.
func isControlPlane(name string) bool { return strings.Contains(name, "-master-") }
