package cloud

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
)

// metadataKey is what Nova takes for the name of a metadatum, of a server or in createImage.
var metadataKey = regexp.MustCompile(`^[a-zA-Z0-9-_:. ]{1,255}$`)

func checkMetadata(m map[string]string) *reply {
	for _, key := range sortedKeys(m) {
		if !metadataKey.MatchString(key) {
			return novaError(http.StatusBadRequest, "Invalid input for field/attribute metadata. '%s' does not match any of the regexes: '%s'", key, metadataKey)
		}
		if len(m[key]) > 255 {
			return badLength(key, m[key])
		}
	}
	return nil
}

func (c *Cloud) listMetadata(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil {
		return noServer(k.id())
	}
	return answer(http.StatusOK, object{"metadata": s.metadata})
}

func (c *Cloud) updateMetadata(k *call) *reply { return c.writeMetadata(k, false) }

func (c *Cloud) replaceMetadata(k *call) *reply { return c.writeMetadata(k, true) }

func (c *Cloud) writeMetadata(k *call, replace bool) *reply {
	s, refused := c.forMetadata(k, "update metadata")
	if refused != nil {
		return refused
	}
	var req struct {
		Metadata map[string]string `json:"metadata"`
	}
	if !k.decode(&req) || req.Metadata == nil {
		return malformedBody()
	}
	if refused := checkMetadata(req.Metadata); refused != nil {
		return refused
	}
	if replace {
		s.metadata = map[string]string{}
	}
	maps.Copy(s.metadata, req.Metadata)
	return answer(http.StatusOK, object{"metadata": s.metadata})
}

func (c *Cloud) showMetadatum(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil {
		return noServer(k.id())
	}
	key := k.params["key"]
	value, ok := s.metadata[key]
	if !ok {
		return novaError(http.StatusNotFound, "Metadata item was not found")
	}
	return answer(http.StatusOK, object{"meta": map[string]string{key: value}})
}

func (c *Cloud) setMetadatum(k *call) *reply {
	s, refused := c.forMetadata(k, "update metadata")
	if refused != nil {
		return refused
	}
	var req struct {
		Meta map[string]string `json:"meta"`
	}
	if !k.decode(&req) || len(req.Meta) != 1 {
		return malformedBody()
	}
	if _, same := req.Meta[k.params["key"]]; !same {
		return novaError(http.StatusBadRequest, "Request body and URI mismatch")
	}
	if refused := checkMetadata(req.Meta); refused != nil {
		return refused
	}
	maps.Copy(s.metadata, req.Meta)
	return answer(http.StatusOK, object{"meta": req.Meta})
}

func (c *Cloud) deleteMetadatum(k *call) *reply {
	s, refused := c.forMetadata(k, "delete metadata")
	if refused != nil {
		return refused
	}
	if _, ok := s.metadata[k.params["key"]]; !ok {
		return novaError(http.StatusNotFound, "Metadata item was not found")
	}
	delete(s.metadata, k.params["key"])
	return empty(http.StatusNoContent)
}

func (c *Cloud) forMetadata(k *call, action string) (*server, *reply) {
	s := c.visible(k.project, k.id())
	if s == nil || s.ended() {
		return nil, noServer(k.id())
	}
	return s, refuse(k, action, s, vmActive, vmPaused, vmSuspended, vmStopped)
}

// taggable returns a server whose tags may be used: they are there from 2.26, and a lock does not matter.
func (c *Cloud) taggable(k *call) (*server, *reply) {
	if k.mv < 26 {
		return nil, novaError(http.StatusNotFound, "The resource could not be found.")
	}
	s := c.visible(k.project, k.id())
	if s == nil || s.ended() {
		return nil, noServer(k.id())
	}
	return s, nil
}

func (c *Cloud) listServerTags(k *call) *reply {
	s, refused := c.taggable(k)
	if refused != nil {
		return refused
	}
	return answer(http.StatusOK, object{"tags": sorted(s.tags)})
}

func (c *Cloud) replaceServerTags(k *call) *reply {
	s, refused := c.taggable(k)
	if refused != nil {
		return refused
	}
	var req struct {
		Tags []string `json:"tags"`
	}
	if !k.decode(&req) || len(req.Tags) > 50 {
		return malformedBody()
	}
	s.tags = unique(req.Tags)
	return answer(http.StatusOK, object{"tags": sorted(s.tags)})
}

func (c *Cloud) clearServerTags(k *call) *reply {
	s, refused := c.taggable(k)
	if refused != nil {
		return refused
	}
	s.tags = nil
	return empty(http.StatusNoContent)
}

func (c *Cloud) addServerTag(k *call) *reply {
	s, refused := c.taggable(k)
	if refused != nil {
		return refused
	}
	if slices.Contains(s.tags, k.params["tag"]) {
		return empty(http.StatusNoContent)
	}
	s.tags = append(s.tags, k.params["tag"])
	rep := empty(http.StatusCreated)
	rep.header.Set("Location", c.base(k.Request)+k.Request.URL.Path)
	return rep
}

func (c *Cloud) deleteServerTag(k *call) *reply {
	s, refused := c.taggable(k)
	if refused != nil {
		return refused
	}
	if !slices.Contains(s.tags, k.params["tag"]) {
		return novaError(http.StatusNotFound, "Instance %s has no tag '%s'", s.id, k.params["tag"])
	}
	s.tags = remove(s.tags, k.params["tag"])
	return empty(http.StatusNoContent)
}
