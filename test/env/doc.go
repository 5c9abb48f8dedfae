// Package env starts what a test or the demo runs against: etcd, Kubernetes API servers and the manager, each as a
// process of its own. Stop ends them; should the parent die without calling it, they die with it (on Linux), and what
// is left of its files goes at the next start.
package env
