package contract

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// attributes: what a server is made with is what it has, in both views, and what belongs to it is found.
func attributes(t *testing.T, s *suite) {
	g := NewWithT(t)
	first, second := s.port(t), s.port(t)
	// The port whose name sorts last comes first.
	opts := s.plainServer("full", first.ID, second.ID)
	yes := true
	opts.ConfigDrive = &yes
	opts.KeyName = s.seed.keyName
	opts.Metadata = map[string]string{"openshiftClusterID": s.prefix, "note": `größer & <b>"quoted"</b>`, "empty": ""}
	opts.Tags = []string{"a tag", "openshiftClusterID=" + s.prefix}
	opts.Description = `The first: "quoted", 50 % of it, größer`
	opts.ServerGroup = s.seed.groupID
	opts.Hostname = s.prefix + "-other"
	made := s.server(t, opts)

	for _, view := range []openstackclient.View{openstackclient.ViewFlavorID, openstackclient.ViewHostname} {
		single, err := s.client.GetServer(t.Context(), view, made.ID)
		g.Expect(err).NotTo(HaveOccurred())
		listed, err := s.client.ListServers(t.Context(), view, servers.ListOpts{Name: "^" + regexp.QuoteMeta(opts.Name) + "$"})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(listed).To(HaveLen(1))
		for _, server := range []*openstackclient.Server{single, &listed[0]} {
			g.Expect(server.ID).To(Equal(made.ID))
			g.Expect(server.Name).To(Equal(opts.Name))
			g.Expect(server.Status).To(Equal("ACTIVE"))
			g.Expect(server.TaskState).To(BeEmpty())
			g.Expect(server.Metadata).To(Equal(opts.Metadata))
			g.Expect(*server.Tags).To(ConsistOf(opts.Tags))
			g.Expect(server.Description).To(Equal(opts.Description))
			g.Expect(server.KeyName).To(Equal(s.seed.keyName))
			g.Expect(server.ConfigDrive).To(BeTrue())
			g.Expect(server.AvailabilityZone).NotTo(BeEmpty())
			g.Expect(server.ImageID).To(Equal(s.seed.imageID))
			g.Expect(server.MACs).To(Equal([]string{first.MACAddress, second.MACAddress}))
			g.Expect(server.AttachedVolumes).To(BeEmpty())
			g.Expect(*server.Locked).To(BeFalse())
			g.Expect(server.LaunchedAt.IsZero()).To(BeFalse())
			g.Expect(server.Created.IsZero()).To(BeFalse())
		}
	}
	flavorView, err := s.client.GetServer(t.Context(), openstackclient.ViewFlavorID, made.ID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(flavorView.FlavorID).To(Equal(s.seed.flavor.ID))
	hostView, err := s.client.GetServer(t.Context(), openstackclient.ViewHostname, made.ID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(*hostView.Hostname).To(Equal(opts.Hostname))
	g.Expect(hostView.FlavorName).To(Equal(s.seed.flavor.Name))
	g.Expect(hostView.EphemeralGiB).To(Equal(0))
	g.Expect(hostView.SwapMiB).To(Equal(0))
	g.Expect(*hostView.ServerGroups).To(Equal([]string{s.seed.groupID}))
	s.belongings(t, made, first, second)
}

// belongings: ports, group, key pair, flavor, network and history of a server.
func (s *suite) belongings(t *testing.T, server *openstackclient.Server, first, second ports.Port) {
	g := NewWithT(t)
	found, err := s.client.ListPorts(t.Context(), openstackclient.ListPortsOpts{DeviceIDs: []string{server.ID, missingID}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portIDs(found)).To(ConsistOf(first.ID, second.ID))
	for _, port := range found {
		g.Expect(port.DeviceID).To(Equal(server.ID))
		g.Expect(port.DeviceOwner).To(HavePrefix("compute:"))
		g.Expect(port.NetworkID).To(Equal(s.seed.networkID))
		g.Expect(port.Tags).To(Equal([]string{s.prefix}))
		g.Expect(port.SecurityGroups).NotTo(BeEmpty())
	}
	found, err = s.client.ListPorts(t.Context(), openstackclient.ListPortsOpts{ListOpts: ports.ListOpts{Tags: s.prefix, ID: first.ID}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portIDs(found)).To(Equal([]string{first.ID}))

	found, err = s.client.ListPorts(t.Context(), openstackclient.ListPortsOpts{IDs: []string{second.ID, missingID, first.ID}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portIDs(found)).To(ConsistOf(first.ID, second.ID))

	group, err := s.client.ListServerGroups(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	members := map[string][]string{}
	for _, one := range group {
		members[one.ID] = one.Members
	}
	g.Expect(members).To(HaveKeyWithValue(s.seed.groupID, ConsistOf(server.ID)))

	has, err := s.client.HasKeyPair(t.Context(), s.seed.keyName)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(has).To(BeTrue())
	flavor, err := s.client.GetFlavor(t.Context(), s.seed.flavor.ID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(flavor.Name).To(Equal(s.seed.flavor.Name))
	g.Expect(flavor.Disk).To(Equal(s.seed.flavor.Disk))
	network, err := s.client.GetNetwork(t.Context(), s.seed.networkID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(network.Name).To(Equal(s.prefix))
	secured, err := s.client.ListSecurityGroups(t.Context(), groups.ListOpts{ID: found[0].SecurityGroups[0]})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(secured).To(HaveLen(1))

	actions, err := s.client.ListServerActions(t.Context(), server.ID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(actions).To(HaveLen(1))
	g.Expect(actions[0].Action).To(Equal("create"))
	g.Expect(actions[0].Message).To(BeEmpty())
	g.Expect(actions[0].RequestID).To(HavePrefix("req-"))
	g.Expect(actions[0].StartTime.IsZero()).To(BeFalse())
}

// leastAttributes: what a server is made without, it does not have.
func leastAttributes(t *testing.T, s *suite) {
	g := NewWithT(t)
	made := s.server(t, s.plainServer("least", s.port(t).ID))
	g.Expect(made.Description).To(BeEmpty(), "not the name either")
	g.Expect(*made.Tags).To(BeEmpty())
	g.Expect(made.Metadata).To(BeEmpty())
	g.Expect(made.KeyName).To(BeEmpty())
	g.Expect(made.ConfigDrive).To(BeFalse())
	view, err := s.client.GetServer(t.Context(), openstackclient.ViewHostname, made.ID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(*view.Hostname).To(Equal(made.Name))
	g.Expect(*view.ServerGroups).To(BeEmpty())
}

// filters: by name, which is a regular expression, and by tag, which is exact.
func filters(t *testing.T, s *suite) {
	g := NewWithT(t)
	mine := s.plainServer("a.b", s.port(t).ID)
	mine.Tags = []string{"filter=" + s.prefix, "second"}
	other := s.plainServer("axb", s.port(t).ID)
	other.Tags = []string{"filter=" + s.prefix + "-longer", "second"}
	first, second := s.create(t, mine), s.create(t, other)
	s.running(t, first)
	s.running(t, second)
	for what, test := range map[string]struct {
		opts servers.ListOpts
		want []string
	}{
		"prefix":           {servers.ListOpts{Name: "^" + s.prefix + "-a"}, []string{first, second}},
		"any character":    {servers.ListOpts{Name: "^" + s.prefix + "-a.b$"}, []string{first, second}},
		"quoted":           {servers.ListOpts{Name: "^" + regexp.QuoteMeta(mine.Name) + "$"}, []string{first}},
		"part of a name":   {servers.ListOpts{Name: s.prefix[4:] + "-axb"}, []string{second}},
		"tag":              {servers.ListOpts{Tags: "filter=" + s.prefix}, []string{first}},
		"two tags":         {servers.ListOpts{Tags: "second,filter=" + s.prefix}, []string{first}},
		"one of two tags":  {servers.ListOpts{TagsAny: "filter=" + s.prefix + ",filter=" + s.prefix + "-longer"}, []string{first, second}},
		"tag and name":     {servers.ListOpts{Tags: "second", Name: "^" + s.prefix + "-axb"}, []string{second}},
		"without a tag":    {servers.ListOpts{NotTags: "filter=" + s.prefix, Name: "^" + s.prefix + "-a"}, []string{second}},
		"no such tag":      {servers.ListOpts{Tags: "filter="}, []string{}},
		"no such name":     {servers.ListOpts{Name: "^" + s.prefix + "-zzz"}, []string{}},
		"status":           {servers.ListOpts{Status: "ACTIVE", Name: "^" + s.prefix + "-a"}, []string{first, second}},
		"status of nobody": {servers.ListOpts{Status: "PAUSED", Name: "^" + s.prefix + "-a"}, []string{}},
	} {
		for _, view := range []openstackclient.View{openstackclient.ViewFlavorID, openstackclient.ViewHostname} {
			found, err := s.client.ListServers(t.Context(), view, test.opts)
			g.Expect(err).NotTo(HaveOccurred(), what)
			g.Expect(serverIDs(found)).To(ConsistOf(test.want), what)
		}
	}
}

// pages: a list is complete, however short the pages are.
func pages(t *testing.T, s *suite) {
	g := NewWithT(t)
	var want []string
	for _, name := range []string{"one", "two", "three"} {
		want = append(want, s.create(t, s.plainServer("page-"+name, s.port(t).ID)))
	}
	// A server that moves from the API to its cell while the list is read may be on two pages.
	for _, id := range want {
		s.running(t, id)
	}
	found, err := s.client.ListServers(t.Context(), openstackclient.ViewFlavorID, servers.ListOpts{Name: "^" + s.prefix + "-page-", Limit: 1})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(serverIDs(found)).To(ConsistOf(want))
	listed, err := s.client.ListPorts(t.Context(), openstackclient.ListPortsOpts{ListOpts: ports.ListOpts{Tags: s.prefix, Limit: 1}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listed).To(HaveLen(3))
}

// pauseAndStop: what each state allows.
func pauseAndStop(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	id := s.server(t, s.plainServer("states", s.port(t).ID)).ID

	kind(g, s.client.UnpauseServer(ctx, id), openstackclient.KindConflict)
	kind(g, s.client.StartServer(ctx, id), openstackclient.KindConflict)
	g.Expect(s.client.PauseServer(ctx, id)).To(Succeed())
	s.inStatus(t, id, "PAUSED")
	kind(g, s.client.PauseServer(ctx, id), openstackclient.KindConflict)
	kind(g, s.client.StartServer(ctx, id), openstackclient.KindConflict)
	g.Expect(s.client.UnpauseServer(ctx, id)).To(Succeed())
	s.running(t, id)
	g.Expect(s.client.StopServer(ctx, id)).To(Succeed())
	s.inStatus(t, id, "SHUTOFF")
	kind(g, s.client.PauseServer(ctx, id), openstackclient.KindConflict)
	kind(g, s.client.UnpauseServer(ctx, id), openstackclient.KindConflict)
	g.Expect(s.client.StartServer(ctx, id)).To(Succeed())
	s.running(t, id)

	g.Expect(s.history(t, id)).To(Equal([]string{"start", "stop", "unpause", "pause", "create"}), "newest first; what was refused is not there")
}

// forceDelete works where deletes are not deferred, too. The history of a server outlives it.
func forceDelete(t *testing.T, s *suite) {
	g := NewWithT(t)
	port := s.port(t)
	id := s.server(t, s.plainServer("force", port.ID)).ID
	g.Expect(s.client.ForceDeleteServer(t.Context(), id)).To(Succeed())
	s.absent(t, id)
	s.unbound(t, port.ID)
	g.Expect(s.history(t, id)).To(Equal([]string{"delete", "create"}))
	old := *s.seed.compute
	old.Microversion = "2.20"
	_, err := instanceactions.List(&old, id, nil).AllPages(t.Context())
	g.Expect(gophercloud.ResponseCodeIs(err, http.StatusNotFound)).To(BeTrue(), "below 2.21 it does not: %v", err)
}

// history returns the names of what was done to a server, newest first.
func (s *suite) history(t *testing.T, id string) []string {
	t.Helper()
	actions, err := s.client.ListServerActions(t.Context(), id)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, action := range actions {
		names = append(names, action.Action)
		NewWithT(t).Expect(action.Message).To(BeEmpty())
	}
	return names
}

func serverIDs(found []openstackclient.Server) []string {
	ids := []string{}
	for _, server := range found {
		ids = append(ids, server.ID)
	}
	return ids
}

func portIDs(found []ports.Port) []string {
	ids := []string{}
	for _, port := range found {
		ids = append(ids, port.ID)
	}
	return ids
}
