// Package faults breaks everything that can be broken while clusters hibernate and wake, at every point, and checks after
// each step that nothing was lost.
//
// A world holds a simulated OpenStack, a stand-in for the hub's API, the hibernated clusters' own APIs, and one or more
// manager processes: the real controller, engine and client. All of it runs on one virtual clock (testing/synctest), with
// requests made one at a time, so that a run depends on its row or seed alone. See docs/reliability.md.
package faults
