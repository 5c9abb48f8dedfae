// Package unreachable asks the APIs of installed clusters, now and then, whether they answer, and keeps the conditions
// Unreachable and ActiveAPIURLOverride of their ClusterDeployments accordingly. What is to be done (decide.go) and what the
// conditions are to be (status.go) is decided apart from doing it.
//
// Conditions, reasons and intervals are those of Hive's controller of the same name (pkg/controller/unreachable), with the
// differences that docs/unreachable.md lists.
package unreachable
