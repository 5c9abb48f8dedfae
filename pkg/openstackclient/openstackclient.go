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

// service selects one of the session's service clients.
type service func(*session) *gophercloud.ServiceClient

func compute(s *session) *gophercloud.ServiceClient { return &s.compute }
func image(s *session) *gophercloud.ServiceClient   { return &s.image }
func network(s *session) *gophercloud.ServiceClient { return &s.network }

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

// Scope implements Client.
func (c *openstackClient) Scope(ctx context.Context) (Scope, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Scope{}, err
	}
	return s.scope, nil
}

// do runs one request within its time limit and classifies its error. A refused microversion is asked for once more,
// as the highest that the cloud said it has: a refused request has changed nothing.
func (c *openstackClient) do(ctx context.Context, op operation, send func(context.Context, *gophercloud.ServiceClient) error) error {
	version, err := c.versionFor(op)
	if err != nil {
		return err
	}
	failure := c.try(ctx, op, version, send)
	if failure != nil && c.learnHighest(failure) {
		if version, err = c.versionFor(op); err != nil {
			return err
		}
		failure = c.try(ctx, op, version, send)
	}
	if failure != nil {
		return failure
	}
	return nil
}

func (c *openstackClient) try(ctx context.Context, op operation, version microversion, send func(context.Context, *gophercloud.ServiceClient) error) *Error {
	s, err := c.session(ctx)
	if err != nil {
		return c.classify(ctx, opAuthenticate, false, err)
	}
	client := *op.service(s)
	client.Microversion = version.String()
	limited, cancel := context.WithTimeout(ctx, c.factory.options.RequestTimeout)
	defer cancel()
	if err := send(limited, &client); err != nil {
		return c.classify(ctx, op.name, op.mutates, err)
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
