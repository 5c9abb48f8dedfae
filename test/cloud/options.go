package cloud

import (
	"context"
	"time"

	"k8s.io/utils/clock"
)

// Options says what kind of cloud to simulate. The zero value is a usable cloud in which all work is done by the next request.
type Options struct {
	// Clock is the time of the cloud; nil is the real time.
	Clock clock.Clock
	// Sleep waits for d or until ctx is done, for latencies of requests and for hanging answers; nil waits on Clock. A
	// test with a virtual clock passes a function that steps the clock.
	Sleep func(ctx context.Context, d time.Duration) error
	// Seed makes IDs, addresses and passwords reproducible; 0 takes a random one.
	Seed uint64
	// URL is where the cloud is said to be in clouds.yaml and catalogue. Empty: what Start listens on, else the host of the request.
	URL string

	// Region is the only region in the catalogue; "RegionOne" if empty.
	Region string
	// Accounts are the users; if none, those of DefaultAccounts.
	Accounts []Account
	// TokenTTL is how long a token is good; an hour if 0.
	TokenTTL time.Duration

	// Latencies are the times that work takes.
	Latencies Latencies
	// WriteInterval is the time in which a running server writes once to its disk; 100 ms if 0.
	WriteInterval time.Duration

	// MaxMicroversion is the highest one of Nova, from "2.1" to "2.96"; "2.96" if empty.
	MaxMicroversion string
	// NovaPageSize bounds a page of servers (Nova's max_limit); 1000 if 0.
	NovaPageSize int
	// GlancePageSize is how many images a page has unless the request says otherwise (Glance's limit_param_default); 25 if 0.
	GlancePageSize int
	// GlanceMaxPageSize bounds what a request may ask for (Glance's api_limit_max); 1000 if 0.
	GlanceMaxPageSize int
	// NeutronPageSize bounds a page of Neutron's (pagination_max_limit); 0 is no bound.
	NeutronPageSize int
	// Zones are the availability zones; "nova" if none. The first is where servers go that ask for none.
	Zones []string
	// Cells are the names of Nova's cells; "cell1" if none. Each new server goes to the next one.
	Cells []string
	// Hosts are the names of the compute hosts; "sim-compute-0" if none. Servers go to them in turn.
	Hosts []string
	// DownCells says how Nova answers while a cell is down.
	DownCells DownCells

	// HideExtraSpecs leaves a flavor's extra specs out of servers, as a policy of Nova's may.
	HideExtraSpecs bool
	// ReclaimInterval, if not 0, makes server deletes soft for that long (Nova's reclaim_instance_interval).
	ReclaimInterval time.Duration
	// ImagesInUse refuses to delete an image of which a server was made that still exists, as a Glance on RBD does.
	ImagesInUse bool
	// Quotas are those of every project at the start; DefaultQuota if nil.
	Quotas *Quota
	// NoHashes has Glance know neither checksum nor hash of a snapshot, as where Nova takes it within the storage (libvirt with RBD).
	NoHashes bool
	// KeepShelved leaves shelved servers on their hosts until somebody offloads them (Nova's shelved_offload_time -1; its default is 0).
	KeepShelved bool
	// SnapshotBytes is the size of a snapshot; nil is 1 MiB for each.
	SnapshotBytes func(Server) int64
	// LedgerSize is how many of the newest requests the ledger keeps: 0 is all, -1 none.
	LedgerSize int
	// Hooks see every request.
	Hooks Hooks
}

// Latencies are how long things take. Zero means that it is done by the next request.
type Latencies struct {
	// API is the time from a request's arrival to its effect, for every request.
	API time.Duration
	// Op is the same for single operations, added to API.
	Op map[string]time.Duration
	// Schedule is from a create to the binding of ports. Two creates with one port within it both succeed at first.
	Schedule time.Duration
	// Spawn is from the binding of ports to the start of the guest, Save from there to ACTIVE with launched_at.
	Spawn, Save time.Duration
	// PowerSync is from a restart of nova-compute to its first look at the power states of its servers.
	PowerSync time.Duration
	// Pause, Unpause, Start and Stop are the times of these actions.
	Pause, Unpause, Start, Stop time.Duration
	// LiveMigrate, Reboot, Suspend, Resume and Shelve are the times of these actions; Rescue is that of a rescue and of its end.
	LiveMigrate, Reboot, Suspend, Resume, Rescue, Shelve time.Duration
	// Resize is the time in each task of a resize or cold migration, and that of confirming and of reverting it.
	Resize time.Duration
	// Rebuild is the time until a rebuild or an evacuation has the old disk gone, and again until the new one is there.
	Rebuild time.Duration
	// Delete is from the request to the end of the server.
	Delete time.Duration
	// Deleted is how long after its end GET still shows a server, as DELETED.
	Deleted time.Duration
	// SnapshotPending, SnapshotStart and SnapshotExtract are the times in image_snapshot_pending, image_snapshot and
	// image_pending_upload.
	SnapshotPending, SnapshotStart, SnapshotExtract time.Duration
	// SnapshotUpload is the time in image_uploading; SnapshotUploadOf replaces it for single servers if not nil.
	SnapshotUpload   time.Duration
	SnapshotUploadOf func(Server) time.Duration
	// SnapshotClear is from the image being active to the server's task state being none.
	SnapshotClear time.Duration
	// SnapshotBreak is from the deletion of an image in the middle of its upload to the server's task state being none. Zero is as Glance was
	// seen to do it: it takes the upload to its end, however long that is, and only then answers 410.
	SnapshotBreak time.Duration
}

