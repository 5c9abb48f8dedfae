package hibernation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"k8s.io/apimachinery/pkg/types"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// maxNamed is how many things a message names.
const maxNamed = 10

// checkOrphans fails while Glance has snapshots of machines that have no server, and no sealed record says why. Their record
// was lost half way through a hibernation: what is left of the cluster is not all of it.
func (s *Session) checkOrphans(ctx context.Context, l *look) error {
	if s.record != nil && s.record.Sealed != nil {
		return nil
	}
	orphans, err := s.orphans(ctx, l)
	if err != nil || len(orphans) == 0 {
		return err
	}
	none := ""
	if len(s.liveServers(l)) == 0 {
		none = fmt.Sprintf("no server of cluster %s was found in project %s, and there is no record of its sleep: ", s.cluster.InfraID, s.project(ctx))
	}
	return blocked("%sGlance has snapshots of machines of the cluster that have no server: %s; and the hibernation record, Secret %s/%s, %s: %s; nothing was touched",
		none, nameImages(orphans), s.cluster.Namespace, RecordName(s.cluster.Name), s.recordLacks(), adviceOrphans)
}

func (s *Session) recordLacks() string {
	if s.record == nil {
		return "is missing"
	}
	return "does not know them"
}

// orphans returns the snapshots of machines without a server. A snapshot counts if its name parses, and if the cycle in its
// name and the cluster's infraID are in its properties: images that users make of resumed servers inherit the properties, but
// not the name. That is enough to refuse, and never enough to delete.
func (s *Session) orphans(ctx context.Context, l *look) ([]images.Image, error) {
	list, err := s.ourImages(ctx)
	if err != nil {
		return nil, err
	}
	var out []images.Image
	for i := range list {
		if !s.marked(&list[i]) || s.record.knows(list[i].ID) || machineLives(l, &list[i]) {
			continue
		}
		exists, err := s.sourceExists(ctx, &list[i])
		if err != nil {
			return nil, err
		}
		if !exists {
			out = append(out, list[i])
		}
	}
	slices.SortFunc(out, func(a, b images.Image) int { return strings.Compare(a.Name+"/"+a.ID, b.Name+"/"+b.ID) })
	return out, nil
}

// marked reports whether an image's name and properties agree that it is a snapshot of this cluster.
func (s *Session) marked(img *images.Image) bool {
	_, cycle, ok := ParseSnapshotName(img.Name)
	return ok && cycle == property(img, propCycle) && property(img, propInfraID) == s.cluster.InfraID && img.Status != images.ImageStatusKilled
}

// knows reports whether the record says what becomes of an image.
func (r *Record) knows(imageID string) bool {
	if r == nil {
		return false
	}
	is := func(snapshot *Snapshot) bool { return snapshot != nil && snapshot.ID == imageID }
	return slices.ContainsFunc(r.Leftovers, func(l Leftover) bool { return l.ID == imageID }) ||
		slices.ContainsFunc(r.Machines, func(m *Machine) bool { return is(m.Snapshot) || is(m.Shot) })
}

// machineLives reports whether a server of the cluster has the name of the machine that an image is of. Long names are
// shortened in the image's name.
func machineLives(l *look, img *images.Image) bool {
	for _, srv := range l.servers {
		if present(srv) && img.Name == SnapshotName(srv.Name, property(img, propCycle)) {
			return true
		}
	}
	return false
}

// sourceExists reports whether the very server that an image was made of is there: renamed, without the cluster's mark, or
// left out of Nova's lists.
func (s *Session) sourceExists(ctx context.Context, img *images.Image) (bool, error) {
	id := property(img, "instance_uuid")
	if id == "" {
		return false, nil
	}
	srv, err := s.server(ctx, id)
	if openstackclient.KindOf(err) == openstackclient.KindInvalid {
		return false, nil
	}
	return present(srv), err
}

func nameImages(list []images.Image) string {
	var named []string
	for i := range list[:min(len(list), maxNamed)] {
		machine, _, _ := ParseSnapshotName(list[i].Name)
		named = append(named, fmt.Sprintf("%s (image %s, %s)", machine, list[i].Name, list[i].ID))
	}
	if more := len(list) - len(named); more > 0 {
		named = append(named, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(named, ", ")
}

// startNothing is the resume of a cluster of which no hibernation is recorded: it runs already, if all of it is there.
func (s *Session) startNothing(ctx context.Context) (Progress, error) {
	if s.record == nil && s.engine.endedWell(s.key()) {
		return done(), nil
	}
	l, err := s.look(ctx, true)
	if err != nil {
		return Progress{}, err
	}
	if err := s.checkOrphans(ctx, l); err != nil {
		return Progress{}, err
	}
	if s.record == nil {
		s.engine.noteEnd(s.key(), true)
		return done(), nil
	}
	if p, err := s.latePauses(ctx); err != nil || !p.Done {
		return p, err
	}
	return s.forgive(ctx)
}

// releaseNothing lets a ClusterDeployment without a record go. Snapshots that nobody can wake a cluster from any more are
// named, and left alone.
func (s *Session) releaseNothing(ctx context.Context) Progress {
	if s.engine.endedWell(s.key()) {
		s.engine.noteEnd(s.key(), false)
		return done()
	}
	l, err := s.look(ctx, true)
	if err != nil {
		s.log.WithError(err).Warn("nobody knows whether snapshots of the cluster are left")
		return done()
	}
	orphans, err := s.orphans(ctx, l)
	switch {
	case err != nil:
		s.log.WithError(err).Warn("nobody knows whether snapshots of the cluster are left")
	case len(orphans) > 0:
		s.event("Warning", "SnapshotsWithoutRecord", fmt.Sprintf("the cluster's hibernation record is missing, and these snapshots of its machines stay in Glance: %s; the tag %s lets the installer's destroy find them", nameImages(orphans), clusterTag(s.cluster.InfraID)))
	}
	return done()
}

// noteEnd remembers whether it is known that a cluster without a record is whole: this process removed the record, or has looked.
// It spares a running cluster all further looks.
func (e *Engine) noteEnd(key types.NamespacedName, whole bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if whole {
		e.whole.Insert(key)
	} else {
		e.whole.Delete(key)
	}
}

func (e *Engine) endedWell(key types.NamespacedName) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.whole.Has(key)
}
