//go:build e2e

package openstack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	gopheropenstack "github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/portsecurity"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/utils/v2/openstack/clientconfig"
	. "github.com/onsi/gomega"
)

// cloud looks at the OpenStack under test by its own means, as the project member that OS_CLOUD names. It does not use
// the product's client, so that both can't be wrong in the same way.
type cloud struct {
	compute, image, network *gophercloud.ServiceClient
	authURL                 string
}

func openCloud(ctx context.Context, g Gomega) *cloud {
	for _, name := range []string{"OS_CLOUD", "OS_CLIENT_CONFIG_FILE", "OW_RIG_STATE"} {
		g.Expect(os.Getenv(name)).NotTo(BeEmpty(), "%s is not set: use run.sh", name)
	}
	return openCloudAs(ctx, g, &clientconfig.ClientOpts{})
}

// openAdmin returns the cloud as its operators see it.
func openAdmin(ctx context.Context, g Gomega) *cloud {
	// The prefix keeps OS_CLOUD out of it.
	return openCloudAs(ctx, g, &clientconfig.ClientOpts{Cloud: "admin", EnvPrefix: "OW_ADMIN_"})
}

func openCloudAs(ctx context.Context, g Gomega, opts *clientconfig.ClientOpts) *cloud {
	section, err := clientconfig.GetCloudFromYAML(opts)
	g.Expect(err).NotTo(HaveOccurred())
	provider, err := clientconfig.AuthenticatedClient(ctx, opts)
	g.Expect(err).NotTo(HaveOccurred())
	region := gophercloud.EndpointOpts{Region: section.RegionName}
	c := &cloud{authURL: section.AuthInfo.AuthURL}
	c.compute, err = gopheropenstack.NewComputeV2(provider, region)
	g.Expect(err).NotTo(HaveOccurred())
	c.image, err = gopheropenstack.NewImageV2(provider, region)
	g.Expect(err).NotTo(HaveOccurred())
	c.network, err = gopheropenstack.NewNetworkV2(provider, region)
	g.Expect(err).NotTo(HaveOccurred())
	return c
}

// at returns the compute client at a microversion.
func (c *cloud) at(microversion string) *gophercloud.ServiceClient {
	client := *c.compute
	client.Microversion = microversion
	return &client
}

// seed makes a cluster, or what is missing of it.
func seed(t *testing.T, args ...string) {
	t.Helper()
	began := time.Now()
	script, err := filepath.Abs("rig/seed-cluster.sh")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	out, err := exec.CommandContext(t.Context(), script, args...).CombinedOutput()
	NewWithT(t).Expect(err).NotTo(HaveOccurred(), "%s", out)
	t.Logf("seed %s: %.1f s", strings.Join(args, " "), time.Since(began).Seconds())
}

// usage is what the project uses of what its quota limits.
type usage struct{ Instances, Cores, RAM int }

func (u usage) minus(v usage) usage {
	return usage{Instances: u.Instances - v.Instances, Cores: u.Cores - v.Cores, RAM: u.RAM - v.RAM}
}

func (c *cloud) usage(ctx context.Context, g Gomega) usage {
	l, err := limits.Get(ctx, c.compute, limits.GetOpts{}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	return usage{Instances: l.Absolute.TotalInstancesUsed, Cores: l.Absolute.TotalCoresUsed, RAM: l.Absolute.TotalRAMUsed}
}

// server is all that a user can see of a server and that a resume must bring back.
type server struct {
	Name        string
	Status      string
	Flavor      string
	FlavorID    string
	Cores, RAM  int
	Description string
	Hostname    string
	Zone        string
	Key         string
	ConfigDrive string
	Metadata    map[string]string
	Tags        []string
	Groups      []string
	// Ports are in the order in which the server has its interfaces.
	Ports []port

	id string
}

// port is all of a port but what its server decides: where it is bound, and since when.
type port struct {
	ID, Name, Description, Network, MAC, Status, DeviceOwner string
	AdminStateUp, PortSecurity                               bool
	FixedIPs                                                 []ports.IP
	SecurityGroups, Tags                                     []string
	AddressPairs                                             []ports.AddressPair

	deviceID string
}

// shown is a server as microversion 2.90 shows it.
type shown struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Status      string            `json:"status"`
	Description string            `json:"description"`
	Hostname    string            `json:"OS-EXT-SRV-ATTR:hostname"`
	Zone        string            `json:"OS-EXT-AZ:availability_zone"`
	Key         string            `json:"key_name"`
	ConfigDrive string            `json:"config_drive"`
	Metadata    map[string]string `json:"metadata"`
	Tags        []string          `json:"tags"`
	Groups      []string          `json:"server_groups"`
	Addresses   json.RawMessage   `json:"addresses"`
	Flavor      struct {
		Name  string `json:"original_name"`
		Cores int    `json:"vcpus"`
		RAM   int    `json:"ram"`
	} `json:"flavor"`
}

// servers returns the servers of a cluster, by name.
func (c *cloud) servers(ctx context.Context, g Gomega, infraID string) map[string]server {
	found := map[string]server{}
	for _, id := range c.serverIDs(ctx, g, infraID) {
		var recent struct{ Server shown }
		g.Expect(json.Unmarshal(c.body(ctx, g, c.at("2.90"), "servers/"+id), &recent)).To(Succeed())
		var old struct {
			Server struct{ Flavor struct{ ID string } }
		}
		g.Expect(json.Unmarshal(c.body(ctx, g, c.at("2.46"), "servers/"+id), &old)).To(Succeed())
		s := recent.Server
		g.Expect(found).NotTo(HaveKey(s.Name), "two servers of one name")
		found[s.Name] = server{
			id: id, Name: s.Name, Status: s.Status, Flavor: s.Flavor.Name, FlavorID: old.Server.Flavor.ID,
			Cores: s.Flavor.Cores, RAM: s.Flavor.RAM, Description: s.Description, Hostname: s.Hostname, Zone: s.Zone,
			Key: s.Key, ConfigDrive: s.ConfigDrive, Metadata: s.Metadata, Tags: s.Tags, Groups: s.Groups,
			Ports: c.interfaces(ctx, g, id, macs(g, s.Addresses)),
		}
	}
	return found
}

