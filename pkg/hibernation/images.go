package hibernation

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

const (
	unsureFor = time.Minute
	// growsQuietly is for how long snapshots are made before their servers are looked at too, and how long a server must
	// be seen without a task beside an incomplete image.
	growsQuietly = 30 * time.Second
)

// ourImages lists the images that carry the cluster's infraID, of whatever cycle. An image made from a resumed server
// inherits it, so each must still be matched with a machine. The list is kept until the session changes something.
func (s *Session) ourImages(ctx context.Context) ([]images.Image, error) {
	if s.images != nil {
		return s.images, nil
	}
	list, err := s.listImages(ctx)
	if err != nil {
		return nil, err
	}
	s.images = append([]images.Image{}, list...)
	return s.images, nil
}

func (s *Session) listImages(ctx context.Context) ([]images.Image, error) {
	list, err := s.cloud.ListImages(ctx, openstackclient.ListImagesOpts{Properties: map[string]string{propInfraID: s.cluster.InfraID}})
	if err != nil {
		return nil, err
	}
	return list, s.checkCloud(ctx)
}

func property(img *images.Image, key string) string {
	v, _ := img.Properties[key].(string)
	return v
}

// isShot tells whether an image is the one that a snapshot names: by name, cycle and server together.
func isShot(img *images.Image, want *Snapshot) bool {
	return img.Name == want.Name && property(img, propCycle) == want.Cycle && property(img, "instance_uuid") == want.ServerID
}

// matchShot returns the image of a snapshot among those listed: the one whose ID is known, or else the one that matches; nil
// if there is none yet. Twins come from a request whose answer was lost: unfinished ones beside a finished one are returned
// as spare, two finished ones end the cut.
func matchShot(list []images.Image, want *Snapshot) (match *images.Image, spare []*images.Image, err error) {
	var twins []*images.Image
	for i := range list {
		if isShot(&list[i], want) {
			twins = append(twins, &list[i])
		}
	}
	sort.SliceStable(twins, func(i, j int) bool { return better(twins[i], twins[j], want) })
	if len(twins) == 0 || want.ID != "" && twins[0].ID != want.ID {
		return nil, nil, nil
	}
	for _, twin := range twins[1:] {
		if finished(twin) {
			return nil, nil, abandon("images %s and %s are both complete snapshots called %s", twins[0].ID, twin.ID, want.Name)
		}
	}
	if !finished(twins[0]) {
		// Which of them Nova works on will show.
		return twins[0], nil, nil
	}
	return twins[0], twins[1:], nil
}

func better(a, b *images.Image, want *Snapshot) bool {
	if (a.ID == want.ID) != (b.ID == want.ID) {
		return a.ID == want.ID
	}
	return finished(a) && !finished(b)
}

// settle decides, for something that was not found, whether it may be asked for: not within a minute of a request whose
// answer is not known, nor before it was missed in two passes.
func (s *Session) settle(a *Attempt) bool {
	if a.Asked == nil {
		return true
	}
	if !s.missed.Has(a) {
		s.missed.Insert(a)
		a.Misses++
		s.dirty = true
	}
	if a.Misses < 2 || s.now().Sub(*a.Asked) < unsureFor {
		return false
	}
	*a = Attempt{}
	return true
}

// intend saves, before requests to make things are sent, that they are.
func (s *Session) intend(ctx context.Context, attempts []*Attempt) error {
	if len(attempts) == 0 {
		return nil
	}
	now := s.now().UTC()
	for _, a := range attempts {
		*a = Attempt{Asked: &now}
	}
	return s.save(ctx)
}

// deleteImage deletes an image and tells whether it is gone; false without an error means that it is in use or protected,
// or that the answers contradict each other.
func (s *Session) deleteImage(ctx context.Context, id string) (bool, error) {
	err := s.cloud.DeleteImage(ctx, id)
	switch openstackclient.KindOf(err) {
	case openstackclient.KindNotFound:
		return s.imageGone(ctx, id)
	case openstackclient.KindConflict, openstackclient.KindForbidden:
		return false, nil
	case openstackclient.KindQuota, openstackclient.KindUnauthorized, openstackclient.KindThrottled, openstackclient.KindTransient, openstackclient.KindInvalid:
		return false, err
	}
	return err == nil, err
}

// imageGone tells whether an image that is said not to exist does not: what is taken for gone is not deleted by anybody. A Glance
// that is in trouble may say so of whatever it is asked for by ID; its list does not.
func (s *Session) imageGone(ctx context.Context, id string) (bool, error) {
	if _, err := s.cloud.GetImage(ctx, id); !openstackclient.IsNotFound(err) {
		return false, err
	}
	list, err := s.listImages(ctx)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(list, func(img images.Image) bool { return img.ID == id }), nil
}

// snapshotFailure says why a snapshot came to nothing, in the words of the server's own actions where they have any.
func (s *Session) snapshotFailure(ctx context.Context, m *Machine) error {
	why := "the image is gone again; that is how Nova shows a failure on the hypervisor, or a storage quota of Glance"
	actions, err := s.cloud.ListServerActions(ctx, m.ServerID)
	if err != nil && !openstackclient.IsNotFound(err) {
		return err
	}
	if len(actions) > 0 && actions[0].Action == actionCreateImage && actions[0].Message == actionFailed {
		why = "Nova reports an error for it: the hypervisor failed, or Glance's storage quota is used up; the compute host's log says which"
	}
	return abandon("%s: its snapshot failed: %s", m.Name, why)
}
