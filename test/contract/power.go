package contract

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// powerStates: each status has its power state, in both views.
func powerStates(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	id := s.server(t, s.plainServer("power", s.port(t).ID)).ID
	shows := func(status string, want openstackclient.Power) {
		t.Helper()
		s.inStatus(t, id, status)
		for _, view := range []openstackclient.View{openstackclient.ViewFlavorID, openstackclient.ViewHostname} {
			server, err := s.client.GetServer(t.Context(), view, id)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(server.Power).To(Equal(want), "%s shows %s", status, server.Power)
		}
	}
	shows("ACTIVE", openstackclient.PowerRunning)
	g.Expect(s.client.PauseServer(ctx, id)).To(Succeed())
	shows("PAUSED", openstackclient.PowerPaused)
	g.Expect(s.client.UnpauseServer(ctx, id)).To(Succeed())
	s.running(t, id)
	g.Expect(s.client.StopServer(ctx, id)).To(Succeed())
	shows("SHUTOFF", openstackclient.PowerOff)
}

// createEvents: the history of a build that reached a compute host says so. The event ends a moment after the server is ACTIVE.
func createEvents(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	id := s.server(t, s.plainServer("events", s.port(t).ID)).ID
	actions, err := s.client.ListServerActions(ctx, id)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(actions).To(ConsistOf(HaveField("Action", "create")))
	s.await(t, "the end of the build's event", func(g Gomega) bool {
		events, err := s.client.ListActionEvents(ctx, id, actions[0].RequestID)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(events).To(HaveLen(1))
		g.Expect(events[0].Event).To(Equal("compute__do_build_and_run_instance"))
		g.Expect(events[0].StartTime.IsZero()).To(BeFalse())
		g.Expect(events[0].HostID).To(HaveValue(Not(BeEmpty())))
		return events[0].Result == "Success" && !events[0].FinishTime.IsZero()
	})
	_, err = s.client.ListActionEvents(ctx, id, "req-"+missingID)
	kind(g, err, openstackclient.KindNotFound)
}
