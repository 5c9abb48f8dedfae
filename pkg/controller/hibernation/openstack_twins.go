package hibernation

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	log "github.com/sirupsen/logrus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
)

const (
	// twinsRead is how many ClusterDeployments of one infraID are looked at in one visit, and twinsAsked for how many of them
	// Keystone is: more of them than two are made by somebody who wants to keep the manager busy.
	twinsRead  = 32
	twinsAsked = 3
	// twinTimeout bounds each request to Keystone for somebody else's ClusterDeployment.
	twinTimeout = 5 * time.Second
	// nowhereFor is how long credentials that Keystone refused count as leading nowhere, and unansweredFor how long Keystone is
	// not asked again that did not answer.
	nowhereFor    = time.Hour
	unansweredFor = 10 * time.Minute
	// scopesKept is for how many credentials it is kept where they lead.
	scopesKept = 1024
)

// scopes remembers where the credentials of twins lead.
type scopes struct {
	mu   sync.Mutex
	kept *lru.Cache
}

// credentialsKey identifies credentials, as the client's own cache does.
type credentialsKey struct{ secretUID, secretVersion, cloud string }

// scopeFound is what Keystone said of credentials.
type scopeFound struct {
	// scope is where they lead; empty if they lead nowhere, or that is not known.
	scope openstackclient.Scope
	known bool
	// until is when to ask again; zero for never.
	until time.Time
}

func newScopes() *scopes { return &scopes{kept: lru.New(scopesKept)} }

func (s *scopes) get(key credentialsKey, now time.Time) (scopeFound, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.kept.Get(key)
	if !ok {
		return scopeFound{}, false
	}
	found, ok := value.(scopeFound)
	return found, ok && (found.until.IsZero() || now.Before(found.until))
}

func (s *scopes) put(key credentialsKey, found scopeFound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.Add(key, found)
}

// Contend finds out which of the others are of the same cluster: those that are installed, are on OpenStack, and whose
// credentials lead to the same project of the same cloud. Only for those that name the same Keystone it is asked, so that
// nobody's else is.
func (a *OpenStackActuator) Contend(ctx context.Context, cd *hivev1.ClusterDeployment, others []*hivev1.ClusterDeployment, c client.Client, now time.Time, logger log.FieldLogger) (Claim, error) {
	var installed []*hivev1.ClusterDeployment
	for _, other := range others {
		if other.Spec.Installed && other.Spec.ClusterMetadata != nil && a.CanHandle(other) {
			installed = append(installed, other)
		}
	}
	if len(installed) == 0 {
		return Claim{}, nil
	}
	own, err := openstackCredentials(ctx, c, cd)
	if err != nil {
		return Claim{}, err
	}
	target, err := openstackclient.DestinationOf(own)
	if err != nil {
		return Claim{}, err
	}
	near, err := a.nearby(ctx, target, installed, c)
	if err != nil || len(near) == 0 {
		return Claim{}, err
	}
	session, err := a.session(ctx, cd, c, logger)
	if err != nil {
		return Claim{}, err
	}
	scope, err := session.cloud.Scope(ctx)
	if err != nil {
		return Claim{}, err
	}
	return a.claim(ctx, session, a.compare(ctx, scope, near, now), logger)
}

// candidate is a ClusterDeployment whose credentials name the same Keystone.
type candidate struct {
	cluster *hivev1.ClusterDeployment
	// credentials are nil if they were not looked at.
	credentials *openstackclient.Credentials
}