// serverIDs returns the servers whose metadata say that they belong to a cluster.
func (c *cloud) serverIDs(ctx context.Context, g Gomega, infraID string) []string {
	pages, err := servers.List(c.at("2.26"), servers.ListOpts{}).AllPages(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	all, err := servers.ExtractServers(pages)
	g.Expect(err).NotTo(HaveOccurred())
	var ids []string
	for _, s := range all {
		if s.Metadata["openshiftClusterID"] == infraID {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// macs reads the interfaces' addresses in the order in which Nova writes them, which is that of the interfaces as far as
// those of one network follow one another. It is lost in a map.
func macs(g Gomega, addresses json.RawMessage) []string {
	decoder := json.NewDecoder(bytes.NewReader(addresses))
	var found []string
	for {
		token, err := decoder.Token()
		if err != nil {
			return found
		}
		if token != "OS-EXT-IPS-MAC:mac_addr" {
			continue
		}
		token, err = decoder.Token()
		g.Expect(err).NotTo(HaveOccurred())
		if mac := token.(string); !slices.Contains(found, mac) {
			found = append(found, mac)
		}
	}
}

func (c *cloud) interfaces(ctx context.Context, g Gomega, serverID string, macs []string) []port {
	found := c.ports(ctx, g, ports.ListOpts{DeviceID: serverID})
	slices.SortFunc(found, func(a, b port) int {
		return slices.Index(macs, a.MAC) - slices.Index(macs, b.MAC)
	})
	return found
}

func (c *cloud) ports(ctx context.Context, g Gomega, opts ports.ListOpts) []port {
	pages, err := ports.List(c.network, opts).AllPages(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	var all []struct {
		ports.Port
		portsecurity.PortSecurityExt
	}
	g.Expect(ports.ExtractPortsInto(pages, &all)).To(Succeed())
	found := make([]port, 0, len(all))
	for _, p := range all {
		slices.Sort(p.SecurityGroups)
		slices.Sort(p.Tags)
		found = append(found, port{
			ID: p.ID, Name: p.Name, Description: p.Description, Network: p.NetworkID, MAC: p.MACAddress, Status: p.Status,
			DeviceOwner: p.DeviceOwner, AdminStateUp: p.AdminStateUp, PortSecurity: p.PortSecurityEnabled, FixedIPs: p.FixedIPs,
			SecurityGroups: p.SecurityGroups, Tags: p.Tags, AddressPairs: p.AllowedAddressPairs, deviceID: p.DeviceID,
		})
	}
	return found
}

// snapshots returns the project's images that are called like snapshots of a cluster, by name. Clusters whose names begin
// with this one's are told apart by what follows.
func (c *cloud) snapshots(ctx context.Context, g Gomega, infraID string) map[string]images.Image {
	ours := regexp.MustCompile("^" + regexp.QuoteMeta(infraID) + "-(master|worker)-.*-hibernation-")
	found := map[string]images.Image{}
	for _, image := range c.images(ctx, g) {
		if ours.MatchString(image.Name) {
			g.Expect(found).NotTo(HaveKey(image.Name), "two images of one name")
			found[image.Name] = image
		}
	}
	return found
}

func (c *cloud) images(ctx context.Context, g Gomega) []images.Image {
	pages, err := images.List(c.image, images.ListOpts{}).AllPages(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	all, err := images.ExtractImages(pages)
	g.Expect(err).NotTo(HaveOccurred())
	return all
}

// everything returns all that the cloud shows of a cluster that nobody may touch: servers with their times and actions,
// ports with their revisions, images.
func (c *cloud) everything(ctx context.Context, g Gomega, infraID string) string {
	var all bytes.Buffer
	for _, id := range c.serverIDs(ctx, g, infraID) {
		for _, path := range []string{"servers/" + id, "servers/" + id + "/os-instance-actions"} {
			c.raw(ctx, g, &all, c.at("2.90"), path)
		}
		c.raw(ctx, g, &all, c.network, "ports?device_id="+id)
	}
	tag := "openshiftClusterID=" + infraID
	for _, kind := range []string{"ports", "networks", "subnets", "routers", "security-groups"} {
		c.raw(ctx, g, &all, c.network, kind+"?sort_key=id&sort_dir=asc&tags="+tag)
	}
	c.raw(ctx, g, &all, c.image, "images?sort_key=id&sort_dir=asc&tag="+tag)
	return all.String()
}

func (c *cloud) raw(ctx context.Context, g Gomega, out *bytes.Buffer, client *gophercloud.ServiceClient, path string) {
	fmt.Fprintf(out, "%s\n", path)
	g.Expect(json.Indent(out, c.body(ctx, g, client, path), "", " ")).To(Succeed())
}

// body is an answer as it came: gophercloud's own reading loses the order of the networks.
func (c *cloud) body(ctx context.Context, g Gomega, client *gophercloud.ServiceClient, path string) []byte {
	response, err := client.Get(ctx, client.ServiceURL(path), nil, &gophercloud.RequestOpts{KeepResponseBody: true})
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	return body
}
