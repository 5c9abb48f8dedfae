package cloud

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// Glance's image states and visibilities.
const (
	imageQueued = "queued"
	imageSaving = "saving"
	imageActive = "active"

	visibilityPrivate = "private"
	visibilityShared  = "shared"
	visibilityPublic  = "public"
)

type image struct {
	id, name, status, visibility string
	seq                          int
	owner                        *project
	diskFormat, containerFormat  string
	minDisk, minRAM              int
	size, virtualSize            int64
	checksum, hash               string // MD5 and SHA-512
	protected                    bool
	tags                         []string
	props                        map[string]string
	created, updated             time.Time

	// What a snapshot holds: how often the disk had been written to, when that was, and whether the server ran at that moment.
	writes     int64
	cutAt      time.Time
	cutRunning bool
	machine    string
	generation int     // of the disk
	source     *server // of which createImage makes it
	broken     bool    // no disk can be made of it
}

func glanceRoutes() []route {
	const v = "/image/v2/images"
	rs := []route{
		newRoute("glance.versions", "GET /image", (*Cloud).imageVersions),
		newRoute("glance.image.list", "GET "+v, (*Cloud).listImages),
		newRoute("glance.image.create", "POST "+v, (*Cloud).createImageRecord),
		newRoute("glance.image.get", "GET "+v+"/{id}", (*Cloud).showImage),
		newRoute("glance.image.update", "PATCH "+v+"/{id}", (*Cloud).patchImage),
		newRoute("glance.image.delete", "DELETE "+v+"/{id}", (*Cloud).deleteImage),
		newRoute("glance.image.upload", "PUT "+v+"/{id}/file", (*Cloud).uploadImage),
		newRoute("glance.tag.add", "PUT "+v+"/{id}/tags/{tag}", (*Cloud).addImageTag),
		newRoute("glance.tag.delete", "DELETE "+v+"/{id}/tags/{tag}", (*Cloud).deleteImageTag),
	}
	rs[0].open = true
	return rs
}

func (c *Cloud) imageVersions(k *call) *reply {
	return answer(http.StatusMultipleChoices, object{"versions": []object{{
		"id": "v2.15", "status": "CURRENT", "links": []object{{"rel": "self", "href": c.base(k.Request) + "/image/v2/"}},
	}}})
}

func (c *Cloud) newImage(p *project, name string) *image {
	return &image{
		id: c.newID(), name: name, status: imageQueued, visibility: visibilityShared, seq: c.nextSeq(), owner: p, props: map[string]string{},
		created: c.now, updated: c.now,
	}
}

// inheritable are the properties that an image's servers, and so their snapshots, take over.
func inheritable(img *image) map[string]string {
	props := maps.Clone(img.props)
	for _, key := range []string{"cache_in_nova", "bittorrent", "signature_verified"} { // nova's NON_INHERITABLE_IMAGE_PROPERTIES
		delete(props, key)
	}
	return props
}

// usableImage returns an image that a project may see, or nil.
func (c *Cloud) usableImage(p *project, id string) *image {
	if img := c.images.get(id); img != nil && img.visibleTo(p) {
		return img
	}
	return nil
}

func (img *image) visibleTo(p *project) bool {
	return img.owner == p || img.visibility == visibilityPublic
}

func (img *image) view() object {
	path := "/v2/images/" + img.id
	v := object{}
	for key, value := range img.props {
		v[key] = value
	}
	maps.Copy(v, object{
		"id": img.id, "name": img.name, "status": img.status, "visibility": img.visibility, "owner": img.owner.id, "protected": img.protected,
		"disk_format": orNull(img.diskFormat), "container_format": orNull(img.containerFormat), "min_disk": img.minDisk, "min_ram": img.minRAM,
		"size": nil, "virtual_size": nil, "checksum": nil, "os_hidden": false, "os_hash_algo": nil, "os_hash_value": nil,
		"tags": sorted(img.tags), "created_at": isoSeconds(img.created), "updated_at": isoSeconds(img.updated),
		"self": path, "file": path + "/file", "schema": "/v2/schemas/image",
	})
	if img.status == imageActive {
		v["size"], v["stores"] = img.size, "file"
		if img.virtualSize > 0 {
			v["virtual_size"] = img.virtualSize
		}
		if img.checksum != "" {
			v["checksum"] = img.checksum
		}
		if img.hash != "" {
			v["os_hash_algo"], v["os_hash_value"] = hashAlgorithm, img.hash
		}
	}
	return v
}

func noImage(id string) *reply {
	return glanceError(http.StatusNotFound, "No image found with ID %s", id)
}

