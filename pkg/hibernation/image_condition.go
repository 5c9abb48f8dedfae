package hibernation

import (
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

// imageCondition is what a snapshot's image is to the engine.
type imageCondition int

const (
	// imageUnknown says that Glance shows a status that this version does not know.
	imageUnknown imageCondition = iota
	// imageWhole says that the image holds all of its data and that a server can be made from it.
	imageWhole
	// imageGrowing says that the data are still coming.
	imageGrowing
	// imageBroken says that the image will never be whole by itself.
	imageBroken
)

// imageConditions are what Glance's statuses mean (glance/domain, "Image statuses"). A status that is not in it is no answer.
var imageConditions = map[images.ImageStatus]imageCondition{
	images.ImageStatusActive:        imageWhole,
	images.ImageStatusDeactivated:   imageBroken,
	images.ImageStatusDeleted:       imageBroken,
	images.ImageStatusImporting:     imageGrowing,
	images.ImageStatusKilled:        imageBroken,
	images.ImageStatusPendingDelete: imageBroken,
	images.ImageStatusQueued:        imageGrowing,
	images.ImageStatusSaving:        imageGrowing,
	images.ImageStatusUploading:     imageGrowing,
}

// imageConditionOf returns what an image is. One that is active without data is broken: an upload that was cut off, or a
// snapshot of a server that boots from a volume.
func imageConditionOf(img *images.Image) imageCondition {
	c := imageConditions[img.Status]
	if c == imageWhole && lacksData(img) != "" {
		return imageBroken
	}
	return c
}

// lacksData says why an active image is no copy of a disk; empty if it looks like one. Stores that Nova writes to past Glance
// give no checksum, so a missing one proves nothing.
func lacksData(img *images.Image) string {
	switch {
	case img.SizeBytes <= 0:
		return "it is active and holds no data"
	case img.DiskFormat == "" || img.ContainerFormat == "":
		return "it is active without a disk format"
	}
	return ""
}

// unbootable says why a machine's server can't be made from a whole image; empty if nothing speaks against it.
func (m *Machine) unbootable(img *images.Image) string {
	if disk := m.Spec.DiskGiB; disk != nil && *disk > 0 && img.MinDiskGigabytes > *disk {
		return fmt.Sprintf("it needs a disk of %d GiB, and the machine's flavor has %d", img.MinDiskGigabytes, *disk)
	}
	return ""
}

// wholeFor reports whether a machine can be made from an image.
func (m *Machine) wholeFor(img *images.Image) bool {
	return imageConditionOf(img) == imageWhole && m.unbootable(img) == ""
}

// finished reports whether an image holds all of its data.
func finished(img *images.Image) bool { return imageConditionOf(img) == imageWhole }

// brokenBecause says why an image will never be whole.
func brokenBecause(img *images.Image) string {
	if why := lacksData(img); why != "" && img.Status == images.ImageStatusActive {
		return why
	}
	return fmt.Sprintf("its status is %s", img.Status)
}

// wholeShots returns the images that hold all of their data.
func wholeShots(list []images.Image) []images.Image {
	return slices.DeleteFunc(slices.Clone(list), func(img images.Image) bool { return !finished(&img) })
}
