package hibernation_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/test/cloud"
)

// provider returns what a user's own tools work with.
func (r *rig) provider() *gophercloud.ProviderClient {
	r.t.Helper()
	p, err := openstack.NewClient(r.cloud.AuthURL())
	r.g.Expect(err).NotTo(HaveOccurred())
	p.HTTPClient = http.Client{Transport: r.cloud.RoundTripper()}
	r.g.Expect(openstack.Authenticate(r.t.Context(), p, gophercloud.AuthOptions{
		IdentityEndpoint: r.cloud.AuthURL(), Username: cloud.DefaultUser, Password: cloud.DefaultPassword, DomainName: "Default", TenantName: project,
	})).To(Succeed())
	return p
}

// addServer has somebody make one more server of the cluster.
func (r *rig) addServer(opts openstackclient.CreateServerOpts) cloud.Server {
	r.t.Helper()
	var id string
	r.hand(func() {
		var err error
		id, err = r.api.CreateServer(r.t.Context(), opts)
		r.g.Expect(err).NotTo(HaveOccurred())
	})
	r.cloud.Settle()
	s, ok := r.cloud.Server(id)
	r.g.Expect(ok).To(BeTrue())
	r.g.Expect(s.Status).To(Equal("ACTIVE"), s.Fault)
	r.clock.SetTime(s.Launched)
	return s
}

// addPort makes a port on the cluster's network.
func (r *rig) addPort(name string) string {
	r.t.Helper()
	network, err := openstack.NewNetworkV2(r.provider(), gophercloud.EndpointOpts{Region: "RegionOne"})
	r.g.Expect(err).NotTo(HaveOccurred())
	p, err := ports.Create(r.t.Context(), network, ports.CreateOpts{NetworkID: r.seeded.NetworkID, Name: name}).Extract()
	r.g.Expect(err).NotTo(HaveOccurred())
	return p.ID
}

// like returns what it takes to make a server of the cluster, without its ports.
func (r *rig) like(s cloud.Server, name string, portIDs ...string) openstackclient.CreateServerOpts {
	var networks any = "none"
	var list []servers.Network
	for _, id := range portIDs {
		list = append(list, servers.Network{Port: id})
	}
	if len(list) > 0 {
		networks = list
	}
	return openstackclient.CreateServerOpts{CreateOpts: servers.CreateOpts{
		Name: name, ImageRef: s.ImageID, FlavorRef: s.FlavorID, Metadata: s.Metadata, Tags: s.Tags, Networks: networks,
	}}
}

func imageOpts(name string) servers.CreateImageOpts { return servers.CreateImageOpts{Name: name} }

func TestServersAreRestoredExactly(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) {
		s.cloud.Zones = []string{"nova", "az-2"}
		s.cluster.KeyName, s.cluster.Zone, s.cluster.Description = "core", "az-2", "made by the installer"
	})
	// A worker with everything that another can't have by chance, and with two ports whose order is not that of their IDs.
	first, second := r.addPort("one"), r.addPort("two")
	if first < second {
		first, second = second, first
	}
	opts := r.like(r.seeded.Workers[0], infraID+"-worker-0-extra", first, second)
	configDrive := false
	opts.ConfigDrive, opts.Hostname, opts.AvailabilityZone, opts.Description = &configDrive, "its-own-name", "nova", "other words"
	opts.ServerGroup = r.seeded.MasterGroup
	opts.Metadata = map[string]string{"openshiftClusterID": infraID, "Name": infraID + "-worker", "more": "of it"}
	opts.Tags = []string{"openshiftClusterID=" + infraID, "another"}
	extra := r.addServer(opts)
	r.g.Expect(extra.Ports).To(Equal([]string{first, second}))
	r.remember()
	portsBefore := r.cloud.Ports()

	r.hibernate()
	r.resume()
	r.expectAwake()
	now := r.now(extra.Name)
	r.g.Expect(now.ID).NotTo(Equal(extra.ID))
	r.g.Expect(now.Ports).To(Equal([]string{first, second}))
	r.g.Expect(now.Hostname).To(Equal("its-own-name"))
	for _, s := range r.seeded.Servers() {
		now := r.now(s.Name)
		r.g.Expect(now.KeyName).To(Equal("core"))
		r.g.Expect(now.Zone).To(Equal("az-2"))
		r.g.Expect(now.Description).To(Equal("made by the installer"))
		r.g.Expect(now.ConfigDrive).To(BeTrue())
		r.g.Expect(now.Group).NotTo(BeEmpty())
	}
	r.expectSamePorts(portsBefore)
	r.expectClean()
}

