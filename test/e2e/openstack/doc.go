// Package openstack holds the end-to-end test: the manager, a real kube-apiserver, and a real Keystone, Nova, Glance and
// Neutron. run.sh brings those up (rig/) and runs the test, which is built with the tag e2e alone, because it needs them.
package openstack
