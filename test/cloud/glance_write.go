package cloud

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// readOnly are image attributes that only Glance itself sets.
var readOnly = []string{"id", "status", "created_at", "updated_at", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "self", "file", "schema", "stores", "owner"}

func (c *Cloud) createImageRecord(k *call) *reply {
	var in map[string]any
	if !k.decode(&in) {
		return glanceError(http.StatusBadRequest, "Malformed JSON in request body.")
	}
	img := c.newImage(k.project, "")
	for _, key := range sortedKeys(in) {
		if slices.Contains(readOnly, key) && key != "id" {
			return glanceError(http.StatusForbidden, "Attribute '%s' is read-only.", key)
		}
		if !img.set(key, in[key]) {
			return glanceError(http.StatusBadRequest, "Provided object does not match schema 'image': %v is not of type 'string'. Failed validating property '%s'", in[key], key)
		}
	}
	if c.images.get(img.id) != nil {
		return glanceError(http.StatusConflict, "Image ID %s already exists!", img.id)
	}
	if q := k.project.quota.Images; q >= 0 && c.overImageQuota(img, 0) {
		return glanceError(http.StatusRequestEntityTooLarge, "Project %s is over the limit of %d for image_count_total.", k.project.id, q)
	}
	c.images.put(img.id, img)
	rep := answer(http.StatusCreated, img.view())
	rep.header.Set("Location", c.base(k.Request)+"/image/v2/images/"+img.id)
	return rep
}

// set sets an attribute or a property and returns false if the value is of the wrong type.
func (img *image) set(key string, value any) bool {
	switch key {
	case "min_disk":
		return assign(&img.minDisk, value)
	case "min_ram":
		return assign(&img.minRAM, value)
	case "protected":
		protected, ok := value.(bool)
		img.protected = protected
		return ok
	case "os_hidden":
		_, ok := value.(bool)
		return ok
	case "tags":
		tags, ok := value.([]any)
		return ok && img.setTags(tags)
	}
	text, ok := value.(string)
	if ok {
		img.setText(key, text)
	}
	return ok
}

// assign sets a number that came as JSON.
func assign(into *int, value any) bool {
	n, ok := value.(float64)
	*into = int(n)
	return ok
}

func (img *image) setText(key, v string) {
	switch key {
	case "id":
		img.id = v
	case "name":
		img.name = v
	case "visibility":
		img.visibility = v
	case "disk_format":
		img.diskFormat = v
	case "container_format":
		img.containerFormat = v
	default:
		img.props[key] = v
	}
}

func (img *image) setTags(values []any) bool {
	var tags []string
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return false
		}
		tags = append(tags, s)
	}
	img.tags = unique(tags)
	return true
}

func (c *Cloud) uploadImage(k *call) *reply {
	img, refused := c.ownImage(k)
	if refused != nil {
		return refused
	}
	if img.status != imageQueued {
		return glanceError(http.StatusConflict, "Image status transition from %s to saving is not allowed", img.status)
	}
	size := int64(len(k.Body))
	if c.overImageQuota(img, size) {
		return glanceError(http.StatusRequestEntityTooLarge, "Project %s is over its limit for image_size_total.", k.project.id)
	}
	img.status, img.size, img.updated = imageActive, size, c.now
	if img.diskFormat == "raw" {
		img.virtualSize = size
	}
	img.sumUp(k.Body)
	return empty(http.StatusNoContent)
}

// patchImage changes an image by a list of operations. All are checked on a copy first: Glance applies all or none.
func (c *Cloud) patchImage(k *call) *reply {
	img, refused := c.ownImage(k)
	if refused != nil {
		return refused
	}
	if ct := k.Request.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/openstack-images-v2.") {
		return glanceError(http.StatusUnsupportedMediaType, "Accept-Patch: application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch")
	}
	var ops []struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if !k.decode(&ops) {
		return glanceError(http.StatusBadRequest, "Request body must be a JSON array of operation objects.")
	}
	changed := *img
	changed.props = maps.Clone(img.props)
	for _, op := range ops {
		key := strings.NewReplacer("~1", "/", "~0", "~").Replace(strings.TrimPrefix(op.Path, "/"))
		if refused := changed.patch(op.Op, key, op.Value); refused != nil {
			return refused
		}
	}
	if len(changed.props) > maxProperties {
		return glanceError(http.StatusRequestEntityTooLarge, "The limit has been exceeded on the number of allowed image properties. Attempted: %d, Maximum: %d", len(changed.props), maxProperties)
	}
	changed.updated = c.now
	*img = changed
	return answer(http.StatusOK, img.view())
}

func (img *image) patch(op, key string, raw json.RawMessage) *reply {
	if slices.Contains(readOnly, key) {
		return glanceError(http.StatusForbidden, "Attribute '%s' is read-only.", key)
	}
	_, exists := img.attribute(key)
	exists = exists || key == "tags" || key == "visibility"
	switch op {
	case "remove":
		if _, ok := img.props[key]; !ok {
			return glanceError(http.StatusConflict, "There was a conflict when trying to complete your request.\n\n Property %s does not exist.", key)
		}
		delete(img.props, key)
		return nil
	case "replace":
		if !exists {
			return glanceError(http.StatusConflict, "There was a conflict when trying to complete your request.\n\n Property %s does not exist.", key)
		}
	case "add":
	default:
		return glanceError(http.StatusBadRequest, "Operations must be JSON objects; unknown operation %s", op)
	}
	var value any
	if json.Unmarshal(raw, &value) != nil || !img.set(key, value) {
		return glanceError(http.StatusBadRequest, "Invalid value for %s", key)
	}
	return nil
}
