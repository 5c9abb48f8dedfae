//go:build e2e

package openstack

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	. "github.com/onsi/gomega"
)

// guard looks, whenever the manager asks for the deletion of a server and before the cloud gets to know of it, whether that
// server's disk is safe.
type guard struct {
	cloud    *cloud
	clusters []*cluster

	mu         sync.Mutex
	looks      int
	violations []string
}

// guardTime is for how long a cloud is asked that does not answer; the manager waits a little longer. What could not be
// seen to be safe is not passed on: the manager asks again.
const guardTime = 25 * time.Second

// guardDeletions puts a guard between the manager and the cloud.
func (w *world) guardDeletions(clusters ...*cluster) *guard {
	g := &guard{cloud: w.cloud, clusters: clusters}
	w.recorder.mayDelete = g.look
	return g
}

func (g *guard) look(ctx context.Context, serverID string) bool {
	ctx, cancel := context.WithTimeout(ctx, guardTime)
	defer cancel()
	objection, err := g.objection(ctx, serverID)
	for err != nil && ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		objection, err = g.objection(ctx, serverID)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		g.looks++
	}
	if objection != "" {
		g.violations = append(g.violations, fmt.Sprintf("server %s was to be deleted and %s", serverID, objection))
	}
	return err == nil && objection == ""
}

// expectNothing checks that there was no reason to object, and returns how many deletions were looked at.
func (g *guard) expectNothing(gomega Gomega) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	gomega.Expect(g.violations).To(BeEmpty())
	return g.looks
}

// objection says what is wrong with a deletion; empty: nothing.
func (g *guard) objection(ctx context.Context, serverID string) (string, error) {
	for _, c := range g.clusters {
		r, err := c.record(ctx)
		if err != nil {
			return "", err
		}
		if r == nil {
			continue
		}
		for _, m := range r.Machines {
			if m.ServerID == serverID && r.Opened == nil {
				return g.unsafe(ctx, r, m)
			}
		}
	}
	return g.ran(ctx, serverID)
}

// unsafe says what of the record or the snapshots speaks against the deletion of a server that is asleep.
func (g *guard) unsafe(ctx context.Context, r *record, deleted machine) (string, error) {
	switch {
	case r.Sealed == nil:
		return "the record is not sealed", nil
	case r.Cut != nil:
		return "a cut is under way", nil
	case r.Deleting == nil:
		return "the record does not say that servers are deleted", nil
	case deleted.Snapshot == nil || deleted.Snapshot.ServerID != deleted.ServerID:
		return "the record has no snapshot of it", nil
	}
	pages, err := images.List(g.cloud.image, images.ListOpts{Status: images.ImageStatusActive}).AllPages(ctx)
	if err != nil {
		return "", err
	}
	active, err := images.ExtractImages(pages)
	if err != nil {
		return "", err
	}
	of := map[string]any{}
	for _, image := range active {
		of[image.ID] = image.Properties["instance_uuid"]
	}
	for _, m := range r.Machines {
		if m.Snapshot == nil || of[m.Snapshot.ID] != m.Snapshot.ServerID {
			return fmt.Sprintf("%s has no active snapshot", m.Name), nil
		}
	}
	return g.moves(ctx, deleted.ServerID)
}

// moves says whether a server is running.
func (g *guard) moves(ctx context.Context, serverID string) (string, error) {
	s, err := servers.Get(ctx, g.cloud.compute, serverID).Extract()
	switch {
	case gophercloud.ResponseCodeIs(err, 404):
		return "", nil
	case err != nil:
		return "", err
	case s.Status == "ACTIVE" || s.Status == "BUILD":
		return "is " + s.Status, nil
	}
	return "", nil
}

// ran says whether a server has run that is deleted for another reason than sleep: it failed to start.
func (g *guard) ran(ctx context.Context, serverID string) (string, error) {
	s, err := servers.Get(ctx, g.cloud.compute, serverID).Extract()
	switch {
	case gophercloud.ResponseCodeIs(err, 404):
		return "", nil
	case err != nil:
		return "", err
	case !s.LaunchedAt.IsZero():
		return fmt.Sprintf("has run since %s, and no record says that it sleeps", s.LaunchedAt), nil
	}
	return "", nil
}