// TestBedLatencies returns the times seen on a real control plane with a hypervisor that does nothing, on two cores.
func TestBedLatencies() Latencies {
	const ms = time.Millisecond
	return Latencies{
		API: 60 * ms,
		Op: map[string]time.Duration{
			"keystone.token.create": 250 * ms, "nova.server.create": 900 * ms, "nova.server.createImage": 500 * ms,
			"nova.server.delete": 150 * ms,
		},
		Schedule: 1500 * ms, Spawn: 1700 * ms, Save: 300 * ms, PowerSync: 30_000 * ms,
		Pause: 600 * ms, Unpause: 600 * ms, Start: 800 * ms, Stop: 800 * ms,
		LiveMigrate: 1500 * ms, Reboot: 800 * ms, Suspend: 600 * ms, Resume: 600 * ms, Rescue: 800 * ms, Shelve: 800 * ms,
		Resize: 600 * ms, Rebuild: 800 * ms,
		Delete: 1200 * ms, Deleted: 300 * ms,
		SnapshotPending: 300 * ms, SnapshotStart: 300 * ms, SnapshotExtract: 100 * ms, SnapshotUpload: 600 * ms,
		SnapshotClear: 200 * ms,
	}
}

// Scaled returns the same latencies, each multiplied by f.
func (l Latencies) Scaled(f float64) Latencies {
	scale := func(d time.Duration) time.Duration { return time.Duration(float64(d) * f) }
	out := l
	out.Op = make(map[string]time.Duration, len(l.Op))
	for op, d := range l.Op {
		out.Op[op] = scale(d)
	}
	for _, d := range []*time.Duration{
		&out.API, &out.Schedule, &out.Spawn, &out.Save, &out.PowerSync, &out.Pause, &out.Unpause, &out.Start, &out.Stop, &out.Delete, &out.Deleted,
		&out.LiveMigrate, &out.Reboot, &out.Suspend, &out.Resume, &out.Rescue, &out.Shelve, &out.Resize, &out.Rebuild,
		&out.SnapshotPending, &out.SnapshotStart, &out.SnapshotExtract, &out.SnapshotUpload, &out.SnapshotClear, &out.SnapshotBreak,
	} {
		*d = scale(*d)
	}
	if of := l.SnapshotUploadOf; of != nil {
		out.SnapshotUploadOf = func(s Server) time.Duration { return scale(of(s)) }
	}
	return out
}

// Quota bounds what a project may have; -1 is no bound.
type Quota struct {
	Instances, Cores, RAM            int
	ServerGroups, ServerGroupMembers int
	KeyPairs                         int
	// Images and ImageBytes are Glance's image_count_total and image_size_total. A snapshot beyond them is accepted and vanishes.
	Images     int
	ImageBytes int64
}

// DefaultQuota returns the quotas of a project on which nothing was set.
func DefaultQuota() Quota {
	return Quota{
		Instances: 500, Cores: -1, RAM: -1, ServerGroups: 200, ServerGroupMembers: 200, KeyPairs: 500,
		Images: -1, ImageBytes: -1,
	}
}

// Account is a user with the projects in which it has the role member.
type Account struct {
	User, Password string
	// Projects are their names; the first is the user's default project.
	Projects []string
}

// DefaultAccounts returns tenant in project hive, and stranger in project other. The password of both is DefaultPassword.
func DefaultAccounts() []Account {
	return []Account{
		{User: DefaultUser, Password: DefaultPassword, Projects: []string{DefaultProject}},
		{User: "stranger", Password: DefaultPassword, Projects: []string{"other"}},
	}
}

// The first of the default accounts.
const (
	DefaultUser     = "tenant"
	DefaultProject  = "hive"
	DefaultPassword = "rig-secret"
)

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Region == "" {
		o.Region = "RegionOne"
	}
	if len(o.Accounts) == 0 {
		o.Accounts = DefaultAccounts()
	}
	setDefault(&o.TokenTTL, time.Hour)
	setDefault(&o.WriteInterval, 100*time.Millisecond)
	setDefault(&o.MaxMicroversion, "2.96")
	setDefault(&o.NovaPageSize, 1000)
	setDefault(&o.GlancePageSize, 25)
	setDefault(&o.GlanceMaxPageSize, 1000)
	if len(o.Zones) == 0 {
		o.Zones = []string{"nova"}
	}
	if len(o.Cells) == 0 {
		o.Cells = []string{"cell1"}
	}
	if len(o.Hosts) == 0 {
		o.Hosts = []string{"sim-compute-0"}
	}
	if o.Quotas == nil {
		q := DefaultQuota()
		o.Quotas = &q
	}
	return o
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}
