package contract

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/attributestags"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	"github.com/gophercloud/utils/v2/openstack/clientconfig"
	. "github.com/onsi/gomega"
	"gopkg.in/yaml.v3"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// seed is what the cases find in the project. It is made with gophercloud alone, so that the client under test is not
// its own witness.
type seed struct {
	compute, image, network *gophercloud.ServiceClient

	networkID, imageID, keyName, groupID string
	flavor                               flavors.Flavor
}

// baseProperty is a custom property of the image that servers are made of.
const baseProperty = "contract_base"

// publicKey belongs to a private key that nobody has.
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID/IuMOiN5U9a50uyn41kPoRB185vxvnnmD+MAXIeQNg contract"

// yamlSource makes clientconfig read one clouds.yaml.
type yamlSource []byte

// LoadCloudsYAML implements clientconfig.YAMLOptsBuilder.
func (y yamlSource) LoadCloudsYAML() (map[string]clientconfig.Cloud, error) {
	var file clientconfig.Clouds
	err := yaml.Unmarshal(y, &file)
	return file.Clouds, err
}

// LoadSecureCloudsYAML implements clientconfig.YAMLOptsBuilder.
func (yamlSource) LoadSecureCloudsYAML() (map[string]clientconfig.Cloud, error) { return nil, nil }

// LoadPublicCloudsYAML implements clientconfig.YAMLOptsBuilder.
func (yamlSource) LoadPublicCloudsYAML() (map[string]clientconfig.Cloud, error) { return nil, nil }

// Login returns gophercloud's own clients for credentials.
func Login(t *testing.T, credentials openstackclient.Credentials, transport http.RoundTripper) (compute, image, network *gophercloud.ServiceClient) {
	t.Helper()
	g := NewWithT(t)
	source := &clientconfig.ClientOpts{Cloud: credentials.Cloud, EnvPrefix: "=", YAMLOpts: yamlSource(credentials.CloudsYAML)}
	auth, err := clientconfig.AuthOptions(source)
	g.Expect(err).NotTo(HaveOccurred())
	auth.AllowReauth = true
	provider, err := openstack.NewClient(auth.IdentityEndpoint)
	g.Expect(err).NotTo(HaveOccurred())
	provider.HTTPClient.Transport = transport
	g.Expect(openstack.Authenticate(t.Context(), provider, *auth)).To(Succeed())
	cloud, err := clientconfig.GetCloudFromYAML(source)
	g.Expect(err).NotTo(HaveOccurred())
	endpoint := gophercloud.EndpointOpts{Region: cloud.RegionName}
	compute, err = openstack.NewComputeV2(provider, endpoint)
	g.Expect(err).NotTo(HaveOccurred())
	image, err = openstack.NewImageV2(provider, endpoint)
	g.Expect(err).NotTo(HaveOccurred())
	network, err = openstack.NewNetworkV2(provider, endpoint)
	g.Expect(err).NotTo(HaveOccurred())
	compute.Microversion = "2.79"
	return compute, image, network
}

