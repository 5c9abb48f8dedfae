package cloud

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func (c *Cloud) listServers(k *call) *reply {
	return c.serverPage(k, "servers", false)
}

func (c *Cloud) listServersDetail(k *call) *reply {
	return c.serverPage(k, "servers/detail", true)
}

func (c *Cloud) serverPage(k *call, collection string, detail bool) *reply {
	filter, refused := c.serverFilter(k)
	if refused != nil {
		return refused
	}
	if c.opts.DownCells.FailLists && !showsDownCells(k) && c.anyCellDown() {
		return cellError()
	}
	var found []*server
	for _, s := range c.serversOf(k.project) {
		if s.vm != vmSoftDeleted && !c.unreachable(s) && filter.matches(c, s) {
			found = append(found, s)
		}
	}
	sortServers(found, k.query)
	page, refused := c.cutServers(k, found)
	if refused != nil {
		return refused
	}
	return c.written(func(w *jsonWriter) {
		w.open('{')
		c.writePage(w, k, page, detail)
		if limit := c.novaLimit(k.query); len(page) > 0 && len(page) == limit {
			w.value("servers_links", []object{{"rel": "next", "href": c.base(k.Request) + "/compute/v2.1/" + collection + "?" + nextQuery(k.query, page[len(page)-1].id)}})
		}
		w.end('}')
	})
}

// writePage writes the servers of a page, those of cells that are down before the others.
func (c *Cloud) writePage(w *jsonWriter, k *call, page []*server, detail bool) {
	w.key("servers")
	w.open('[')
	for _, s := range c.downRows(k, len(page)) {
		w.item()
		c.writeDown(w, k, s, detail)
	}
	for _, s := range page {
		w.item()
		c.writeListed(w, k, s, detail)
	}
	w.end(']')
}

func (c *Cloud) writeListed(w *jsonWriter, k *call, s *server, detail bool) {
	if detail {
		c.writeDetail(w, k, s)
	} else {
		c.writeBasic(w, k, s)
	}
}

// written is the answer 200 with what write writes.
func (c *Cloud) written(write func(*jsonWriter)) *reply {
	w := jsonWriter{b: c.scratch[:0]}
	write(&w)
	c.scratch = w.b
	rep := empty(http.StatusOK)
	rep.header["Content-Type"] = []string{"application/json"}
	rep.body = bytes.Clone(w.b)
	return rep
}

func nextQuery(q url.Values, marker string) string {
	next := url.Values{}
	for key, values := range q {
		next[key] = values
	}
	next.Set("marker", marker)
	return next.Encode()
}

// novaLimit is the size of a page. What is not a number was refused before.
func (c *Cloud) novaLimit(q url.Values) int {
	n := c.opts.NovaPageSize
	if asked, ok := number(q.Get("limit")); ok && q.Get("limit") != "" {
		n = min(n, asked)
	}
	return n
}

// cutServers returns the page that the request asks for: Nova ends a page at its limit even if nothing follows.
func (c *Cloud) cutServers(k *call, found []*server) ([]*server, *reply) {
	if marker := k.query.Get("marker"); marker != "" {
		i := slices.IndexFunc(found, func(s *server) bool { return s.id == marker })
		if at := c.visible(k.project, marker); i < 0 && (at == nil || c.unreachable(at)) {
			return nil, novaError(http.StatusBadRequest, "marker [%s] not found", marker)
		}
		found = found[i+1:]
	}
	return found[:min(len(found), c.novaLimit(k.query))], nil
}

func sortServers(found []*server, q url.Values) {
	keys, dirs := q["sort_key"], q["sort_dir"]
	for i := len(keys) - 1; i >= 0; i-- { // the first key counts most, so it is sorted by last
		value, ok := serverSortKeys[keys[i]]
		if !ok {
			continue
		}
		sign := -1
		if len(dirs) > i && dirs[i] == "asc" {
			sign = 1
		}
		slices.SortStableFunc(found, func(a, b *server) int { return sign * strings.Compare(value(a), value(b)) })
	}
}

var serverSortKeys = map[string]func(*server) string{
	"uuid":         func(s *server) string { return s.id },
	"display_name": func(s *server) string { return s.name },
	"created_at":   func(s *server) string { return isoMicros(s.created) },
	"updated_at":   func(s *server) string { return isoMicros(s.updated) },
	"vm_state":     func(s *server) string { return s.vm },
	"task_state":   func(s *server) string { return s.task },
	"hostname":     func(s *server) string { return s.hostname },
}

func (c *Cloud) showServer(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil {
		return noServer(k.id())
	}
	if c.unreachable(s) {
		return c.written(func(w *jsonWriter) {
			w.open('{')
			w.key("server")
			c.writeDownServer(w, k, s)
			w.end('}')
		})
	}
	return c.written(func(w *jsonWriter) {
		w.open('{')
		w.key("server")
		w.open('{')
		c.writeFields(w, k, s)
		if k.mv >= 71 {
			w.value("server_groups", c.groupIDs(s))
		}
		w.end('}')
		w.end('}')
	})
}

func noServer(id string) *reply {
	return novaError(http.StatusNotFound, "Instance %s could not be found.", id)
}

// updateServer changes name, description and hostname.
func (c *Cloud) updateServer(k *call) *reply {
	s := c.visible(k.project, k.id())
	if s == nil {
		return noServer(k.id())
	}
	var req struct {
		Server struct {
			Name        *string `json:"name"`
			Description *string `json:"description"`
			Hostname    *string `json:"hostname"`
		} `json:"server"`
	}
	if !k.decode(&req) {
		return malformedBody()
	}
	if d := req.Server.Description; d != nil && k.mv >= 19 {
		s.description = d
	}
	if h := req.Server.Hostname; h != nil {
		if k.mv < 90 {
			return unexpected("server", "hostname")
		}
		s.hostname = *h
	}
	if n := req.Server.Name; n != nil {
		s.name = *n
	}
	s.updated = c.now
	return c.written(func(w *jsonWriter) {
		w.open('{')
		w.key("server")
		c.writeDetail(w, k, s)
		w.end('}')
	})
}

func malformedBody() *reply {
	return novaError(http.StatusBadRequest, "Malformed request body")
}

func unexpected(field, name string) *reply {
	return novaError(http.StatusBadRequest, "Invalid input for field/attribute %s. Additional properties are not allowed ('%s' was unexpected)", field, name)
}
