// Package remoteclient makes clients to the hibernated clusters themselves, from the admin kubeconfigs that their
// ClusterDeployments refer to. A kubeconfig is somebody else's input: one that would run a command or read a file here is
// refused.
package remoteclient

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/bounds"
	"github.com/overwinter/overwinter/pkg/dialguard"
)

const (
	// clientsKept is how many clients are kept, keptWeight how many bytes of memory they may take; clientWeight is what each
	// takes besides its kubeconfig.
	clientsKept  = 2048
	keptWeight   = 64 << 20
	clientWeight = 64 << 10
)

// Factory makes clients to clusters.
type Factory interface {
	// ClientFor returns a client to the cluster of the ClusterDeployment, at the address that Active returns. It sends
	// nothing to the cluster. A *Refusal says that a person has to mend the kubeconfig.
	ClientFor(ctx context.Context, cd *hivev1.ClusterDeployment) (client.Client, error)
	// Forget drops what is kept for a ClusterDeployment that is gone.
	Forget(key types.NamespacedName)
}

// Prober makes clients for whoever finds out at which address a cluster answers.
type Prober interface {
	// ClientAt is Factory's ClientFor for the address that is given.
	ClientAt(ctx context.Context, cd *hivev1.ClusterDeployment, address Address) (client.Client, error)
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

// Clients is a Factory that keeps each client for as long as its Secret, and the URL and the address that override what is
// in it, stay the same, and there is room for it. It is safe for concurrent use.
type Clients struct {
	secrets   client.Reader
	userAgent string
	limits    limits
	guard     *dialguard.Guard

	mu   sync.Mutex
	kept *bounds.Cache[place, keptClient]
}

var (
	_ Factory = &Clients{}
	_ Prober  = &Clients{}
)

// place is where a client leads.
type place struct {
	cluster types.NamespacedName
	address Address
}

type keptClient struct {
	origin origin
	client client.Client
	http   *http.Client
}

// origin is all that a client is made from.
type origin struct {
	uid                     types.UID
	version                 string
	urlOverride, ipOverride string
}

// Option changes how a Factory connects.
type Option func(*Clients)

// Guarded has the clients connect to no address that the guard denies. Behind a kubeconfig's proxy-url the guard sees the
// address of the proxy.
func Guarded(guard *dialguard.Guard) Option { return func(c *Clients) { c.guard = guard } }

// New returns a Factory that reads the Secrets with the given reader and says the given name to the clusters.
func New(secrets client.Reader, userAgent string, options ...Option) *Clients {
	c := &Clients{secrets: secrets, userAgent: userAgent, limits: defaultLimits(), kept: bounds.NewCache[place, keptClient](clientsKept, keptWeight)}
	for _, option := range options {
		option(c)
	}
	return c
}

// ClientFor returns a client to the cluster of the ClusterDeployment, at the address that Active returns; it knows the
// kinds of mapper, and asks for Machines, MachineHealthChecks, ClusterOperators and Pods as unstructured objects. Its requests
// are bounded by Timeout, what is read of their answers by listBounds, objectBounds and maxListed: more than that is a
// *TooLarge. Lists are read in pages, and their items lack managedFields, Nodes also their images.
func (c *Clients) ClientFor(ctx context.Context, cd *hivev1.ClusterDeployment) (client.Client, error) {
	return c.ClientAt(ctx, cd, Active(cd))
}

// ClientAt is ClientFor for the address that is given.
func (c *Clients) ClientAt(ctx context.Context, cd *hivev1.ClusterDeployment, address Address) (client.Client, error) {
	secret, err := c.kubeconfigSecret(ctx, cd)
	if err != nil {
		return nil, err
	}
	from := origin{uid: secret.UID, version: secret.ResourceVersion}
	if config := cd.Spec.ControlPlaneConfig; config != nil {
		from.urlOverride, from.ipOverride = config.APIURLOverride, config.APIServerIPOverride
	}
	if from.urlOverride == "" {
		address = Primary
	}
	if address == Secondary {
		from.urlOverride = ""
	}
	at := place{cluster: client.ObjectKeyFromObject(cd), address: address}
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.kept.Get(at); ok && kept.origin == from {
		return kept.client, nil
	}
	made, err := c.make(secret, from)
	if err != nil {
		return nil, err
	}
	weight := clientWeight
	for _, value := range secret.Data {
		weight += len(value)
	}
	closeAll(c.kept.Put(at, *made, int64(weight)))
	return made.client, nil
}

// Forget drops what is kept for a ClusterDeployment that is gone, and its connections.
func (c *Clients) Forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, address := range []Address{Primary, Secondary} {
		closeAll(c.kept.Remove(place{cluster: key, address: address}))
	}
}

// closeAll closes the connections of clients that are no longer kept. Requests under way are not disturbed.
func closeAll(dropped []keptClient) {
	for _, it := range dropped {
		utilnet.CloseIdleConnectionsFor(it.http.Transport)
	}
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

func (c *Clients) make(secret *corev1.Secret, from origin) (*keptClient, error) {
	config, err := restConfig(secret)
	if err != nil {
		return nil, err
	}
	kubeconfig := fmt.Sprintf("the Secret %s/%s, key %s", secret.Namespace, secret.Name, hivev1.KubeconfigSecretKey)
	where := kubeconfig + ": its server"
	if err := checkOverrides(config, from, kubeconfig); err != nil {
		return nil, err
	}
	if from.urlOverride != "" {
		config.Host, where = from.urlOverride, urlOverrideField
	}
	if err := checkAddress(config, where); err != nil {
		return nil, err
	}
	config.UserAgent = c.userAgent
	config.AcceptContentTypes, config.ContentType = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	// The repair of a large cluster sends some hundred requests.
	config.QPS, config.Burst = 50, 100
	// What a cluster warns its clients of is not for our log.
	config.WarningHandler = rest.NoWarnings{}
	httpClient, err := httpClientFor(config, from.ipOverride, c.limits, c.guard)
	if err != nil {
		return nil, refuse("%s: its certificates, keys or URLs are not usable: fetch the admin kubeconfig anew", kubeconfig)
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	made, err := client.New(config, client.Options{HTTPClient: httpClient, Scheme: scheme, Mapper: mapper()})
	if err != nil {
		return nil, fmt.Errorf("make a client from the Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return &keptClient{origin: from, client: paging{Client: made, listed: c.limits.listed}, http: httpClient}, nil
}
