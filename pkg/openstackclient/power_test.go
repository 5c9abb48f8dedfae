package openstackclient

import (
	"encoding/json"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
)

// A power state that Nova does not show is not the state 0, which says that there is no domain.
func TestPower(t *testing.T) {
	for shown, want := range map[string]Power{
		"0": PowerNone, "1": PowerRunning, "3": PowerPaused, "4": PowerOff, "6": PowerCrashed, "7": PowerSuspended,
		"2": PowerUnknown, "99": PowerUnknown, "null": PowerUnknown,
	} {
		g := NewWithT(t)
		var server Server
		g.Expect(json.Unmarshal(fmt.Appendf(nil, `{"id": "1", "OS-EXT-STS:power_state": %s}`, shown), &server)).To(Succeed())
		g.Expect(server.Power).To(Equal(want), shown)
	}
	g := NewWithT(t)
	server := Server{Power: PowerRunning}
	g.Expect(json.Unmarshal([]byte(`{"id": "1"}`), &server)).To(Succeed())
	g.Expect(server.Power).To(Equal(PowerUnknown))
	g.Expect(PowerNone.String()).To(Equal("NOSTATE"))
	g.Expect(PowerUnknown.String()).To(Equal("unknown"))
}

func TestActionEvents(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	path := "GET /v2.1/servers/" + serverID + "/os-instance-actions/req-1"
	cloud.on(path, answer(200, `{"instanceAction": {"action": "create", "instance_uuid": "`+serverID+`", "request_id": "req-1",
		"start_time": "2026-11-23T01:52:26.000000", "message": null, "events": [
		{"event": "compute__do_build_and_run_instance", "start_time": "2026-11-23T01:52:27.000000", "finish_time": null, "result": null, "hostId": "ead5"}]}}`))
	client := cloud.client(FactoryOptions{})
	events, err := client.ListActionEvents(t.Context(), serverID, "req-1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(events).To(HaveLen(1))
	g.Expect(events[0].Event).To(Equal("compute__do_build_and_run_instance"))
	g.Expect(*events[0].HostID).To(Equal("ead5"))
	g.Expect(events[0].FinishTime.IsZero()).To(BeTrue())
	g.Expect(cloud.last().header.Get("X-Openstack-Nova-Api-Version")).To(Equal("2.62"))

	cloud.on(path, answer(200, `{"instanceAction": {"action": "create", "request_id": "req-1", "start_time": "2026-11-23T01:52:26.000000"}}`))
	_, err = client.ListActionEvents(t.Context(), serverID, "req-1")
	g.Expect(KindOf(err)).To(Equal(KindTransient), "an action without its events says nothing")

	cloud.on(path, upTo(50, answer(200, `{}`)))
	_, err = cloud.client(FactoryOptions{}).ListActionEvents(t.Context(), serverID, "req-1")
	g.Expect(KindOf(err)).To(Equal(KindInvalid), "older versions hide the events")
}
