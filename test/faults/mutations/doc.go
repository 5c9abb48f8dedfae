// Package mutations plants bugs in the engine and in the controller, and expects the fault harness to find each of them: a
// check that nothing can fail proves nothing.
//
// A mutation is a row of a table: the exact text that is replaced, which must be there once in the function that is named,
// what it is replaced by, which rows of the harness are run, and the check that has to catch it (the name in brackets in
// front of a violation; see invariants_test.go and finish_test.go of the harness).
//
//	go test -tags mutations -timeout 30m ./test/faults/mutations
//	go test -tags mutations -timeout 30m -v -run 'TestMutations/no-barrier$' ./test/faults/mutations
//
// The harness is built once, with every mutation in it, in an overlay of the build: each function that is mutated exists as
// it is and once for each of its mutations, and an environment variable says which of them is called. The same rows have to
// pass where none is named. Nothing is written into the tree.
//
// Without the tag it is only checked, in no time, that every text is still there. Where it is not, the source has moved on
// and the mutation has to follow: the same bug, at its new place.
//
// To add one:
//
//  1. Think of what somebody could leave out, swap or take for granted, and make it a row of the table by whose name its
//     time goes: before the seal, behind it, waking, always. Several edits may be needed, since most promises are kept by
//     more than one line; a comment says what else keeps them. What is replaced has to be in a function.
//  2. Choose rows of the harness. A pattern is matched level by level, as in ^TestCrashPoints$/^one$/^hibernate$; a whole
//     flow of the smallest cluster takes seconds. Numbers of calls move when the engine changes: leave them out where the
//     flow is cheap enough without.
//  3. Run it with -v: it prints which checks were violated and in which row first. Name the one that says what is wrong.
//
// A mutation that no row catches is a finding. Either the harness lacks a check or a row, or something else keeps the
// promise, and then the bug is none.
package mutations
