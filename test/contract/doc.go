// Package contract holds what the OpenStack client promises to the engine, as one suite that any cloud must pass: the
// simulated one always, and a real one when OS_CLOUD is set (see contract_test.go for the variables). What passes on one
// and not on the other is a bug of the simulation.
package contract