// nearby returns those of the others whose credentials name the same Keystone, and no other region.
func (a *OpenStackActuator) nearby(ctx context.Context, target openstackclient.Destination, others []*hivev1.ClusterDeployment, c client.Client) ([]candidate, error) {
	var near []candidate
	for i, other := range others {
		if i >= twinsRead {
			near = append(near, candidate{cluster: other})
			continue
		}
		credentials, err := openstackCredentials(ctx, c, other)
		if leadsNowhere(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		its, err := openstackclient.DestinationOf(credentials)
		sameRegion := its.Region == "" || target.Region == "" || its.Region == target.Region
		if err == nil && sameRegion && sameKeystone(its.AuthURL, target.AuthURL) {
			near = append(near, candidate{cluster: other, credentials: &credentials})
		}
	}
	return near, nil
}

// leadsNowhere reports whether an error says that credentials are missing or useless.
func leadsNowhere(err error) bool {
	var wrong *ConfigurationError
	return errors.As(err, &wrong) || openstackclient.KindOf(err) == openstackclient.KindInvalid
}

// sameKeystone reports whether two identity endpoints are the same, however they are spelled.
func sameKeystone(a, b string) bool { return keystone(a) == keystone(b) }

func keystone(authURL string) string {
	address, err := url.Parse(authURL)
	if err != nil {
		return authURL
	}
	path := strings.TrimSuffix(strings.TrimSuffix(address.Path, "/"), "/v3")
	return strings.ToLower(address.Scheme+"://"+address.Host) + strings.TrimSuffix(path, "/")
}

// compare returns the candidates that lead to the scope, and those of which that is not known.
func (a *OpenStackActuator) compare(ctx context.Context, scope openstackclient.Scope, near []candidate, now time.Time) []Twin {
	var twins []Twin
	asked := 0
	for _, it := range near {
		if it.credentials == nil {
			twins = append(twins, Twin{Cluster: it.cluster})
			continue
		}
		key := credentialsKey{it.credentials.SecretUID, it.credentials.SecretVersion, it.credentials.Cloud}
		found, fresh := a.scopes.get(key, now)
		if !fresh && asked < twinsAsked {
			asked++
			found = a.ask(ctx, *it.credentials, now)
			a.scopes.put(key, found)
		}
		switch {
		case !found.known:
			twins = append(twins, Twin{Cluster: it.cluster})
		case sameScope(found.scope, scope):
			twins = append(twins, Twin{Cluster: it.cluster, Known: true})
		}
	}
	return twins
}

func sameScope(a, b openstackclient.Scope) bool {
	return a.ProjectID == b.ProjectID && a.Region == b.Region && sameKeystone(a.AuthURL, b.AuthURL)
}

// ask has Keystone say where credentials lead.
func (a *OpenStackActuator) ask(ctx context.Context, credentials openstackclient.Credentials, now time.Time) scopeFound {
	ctx, cancel := context.WithTimeout(ctx, twinTimeout)
	defer cancel()
	cloud, err := a.clouds.ClientFor(ctx, credentials)
	var scope openstackclient.Scope
	if err == nil {
		scope, err = cloud.Scope(ctx)
	}
	switch {
	case err == nil:
		return scopeFound{scope: scope, known: true}
	case isFinal(err):
		return scopeFound{known: true, until: now.Add(nowhereFor)}
	}
	return scopeFound{until: now.Add(unansweredFor)}
}

// isFinal reports whether Keystone has said that credentials lead nowhere.
func isFinal(err error) bool {
	if errors.Is(err, openstackclient.ErrTooLarge) {
		return false
	}
	switch openstackclient.KindOf(err) {
	case openstackclient.KindUnauthorized, openstackclient.KindForbidden, openstackclient.KindInvalid, openstackclient.KindNotFound:
		return true
	case openstackclient.KindQuota, openstackclient.KindConflict, openstackclient.KindThrottled, openstackclient.KindTransient:
		return false
	}
	return false
}

// claim finds out who holds a valid record. All records are compared with the cloud by the ClusterDeployment's own credentials.
func (a *OpenStackActuator) claim(ctx context.Context, own *openstackPass, twins []Twin, logger log.FieldLogger) (Claim, error) {
	if len(twins) == 0 {
		return Claim{}, nil
	}
	claim := Claim{Twins: twins}
	var err error
	if claim.Holds, err = own.Holds(ctx); err != nil {
		return Claim{}, err
	}
	for i := range twins {
		if claim.Holds && !twins[i].Known {
			// It comes first whatever the other has.
			continue
		}
		if twins[i].Holds, err = a.sessions(a.cluster(twins[i].Cluster), own.cloud, logger).Holds(ctx); err != nil {
			return Claim{}, err
		}
	}
	return claim, nil
}

// Forget drops what is remembered of the record of a ClusterDeployment that is gone.
func (a *OpenStackActuator) Forget(key types.NamespacedName) {
	a.sessions(hibernation.Cluster{Namespace: key.Namespace, Name: key.Name}, nil, log.StandardLogger()).Forget()
}
