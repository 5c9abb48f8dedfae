// Package faultproxy is a reverse proxy that makes a cloud bad: it stands in front of OpenStack's services and fails a
// share of all requests in ways that real clouds do.
//
// It opens one listener for each service and rewrites the catalog in Keystone's answers, so that a client which gets
// only the proxied address of Keystone sends every request through the proxy.
package faultproxy
