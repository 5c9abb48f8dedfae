package contract

import (
	"slices"
	"sync"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// attachPort: a port that exists is plugged into a server that runs, and is its own from the answer on.
func attachPort(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	first, second := s.port(t), s.port(t)
	other := s.server(t, s.plainServer("attach-other", s.port(t).ID))
	id := s.server(t, s.plainServer("attach", first.ID)).ID

	g.Expect(s.client.AttachPort(ctx, id, second.ID)).To(Succeed())
	found, err := s.client.ListPorts(ctx, openstackclient.ListPortsOpts{DeviceIDs: []string{id}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portIDs(found)).To(ConsistOf(first.ID, second.ID))
	g.Expect(s.history(t, id)).To(Equal([]string{"attach_interface", "create"}))
	s.await(t, "the server to show the port", func(g Gomega) bool {
		server, err := s.client.GetServer(ctx, openstackclient.ViewHostname, id)
		g.Expect(err).NotTo(HaveOccurred())
		return slices.Equal(server.MACs, []string{first.MACAddress, second.MACAddress})
	})

	kind(g, s.client.AttachPort(ctx, id, second.ID), openstackclient.KindConflict)
	kind(g, s.client.AttachPort(ctx, other.ID, second.ID), openstackclient.KindConflict)
	kind(g, s.client.AttachPort(ctx, id, missingID), openstackclient.KindNotFound)
	kind(g, s.client.AttachPort(ctx, missingID, second.ID), openstackclient.KindNotFound)
	kind(g, s.client.AttachPort(ctx, id, "not-an-id"), openstackclient.KindInvalid)
	found, err = s.client.ListPorts(ctx, openstackclient.ListPortsOpts{DeviceIDs: []string{id}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(portIDs(found)).To(ConsistOf(first.ID, second.ID), "what was refused has changed nothing")
}

// releasePort: a port that is taken from its server outlives it, and keeps its address.
func releasePort(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	port := s.port(t)
	id := s.server(t, s.plainServer("release", port.ID)).ID
	g.Expect(s.client.ReleasePort(ctx, port.ID)).To(Succeed())
	g.Expect(s.client.ReleasePort(ctx, port.ID)).To(Succeed(), "once more")
	found, err := s.client.ListPorts(ctx, openstackclient.ListPortsOpts{DeviceIDs: []string{id}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(BeEmpty())
	g.Expect(s.client.DeleteServer(ctx, id)).To(Succeed())
	s.absent(t, id)
	found, err = s.client.ListPorts(ctx, openstackclient.ListPortsOpts{ListOpts: ports.ListOpts{ID: port.ID}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(1))
	g.Expect(found[0].MACAddress).To(Equal(port.MACAddress))
	g.Expect(found[0].FixedIPs).To(Equal(port.FixedIPs))
	g.Expect(s.server(t, s.plainServer("release-again", port.ID)).MACs).To(ConsistOf(port.MACAddress))
	kind(g, s.client.ReleasePort(ctx, missingID), openstackclient.KindNotFound)
}

// twoServersOnePort: of two creates with one port at the same time, both are accepted. One server fails, and takes the port from
// the other, which runs on without it.
func twoServersOnePort(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	port := s.port(t)
	ids, errs := make([]string, 2), make([]error, 2)
	var both sync.WaitGroup
	for i := range ids {
		both.Go(func() { ids[i], errs[i] = s.client.CreateServer(ctx, s.plainServer("twin", port.ID)) })
	}
	both.Wait()
	for i, id := range ids {
		g.Expect(errs[i]).NotTo(HaveOccurred())
		s.removeServer(t, id)
	}
	var winner, loser string
	s.await(t, "one of them to run and one to fail", func(g Gomega) bool {
		winner, loser = "", ""
		for _, id := range ids {
			server, err := s.client.GetServer(ctx, openstackclient.ViewHostname, id)
			g.Expect(err).NotTo(HaveOccurred())
			switch server.Status {
			case "ACTIVE":
				winner = id
			case "ERROR":
				loser = id
				g.Expect(server.LaunchedAt.IsZero()).To(BeTrue(), "by this it is told")
			}
		}
		return winner != "" && loser != ""
	})
	s.unbound(t, port.ID)
	// Whether it can be attached to the winner again is the hypervisor's own business: the test bed's has it plugged still.
	g.Expect(s.client.DeleteServer(ctx, loser)).To(Succeed())
	s.absent(t, loser)
}
