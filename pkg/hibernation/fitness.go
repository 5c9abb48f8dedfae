package hibernation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// mortal are the extra specs of flavors and the properties of images by which Nova gives a server state that is on no disk
// of the snapshot and dies with the server (nova/virt/libvirt: vTPM data, persistent memory, keys of ephemeral encryption).
// Nova refuses to shelve such servers, too.
//
//nolint:gochecknoglobals // a table that nothing changes
var mortal = map[string]string{
	"hw:tpm_version":                      "a virtual TPM",
	"hw:tpm_model":                        "a virtual TPM",
	"hw_tpm_version":                      "a virtual TPM",
	"hw_tpm_model":                        "a virtual TPM",
	"hw:pmem":                             "persistent memory",
	"hw:ephemeral_encryption":             "disks encrypted with a key of its own",
	"hw:ephemeral_encryption_secret_uuid": "disks encrypted with a key of its own",
	"hw_ephemeral_encryption":             "disks encrypted with a key of its own",
	"hw_ephemeral_encryption_secret_uuid": "disks encrypted with a key of its own",
}

// dying returns the first of the settings that gives a server state which dies with it; empty if there is none.
func dying(settings map[string]string) (key, what string) {
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if what, ok := mortal[key]; ok && !disabled(settings[key]) {
			return key, what
		}
	}
	return "", ""
}

// disabled reports whether the value of a setting means that it is not used (oslo_utils.strutils.bool_from_string).
func disabled(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "0", "f", "false", "off", "n", "no":
		return true
	}
	return false
}

// checkFitness refuses servers with state that dies with them. Where Nova does not show the extra specs of a flavor nobody can
// tell, and that is refused: no later check would find it out. An image that is gone, as that of a resumed server, proves
// nothing either, and is no reason to refuse: the snapshot inherits its properties, and checkSnapshots reads them before
// anything is deleted.
func (s *Session) checkFitness(ctx context.Context, list []*openstackclient.Server) error {
	for _, srv := range list {
		if srv.ExtraSpecs == nil {
			return &Refusal{Message: fmt.Sprintf("%s can't be hibernated: Nova does not show the extra specs of its flavor %s, so that nobody can tell whether it has a virtual TPM or persistent memory, which would die with it; have the cloud's policy os_compute_api:os-flavor-extra-specs:index allow readers of the project to see them, as it does by default", srv.Name, srv.FlavorName)}
		}
		if key, what := dying(srv.ExtraSpecs); key != "" {
			return &Refusal{Message: fmt.Sprintf("%s can't be hibernated: its flavor %s gives it %s (%s), which would die with the server", srv.Name, srv.FlavorName, what, key)}
		}
	}
	return s.checkSourceImages(ctx, list)
}

// checkSourceImages judges the images that the servers were made of.
func (s *Session) checkSourceImages(ctx context.Context, list []*openstackclient.Server) error {
	users := map[string]string{}
	for _, srv := range list {
		if _, seen := users[srv.ImageID]; !seen {
			users[srv.ImageID] = srv.Name
		}
	}
	ids := slices.Sorted(maps.Keys(users))
	found := make([]*images.Image, len(ids))
	err := s.each(ctx, len(ids), func(ctx context.Context, i int) (err error) {
		found[i], err = s.cloud.GetImage(ctx, ids[i])
		if openstackclient.IsNotFound(err) || openstackclient.KindOf(err) == openstackclient.KindForbidden {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, img := range found {
		if img == nil {
			continue
		}
		if key, what := dying(textProperties(img)); key != "" {
			return &Refusal{Message: fmt.Sprintf("%s can't be hibernated: its image %s gives it %s (%s), which would die with the server", users[ids[i]], img.ID, what, key)}
		}
	}
	return nil
}

// checkSnapshots ends the cut for a snapshot that shows that its server has state which dies with it. Nova copies the
// properties of a server's image to its snapshot, also when that image is gone.
func (s *Session) checkSnapshots(ctx context.Context) (Progress, error) {
	if s.record.Cut == nil {
		return done(), nil
	}
	list, err := s.ourImages(ctx)
	if err != nil {
		return Progress{}, err
	}
	for _, m := range s.record.inCut() {
		img, _, err := matchShot(list, m.Shot)
		if err != nil {
			return Progress{}, err
		}
		if img == nil {
			continue
		}
		if key, what := dying(textProperties(img)); key != "" {
			return Progress{}, abandon("%s can't be hibernated: its image gives it %s (%s), which would die with the server", m.Name, what, key)
		}
	}
	return done(), nil
}

func textProperties(img *images.Image) map[string]string {
	out := map[string]string{}
	for key, value := range img.Properties {
		out[key] = fmt.Sprint(value)
	}
	return out
}

// portOrigin is who made a port. Nova deletes with a server the ports that it made for it, whatever they are called and
// however they are tagged by then.
type portOrigin int

const (
	// portUnclear means that the times do not tell.
	portUnclear portOrigin = iota
	// portOwn means that the port was there before its server, and outlives it.
	portOwn
	// portOfNova means that Nova made the port for the server.
	portOfNova
)

// originOf judges by the times alone: Nova accepts a server first, and makes its ports on the compute host later; a port that
// a server is made with is older than it. Both clouds' times are whole seconds, and a port that the machine API makes may be
// of the same second as its server.
func originOf(p ports.Port, srv *openstackclient.Server) portOrigin {
	switch {
	case p.CreatedAt.IsZero() || srv.Created.IsZero():
		return portUnclear
	case p.CreatedAt.Before(srv.Created):
		return portOwn
	case p.CreatedAt.After(srv.Created):
		return portOfNova
	}
	return portUnclear
}

// doomed says why a port would not outlive its server; empty if it would. Where the times do not tell, what the port bears from
// its making does: Nova gives its ports neither a name nor a description, and the installer and the machine API give
// theirs both. Refusing all such ports would refuse every other worker of the machine API, which makes port and server in
// one second. A tag is believed only where Neutron shows no times at all.
func doomed(p ports.Port, srv *openstackclient.Server) string {
	switch originOf(p, srv) {
	case portOwn:
		return ""
	case portOfNova:
		return "was made by Nova, later than its server, and would be deleted with the server"
	case portUnclear:
		if p.Name != "" || p.Description != "" || p.CreatedAt.IsZero() && len(p.Tags) > 0 {
			return ""
		}
	}
	return "was made by Nova, as far as can be told, and would be deleted with the server"
}
