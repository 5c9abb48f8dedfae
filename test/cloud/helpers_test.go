package cloud_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/overwinter/overwinter/test/cloud"
)

// rig is a cloud with a virtual clock and a user's clients to it, in this process.
type rig struct {
	*WithT
	*cloud.Cloud
	clock                   *clocktesting.FakeClock
	ctx                     context.Context //nolint:containedctx // that of the test, for its requests
	provider                *gophercloud.ProviderClient
	compute, image, network *gophercloud.ServiceClient
}

func newRig(t *testing.T, opts cloud.Options) *rig {
	t.Helper()
	r := &rig{WithT: NewWithT(t), ctx: t.Context()}
	r.clock = clocktesting.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	opts.Clock = r.clock
	if opts.Sleep == nil {
		opts.Sleep = func(_ context.Context, d time.Duration) error {
			r.clock.Step(d)
			return nil
		}
	}
	opts.Seed = 1
	r.Cloud = cloud.New(opts)
	r.as(cloud.DefaultUser, cloud.DefaultProject)
	return r
}

func authOptions(c *cloud.Cloud, user, project string) gophercloud.AuthOptions {
	return gophercloud.AuthOptions{
		IdentityEndpoint: c.AuthURL(), Username: user, Password: cloud.DefaultPassword, DomainName: "Default", TenantName: project,
		AllowReauth: true,
	}
}

// as makes the clients those of a user.
func (r *rig) as(user, project string) {
	var err error
	r.provider, err = openstack.NewClient(r.AuthURL())
	r.Expect(err).NotTo(HaveOccurred())
	r.provider.HTTPClient = http.Client{Transport: r.RoundTripper()}
	r.Expect(openstack.Authenticate(r.ctx, r.provider, authOptions(r.Cloud, user, project))).To(Succeed())
	eo := gophercloud.EndpointOpts{Region: "RegionOne"}
	r.compute, err = openstack.NewComputeV2(r.provider, eo)
	r.Expect(err).NotTo(HaveOccurred())
	r.image, err = openstack.NewImageV2(r.provider, eo)
	r.Expect(err).NotTo(HaveOccurred())
	r.network, err = openstack.NewNetworkV2(r.provider, eo)
	r.Expect(err).NotTo(HaveOccurred())
	r.at("2.96")
}

// at sets the microversion of what follows.
func (r *rig) at(microversion string) { r.compute.Microversion = microversion }

// pass lets time go by.
func (r *rig) pass(d time.Duration) {
	r.clock.Step(d)
	r.Advance()
}

func (r *rig) server(id string) *servers.Server {
	s, err := servers.Get(r.ctx, r.compute, id).Extract()
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return s
}

func (r *rig) getImage(id string) *images.Image {
	img, err := images.Get(r.ctx, r.image, id).Extract()
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return img
}

func (r *rig) port(id string) *ports.Port {
	p, err := ports.Get(r.ctx, r.network, id).Extract()
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return p
}

// status returns the HTTP status of an error, 0 of none and -1 of another kind.
func status(err error) int {
	var unexpected gophercloud.ErrUnexpectedResponseCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &unexpected):
		return unexpected.Actual
	}
	return -1
}

func body(err error) string {
	var unexpected gophercloud.ErrUnexpectedResponseCode
	errors.As(err, &unexpected)
	return string(unexpected.Body)
}

// snapshot asks for one and returns its ID.
func (r *rig) snapshot(serverID, name string, metadata map[string]string) (string, error) {
	return servers.CreateImage(r.ctx, r.compute, serverID, servers.CreateImageOpts{Name: name, Metadata: metadata}).ExtractImageID()
}

// create asks for a server like old, with its ports, from an image.
func (r *rig) create(old cloud.Server, imageID string) (string, error) {
	var nets []servers.Network
	for _, p := range old.Ports {
		nets = append(nets, servers.Network{Port: p})
	}
	s, err := servers.Create(r.ctx, r.compute, servers.CreateOpts{
		Name: old.Name, ImageRef: imageID, FlavorRef: old.FlavorID, Networks: nets, Metadata: old.Metadata, Tags: old.Tags,
	}, servers.SchedulerHintOpts{Group: old.Group}).Extract()
	if err != nil {
		return "", err
	}
	return s.ID, nil
}
