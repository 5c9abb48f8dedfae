package contract

import (
	"crypto/md5" //nolint:gosec // Glance's checksum is that
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/attachinterfaces"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/attributestags"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// deed is something that a member does to a server with other means than the client under test.
type deed struct {
	name string
	do   func(s *suite, t *testing.T, id string) error
	// status is that of the server afterwards, entry the newest in its history.
	status, entry string
	// refuses are what the client may not do to the server then.
	refuses []string
}

// The actions that a state may refuse.
const (
	pauses    = "pause"
	unpauses  = "unpause"
	starts    = "start"
	snapshots = "createImage"
)

// memberDeeds lead through the states that a plain member can bring a server into, and back to ACTIVE.
var memberDeeds = []deed{
	{"suspend", func(s *suite, t *testing.T, id string) error {
		return servers.Suspend(t.Context(), s.seed.compute, id).ExtractErr()
	}, "SUSPENDED", "suspend", []string{pauses, unpauses, starts}},
	{"resume", func(s *suite, t *testing.T, id string) error {
		return servers.Resume(t.Context(), s.seed.compute, id).ExtractErr()
	}, "ACTIVE", "resume", []string{unpauses, starts}},
	{"rescue", func(s *suite, t *testing.T, id string) error {
		return servers.Rescue(t.Context(), s.seed.compute, id, servers.RescueOpts{}).Err
	}, "RESCUE", "rescue", []string{pauses, unpauses, starts, snapshots}},
	{"unrescue", func(s *suite, t *testing.T, id string) error {
		return servers.Unrescue(t.Context(), s.seed.compute, id).ExtractErr()
	}, "ACTIVE", "unrescue", []string{unpauses, starts}},
	{"reboot", func(s *suite, t *testing.T, id string) error {
		return servers.Reboot(t.Context(), s.seed.compute, id, servers.RebootOpts{Type: servers.HardReboot}).ExtractErr()
	}, "ACTIVE", "reboot", []string{unpauses}},
	{"rebuild", func(s *suite, t *testing.T, id string) error {
		return servers.Rebuild(t.Context(), s.seed.compute, id, servers.RebuildOpts{ImageRef: s.seed.imageID}).Err
	}, "ACTIVE", "rebuild", []string{unpauses}},
}

// memberStates: each state has its status, its name in the history, and its refusals.
func memberStates(t *testing.T, s *suite) {
	g := NewWithT(t)
	id := s.server(t, s.plainServer("deeds", s.port(t).ID)).ID
	var want []string
	for _, d := range memberDeeds {
		g.Expect(d.do(s, t, id)).To(Succeed(), d.name)
		s.inStatus(t, id, d.status)
		want = append([]string{d.entry}, want...)
		g.Expect(s.history(t, id)).To(Equal(append(want, "create")), d.name)
		for _, action := range d.refuses {
			kind(g, s.try(t, id, action), openstackclient.KindConflict)
		}
		g.Expect(s.history(t, id)).To(Equal(append(want, "create")), "%s: what was refused is not there", d.name)
	}
}

// try asks for an action with the client under test.
func (s *suite) try(t *testing.T, id, action string) error {
	t.Helper()
	switch action {
	case pauses:
		return s.client.PauseServer(t.Context(), id)
	case unpauses:
		return s.client.UnpauseServer(t.Context(), id)
	case starts:
		return s.client.StartServer(t.Context(), id)
	case snapshots:
		_, err := s.client.CreateServerImage(t.Context(), id, servers.CreateImageOpts{Name: s.prefix + "-refused"})
		return err
	}
	t.Fatalf("there is no action %s", action)
	return nil
}

// shelved: the disk goes into an image, and the server comes back from it. Whether it leaves its host is the cloud's to choose.
func shelved(t *testing.T, s *suite) {
	g := NewWithT(t)
	id := s.server(t, s.plainServer("shelved", s.port(t).ID)).ID
	g.Expect(servers.Shelve(t.Context(), s.seed.compute, id).ExtractErr()).To(Succeed())
	s.await(t, "the server to be shelved", func(g Gomega) bool {
		found, err := s.client.GetServer(t.Context(), openstackclient.ViewHostname, id)
		g.Expect(err).NotTo(HaveOccurred())
		return (found.Status == "SHELVED" || found.Status == "SHELVED_OFFLOADED") && found.TaskState == ""
	})
	for _, action := range []string{pauses, unpauses, starts, snapshots} {
		kind(g, s.try(t, id, action), openstackclient.KindConflict)
	}
	g.Expect(servers.Unshelve(t.Context(), s.seed.compute, id, servers.UnshelveOpts{}).ExtractErr()).To(Succeed())
	s.running(t, id)
	g.Expect(s.history(t, id)).To(Equal([]string{"unshelve", "shelve", "create"}))
}

// locks: a lock shows, keeps the client out, and is in the history; a snapshot is taken all the same.
func locks(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	id := s.server(t, s.plainServer("locked", s.port(t).ID)).ID
	locked := func() bool {
		found, err := s.client.GetServer(ctx, openstackclient.ViewHostname, id)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found.Status).To(Equal("ACTIVE"))
		return *found.Locked
	}
	g.Expect(locked()).To(BeFalse())
	g.Expect(servers.Lock(ctx, s.seed.compute, id).ExtractErr()).To(Succeed())
	g.Expect(locked()).To(BeTrue())
	kind(g, s.client.PauseServer(ctx, id), openstackclient.KindConflict)
	image, err := s.client.CreateServerImage(ctx, id, servers.CreateImageOpts{Name: s.prefix + "-locked"})
	g.Expect(err).NotTo(HaveOccurred())
	s.seed.removeImage(t, image)
	s.running(t, id)
	g.Expect(servers.Unlock(ctx, s.seed.compute, id).ExtractErr()).To(Succeed())
	g.Expect(locked()).To(BeFalse())
	g.Expect(s.history(t, id)).To(Equal([]string{"unlock", "createImage", "lock", "create"}))
}

