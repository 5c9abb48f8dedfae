package contract

import (
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// missingID is the ID of nothing.
const missingID = "11111111-2222-4333-8444-555555555555"

// requests: a new client asks for one token and for nothing that nobody asked it for.
func requests(t *testing.T, s *suite) {
	g := NewWithT(t)
	options, hook := recording(s.env)
	client, err := openstackclient.NewFactory(options).ClientFor(t.Context(), s.env.Mine)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = client.GetFlavor(t.Context(), s.seed.flavor.ID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(sent(hook)).To(Equal([]string{"POST 201", "GET 200"}))
	_, err = client.ListServers(t.Context(), openstackclient.ViewHostname, servers.ListOpts{Name: s.prefix})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = client.GetImage(t.Context(), s.seed.imageID)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = client.GetNetwork(t.Context(), s.seed.networkID)
	g.Expect(err).NotTo(HaveOccurred())
	scope, err := client.Scope(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(sent(hook)).To(Equal([]string{"POST 201", "GET 200", "GET 200", "GET 200", "GET 200"}))
	g.Expect(scope.AuthURL).NotTo(BeEmpty())
	g.Expect(scope.ProjectID).NotTo(BeEmpty())
	g.Expect(scope.Region).NotTo(BeEmpty())
	for _, entry := range hook.AllEntries() {
		g.Expect(entry.Data["requestID"]).To(HavePrefix("req-"))
	}
}

// refusedCredentials: what Keystone refuses says so and where it comes from.
func refusedCredentials(t *testing.T, s *suite) {
	g := NewWithT(t)
	wrong := s.env.Mine
	wrong.CloudsYAML = []byte(replaceLine(string(wrong.CloudsYAML), "password:", "hunter2-secret"))
	client := newClient(t, s.env, wrong)
	_, err := client.GetFlavor(t.Context(), s.seed.flavor.ID)
	kind(g, err, openstackclient.KindUnauthorized)
	g.Expect(err).To(MatchError(ContainSubstring("clouds.yaml")))
	g.Expect(err.Error()).NotTo(ContainSubstring("hunter2"))

	elsewhere := s.env.Mine
	elsewhere.CloudsYAML = []byte(replaceLine(string(elsewhere.CloudsYAML), "region_name:", "Nowhere"))
	_, err = newClient(t, s.env, elsewhere).Scope(t.Context())
	kind(g, err, openstackclient.KindInvalid)
	scope, scopeErr := s.client.Scope(t.Context())
	g.Expect(scopeErr).NotTo(HaveOccurred())
	g.Expect(err).To(MatchError(ContainSubstring("set region_name to one of: " + scope.Region)))
}

// replaceLine gives every line with that key another value.
func replaceLine(content, key, value string) string {
	lines := strings.Split(content, "\n")
	for i, line := range lines {
		if before, _, ok := strings.Cut(line, key); ok {
			lines[i] = before + key + " " + value
		}
	}
	return strings.Join(lines, "\n")
}

// notFound: what does not exist is KindNotFound, or nothing in a list.
func notFound(t *testing.T, s *suite) {
	g := NewWithT(t)
	s.invisible(t, s.client, missingID, missingID, missingID, missingID)
	_, err := s.client.GetFlavor(t.Context(), missingID)
	kind(g, err, openstackclient.KindNotFound)
	has, err := s.client.HasKeyPair(t.Context(), s.prefix+"-missing")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(has).To(BeFalse())
}

// invisible: these objects can neither be seen nor changed by a client.
func (s *suite) invisible(t *testing.T, client openstackclient.Client, server, image, network, port string) {
	t.Helper()
	g := NewWithT(t)
	ctx := t.Context()
	var calls []error
	for _, view := range []openstackclient.View{openstackclient.ViewFlavorID, openstackclient.ViewHostname} {
		_, err := client.GetServer(ctx, view, server)
		calls = append(calls, err)
	}
	_, create := client.CreateServerImage(ctx, server, servers.CreateImageOpts{Name: s.prefix + "-nothing"})
	_, actions := client.ListServerActions(ctx, server)
	_, getImage := client.GetImage(ctx, image)
	_, getNetwork := client.GetNetwork(ctx, network)
	calls = append(calls, create, actions, getImage, getNetwork,
		client.PauseServer(ctx, server), client.UnpauseServer(ctx, server), client.StartServer(ctx, server), client.StopServer(ctx, server),
		client.DeleteServer(ctx, server), client.ForceDeleteServer(ctx, server), client.DeleteImage(ctx, image), client.TagImage(ctx, image, "x"),
		client.AttachPort(ctx, server, port), client.ReleasePort(ctx, port))
	for _, err := range calls {
		kind(g, err, openstackclient.KindNotFound)
		g.Expect(openstackclient.IsNotFound(err)).To(BeTrue())
	}
	for _, opts := range []openstackclient.ListPortsOpts{{DeviceIDs: []string{server}}, {ListOpts: ports.ListOpts{ID: port}}} {
		found, err := client.ListPorts(ctx, opts)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).To(BeEmpty())
	}
}

// invalid: what the cloud rejects as it is.
func invalid(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	for _, view := range []openstackclient.View{openstackclient.ViewFlavorID, openstackclient.ViewHostname} {
		_, err := s.client.ListServers(ctx, view, servers.ListOpts{Name: "("})
		kind(g, err, openstackclient.KindInvalid)
	}
	_, err := s.client.ListImages(ctx, openstackclient.ListImagesOpts{ListOpts: images.ListOpts{Marker: missingID}})
	kind(g, err, openstackclient.KindInvalid)

	port := s.port(t)
	for what, change := range map[string]func(*openstackclient.CreateServerOpts){
		"flavor":   func(o *openstackclient.CreateServerOpts) { o.FlavorRef = missingID },
		"image":    func(o *openstackclient.CreateServerOpts) { o.ImageRef = missingID },
		"port":     func(o *openstackclient.CreateServerOpts) { o.Networks = []servers.Network{{Port: missingID}} },
		"key pair": func(o *openstackclient.CreateServerOpts) { o.KeyName = s.prefix + "-missing" },
		"group":    func(o *openstackclient.CreateServerOpts) { o.ServerGroup = missingID },
		"zone":     func(o *openstackclient.CreateServerOpts) { o.AvailabilityZone = s.prefix + "-missing" },
		"metadata": func(o *openstackclient.CreateServerOpts) {
			o.Metadata = map[string]string{"a": strings.Repeat("x", 256)}
		},
	} {
		opts := s.plainServer("invalid", port.ID)
		change(&opts)
		_, err := s.client.CreateServer(ctx, opts)
		g.Expect(err).To(HaveOccurred(), what)
		kind(g, err, openstackclient.KindInvalid)
	}
	found, err := s.client.ListServers(ctx, openstackclient.ViewFlavorID, servers.ListOpts{Name: "^" + s.prefix + "-invalid"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(BeEmpty())
}

// anotherProject: what belongs to another project is as if it did not exist.
func anotherProject(t *testing.T, s *suite) {
	if s.env.Other == nil {
		t.Skip("no credentials of another project are given")
	}
	g := NewWithT(t)
	ctx := t.Context()
	port := s.port(t)
	opts := s.plainServer("foreign", port.ID)
	opts.Tags = []string{"foreign=" + s.prefix}
	server := s.server(t, opts)
	stranger := newClient(t, s.env, *s.env.Other)
	mine, err := s.client.Scope(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	theirs, err := stranger.Scope(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(theirs.ProjectID).NotTo(Equal(mine.ProjectID))
	g.Expect(theirs.AuthURL).To(Equal(mine.AuthURL))

	s.invisible(t, stranger, server.ID, s.seed.imageID, s.seed.networkID, port.ID)
	for _, filter := range []servers.ListOpts{{Name: "^" + s.prefix}, {Tags: "foreign=" + s.prefix}} {
		found, err := stranger.ListServers(ctx, openstackclient.ViewFlavorID, filter)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).To(BeEmpty())
	}
	images, err := stranger.ListImages(ctx, openstackclient.ListImagesOpts{Properties: map[string]string{baseProperty: "yes"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(images).To(BeEmpty())
	groupsFound, err := stranger.ListServerGroups(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	for _, group := range groupsFound {
		g.Expect(group.ID).NotTo(Equal(s.seed.groupID))
	}
	secured, err := stranger.ListSecurityGroups(ctx, groups.ListOpts{ID: port.SecurityGroups[0]})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(secured).To(BeEmpty())
	has, err := stranger.HasKeyPair(ctx, s.seed.keyName)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(has).To(BeFalse())
	g.Expect(s.running(t, server.ID).Status).To(Equal("ACTIVE"), "the stranger's requests have changed nothing")
}

// quota: what a quota does not allow.
func quota(t *testing.T, s *suite) {
	if s.env.WithoutInstances == nil {
		t.Skip("nobody is there to set a quota")
	}
	g := NewWithT(t)
	opts := s.plainServer("quota", s.port(t).ID)
	s.env.WithoutInstances(t)
	_, err := s.client.CreateServer(t.Context(), opts)
	kind(g, err, openstackclient.KindQuota)
	g.Expect(err).To(MatchError(ContainSubstring("instances")))
	found, err := s.client.ListServers(t.Context(), openstackclient.ViewFlavorID, servers.ListOpts{Name: "^" + opts.Name})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(BeEmpty())
}
