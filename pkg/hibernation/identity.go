package hibernation

import "slices"

// maxFormer is how many of its former servers a machine remembers: far more than resumes that follow on each other before
// the cluster knows its new servers.
const maxFormer = 16

// MachineState is what a machine is now, and by which names the cluster may still know it.
type MachineState struct {
	Name         string
	ControlPlane bool
	// OldServerIDs are the servers that the machine was, and is no more, the latest last.
	OldServerIDs []string
	// ServerID is the machine's server; empty while it has none.
	ServerID string
	// Running tells that this server has been ACTIVE.
	Running bool
	// Off tells that it was not ACTIVE when the hibernation began that is under way: if that is given up, it stays as it was.
	Off bool
}

// former notes a server that the machine was, or was to become.
func (m *Machine) former(id string) {
	if id == "" || slices.Contains(m.FormerIDs, id) {
		return
	}
	m.FormerIDs = append(m.FormerIDs, id)
	if over := len(m.FormerIDs) - maxFormer; over > 0 {
		m.FormerIDs = slices.Delete(m.FormerIDs, 0, over)
	}
}

// descend takes over what the cluster may know a machine by from the entry that an earlier cycle has of it.
func (m *Machine) descend(old *Machine) {
	if old == nil {
		return
	}
	m.FormerIDs = slices.Clone(old.FormerIDs)
	if old.ServerID != m.ServerID {
		m.former(old.ServerID)
	}
}

// states returns what the wanted machines are now.
func (r *Record) states() []MachineState {
	if r.keeping() {
		return nil
	}
	var out []MachineState
	for _, m := range r.wanted() {
		state := MachineState{Name: m.Name, ControlPlane: m.ControlPlane}
		switch {
		case r.Sealed == nil || r.Cut != nil && m.InCut:
			state.ServerID, state.Running, state.Off = m.ServerID, true, r.Sealed == nil && m.Before != statusActive
		case m.Creation != nil && m.Creation.Discarded == "":
			state.ServerID, state.Running = m.Creation.ServerID, m.Creation.Ran
		}
		old := slices.Clone(m.FormerIDs)
		if !slices.Contains(old, m.ServerID) {
			old = append(old, m.ServerID)
		}
		if m.Creation != nil && m.Creation.Discarded != "" {
			old = append(old, m.Creation.Discarded)
		}
		state.OldServerIDs = slices.DeleteFunc(old, func(id string) bool { return id == state.ServerID })
		out = append(out, state)
	}
	return out
}