// notForMembers: what only administrators may do is refused, and is not in the history. What it leads to can't be seen as a member.
func notForMembers(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx, oldest := t.Context(), *s.seed.compute
	oldest.Microversion = "2.1" // later ones want other bodies, and look at these before they look at who asks
	compute := &oldest
	id := s.server(t, s.plainServer("member", s.port(t).ID)).ID
	no := false
	for what, err := range map[string]error{
		"live migration":     servers.LiveMigrate(ctx, compute, id, servers.LiveMigrateOpts{BlockMigration: &no, DiskOverCommit: &no}).ExtractErr(),
		"cold migration":     servers.Migrate(ctx, compute, id).ExtractErr(),
		"reset of the state": servers.ResetState(ctx, compute, id, servers.StateError).ExtractErr(),
		"offloading":         servers.ShelveOffload(ctx, compute, id).ExtractErr(),
	} {
		g.Expect(gophercloud.ResponseCodeIs(err, http.StatusForbidden)).To(BeTrue(), "%s: %v", what, err)
	}
	s.running(t, id)
	g.Expect(s.history(t, id)).To(Equal([]string{"create"}))
}

// imageContent: what Glance knows of an image's bytes is null until there are some.
func imageContent(t *testing.T, s *suite) {
	g := NewWithT(t)
	empty := s.seed.makeEmptyImage(t, s.prefix+"-nothing", nil)
	queued, err := s.client.GetImage(t.Context(), empty)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(queued).To(And(HaveField("Status", images.ImageStatusQueued), HaveField("SizeBytes", BeZero()), HaveField("Checksum", BeEmpty())))
	g.Expect(queued.Properties["os_hash_value"]).To(BeNil())

	sum := md5.Sum(make([]byte, 1<<20)) //nolint:gosec // Glance's checksum is that; of the zeros that servers are made of here
	uploaded, err := s.client.GetImage(t.Context(), s.seed.imageID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(uploaded).To(And(
		HaveField("Status", images.ImageStatusActive), HaveField("SizeBytes", BeEquivalentTo(1<<20)), HaveField("DiskFormat", "raw"),
		HaveField("ContainerFormat", "bare"), HaveField("Checksum", hex.EncodeToString(sum[:])),
	))
	g.Expect(uploaded.Properties["os_hash_algo"]).To(Equal("sha512"))
	g.Expect(uploaded.Properties["os_hash_value"]).To(HaveLen(128))

	id := s.server(t, s.plainServer("content", s.port(t).ID)).ID
	made, err := s.client.CreateServerImage(t.Context(), id, servers.CreateImageOpts{Name: s.prefix + "-content"})
	g.Expect(err).NotTo(HaveOccurred())
	s.seed.removeImage(t, made)
	s.running(t, id)
	snapshot, err := s.client.GetImage(t.Context(), made)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(snapshot).To(And(
		HaveField("Status", images.ImageStatusActive), HaveField("SizeBytes", BeNumerically(">", 0)), HaveField("DiskFormat", Not(BeEmpty())),
		HaveField("ContainerFormat", "bare"), HaveField("MinDiskGigabytes", s.seed.flavor.Disk),
	))
	g.Expect(snapshot.Checksum != "" || snapshot.Properties["os_hash_value"] == nil).To(BeTrue(), "both, or neither on a store that reckons none")
}

// agesOfPorts: a port made beforehand is older than its server, one that Nova makes is younger, and with its server it goes, whatever tags it has.
func agesOfPorts(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	before := s.port(t)
	for range 5 { // Neutron and Nova count in seconds
		s.env.Pass()
	}
	made := s.server(t, s.plainServer("ages", before.ID))
	attached, err := attachinterfaces.Create(ctx, s.seed.compute, made.ID, attachinterfaces.CreateOpts{NetworkID: s.seed.networkID}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	_, err = attributestags.ReplaceAll(ctx, s.seed.network, "ports", attached.PortID, attributestags.ReplaceAllOpts{Tags: []string{s.prefix}}).Extract()
	g.Expect(err).NotTo(HaveOccurred())
	found, err := s.client.ListPorts(ctx, openstackclient.ListPortsOpts{DeviceIDs: []string{made.ID}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portIDs(found)).To(ConsistOf(before.ID, attached.PortID))
	for _, port := range found {
		g.Expect(port.CreatedAt.Nanosecond()).To(BeZero())
		if port.ID == before.ID {
			g.Expect(port.CreatedAt).To(BeTemporally("<", made.Created))
		} else {
			g.Expect(port.CreatedAt).To(BeTemporally(">", made.Created))
		}
	}
	g.Expect(s.client.DeleteServer(ctx, made.ID)).To(Succeed())
	s.absent(t, made.ID)
	s.unbound(t, before.ID)
	found, err = s.client.ListPorts(ctx, openstackclient.ListPortsOpts{ListOpts: ports.ListOpts{Tags: s.prefix}, IDs: []string{before.ID, attached.PortID}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portIDs(found)).To(Equal([]string{before.ID}))
}
