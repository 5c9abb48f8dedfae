package cloud

import (
	"crypto/md5" //nolint:gosec // Glance's checksum is that
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"maps"
)

// hashAlgorithm is Glance's hashing_algorithm.
const hashAlgorithm = "sha512"

// sumUp enters what Glance reckons of an image's bytes.
func (img *image) sumUp(content []byte) {
	sum, hash := md5.Sum(content), sha512.Sum512(content) //nolint:gosec // as above
	img.checksum, img.hash = hex.EncodeToString(sum[:]), hex.EncodeToString(hash[:])
}

// snapshotSize is that of the image of a server.
func (c *Cloud) snapshotSize(s *server) int64 {
	if c.opts.SnapshotBytes != nil {
		return c.opts.SnapshotBytes(c.serverState(s))
	}
	return 1 << 20
}

// fillSnapshot makes a snapshot active. Its bytes are not there: in their place stands what they hold.
func (c *Cloud) fillSnapshot(s *server, img *image, size int64) {
	img.status, img.size, img.updated = imageActive, size, c.now
	img.diskFormat, img.containerFormat, img.virtualSize = "qcow2", "bare", int64(s.flavor.disk)<<30
	if c.opts.NoHashes {
		img.diskFormat = "raw"
	} else {
		img.sumUp(fmt.Appendf(nil, "%s %d %d", img.id, img.generation, img.writes))
	}
	maps.Copy(img.props, map[string]string{"image_location": "snapshot", "image_state": "available", "owner_id": img.owner.id})
}

// unacceptable is what Nova says of an image that is not what its disk_format says.
func (img *image) unacceptable() string {
	return "Image " + img.id + " is unacceptable: Image content does not match disk_format"
}

// What follows is done behind everybody's back. Each returns false if there is no such image.

// EmptyImage makes an image active with a size of 0 and without checksum or hash, as Glance shows one whose bytes it lost or never had. A server
// that is made from it boots with an empty disk: it is shown to have written nothing, and is a Regression where its machine had.
func (c *Cloud) EmptyImage(id string) bool {
	return c.withImage(id, func(img *image) {
		img.status, img.size, img.virtualSize, img.checksum, img.hash, img.writes = imageActive, 0, 0, "", "", 0
	})
}

// TruncateImage leaves an image the first bytes of its content, with all that Glance knows of it but the size. Nova can't make a disk of
// it: a server that is made from it ends in ERROR.
func (c *Cloud) TruncateImage(id string, size int64) bool {
	return c.withImage(id, func(img *image) { img.size, img.writes, img.broken = size, 0, true })
}

// SetImageSize sets the size that Glance shows. The content stays as it was.
func (c *Cloud) SetImageSize(id string, size int64) bool {
	return c.withImage(id, func(img *image) { img.size = size })
}

// SetImageHashes sets the checksum and the hash that Glance shows; empty ones are shown as null.
func (c *Cloud) SetImageHashes(id, checksum, hash string) bool {
	return c.withImage(id, func(img *image) { img.checksum, img.hash = checksum, hash })
}

// SetImageMinDisk sets the GiB that a flavor's disk must have at least for a server of this image.
func (c *Cloud) SetImageMinDisk(id string, gib int) bool {
	return c.withImage(id, func(img *image) { img.minDisk = gib })
}

// SetImageFormat sets disk_format and container_format; empty ones are shown as null.
func (c *Cloud) SetImageFormat(id, disk, container string) bool {
	return c.withImage(id, func(img *image) { img.diskFormat, img.containerFormat = disk, container })
}
