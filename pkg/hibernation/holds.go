package hibernation

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// heldServers is how many servers of a record are asked for until one is found.
const heldServers = 10

// Holds reports whether the record is about this cluster in the project that the session's credentials lead to: it can be read,
// is pinned to that project, and one of the snapshots or servers that it names is there and bears the cluster's mark. The
// credentials need not be those of the record's owner.
func (s *Session) Holds(ctx context.Context) (bool, error) {
	err := s.load(ctx)
	var unreadable *Blocked
	switch {
	case errors.As(err, &unreadable):
		return false, nil
	case err != nil:
		return false, err
	case s.record == nil || !s.record.pinned():
		return false, nil
	}
	scope, err := s.cloud.Scope(ctx)
	if err != nil || s.record.Cloud != scope {
		return false, err
	}
	if found, err := s.holdsSnapshot(ctx); found || err != nil {
		return found, err
	}
	return s.holdsServer(ctx)
}

func (s *Session) holdsSnapshot(ctx context.Context) (bool, error) {
	ids := sets.New[string]()
	for _, m := range s.record.Machines {
		for _, snapshot := range []*Snapshot{m.Snapshot, m.Shot} {
			if snapshot != nil && snapshot.ID != "" {
				ids.Insert(snapshot.ID)
			}
		}
	}
	for _, l := range s.record.Leftovers {
		ids.Insert(l.ID)
	}
	if len(ids) == 0 {
		return false, nil
	}
	list, err := s.ourImages(ctx)
	if err != nil {
		return false, err
	}
	for i := range list {
		if ids.Has(list[i].ID) {
			return true, nil
		}
	}
	return false, nil
}

func (s *Session) holdsServer(ctx context.Context) (bool, error) {
	var ids []string
	for _, m := range s.record.Machines {
		ids = append(ids, m.ServerID)
		if m.Creation != nil && m.Creation.ServerID != "" {
			ids = append(ids, m.Creation.ServerID)
		}
	}
	for _, id := range ids[:min(len(ids), heldServers)] {
		srv, err := s.cloud.GetServer(ctx, openstackclient.ViewHostname, id)
		if openstackclient.IsNotFound(err) {
			continue
		}
		if err != nil {
			return false, err
		}
		if mine, err := owned(srv, s.cluster.InfraID); mine && err == nil {
			return true, nil
		}
	}
	return false, nil
}

// Forget drops what this process remembers of the cluster's record, once its ClusterDeployment is gone.
func (s *Session) Forget() { s.engine.forget(s.key()) }
