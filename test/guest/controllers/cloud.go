package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/controllers/nodelifecycle"
	"k8s.io/component-base/metrics/prometheus/controllers"

	"github.com/overwinter/overwinter/test/env"
	"github.com/overwinter/overwinter/test/guest"
)

// cloudPeriod is how often the real one looks at all Nodes.
const cloudPeriod = 5 * time.Second

// Cloud is the node lifecycle controller of the cloud controller manager, as it is in k8s.io/cloud-provider: it deletes
// Nodes that are not Ready and whose instance is not found.
type Cloud struct {
	// Source is the cloud.
	Source guest.ServerSource
	// Period is how often it looks at all Nodes; 5 s if 0.
	Period time.Duration

	mu    sync.Mutex
	leads bool
	asked map[string]int
}

// Controller returns it as it begins to work after a delay, which is two minutes and more for a real one.
func (c *Cloud) Controller(delay time.Duration) guest.Controller {
	return guest.Controller{Name: "cloud-node-lifecycle", Delay: delay, Run: c.run}
}

// Asked returns how often the instance of a Node was looked for: it is while the Node is not Ready.
func (c *Cloud) Asked(node string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[node]
}

// Leads returns whether it has begun to work since its control plane runs.
func (c *Cloud) Leads() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leads
}

func (c *Cloud) lead(leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads = leads
}

func (c *Cloud) run(ctx context.Context, api *env.API) error {
	client, err := kubernetes.NewForConfig(api.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	nodes := factory.Core().V1().Nodes()
	synced := nodes.Informer().HasSynced
	period := c.Period
	if period == 0 {
		period = cloudPeriod
	}
	controller, err := nodelifecycle.NewCloudNodeLifecycleController(nodes, client, provider{instances{c}}, period, 1)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	for !synced() {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	c.lead(true)
	defer c.lead(false)
	controller.Run(ctx, metrics())
	return nil
}

func metrics() *controllers.ControllerManagerMetrics {
	return controllers.NewControllerManagerMetrics("test")
}

// pause waits, or returns why the context ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// provider is a cloud that has nothing but instances.
type provider struct{ instances instances }

// Initialize implements cloudprovider.Interface.
func (provider) Initialize(cloudprovider.ControllerClientBuilder, <-chan struct{}) {}

// LoadBalancer implements cloudprovider.Interface.
func (provider) LoadBalancer() (cloudprovider.LoadBalancer, bool) { return nil, false }

// Instances implements cloudprovider.Interface.
func (provider) Instances() (cloudprovider.Instances, bool) { return nil, false }

// InstancesV2 implements cloudprovider.Interface.
func (p provider) InstancesV2() (cloudprovider.InstancesV2, bool) { return p.instances, true }

// Zones implements cloudprovider.Interface.
func (provider) Zones() (cloudprovider.Zones, bool) { return nil, false }

// Clusters implements cloudprovider.Interface.
func (provider) Clusters() (cloudprovider.Clusters, bool) { return nil, false }

// Routes implements cloudprovider.Interface.
func (provider) Routes() (cloudprovider.Routes, bool) { return nil, false }

// ProviderName implements cloudprovider.Interface.
func (provider) ProviderName() string { return "openstack" }

// HasClusterID implements cloudprovider.Interface.
func (provider) HasClusterID() bool { return true }

// instances answers as cloud-provider-openstack does (pkg/openstack/instances.go, instancesv2.go): a Node's server is
// looked up by its providerID and, only if that is empty, by its name; what is not found by name is an error like any
// other, not an instance that doesn't exist.
type instances struct{ cloud *Cloud }

var errNoServerNamed = errors.New("failed to find object")

func (i instances) server(ctx context.Context, node *corev1.Node) (guest.Server, error) {
	i.cloud.mu.Lock()
	if i.cloud.asked == nil {
		i.cloud.asked = map[string]int{}
	}
	i.cloud.asked[node.Name]++
	i.cloud.mu.Unlock()
	servers, err := i.cloud.Source.Servers(ctx)
	if err != nil {
		return guest.Server{}, err
	}
	for _, server := range servers {
		byName := node.Spec.ProviderID == "" && server.Name == node.Name
		if byName || guest.ProviderID(server.ID) == node.Spec.ProviderID {
			return server, nil
		}
	}
	switch {
	case node.Spec.ProviderID == "":
		return guest.Server{}, errNoServerNamed
	case !strings.HasPrefix(node.Spec.ProviderID, guest.ProviderPrefix):
		return guest.Server{}, fmt.Errorf("ProviderID %q didn't match expected format", node.Spec.ProviderID)
	}
	return guest.Server{}, cloudprovider.InstanceNotFound
}

// InstanceExists implements cloudprovider.InstancesV2.
func (i instances) InstanceExists(ctx context.Context, node *corev1.Node) (bool, error) {
	_, err := i.server(ctx, node)
	if errors.Is(err, cloudprovider.InstanceNotFound) {
		return false, nil
	}
	return err == nil, err
}

// InstanceShutdown implements cloudprovider.InstancesV2.
func (i instances) InstanceShutdown(ctx context.Context, node *corev1.Node) (bool, error) {
	// A server that is not ACTIVE here is being built or paused; SHUTOFF is none of these clusters'.
	_, err := i.server(ctx, node)
	return false, err
}

// InstanceMetadata implements cloudprovider.InstancesV2.
func (i instances) InstanceMetadata(ctx context.Context, node *corev1.Node) (*cloudprovider.InstanceMetadata, error) {
	server, err := i.server(ctx, node)
	if err != nil {
		return nil, err
	}
	return &cloudprovider.InstanceMetadata{ProviderID: guest.ProviderID(server.ID)}, nil
}