func newSeed(t *testing.T, s *suite) *seed {
	t.Helper()
	g := NewWithT(t)
	d := &seed{}
	d.compute, d.image, d.network = Login(t, s.env.Mine, s.env.Options.Transport)
	d.makeNetwork(t, s.prefix)
	d.imageID = d.makeImage(t, s.prefix)
	d.flavor = smallestFlavor(t, d.compute)

	group, err := servergroups.Create(t.Context(), d.compute, servergroups.CreateOpts{Name: s.prefix, Policy: "soft-anti-affinity"}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	d.groupID = group.ID
	t.Cleanup(func() { gone(t, servergroups.Delete(cleanup(t), d.compute, d.groupID).ExtractErr()) })

	key, err := keypairs.Create(t.Context(), d.compute, keypairs.CreateOpts{Name: s.prefix, PublicKey: publicKey}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	d.keyName = key.Name
	t.Cleanup(func() { gone(t, keypairs.Delete(cleanup(t), d.compute, d.keyName, nil).ExtractErr()) })
	return d
}

func (d *seed) makeNetwork(t *testing.T, name string) {
	t.Helper()
	g := NewWithT(t)
	network, err := networks.Create(t.Context(), d.network, networks.CreateOpts{Name: name}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	d.networkID = network.ID
	t.Cleanup(func() { gone(t, networks.Delete(cleanup(t), d.network, d.networkID).ExtractErr()) })
	_, err = subnets.Create(t.Context(), d.network, subnets.CreateOpts{
		NetworkID: d.networkID, Name: name, CIDR: "10.77.0.0/24", IPVersion: gophercloud.IPv4,
	}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
}

// makeImage makes an image with a custom property.
func (d *seed) makeImage(t *testing.T, name string) string {
	t.Helper()
	g := NewWithT(t)
	image := d.makeEmptyImage(t, name, nil)
	g.Expect(imagedata.Upload(t.Context(), d.image, image, bytes.NewReader(make([]byte, 1<<20))).ExtractErr()).To(Succeed())
	return image
}

// makeEmptyImage makes the record of an image, without data.
func (d *seed) makeEmptyImage(t *testing.T, name string, protected *bool) string {
	t.Helper()
	image, err := images.Create(t.Context(), d.image, images.CreateOpts{
		Name: name, DiskFormat: "raw", ContainerFormat: "bare", Protected: protected, Properties: map[string]string{baseProperty: "yes"},
	}).Extract()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	d.removeImage(t, image.ID)
	return image.ID
}

// removeImage removes an image at the end of the test.
func (d *seed) removeImage(t *testing.T, id string) {
	t.Cleanup(func() { gone(t, images.Delete(cleanup(t), d.image, id).ExtractErr()) })
}

// port makes a port that is tagged.
func (s *suite) port(t *testing.T) ports.Port {
	t.Helper()
	g := NewWithT(t)
	d := s.seed
	port, err := ports.Create(t.Context(), d.network, ports.CreateOpts{NetworkID: d.networkID, Name: s.prefix}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { gone(t, ports.Delete(cleanup(t), d.network, port.ID).ExtractErr()) })
	_, err = attributestags.ReplaceAll(t.Context(), d.network, "ports", port.ID, attributestags.ReplaceAllOpts{Tags: []string{s.prefix}}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	return *port
}

// server makes a server by the client under test and waits until it runs.
func (s *suite) server(t *testing.T, opts openstackclient.CreateServerOpts) *openstackclient.Server {
	t.Helper()
	return s.running(t, s.create(t, opts))
}

// create makes a server without waiting for it.
func (s *suite) create(t *testing.T, opts openstackclient.CreateServerOpts) string {
	t.Helper()
	id, err := s.client.CreateServer(t.Context(), opts)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	s.removeServer(t, id)
	return id
}

// removeServer removes a server at the end of the test and waits until it is gone, so that its ports are free.
func (s *suite) removeServer(t *testing.T, id string) {
	t.Cleanup(func() {
		gone(t, servers.Delete(cleanup(t), s.seed.compute, id).ExtractErr())
		s.await(t, "the server to be gone", func(Gomega) bool {
			_, err := servers.Get(cleanup(t), s.seed.compute, id).Extract()
			return gophercloud.ResponseCodeIs(err, http.StatusNotFound)
		})
	})
}

func (s *suite) running(t *testing.T, id string) *openstackclient.Server {
	t.Helper()
	return s.inStatus(t, id, "ACTIVE")
}

// inStatus waits until a server has a status and no task.
func (s *suite) inStatus(t *testing.T, id, status string) *openstackclient.Server {
	t.Helper()
	var found *openstackclient.Server
	s.await(t, "the server to be "+status, func(g Gomega) bool {
		var err error
		found, err = s.client.GetServer(t.Context(), openstackclient.ViewFlavorID, id)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found.Status).NotTo(Equal("ERROR"), found.Fault.Message)
		return found.Status == status && found.TaskState == ""
	})
	return found
}

// absent waits until a server is gone, as the client under test sees it.
func (s *suite) absent(t *testing.T, id string) {
	t.Helper()
	s.await(t, "the server to be gone", func(g Gomega) bool {
		_, err := s.client.GetServer(t.Context(), openstackclient.ViewFlavorID, id)
		if err != nil {
			kind(g, err, openstackclient.KindNotFound)
		}
		return err != nil
	})
}

// plainServer is what it takes at least.
func (s *suite) plainServer(name string, portIDs ...string) openstackclient.CreateServerOpts {
	nets := []servers.Network{}
	for _, id := range portIDs {
		nets = append(nets, servers.Network{Port: id})
	}
	return openstackclient.CreateServerOpts{CreateOpts: servers.CreateOpts{
		Name: s.prefix + "-" + name, ImageRef: s.seed.imageID, FlavorRef: s.seed.flavor.ID, Networks: nets,
	}}
}

func smallestFlavor(t *testing.T, compute *gophercloud.ServiceClient) flavors.Flavor {
	t.Helper()
	g := NewWithT(t)
	page, err := flavors.ListDetail(compute, flavors.ListOpts{}).AllPages(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	all, err := flavors.ExtractFlavors(page)
	g.Expect(err).NotTo(HaveOccurred())
	var smallest *flavors.Flavor
	for i, f := range all {
		if f.Disk > 0 && f.Ephemeral == 0 && f.Swap == 0 && (smallest == nil || f.RAM < smallest.RAM) {
			smallest = &all[i]
		}
	}
	g.Expect(smallest).NotTo(BeNil(), "the cloud has no flavor with a disk")
	return *smallest
}

// gone accepts what a removal may say of something that is not there any more.
func gone(t *testing.T, err error) {
	t.Helper()
	if err != nil && !gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		t.Errorf("left behind: %v", err)
	}
}

func suffix() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// cleanup is a context for what is done after the test's own has ended.
func cleanup(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