// expectSamePorts: the ports are the very same, with their addresses, but for the servers that they belong to.
func (r *rig) expectSamePorts(before []cloud.Port) {
	r.t.Helper()
	now := r.cloud.Ports()
	r.g.Expect(now).To(HaveLen(len(before)))
	for i, p := range now {
		was := before[i]
		p.DeviceID, was.DeviceID = "", ""
		r.g.Expect(p).To(Equal(was))
	}
}

func TestAnothersKeyPairIsLeftOut(t *testing.T) {
	r := newRig(t, 1, 1, func(s *setup) { s.cluster.KeyName, s.cluster.User = "core", "installer" })
	r.hibernate()
	r.resume()
	for _, s := range r.clusterServers() {
		r.g.Expect(s.KeyName).To(BeEmpty())
		r.g.Expect(s.Status).To(Equal("ACTIVE"))
	}
	r.g.Expect(r.events).To(ConsistOf(And(HavePrefix("Warning KeyPairLeftOut key pair core"), ContainSubstring(master0), ContainSubstring(r.seeded.Workers[0].Name))))
}

func TestServersThatWereOffRunAfterAResume(t *testing.T) {
	r := newRig(t, 1, 2)
	off, paused := r.seeded.Workers[0], r.seeded.Workers[1]
	r.cloud.SetServerState(off.ID, "SHUTOFF")
	r.cloud.SetServerState(paused.ID, "PAUSED")
	r.hibernate()
	r.g.Expect(r.cloud.Ledger().Count("nova.server.pause")).To(Equal(1), "only what ran is paused")
	r.resume()
	r.expectClean()
}

func TestServersThatComeUpStoppedAreStarted(t *testing.T) {
	for _, state := range []string{"SHUTOFF", "PAUSED"} {
		t.Run(state, func(t *testing.T) {
			r := newRig(t, 1, 1)
			r.hibernate()
			r.cloud.Subscribe(func(e cloud.ServerEvent) {
				if e.Kind == cloud.ServerActive && e.Server.Name == master0 && e.Server.TaskState == "spawning" {
					r.cloud.SetServerState(e.Server.ID, state)
				}
			})
			r.resume()
			r.g.Expect(r.cloud.Ledger().Count("nova.server.start", "nova.server.unpause")).To(Equal(1))
			r.expectClean()
		})
	}
}

func TestClusterIsAskedBeforeItIsPaused(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want *hibernation.Observation
	}{
		"it answers":        {nil, &hibernation.Observation{NodesReady: 2}},
		"it can't be asked": {errors.New("no route to host"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, 1)
			asked := 0
			r.cluster.Observe = func(context.Context) (hibernation.Observation, error) {
				asked++
				r.g.Expect(r.now(master0).Status).To(Equal("ACTIVE"))
				return hibernation.Observation{NodesReady: 2}, test.err
			}
			r.hibernate()
			r.g.Expect(asked).To(Equal(1))
			summary, err := r.session().Summary(t.Context())
			r.g.Expect(err).NotTo(HaveOccurred())
			r.g.Expect(summary.Machines).To(HaveLen(2))
			summary.Machines = nil
			want := hibernation.Summary{Exists: true, Sealed: true, Deleting: true, Observation: test.want, ControlPlane: 1, SealedAt: r.record().Sealed.At}
			if test.err != nil {
				want.Unobserved = test.err.Error()
			} else {
				r.g.Expect(summary.Observation.At).NotTo(BeZero())
				want.Observation.At = summary.Observation.At
			}
			r.g.Expect(summary).To(Equal(want))
		})
	}
}
