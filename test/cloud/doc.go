// Package cloud simulates an OpenStack: Keystone v3, Nova v2.1, Glance v2 and Neutron v2.0 behind one HTTP handler, with
// the path prefixes /identity, /compute/v2.1, /image and /network.
//
// It answers as a real cloud of the release Zed was observed to answer a plain project member (status codes, bodies, task states,
// microversions, paging), and it keeps what a checker of the product's invariants needs: a count of what each server wrote to
// its disk, a ledger of requests, and a record of machines that went back in time.
//
// Time is that of an injected clock. Nothing runs by itself: work that takes time is put in a queue, and what is due is done
// before each request and each look from outside. So a virtual clock gives the same run every time, and a real one
// needs no goroutines.
//
// With a seed, a virtual clock and one client everything is the same in each run, to the last byte of each answer.
//
// Nova fails in parts, as its sources say. A cell that is down (TakeCellDown, SetCellDown) shows its servers as UNKNOWN, leaves them out of lists,
// and answers 500 to all else about them. nova-compute dies within an operation (KillComputeAt) or between two (KillCompute), and RestartCompute
// does what its init_host does; the domains live on meanwhile. nova-conductor and nova-scheduler die (KillConductor, KillScheduler).
//
// A guest writes while its domain runs, whatever vm_state Nova shows: from the start of its domain, which is before ACTIVE and launched_at are saved
// (Latencies.Save). The power state that Nova shows is what it last saw of the domain (SetDomainState, SetPowerState, SyncPowerStates). A server's
// history shows events of what really began: the create of a server that never reached a compute host has none of a build.
//
// What is not simulated: a dead conductor stops new builds only, not the saves of nova-compute; a cell that is down does not stop what its
// computes do; an upload that nova-compute's death breaks off leaves the image saving (SetImageStatus makes it queued, as some stores do).
//
// Servers have all that users and operators do to them, as requests (what only administrators may answers 403: all accounts are plain members) and as
// functions by which somebody else does it (LiveMigrateServer, BeginResize, RebuildServer, RescueServer, ShelveServer, EvacuateServer,
// ResetServerState and their kind). They have Nova's task states, statuses, refusals and names in the history. A disk that is thrown away on purpose, by
// a rebuild, a revert or an evacuation without shared storage, starts a new generation: bringing back an older one counts as a Regression, having less
// on the new one does not.
//
// Images show what Glance knows of their bytes, and lose them (EmptyImage, TruncateImage, Options.NoHashes). The bytes of snapshots are not there;
// a checksum stands for the count of writes that the snapshot holds.
//
// Answers can be of any size, or without end (LongList, BigAnswer, EndlessAnswer): they are made while the client reads them.
//
// Ports show their age in seconds: one made beforehand is older than its server, one that Nova made is younger.
//
// A test makes requests go wrong with rules and hooks (AddRule, SetHooks, Effect), has others at work (PauseServer, AddServer, DeleteNetwork,
// SetServerState and their kind), and looks with Servers, Images and Ports, or with View, which copies nothing.
//
// One mutex (Cloud.mu) guards all state. Handlers run under it; hooks, watchers and waits do not.
package cloud
