package faults

import (
	"slices"
	"testing"
)

// What the cloud's people and colleagues with access to the project do to the servers of a cluster that is put to sleep or woken.

// operatorDeeds are those that are done to a role's first server. A person ends what stays until a person ends it.
func operatorDeeds(role string) []otherDeed {
	deeds := slices.Concat(moves(), states(), surroundings())
	for i := range deeds {
		deeds[i].name += "-" + role
		deeds[i].role = role
	}
	return deeds
}

// toServer is a deed that is done to the machine's server.
func toServer(do func(m *meddling, id string) bool) func(*meddling) bool {
	return func(m *meddling) bool {
		s, ok := m.server()
		return ok && do(m, s.ID)
	}
}

// ends is what a person does to a server that stays as it is until then.
func ends(do func(m *meddling, id string) bool) func(*meddling) {
	return func(m *meddling) { toServer(do)(m) }
}

// moves take a server to another host.
func moves() []otherDeed {
	confirm := ends(func(m *meddling, id string) bool { return m.cloud.ConfirmResize(id) })
	waits := []string{"VERIFY_RESIZE", "RESIZE", "resize_", "at rest"}
	return []otherDeed{
		{name: "live-migrate", do: toServer(func(m *meddling, id string) bool { return m.cloud.LiveMigrateServer(id) })},
		{name: "migrate", advice: waits, undo: confirm, do: toServer(func(m *meddling, id string) bool { return m.cloud.MigrateServer(id) })},
		{
			name: "migrate-and-back", advice: waits, do: toServer(func(m *meddling, id string) bool { return m.cloud.MigrateServer(id) }),
			undo: ends(func(m *meddling, id string) bool {
				m.destroys(m.name)
				return m.cloud.RevertResize(id)
			}),
		},
	}
}

// states are deeds after which a server is in another state.
func states() []otherDeed {
	return []otherDeed{
		{
			name: "reboot", advice: []string{"annotate"},
			do: toServer(func(m *meddling, id string) bool {
				m.races()
				return m.cloud.RebootServer(id, true)
			}),
		},
		{
			name: "suspend", advice: []string{"SUSPENDED", "not ready", "does not answer"},
			do:   toServer(func(m *meddling, id string) bool { return m.cloud.SuspendServer(id) }),
			undo: ends(func(m *meddling, id string) bool { return m.cloud.ResumeServer(id) }),
		},
		{
			name: "rescue", advice: []string{"RESCUE", "not ready", "does not answer", "may be another one"},
			do:   toServer(func(m *meddling, id string) bool { return m.cloud.RescueServer(id) }),
			undo: ends(func(m *meddling, id string) bool { return m.cloud.UnrescueServer(id) }),
		},
		{
			name: "shelve", advice: []string{"SHELVED", "shelv", "not ready", "does not answer", "may be another one"},
			do:   toServer(func(m *meddling, id string) bool { return m.cloud.ShelveServer(id) && m.shelved() }),
			undo: ends(func(m *meddling, id string) bool { return m.cloud.UnshelveServer(id) }),
		},
		{
			name: "reset-state", advice: []string{"ERROR", "may be another one", "annotate"},
			do: toServer(func(m *meddling, id string) bool {
				m.races()
				return m.cloud.ResetServerState(id, "error")
			}),
			undo: ends(func(m *meddling, id string) bool {
				return m.cloud.ResetServerState(id, "active") && m.cloud.RebootServer(id, true)
			}),
		},
	}
}

// shelved notes the image that Nova makes of a server which is shelved. It returns true.
func (m *meddling) shelved() bool {
	for _, img := range m.cloud.Images() {
		if img.Name == m.name+"-shelved" {
			m.foreign[img.ID] = true
		}
	}
	return true
}

// surroundings are deeds that leave a server's state as it is.
func surroundings() []otherDeed {
	return []otherDeed{
		{
			name: "lock-and-unlock",
			do: toServer(func(m *meddling, id string) bool {
				return m.cloud.LockByHand(id, false, "mine") && m.cloud.UnlockByHand(id)
			}),
		},
		{
			name: "backup",
			do: toServer(func(m *meddling, id string) bool {
				image, ok := m.cloud.BackupServer(id, "nightly", "daily", 1)
				m.foreign[image] = ok
				return ok
			}),
		},
		{
			name: "attach-network", advice: []string{"by Nova"},
			do: toServer(func(m *meddling, id string) bool {
				port, ok := m.cloud.AttachNetwork(id, m.seeds[0].NetworkID)
				m.port = port
				return ok
			}),
			undo: ends(func(m *meddling, id string) bool { return m.cloud.DetachPort(id, m.port) }),
		},
	}
}

// At every call of both directions, of reversals and of rollbacks somebody does once what operators do: nothing is lost by it, a
// person is told what to do where the flow can't go on without one, and then it goes on.
func TestS03Operators(t *testing.T) {
	for _, s := range othersShapes() {
		for _, f := range append(deedFlows(s), turnedFlows(t, s)...) {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				tryOperators(t, s, f)
			})
		}
	}
}

// tryOperators tries each deed at the calls of a flow.
func tryOperators(t *testing.T, s shape, f flow) {
	t.Helper()
	for i, role := range []string{"master", "worker"}[:1+min(1, s.workers)] {
		tryOtherDeeds(t, s, f, operatorDeeds(role), i*7, 97)
	}
}
