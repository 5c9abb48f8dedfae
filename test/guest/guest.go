package guest

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/test/env"
)

// Options say how the cluster behaves.
type Options struct {
	// Name is what the API server's process is called.
	Name string
	// Source is asked for the servers. Those that there are at the start become Nodes and Machines.
	Source ServerSource
	// Poll is how often the source is asked and the kubelets report; half a second if 0.
	Poll time.Duration
	// Boot is the time from a new server being ACTIVE to its kubelet's first report; API the time from there to the
	// server's part in the control plane.
	Boot, API time.Duration
	// NotReady is how long a kubelet that has booted says that its Node is not ready.
	NotReady time.Duration
	// Settle is the time from the API being back to the ClusterOperators being good again.
	Settle time.Duration
	// Controllers run on the control plane.
	Controllers []Controller
}

// Guest is a running cluster.
type Guest struct {
	options  Options
	api      *env.API
	client   client.Client
	vip      *vip
	control  *control
	machines map[string]*machine

	cancel context.CancelFunc
	done   sync.WaitGroup

	// serving says that the API has been back since the time up; settled, that the ClusterOperators have got over it.
	serving, settled bool
	up               time.Time

	mu      sync.Mutex
	err     error
	hurried bool
	cut     bool
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
	if err := installCRDs(api.Config); err != nil {
		return nil, err
	}
	c, err := client.New(api.Config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client for the cluster: %w", err)
	}
	control := &control{controllers: options.Controllers, api: api}
	g := &Guest{options: options, api: api, client: c, control: control}
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

// Stop ends the cluster. It returns what kept it from following its servers the last time it tried, if anything did, and
// which of its controllers had ended.
func (g *Guest) Stop() error {
	g.cancel()
	g.done.Wait()
	g.control.stop()
	g.vip.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.err, g.control.failure())
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

// Cut says whether nobody reaches the API's virtual IP address although the cluster runs.
func (g *Guest) Cut(cut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cut = cut
}

func (g *Guest) isCut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cut
}

func (g *Guest) isHurried() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hurried
}

// install makes what the cluster has some time after its installation.
func (g *Guest) install(ctx context.Context) error {
	servers, err := g.options.Source.Servers(ctx)
	if err != nil {
		return fmt.Errorf("ask for the cluster's servers: %w", err)
	}
	g.machines = make(map[string]*machine, len(servers))
	for _, server := range servers {
		g.machines[server.Name] = &machine{name: server.Name, server: server.ID}
	}
	machines := g.sorted()
	for i, m := range machines {
		if err := installNode(ctx, g.client, m, i, i == len(machines)-1); err != nil {
			return err
		}
	}
	if err := installMachines(ctx, g.client, machines); err != nil {
		return err
	}
	if err := g.installPods(ctx); err != nil {
		return err
	}
	g.settled = true
	return installOperators(ctx, g.client)
}

// installPods makes somebody's pod on each worker: it is lost when its Node is.
func (g *Guest) installPods(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: driverNamespace}}
	if err := g.client.Create(ctx, namespace); err != nil {
		return fmt.Errorf("make namespace %s: %w", driverNamespace, err)
	}
	for _, m := range g.sorted() {
		if m.controlPlane() {
			continue
		}
		pod := newPod(metav1.NamespaceDefault, m.name)
		pod.Name = "on-" + m.name
		pod.Spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
		if err := g.client.Create(ctx, pod); err != nil {
			return fmt.Errorf("make a pod on %s: %w", m.name, err)
		}
	}
	return nil
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
	if err := g.observe(ctx, now); err != nil {
		return err
	}
	g.serve(ctx, now)
	if !g.serving {
		return nil
	}
	if err := g.settle(ctx, now); err != nil {
		return err
	}
	return g.work(ctx, now)
}

// observe takes note of how the servers are.
func (g *Guest) observe(ctx context.Context, now time.Time) error {
	servers, err := g.options.Source.Servers(ctx)
	if err != nil {
		return fmt.Errorf("ask for the cluster's servers: %w", err)
	}
	present := make(map[string]*Server, len(servers))
	for i := range servers {
		present[servers[i].Name] = &servers[i]
	}
	for name, m := range g.machines {
		m.observe(present[name], now, g.options.Boot, g.options.API)
	}
	return nil
}

// work is what the kubelets and the DaemonSets do.
func (g *Guest) work(ctx context.Context, now time.Time) error {
	nodes, pods := &corev1.NodeList{}, &corev1.PodList{}
	if err := errors.Join(g.client.List(ctx, nodes), g.client.List(ctx, pods)); err != nil {
		return err
	}
	if err := rollOut(ctx, g.client, nodes.Items, pods.Items); err != nil {
		return err
	}
	bound := map[string][]corev1.Pod{}
	for _, pod := range pods.Items {
		bound[pod.Spec.NodeName] = append(bound[pod.Spec.NodeName], pod)
	}
	for _, m := range g.sorted() {
		if !m.up(now) {
			continue
		}
		if err := m.work(ctx, g.client, bound[m.name], now, g.options.NotReady); err != nil {
			return fmt.Errorf("kubelet on %s: %w", m.name, err)
		}
	}
	return nil
}

// serve opens the API while etcd has its quorum.
func (g *Guest) serve(ctx context.Context, now time.Time) {
	all, up := 0, 0
	for _, m := range g.machines {
		if !m.controlPlane() {
			continue
		}
		all++
		if m.serves(now) {
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
	g.vip.setOpen(serving && !g.isCut())
	g.control.follow(ctx, serving)
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

// sorted returns the machines by name.
func (g *Guest) sorted() []*machine {
	machines := make([]*machine, 0, len(g.machines))
	for _, m := range g.machines {
		machines = append(machines, m)
	}
	sort.Slice(machines, func(i, j int) bool { return machines[i].name < machines[j].name })
	return machines
}

// isControlPlane tells by a server's name, as the installer gives it, what it is for.
func isControlPlane(name string) bool { return strings.Contains(name, "-master-") }
