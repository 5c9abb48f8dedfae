// Package remoteclient makes clients to the hibernated clusters themselves, from the admin kubeconfigs that their
// ClusterDeployments refer to. A kubeconfig is somebody else's input: one that would run a command or read a file here is
// refused.
package remoteclient

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// Timeout bounds each request to a cluster: a visit must not wait for an API that is still booting.
const Timeout = 10 * time.Second

// Factory makes clients to clusters.
type Factory interface {
	// ClientFor returns a client to the cluster of the ClusterDeployment. It sends nothing to the cluster. A *Refusal says
	// that a person has to mend the kubeconfig.
	ClientFor(ctx context.Context, cd *hivev1.ClusterDeployment) (client.Client, error)
	// Forget drops what is kept for a ClusterDeployment that is gone.
	Forget(key types.NamespacedName)
}

// Refusal says what is wrong with a kubeconfig, or that there is none. It holds nothing of its content.
type Refusal struct {
	// Message says what is wrong, where, and what to do.
	Message string
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

func refuse(format string, args ...any) error {
	return &Refusal{Message: fmt.Sprintf(format, args...)}
}

// Clients is a Factory that keeps each client for as long as its Secret, and the URL that overrides it, stay the same. It
// is safe for concurrent use.
type Clients struct {
	secrets   client.Reader
	userAgent string

	mu   sync.Mutex
	kept map[types.NamespacedName]keptClient
}

var _ Factory = &Clients{}

type keptClient struct {
	origin origin
	client client.Client
}

// origin is all that a client is made from.
type origin struct {
	uid                     types.UID
	version                 string
	urlOverride, ipOverride string
}

// New returns a Factory that reads the Secrets with the given reader and says the given name to the clusters.
func New(secrets client.Reader, userAgent string) *Clients {
	return &Clients{secrets: secrets, userAgent: userAgent, kept: map[types.NamespacedName]keptClient{}}
}

// ClientFor returns a client to the cluster of the ClusterDeployment; it knows the kinds
// of mapper, and asks for Machines, MachineHealthChecks and ClusterOperators as unstructured objects.
func (c *Clients) ClientFor(ctx context.Context, cd *hivev1.ClusterDeployment) (client.Client, error) {
	secret, err := c.kubeconfigSecret(ctx, cd)
	if err != nil {
		return nil, err
	}
	key := client.ObjectKeyFromObject(cd)
	from := origin{uid: secret.UID, version: secret.ResourceVersion}
	if config := cd.Spec.ControlPlaneConfig; config != nil {
		from.urlOverride, from.ipOverride = config.APIURLOverride, config.APIServerIPOverride
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.kept[key]; ok && kept.origin == from {
		return kept.client, nil
	}
	made, err := c.make(secret, from)
	if err != nil {
		return nil, err
	}
	c.kept[key] = keptClient{origin: from, client: made}
	return made, nil
}

// Forget drops what is kept for a ClusterDeployment that is gone.
func (c *Clients) Forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, key)
}

func (c *Clients) kubeconfigSecret(ctx context.Context, cd *hivev1.ClusterDeployment) (*corev1.Secret, error) {
	if cd.Spec.ClusterMetadata == nil || cd.Spec.ClusterMetadata.AdminKubeconfigSecretRef.Name == "" {
		return nil, refuse("spec.clusterMetadata.adminKubeconfigSecretRef names no Secret")
	}
	key := types.NamespacedName{Namespace: cd.Namespace, Name: cd.Spec.ClusterMetadata.AdminKubeconfigSecretRef.Name}
	secret := &corev1.Secret{}
	err := c.secrets.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		return nil, refuse("the Secret %s, which spec.clusterMetadata.adminKubeconfigSecretRef names, does not exist: create it", key)
	}
	if err != nil {
		return nil, fmt.Errorf("read the Secret %s: %w", key, err)
	}
	return secret, nil
}

func (c *Clients) make(secret *corev1.Secret, from origin) (client.Client, error) {
	config, err := restConfig(secret)
	if err != nil {
		return nil, err
	}
	where := fmt.Sprintf("the Secret %s/%s, key %s: its server", secret.Namespace, secret.Name, hivev1.KubeconfigSecretKey)
	if from.urlOverride != "" {
		config.Host, where = from.urlOverride, "spec.controlPlaneConfig.apiURLOverride"
	}
	if err := checkAddress(config, where); err != nil {
		return nil, err
	}
	if from.ipOverride != "" {
		config.Dial = dialInstead(from.ipOverride)
	}
	config.UserAgent = c.userAgent
	config.Timeout = Timeout
	// A visit sends a handful of requests.
	config.QPS, config.Burst = 10, 20
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, refuse("the Secret %s/%s, key %s: its certificates, keys or URLs are not usable: fetch the admin kubeconfig anew",
			secret.Namespace, secret.Name, hivev1.KubeconfigSecretKey)
	}
	made, err := client.New(config, client.Options{HTTPClient: httpClient, Scheme: scheme, Mapper: mapper()})
	if err != nil {
		return nil, fmt.Errorf("make a client from the Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return made, nil
}

// dialInstead connects to the port that is asked for at another address.
func dialInstead(ip string) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: Timeout}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", address, err)
		}
		return dialer.DialContext(ctx, network, net.JoinHostPort(ip, port))
	}
}
