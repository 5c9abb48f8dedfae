package openstackclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/gophercloud/gophercloud/v2"
	"golang.org/x/sync/semaphore"
)

var _ Client = &openstackClient{}

// openstackClient implements Client over gophercloud. It is safe for concurrent use.
type openstackClient struct {
	factory      *Factory
	cloud        *cloudConfig
	transport    http.RoundTripper
	identityGate *gate

	// authenticating is held by whoever authenticates.
	authenticating *semaphore.Weighted

	current atomic.Pointer[session]
	refused atomic.Pointer[refusal]
	// highest is the highest microversion of Nova, 0 while it is not known.
	highest atomic.Int64
}

// service is the one that an operation asks, as messages name it.
type service string

const (
	identity service = "Keystone"
	compute  service = "Nova"
	image    service = "Glance"
	network  service = "Neutron"
)

// client returns the session's client of the service.
func (s *session) client(of service) gophercloud.ServiceClient {
	switch of {
	case image:
		return s.image
	case network:
		return s.network
	case compute, identity:
	}
	return s.compute
}

// operation is one thing that a method of Client does.
type operation struct {
	name string
	// mutates says that the request changes something, so that a lost answer leaves it open whether it did.
	mutates bool
	service service
	// want is the microversion to ask for; a cloud that has only a lower one is asked for its highest, but for none below
	// need. Both are 0 where the first microversion will do.
	want, need microversion
}

// authentication is the operation of getting a token.
func authentication() operation { return operation{name: opAuthenticate, service: identity} }

// Scope implements Client.
func (c *openstackClient) Scope(ctx context.Context) (Scope, error) {
	var scope Scope
	err := c.repeat(ctx, authentication(), func(ctx context.Context) *Error {
		s, err := c.session(ctx)
		if err != nil {
			return c.classify(ctx, authentication(), err)
		}
		scope = s.scope
		return nil
	})
	return scope, err
}

// do runs one request, or several if the first ones fail in a way that passes.
func (c *openstackClient) do(ctx context.Context, op operation, send func(context.Context, *gophercloud.ServiceClient) error) error {
	return c.repeat(ctx, op, func(ctx context.Context) *Error { return c.once(ctx, op, send) })
}

// once runs one request within its time limit and classifies its error. A refused microversion is asked for once more,
// as the highest that the cloud said it has: a refused request has changed nothing.
func (c *openstackClient) once(ctx context.Context, op operation, send func(context.Context, *gophercloud.ServiceClient) error) *Error {
	version, failure := c.versionFor(op)
	if failure != nil {
		return failure
	}
	failure = c.try(ctx, op, version, send)
	if failure != nil && c.learnHighest(failure) {
		if version, failure = c.versionFor(op); failure == nil {
			failure = c.try(ctx, op, version, send)
		}
	}
	return failure
}

func (c *openstackClient) try(ctx context.Context, op operation, version microversion, send func(context.Context, *gophercloud.ServiceClient) error) *Error {
	s, err := c.session(ctx)
	if err != nil {
		return c.classify(ctx, authentication(), err)
	}
	client := s.client(op.service)
	client.Microversion = version.String()
	limited, cancel := context.WithTimeout(ctx, c.factory.options.RequestTimeout)
	defer cancel()
	if err := send(limited, &client); err != nil {
		return c.classify(ctx, op, err)
	}
	return nil
}

// resource joins the parts of a resource's path. A part that a path does without is refused: it would turn a request for one
// object into one for all of them.
func resource(op operation, parts ...string) (string, error) {
	joined := ""
	for i, part := range parts {
		if part == "" {
			return "", &Error{Kind: KindInvalid, Op: op.name, Message: "no ID or name given"}
		}
		if part == "." || part == ".." {
			return "", &Error{Kind: KindInvalid, Op: op.name, Message: fmt.Sprintf("%q is no ID or name", part)}
		}
		if i > 0 {
			joined += "/"
		}
		joined += url.PathEscape(part)
	}
	return joined, nil
}

// invalidRequest is for what gophercloud refuses to send.
func invalidRequest(op operation, err error) *Error {
	return &Error{Kind: KindInvalid, Op: op.name, Message: fmt.Sprintf("the request can't be made: %v", err), Cause: err}
}

func (c *openstackClient) closeIdleConnections() {
	if transport, ok := c.transport.(interface{ CloseIdleConnections() }); ok && c.factory.options.Transport == nil {
		transport.CloseIdleConnections()
	}
}
