package main

import (
	"context"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/metrics"
)

// clustersLabel is what stands for the hosts of all hibernated clusters in our metrics.
const clustersLabel = "clusters"

// oneHost counts the requests to the hub under its host, and those to all clusters under one name: client-go keeps a counter
// for each host for ever, and clusters come and go.
type oneHost struct {
	hub  string
	next metrics.ResultMetric
}

// Increment implements metrics.ResultMetric.
func (o oneHost) Increment(ctx context.Context, code, method, host string) {
	if host != o.hub {
		host = clustersLabel
	}
	o.next.Increment(ctx, code, method, host)
}

// joinHosts has client-go's counter of requests tell the hub from the clusters and nothing else. Nothing may have been sent yet.
func joinHosts(config *rest.Config) error {
	address, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return err
	}
	next := metrics.RequestResult
	if wrapped, ok := next.(oneHost); ok {
		next = wrapped.next
	}
	metrics.RequestResult = oneHost{hub: address.Host, next: next}
	return nil
}
