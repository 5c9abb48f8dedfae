package openstackclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

// refusedFor is how long refused credentials are not shown to Keystone again: it may lock an account after a few tries.
// Correcting the Secret makes another client, which tries at once.
const refusedFor = time.Minute

// errSessionEnded says that the renewed token does not lead where the session's first one did.
var errSessionEnded = errors.New("the session has ended")

const opAuthenticate = "authenticate"

// session is what one authentication yields. It is not changed any more once it is made; gophercloud renews the token
// inside it.
type session struct {
	scope                   Scope
	compute, image, network gophercloud.ServiceClient
}

// refusal is the last answer to credentials that Keystone refused.
type refusal struct {
	err   *Error
	until time.Time
}

// session returns where the credentials lead and authenticates if that has not happened yet; of several callers at once
// only one does, and the others wait for it: they share its session, or its refusal, and ask in its place if it fails otherwise.
func (c *openstackClient) session(ctx context.Context) (*session, error) {
	if s, err := c.known(); s != nil || err != nil {
		return s, err
	}
	limited, cancel := context.WithTimeout(ctx, c.factory.options.RequestTimeout)
	defer cancel()
	if err := c.authenticating.Acquire(limited, 1); err != nil {
		return nil, c.classify(ctx, authentication(), err)
	}
	defer c.authenticating.Release(1)
	if s, err := c.known(); s != nil || err != nil {
		return s, err
	}
	return c.authenticate(limited)
}

// known returns the session, or the refusal, that there is; neither if Keystone is to be asked.
func (c *openstackClient) known() (*session, error) {
	if s := c.current.Load(); s != nil {
		return s, nil
	}
	if r := c.refused.Load(); r != nil && c.factory.options.Clock.Now().Before(r.until) {
		return nil, r.err
	}
	return nil, nil
}

func (c *openstackClient) authenticate(ctx context.Context) (*session, error) {
	s, err := c.newSession(ctx)
	if err != nil {
		failure := c.classify(ctx, authentication(), err)
		c.explainRefusal(failure)
		if failure.Kind == KindUnauthorized || failure.Kind == KindForbidden {
			c.refused.Store(&refusal{err: failure, until: c.factory.options.Clock.Now().Add(refusedFor)})
		}
		return nil, failure
	}
	c.current.Store(s)
	return s, nil
}

// explainRefusal adds what Keystone's words don't say: which credentials, and what to correct.
func (c *openstackClient) explainRefusal(failure *Error) {
	switch {
	case failure.Status == http.StatusUnauthorized:
		failure.Message = fmt.Sprintf("Keystone at %s refuses the credentials of cloud %q in key %q of the credentials Secret: %s",
			c.cloud.authURL, c.cloud.name, CloudsYAMLKey, failure.Message)
	case failure.Status == http.StatusNotFound:
		failure.Kind = KindInvalid
		failure.Message = fmt.Sprintf("there is no Identity API v3 at %s; correct auth_url of cloud %q in key %q of the credentials Secret",
			c.cloud.authURL, c.cloud.name, CloudsYAMLKey)
	}
}

// newSession asks for a token, which is the only request, and takes the endpoints from the catalog that comes with it.
// gophercloud's own constructors of service clients would ask each service for its versions first.
func (c *openstackClient) newSession(ctx context.Context) (*session, error) {
	provider, project, catalog, err := c.newToken(ctx)
	if err != nil {
		return nil, err
	}
	region, err := c.regionIn(catalog)
	if err != nil {
		return nil, err
	}
	s := &session{scope: Scope{AuthURL: c.cloud.authURL, ProjectID: project, Region: region}}
	c.renewInto(s, provider)
	// The renewing of the token keeps the gate it was made with.
	provider.HTTPClient = c.httpClient(c.factory.gateFor(s.scope))
	return s, c.addServices(s, provider, catalog)
}

// newToken has Keystone issue a token. The client that it returns keeps the token and nothing else of the answer, which may
// be large and lives as long as the session does.
func (c *openstackClient) newToken(ctx context.Context) (*gophercloud.ProviderClient, string, *tokens.ServiceCatalog, error) {
	provider, err := openstack.NewClient(c.cloud.auth.IdentityEndpoint)
	if err != nil {
		return nil, "", nil, fmt.Errorf("prepare the identity client: %w", err)
	}
	provider.HTTPClient = c.httpClient(c.identityGate)
	provider.HTTPClient.Transport = &tokenLimit{next: provider.HTTPClient.Transport}
	auth := c.cloud.auth
	auth.AllowReauth = false
	if err := openstack.AuthenticateV3(ctx, provider, &auth, gophercloud.EndpointOpts{}); err != nil {
		return nil, "", nil, err
	}
	project, catalog, err := c.readToken(provider)
	provider.SetToken(provider.Token())
	provider.EndpointLocator = nil
	return provider, project, catalog, err
}

// renewInto has the session's token renewed when it has expired. A renewal fails that leads to another project, as when
// projects are renamed: its answers would be taken for those of the project that the session began in. The next request
// begins a session of its own.
func (c *openstackClient) renewInto(s *session, provider *gophercloud.ProviderClient) {
	if !c.cloud.auth.AllowReauth {
		return
	}
	provider.ReauthFunc = func(ctx context.Context) error {
		renewed, project, _, err := c.newToken(ctx)
		if err == nil && project != s.scope.ProjectID {
			c.current.CompareAndSwap(s, nil)
			provider.SetToken("")
			return fmt.Errorf("%w: %w", errSessionEnded, unfit("the credentials lead to another project than before"))
		}
		if err != nil {
			return err
		}
		provider.SetToken(renewed.Token())
		return nil
	}
}

func (c *openstackClient) httpClient(g *gate) http.Client {
	return http.Client{
		Transport: c.factory.chain(g, c.transport),
		// Following a redirect would hand the token to another host, and turn a POST into a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// readToken returns the project and the catalog of the provider's token.
func (c *openstackClient) readToken(provider *gophercloud.ProviderClient) (string, *tokens.ServiceCatalog, error) {
	result, ok := provider.GetAuthResult().(interface {
		ExtractProject() (*tokens.Project, error)
		ExtractServiceCatalog() (*tokens.ServiceCatalog, error)
	})
	if !ok || provider.Token() == "" {
		return "", nil, unfit("there is no token in it")
	}
	project, err := result.ExtractProject()
	if err != nil {
		return "", nil, unreadableToken(err)
	}
	if project == nil || project.ID == "" {
		return "", nil, &Error{Kind: KindInvalid, Message: "the credentials lead to no project; name one in clouds.yaml"}
	}
	if len(project.ID) > maxID {
		return "", nil, unfit("the ID of the project in it is too long")
	}
	catalog, err := result.ExtractServiceCatalog()
	if err != nil {
		return "", nil, unreadableToken(err)
	}
	return project.ID, catalog, nil
}

// unreadableToken keeps what gophercloud could not decode out of the error.
func unreadableToken(err error) error {
	if isUnfit(err) {
		return err
	}
	return unfit("the token can't be read")
}
