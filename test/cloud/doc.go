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
// A test makes requests go wrong with rules and hooks (AddRule, SetHooks, Effect), has others at work (PauseServer, AddServer, DeleteNetwork,
// SetServerState and their kind), and looks with Servers, Images and Ports, or with View, which copies nothing.
//
// One mutex (Cloud.mu) guards all state. Handlers run under it; hooks, watchers and waits do not.
package cloud
