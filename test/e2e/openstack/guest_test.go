//go:build e2e

package openstack

import (
	"context"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/guest"
)

// source tells the guest how the real servers of its cluster are.
type source struct {
	cloud   *cloud
	infraID string
}

// Servers implements guest.ServerSource.
func (s source) Servers(ctx context.Context) ([]guest.Server, error) {
	opts := servers.ListOpts{Name: "^" + s.infraID + "-"}
	pages, err := servers.List(s.cloud.compute, opts).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	all, err := servers.ExtractServers(pages)
	if err != nil {
		return nil, err
	}
	var ours []guest.Server
	for _, server := range all {
		if server.Metadata["openshiftClusterID"] != s.infraID {
			continue
		}
		ours = append(ours, guest.Server{ID: server.ID, Name: server.Name, Active: server.Status == "ACTIVE"})
	}
	return ours, nil
}

// startGuest starts what a hub sees of a cluster, and puts the administrator's kubeconfig where the ClusterDeployment
// looks for it.
func (w *world) startGuest(name, infraID string) {
	t, g := w.t, NewWithT(w.t)
	cluster, err := guest.Start(t.Context(), w.hub.env, guest.Options{
		Name:   "guest-" + name,
		Source: source{cloud: w.cloud, infraID: infraID},
		Poll:   2 * time.Second,
		Settle: 3 * time.Second,
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		// The cloud is asked while it is busy; what a look missed the next one saw.
		if err := cluster.Stop(); err != nil {
			t.Logf("guest %s: %v", name, err)
		}
	})
	kubeconfig, err := cluster.Kubeconfig()
	g.Expect(err).NotTo(HaveOccurred())
	w.hub.secret(t.Context(), g, name+"-admin-kubeconfig", hivev1.KubeconfigSecretKey, kubeconfig)
}