func (c *Cloud) showImage(k *call) *reply {
	img := c.usableImage(k.project, k.id())
	if img == nil {
		return noImage(k.id())
	}
	return answer(http.StatusOK, img.view())
}

// deleteImage deletes an image in any state. A server whose snapshot it would have been is let go at its next step.
func (c *Cloud) deleteImage(k *call) *reply {
	img := c.usableImage(k.project, k.id())
	switch {
	case img == nil:
		return glanceError(http.StatusNotFound, "Failed to find image %s to delete", k.id())
	case img.owner != k.project:
		return glanceError(http.StatusForbidden, "You are not permitted to delete this image.")
	case img.protected:
		return glanceError(http.StatusForbidden, "Image %s is protected and cannot be deleted.", img.id)
	case c.opts.ImagesInUse && c.imageInUse(img):
		return glanceError(http.StatusConflict, "Image %s could not be deleted because it is in use: The image cannot be deleted because it is in use through the backend store outside of Glance.", img.id)
	}
	c.dropImage(img)
	return empty(http.StatusNoContent)
}

// dropImage removes an image, for good or until somebody restores it.
func (c *Cloud) dropImage(img *image) {
	c.images.drop(img.id)
	c.uploadBreaks(img)
	if img.status == imageActive {
		c.deleted.put(img.id, img)
	}
	if all := c.deleted.all(); len(all) > keptDeleted {
		c.deleted.drop(all[0].id)
	}
}

// keptDeleted is how many deleted images can still be restored, and how many servers that are gone still have their history.
const keptDeleted = 1000

func (c *Cloud) imageInUse(img *image) bool {
	for _, s := range c.live.all() {
		if s.imageID == img.id && !s.ended() {
			return true
		}
	}
	return false
}

// overImageQuota says whether the owner may not have one more image of that size.
func (c *Cloud) overImageQuota(img *image, size int64) bool {
	q := img.owner.quota
	count, total := 0, size
	for _, other := range c.images.all() {
		if other.owner == img.owner {
			count++
			total += other.size
		}
	}
	return (q.Images >= 0 && count > q.Images) || (q.ImageBytes >= 0 && total > q.ImageBytes)
}

func (c *Cloud) addImageTag(k *call) *reply {
	img, refused := c.ownImage(k)
	if refused != nil {
		return refused
	}
	if !slices.Contains(img.tags, k.params["tag"]) {
		img.tags = append(img.tags, k.params["tag"])
	}
	img.updated = c.now
	return empty(http.StatusNoContent)
}

func (c *Cloud) deleteImageTag(k *call) *reply {
	img, refused := c.ownImage(k)
	if refused != nil {
		return refused
	}
	if !slices.Contains(img.tags, k.params["tag"]) {
		return glanceError(http.StatusNotFound, "The resource could not be found.")
	}
	img.tags = remove(img.tags, k.params["tag"])
	return empty(http.StatusNoContent)
}

// ownImage returns the image of a request that changes it.
func (c *Cloud) ownImage(k *call) (*image, *reply) {
	img := c.usableImage(k.project, k.id())
	if img == nil {
		return nil, noImage(k.id())
	}
	if img.owner != k.project {
		return nil, glanceError(http.StatusForbidden, "You are not permitted to modify this image.")
	}
	return img, nil
}

// Image is a copy of an image's state.
type Image struct {
	ID, Name, Project, Status, Visibility string
	Size, VirtualSize                     int64
	MinDisk                               int
	DiskFormat, ContainerFormat           string
	// Checksum is empty, and HashValue too, where Glance knows none.
	Checksum, HashValue string
	Protected           bool
	Tags                []string
	Properties          map[string]string
	Created             time.Time
	// Machine is the name of the server of which this is a snapshot; CutAt, Writes and CutRunning tell when the disk was copied, how
	// often it had been written to, and whether the server was running then.
	Machine    string
	CutAt      time.Time
	Writes     int64
	CutRunning bool
}

func (img *image) state() Image {
	return Image{
		ID: img.id, Name: img.name, Project: img.owner.name, Status: img.status, Visibility: img.visibility, Size: img.size, MinDisk: img.minDisk,
		VirtualSize: img.virtualSize, DiskFormat: img.diskFormat, ContainerFormat: img.containerFormat, Checksum: img.checksum, HashValue: img.hash,
		Protected: img.protected, Tags: slices.Clone(img.tags), Properties: maps.Clone(img.props), Created: img.created,
		Machine: img.machine, CutAt: img.cutAt, Writes: img.writes, CutRunning: img.cutRunning,
	}
}
