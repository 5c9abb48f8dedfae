package cloud

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// imageParams are query parameters of a list of images that are not properties.
var imageParams = []string{"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "os_hidden", "tag", "size_min", "size_max", "visibility"}

func (c *Cloud) listImages(k *call) *reply {
	limit := c.opts.GlancePageSize
	if asked := k.query.Get("limit"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil {
			return glanceError(http.StatusBadRequest, "limit param must be an integer")
		}
		if n < 0 {
			return glanceError(http.StatusBadRequest, "limit param must be positive")
		}
		limit = n
	}
	limit = min(limit, c.opts.GlanceMaxPageSize)
	var found []*image
	for _, img := range c.images.all() {
		if img.visibleTo(k.project) && img.fits(k) {
			found = append(found, img)
		}
	}
	if refused := sortImages(k, found); refused != nil {
		return refused
	}
	if marker := k.query.Get("marker"); marker != "" {
		if c.usableImage(k.project, marker) == nil {
			return glanceError(http.StatusBadRequest, "No image found with ID %s", marker)
		}
		found = found[slices.IndexFunc(found, func(img *image) bool { return img.id == marker })+1:]
	}
	found = found[:min(len(found), limit)]
	views := []object{}
	for _, img := range found {
		views = append(views, img.view())
	}
	return answer(http.StatusOK, imagesDoc(k, views, limit))
}

// imagesDoc adds the links. Glance names a next page whenever this one is full, so the last one may be empty.
func imagesDoc(k *call, views []object, limit int) object {
	doc := object{"images": views, "schema": "/v2/schemas/images", "first": "/v2/images"}
	q := k.query
	q.Del("marker")
	if first := q.Encode(); first != "" {
		doc["first"] = "/v2/images?" + first
	}
	if len(views) > 0 && len(views) == limit {
		doc["next"] = "/v2/images?" + nextQuery(q, views[len(views)-1]["id"].(string))
	}
	return doc
}

// fits says whether an image is what the query wants. A property that no image has fits none.
func (img *image) fits(k *call) bool {
	for key, values := range k.query {
		if slices.Contains(imageParams, key) {
			continue
		}
		if have, ok := img.attribute(key); !ok || !matchesValue(have, values[len(values)-1], key) {
			return false
		}
	}
	if !hasAll(img.tags, k.query["tag"]) {
		return false
	}
	if v := k.query.Get("visibility"); v != "" && v != "all" && v != img.visibility {
		return false
	}
	return img.fitsSize(k) && !strings.EqualFold(k.query.Get("os_hidden"), "true")
}

func (img *image) fitsSize(k *call) bool {
	least, ok := number(k.query.Get("size_min"))
	if ok && img.size < int64(least) {
		return false
	}
	most, ok := number(k.query.Get("size_max"))
	return !ok || img.size <= int64(most)
}

func (img *image) attribute(key string) (string, bool) {
	switch key {
	case "id":
		return img.id, true
	case "name":
		return img.name, true
	case "status":
		return img.status, true
	case "owner":
		return img.owner.id, true
	case "disk_format":
		return img.diskFormat, true
	case "container_format":
		return img.containerFormat, true
	case "protected":
		return strconv.FormatBool(img.protected), true
	case "min_disk":
		return strconv.Itoa(img.minDisk), true
	case "min_ram":
		return strconv.Itoa(img.minRAM), true
	}
	v, ok := img.props[key]
	return v, ok
}

// matchesValue compares with a filter's value. Some attributes take several, as in name=in:a,"b,c".
func matchesValue(have, want, key string) bool {
	some, isList := strings.CutPrefix(want, "in:")
	if !isList || !slices.Contains([]string{"id", "name", "status", "container_format", "disk_format"}, key) {
		return have == want
	}
	return slices.Contains(splitQuoted(some), have)
}

// splitQuoted splits at commas outside double quotes; a backslash within quotes escapes.
func splitQuoted(s string) []string {
	var out []string
	var one strings.Builder
	quoted, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			one.WriteRune(r)
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			out = append(out, one.String())
			one.Reset()
		default:
			one.WriteRune(r)
		}
	}
	return append(out, one.String())
}

var imageSortKeys = map[string]func(a, b *image) int{
	"name":       func(a, b *image) int { return strings.Compare(a.name, b.name) },
	"id":         func(a, b *image) int { return strings.Compare(a.id, b.id) },
	"status":     func(a, b *image) int { return strings.Compare(a.status, b.status) },
	"created_at": func(a, b *image) int { return a.created.Compare(b.created) },
	"updated_at": func(a, b *image) int { return a.updated.Compare(b.updated) },
	"size":       func(a, b *image) int { return int(a.size - b.size) },
}

// sortImages sorts by what the query says, and by default newest first.
func sortImages(k *call, found []*image) *reply {
	slices.SortFunc(found, func(a, b *image) int { return b.seq - a.seq })
	var keys, dirs []string
	if s := k.query.Get("sort"); s != "" {
		for one := range strings.SplitSeq(s, ",") {
			key, dir, _ := strings.Cut(one, ":")
			keys, dirs = append(keys, key), append(dirs, dir)
		}
	} else {
		keys, dirs = k.query["sort_key"], k.query["sort_dir"]
	}
	for i := len(keys) - 1; i >= 0; i-- { // the first key counts most, so it is sorted by last
		compare := imageSortKeys[keys[i]]
		if compare == nil {
			return glanceError(http.StatusBadRequest, "Invalid sort key: %s. It must be one of the following: created_at, id, name, size, status, updated_at.", keys[i])
		}
		sign := -1
		if i < len(dirs) && dirs[i] == "asc" {
			sign = 1
		}
		slices.SortStableFunc(found, func(a, b *image) int { return sign * compare(a, b) })
	}
	return nil
}
