package hibernation

import (
	"slices"
	"sort"
	"time"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// recordVersion is the format that this code writes.
const recordVersion = 1

// Record holds the facts about one cluster's hibernation. No phase is stored: what comes next follows from the facts and
// the live cloud.
//
//   - Cut set: a hibernation is under way (or, abandoned, being rolled back).
//   - Sealed set, Opened not: the machines are snapshots; servers are being deleted, or the cluster is asleep.
//   - Opened set: servers may have been made from the snapshots.
//   - None of them: the cluster runs, and only tries or leftovers are remembered.
type Record struct {
	Version int    `json:"version"`
	InfraID string `json:"infraID"`
	// Cloud pins where the servers are: anywhere else a 404 means nothing.
	Cloud openstackclient.Scope `json:"cloud"`
	Claim *Claim                `json:"claim,omitempty"`
	// Cut is the hibernation that is under way.
	Cut *Cut `json:"cut,omitempty"`
	// Sealed is the last completed cut.
	Sealed *Seal `json:"sealed,omitempty"`
	// Deleting is saved before the first server is deleted: the point of no return.
	Deleting *time.Time `json:"deleting,omitempty"`
	// Opened is when servers were first asked for again.
	Opened *time.Time `json:"opened,omitempty"`
	// Done is when the cluster was found healthy and its snapshots were given up.
	Done *time.Time `json:"done,omitempty"`
	// LastCycle is the latest cycle ever begun: a new one is later.
	LastCycle   string       `json:"lastCycle,omitempty"`
	Observation *Observation `json:"observation,omitempty"`
	// Unobserved is why the cluster could not be asked for its Nodes before the present cut, or the last one.
	Unobserved string `json:"unobserved,omitempty"`
	// HealthChecks is set while MachineHealthChecks of the cluster may be paused by us.
	HealthChecks *HealthChecks `json:"healthChecks,omitempty"`
	Tries        *Tries        `json:"tries,omitempty"`
	// WaitingSince is since when a hibernation that has not begun waits for the cluster to come to rest.
	WaitingSince *time.Time `json:"waitingSince,omitempty"`
	// OldRemakes and OldLeaveOuts are the machines that the annotations named already when the present hibernation, or the
	// last one, began, and have named ever since: that was not said of this one, and is not obeyed.
	OldRemakes   []string   `json:"oldRemakes,omitempty"`
	OldLeaveOuts []string   `json:"oldLeaveOuts,omitempty"`
	Machines     []*Machine `json:"machines,omitempty"`
	// Leftovers are snapshots that are needed no more and could not be deleted yet.
	Leftovers []Leftover `json:"leftovers,omitempty"`
	// Strays are snapshots and pauses that may still come about although their hibernation was rolled back.
	Strays []Stray `json:"strays,omitempty"`

	unknown unknownFields
}

// Claim says who acts on the record. Another holder waits until it saw the record unchanged for longer than Seconds.
type Claim struct {
	Holder  string    `json:"holder"`
	Seconds int       `json:"seconds"`
	At      time.Time `json:"at"`

	unknown unknownFields
}

// Cut is one try to put the cluster to sleep.
type Cut struct {
	Cycle     string    `json:"cycle"`
	StartedAt time.Time `json:"startedAt"`
	// Pausing is saved before the first server is asked to be paused: from then on a pause may be carried out, however late.
	Pausing bool `json:"pausing,omitempty"`
	// Shooting is saved before the first snapshot is asked for: from then on no server may run until the seal.
	Shooting bool `json:"shooting,omitempty"`
	// Abandoned is saved before the first server is unpaused; such a cut is never sealed.
	Abandoned bool   `json:"abandoned,omitempty"`
	Why       string `json:"why,omitempty"`
	// Counted says that the cloud, not a person, ended this try: the next one waits.
	Counted bool `json:"counted,omitempty"`

	unknown unknownFields
}

// Seal says that every machine has its snapshot.
type Seal struct {
	Cycle string    `json:"cycle"`
	At    time.Time `json:"at"`

	unknown unknownFields
}

// Tries remembers failed hibernations.
type Tries struct {
	Count int `json:"count"`
	// At is when the last one failed, and NotBefore when the next may come.
	At        time.Time `json:"at,omitzero"`
	NotBefore time.Time `json:"notBefore"`
	Why       string    `json:"why"`

	unknown unknownFields
}

// HealthChecks says that the cluster's MachineHealthChecks are, or may be, paused by us. It stands until they have been
// un-paused, and the record stands as long as it does.
type HealthChecks struct {
	// Asked is the cycle for which they were asked to be paused; in each it is tried once.
	Asked string `json:"asked,omitempty"`
	// Failed is why they could not all be paused in that cycle.
	Failed string `json:"failed,omitempty"`

	unknown unknownFields
}

// Machine is one machine of the cluster: the server that it is, or was, and all that it takes to make it again.
type Machine struct {
	Name string `json:"name"`
	// ServerID is the server that was, or is being, snapshotted: the only ID by which it is deleted.
	ServerID     string `json:"serverID"`
	ControlPlane bool   `json:"controlPlane,omitempty"`
	// Before is the server's status when it was to be paused: ACTIVE, SHUTOFF or PAUSED.
	Before string     `json:"before"`
	Spec   ServerSpec `json:"spec"`
	// InCut says that the machine takes part in the present cut; one that never started since its last one does not.
	InCut bool `json:"inCut,omitempty"`
	// Shot is the snapshot that the present cut asks for.
	Shot *Snapshot `json:"shot,omitempty"`
	// Snapshot is the machine's disk as of the seal.
	Snapshot *Snapshot `json:"snapshot,omitempty"`
	// Kept is set where a hibernation was rolled back and Snapshot may be the last copy of the disk.
	Kept *Kept `json:"kept,omitempty"`
	// Older are snapshots that a later one has taken the place of while servers were deleted: they are kept until the
	// cluster runs again.
	Older []*Snapshot `json:"older,omitempty"`
	// Still is the last thing that was done to the server before its snapshot, by Nova's history: as long as nothing else
	// has been done to it, the snapshot holds all that it ever wrote.
	Still *Action `json:"still,omitempty"`
	// Ended says that the server went as it was snapshotted, as far as that can be known: its history shows nothing else.
	Ended bool `json:"ended,omitempty"`
	// Late is the first thing that was done to the server between Still and its end: it wrote more than the snapshot holds.
	Late *Action `json:"late,omitempty"`
	// Unread is since when Nova shows no history of the server that is gone.
	Unread *time.Time `json:"unread,omitempty"`
	// LateServer says that a server of Snapshot may still appear: the cluster was put back to sleep when a request for one had got
	// no answer.
	LateServer bool `json:"lateServer,omitempty"`
	// Creation is the server that is being made from Snapshot.
	Creation *Creation `json:"creation,omitempty"`
	// Removed says that the machine's new server has run and is gone, or that there is no copy of it, and that the cluster does
	// without it.
	Removed bool `json:"removed,omitempty"`
	// FormerIDs are servers that the machine was earlier, or was to become: the cluster may still know it by them.
	FormerIDs []string `json:"formerIDs,omitempty"`

	unknown unknownFields
}

// Kept says why a snapshot outlives the hibernation that it was made in.
type Kept struct {
	Why string `json:"why"`
	// Replaced says that the server is there, and that its disk may be another one.
	Replaced bool `json:"replaced,omitempty"`

	unknown unknownFields
}

// ServerSpec is what a server is made again from.
type ServerSpec struct {
	FlavorID   string `json:"flavorID"`
	FlavorName string `json:"flavorName,omitempty"`
	// DiskGiB is the size of the flavor's root disk; nil where it is not known.
	DiskGiB          *int              `json:"diskGiB,omitempty"`
	Ports            []Port            `json:"ports"`
	SecurityGroups   []string          `json:"securityGroups,omitempty"`
	Metadata         map[string]string `json:"metadata,omitempty"`
	Tags             []string          `json:"tags,omitempty"`
	KeyName          string            `json:"keyName,omitempty"`
	AvailabilityZone string            `json:"availabilityZone,omitempty"`
	ConfigDrive      bool              `json:"configDrive,omitempty"`
	Description      string            `json:"description,omitempty"`
	// Hostname is set only where it is not what Nova derives from the name.
	Hostname    string `json:"hostname,omitempty"`
	ServerGroup string `json:"serverGroup,omitempty"`

	unknown unknownFields
}

// Port is one interface of a machine, in the server's order. Neutron keeps the port itself while the cluster sleeps.
type Port struct {
	ID        string   `json:"id"`
	MAC       string   `json:"mac"`
	IPs       []string `json:"ips,omitempty"`
	NetworkID string   `json:"networkID"`

	unknown unknownFields
}

// Snapshot is an image of a machine's root disk.
type Snapshot struct {
	// Name is saved before the image is asked for, and ID as soon as it is known.
	Name  string `json:"name"`
	ID    string `json:"id,omitempty"`
	Cycle string `json:"cycle"`
	// ServerID is the server that it was taken of.
	ServerID string `json:"serverID"`
	// Idle is since when its server is seen without a task while the image is incomplete.
	Idle *time.Time `json:"idle,omitempty"`
	Attempt

	unknown unknownFields
}

// Action is an entry in a server's history.
type Action struct {
	Name      string    `json:"name"`
	RequestID string    `json:"requestID"`
	At        time.Time `json:"at"`

	unknown unknownFields
}

// Creation is the making of a server.
type Creation struct {
	// ServerID is the new server's, once it is known.
	ServerID string `json:"serverID,omitempty"`
	// Ran says that the server has been ACTIVE: its snapshot is out of date.
	Ran bool `json:"ran,omitempty"`
	// Remade says that the annotation that orders to go back in time has been obeyed; it has to be set anew for another time.
	Remade bool `json:"remade,omitempty"`
	// Discarded is a server that never ran and is deleted to be made again.
	Discarded string `json:"discarded,omitempty"`
	// Wired is the server that was seen to be ACTIVE and to have all its ports.
	Wired string `json:"wired,omitempty"`
	// Unscheduled is since when the server is seen waiting for a host.
	Unscheduled *time.Time `json:"unscheduled,omitempty"`
	// Failures counts the servers that failed to start, and NotBefore is when the next may be asked for.
	Failures  int        `json:"failures,omitempty"`
	NotBefore *time.Time `json:"notBefore,omitempty"`
	Fault     string     `json:"fault,omitempty"`
	Attempt

	unknown unknownFields
}

// Attempt is a request to make something.
type Attempt struct {
	// Asked is saved before the request is sent and removed when its answer is known. While it stands the object may
	// exist: until a minute later and two looks without it, the request is not repeated.
	Asked *time.Time `json:"asked,omitempty"`
	// Misses counts these looks.
	Misses int `json:"misses,omitempty"`
}

// Leftover is a snapshot to be deleted when the cloud allows it.
type Leftover struct {
	ID   string `json:"id"`
	Name string `json:"name"`

	unknown unknownFields
}

// sortMachines puts the control plane first: that is the order in which everything is done to them.
func (r *Record) sortMachines() {
	sort.SliceStable(r.Machines, func(i, j int) bool {
		a, b := r.Machines[i], r.Machines[j]
		if a.ControlPlane != b.ControlPlane {
			return a.ControlPlane
		}
		return a.Name < b.Name
	})
}

// pinned tells whether the record says anything of the cloud, so that it means nothing anywhere else.
func (r *Record) pinned() bool {
	return r.Cut != nil || r.Sealed != nil || len(r.Leftovers) > 0 || len(r.Strays) > 0 || len(r.Machines) > 0
}

// wanted returns the machines that the cluster has: all but those that it was seen to do without.
func (r *Record) wanted() []*Machine {
	return slices.DeleteFunc(slices.Clone(r.Machines), func(m *Machine) bool { return m.Removed })
}

// inCut returns the machines that take part in the present cut.
func (r *Record) inCut() []*Machine {
	var in []*Machine
	for _, m := range r.Machines {
		if m.InCut {
			in = append(in, m)
		}
	}
	return in
}

// giveUp notes a snapshot as needed no more: it is deleted when the cloud allows it.
func (r *Record) giveUp(s *Snapshot) {
	if s == nil || s.ID == "" {
		return
	}
	for _, l := range r.Leftovers {
		if l.ID == s.ID {
			return
		}
	}
	r.Leftovers = append(r.Leftovers, Leftover{ID: s.ID, Name: s.Name})
}

// giveUpAll gives up all snapshots of a machine, but for the one that the present cut makes.
func (r *Record) giveUpAll(m *Machine) {
	r.giveUp(m.Snapshot)
	for _, s := range m.Older {
		r.giveUp(s)
	}
	m.Older = nil
}

// keeping reports whether the record holds nothing but machines of a hibernation that was rolled back.
func (r *Record) keeping() bool { return r.Cut == nil && r.Sealed == nil && len(r.Machines) > 0 }
