package cloud

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

type network struct {
	id, name         string
	project          *project
	shared, external bool
	tags             []string
	created          time.Time
}

func (n *network) usableBy(p *project) bool  { return n.project == p || n.shared }
func (n *network) visibleTo(p *project) bool { return n.usableBy(p) || n.external }

type subnet struct {
	id, name string
	project  *project
	network  *network
	cidr     netip.Prefix
	tags     []string
	created  time.Time
}

type securityGroup struct {
	id, name, description string
	project               *project
	tags                  []string
	created               time.Time
}

func neutronRoutes() []route {
	const v = "/network/v2.0"
	rs := []route{
		newRoute("neutron.versions", "GET /network", (*Cloud).networkVersions),
		newRoute("neutron.port.list", "GET "+v+"/ports", (*Cloud).listPorts),
		newRoute("neutron.port.create", "POST "+v+"/ports", (*Cloud).createPort),
		newRoute("neutron.port.get", "GET "+v+"/ports/{id}", (*Cloud).showPort),
		newRoute("neutron.port.update", "PUT "+v+"/ports/{id}", (*Cloud).updatePort),
		newRoute("neutron.port.delete", "DELETE "+v+"/ports/{id}", (*Cloud).deletePort),
		newRoute("neutron.network.list", "GET "+v+"/networks", (*Cloud).listNetworks),
		newRoute("neutron.network.create", "POST "+v+"/networks", (*Cloud).createNetwork),
		newRoute("neutron.network.get", "GET "+v+"/networks/{id}", (*Cloud).showNetwork),
		newRoute("neutron.network.delete", "DELETE "+v+"/networks/{id}", (*Cloud).deleteNetwork),
		newRoute("neutron.subnet.list", "GET "+v+"/subnets", (*Cloud).listSubnets),
		newRoute("neutron.subnet.create", "POST "+v+"/subnets", (*Cloud).createSubnet),
		newRoute("neutron.subnet.get", "GET "+v+"/subnets/{id}", (*Cloud).showSubnet),
		newRoute("neutron.subnet.delete", "DELETE "+v+"/subnets/{id}", (*Cloud).deleteSubnet),
		newRoute("neutron.securitygroup.list", "GET "+v+"/security-groups", (*Cloud).listSecurityGroups),
		newRoute("neutron.securitygroup.create", "POST "+v+"/security-groups", (*Cloud).createSecurityGroup),
		newRoute("neutron.securitygroup.get", "GET "+v+"/security-groups/{id}", (*Cloud).showSecurityGroup),
		newRoute("neutron.securitygroup.delete", "DELETE "+v+"/security-groups/{id}", (*Cloud).deleteSecurityGroup),
		newRoute("neutron.tag.list", "GET "+v+"/{kind}/{id}/tags", (*Cloud).listTags),
		newRoute("neutron.tag.replace", "PUT "+v+"/{kind}/{id}/tags", (*Cloud).replaceTags),
		newRoute("neutron.tag.add", "PUT "+v+"/{kind}/{id}/tags/{tag}", (*Cloud).addTag),
		newRoute("neutron.tag.delete", "DELETE "+v+"/{kind}/{id}/tags/{tag}", (*Cloud).deleteTag),
	}
	rs[0].open = true
	return rs
}

func (c *Cloud) networkVersions(k *call) *reply {
	return answer(http.StatusOK, object{"versions": []object{{
		"id": "v2.0", "status": "CURRENT", "links": []object{{"rel": "self", "href": c.base(k.Request) + "/network/v2.0/"}},
	}}})
}

// collection is what a list of Neutron's is made of.
type collection struct {
	name string   // as in the URL's last part; the body's key has underscores in place of hyphens
	all  []object // what the project may see
}

func (l collection) key() string { return strings.ReplaceAll(l.name, "-", "_") }

// listParams are query parameters that are no filters.
var listParams = []string{"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"}

// page answers a list request: filters, order, page and fields.
func (c *Cloud) page(k *call, l collection, attributes []string) *reply {
	if refused := checkFilters(k, attributes); refused != nil {
		return refused
	}
	found := slices.DeleteFunc(l.all, func(v object) bool { return !fitsNeutron(v, k.query) })
	sortViews(found, k.query["sort_key"], k.query["sort_dir"])
	if marker := k.query.Get("marker"); marker != "" {
		i := slices.IndexFunc(found, func(v object) bool { return v["id"] == marker })
		if i < 0 {
			return neutronError(http.StatusBadRequest, "HTTPBadRequest", "Invalid input for operation: '%s' is not a valid marker.", marker)
		}
		found = found[i+1:]
	}
	limit := c.opts.NeutronPageSize
	if n, ok := number(k.query.Get("limit")); ok && n > 0 && (limit == 0 || n < limit) {
		limit = n
	}
	doc := object{}
	if limit > 0 && len(found) >= limit { // as with Nova, a page that is full has a next one
		found = found[:limit]
		doc[l.key()+"_links"] = []object{{
			"rel": "next", "href": c.base(k.Request) + "/network/v2.0/" + l.name + "?" + nextQuery(k.query, found[limit-1]["id"].(string)),
		}}
	}
	doc[l.key()] = list(onlyFields(found, k.query["fields"]))
	return answer(http.StatusOK, doc)
}

func checkFilters(k *call, attributes []string) *reply {
	for _, key := range sortedKeys(k.query) {
		if _, isTag := tagFilters[key]; !isTag && !slices.Contains(listParams, key) && !slices.Contains(attributes, key) {
			return neutronError(http.StatusBadRequest, "HTTPBadRequest", "['%s'] is invalid attribute for filtering", key)
		}
	}
	return nil
}

func onlyFields(views []object, fields []string) []object {
	if len(fields) == 0 {
		return views
	}
	var out []object
	for _, v := range views {
		one := object{}
		for _, f := range fields {
			if value, ok := v[f]; ok {
				one[f] = value
			}
		}
		out = append(out, one)
	}
	return out
}

// sortViews sorts by ID, as Neutron pages, or by what the request says.
func sortViews(views []object, keys, dirs []string) {
	text := func(v object, key string) string { return fmt.Sprint(v[key]) }
	slices.SortFunc(views, func(a, b object) int { return strings.Compare(text(a, "id"), text(b, "id")) })
	for i := len(keys) - 1; i >= 0; i-- {
		sign := 1
		if i < len(dirs) && dirs[i] == "desc" {
			sign = -1
		}
		slices.SortStableFunc(views, func(a, b object) int { return sign * strings.Compare(text(a, keys[i]), text(b, keys[i])) })
	}
}

// fitsNeutron says whether a thing is what the query wants: any of the values of each attribute.
func fitsNeutron(v object, query map[string][]string) bool {
	for key, values := range query {
		if fits, isTag := tagFilters[key]; isTag {
			tags, _ := v["tags"].([]string)
			if !fits(tags, strings.Split(strings.Join(values, ","), ",")) {
				return false
			}
			continue
		}
		if slices.Contains(listParams, key) {
			continue
		}
		if !slices.ContainsFunc(values, func(want string) bool { return fitsValue(v[key], want) }) {
			return false
		}
	}
	return true
}

func fitsValue(have any, want string) bool {
	switch h := have.(type) {
	case []object: // fixed_ips=ip_address=10.0.0.5
		field, value, _ := strings.Cut(want, "=")
		return slices.ContainsFunc(h, func(one object) bool {
			if field == "ip_address_substr" {
				return strings.Contains(fmt.Sprint(one["ip_address"]), value)
			}
			return fmt.Sprint(one[field]) == value
		})
	case []string:
		return slices.Contains(h, want)
	case bool:
		return strings.EqualFold(fmt.Sprint(h), want)
	default:
		return fmt.Sprint(have) == want
	}
}

// taggedThing finds what a request about tags means.
func (c *Cloud) taggedThing(k *call) *[]string {
	var owner *project
	var tags *[]string
	switch k.params["kind"] {
	case "ports":
		if x := c.ports.get(k.id()); x != nil {
			owner, tags = x.project, &x.tags
		}
	case "networks":
		if x := c.networks.get(k.id()); x != nil {
			owner, tags = x.project, &x.tags
		}
	case "subnets":
		if x := c.subnets.get(k.id()); x != nil {
			owner, tags = x.project, &x.tags
		}
	case "security-groups":
		if x := c.secs.get(k.id()); x != nil {
			owner, tags = x.project, &x.tags
		}
	}
	if owner != k.project {
		return nil
	}
	return tags
}

func noTagged(k *call) *reply {
	return neutronError(http.StatusNotFound, "TagResourceNotFound", "Resource %s %s could not be found.", k.params["kind"], k.id())
}

func (c *Cloud) listTags(k *call) *reply {
	tags := c.taggedThing(k)
	if tags == nil {
		return noTagged(k)
	}
	return answer(http.StatusOK, object{"tags": list(*tags)})
}

func (c *Cloud) replaceTags(k *call) *reply {
	tags := c.taggedThing(k)
	if tags == nil {
		return noTagged(k)
	}
	var req struct {
		Tags []string `json:"tags"`
	}
	if !k.decode(&req) || req.Tags == nil {
		return neutronError(http.StatusBadRequest, "HTTPBadRequest", "Invalid tags body")
	}
	*tags = unique(req.Tags)
	return answer(http.StatusOK, object{"tags": list(*tags)})
}

func (c *Cloud) addTag(k *call) *reply {
	tags := c.taggedThing(k)
	if tags == nil {
		return noTagged(k)
	}
	*tags = unique(append(*tags, k.params["tag"]))
	return empty(http.StatusCreated)
}

func (c *Cloud) deleteTag(k *call) *reply {
	tags := c.taggedThing(k)
	if tags == nil {
		return noTagged(k)
	}
	if !slices.Contains(*tags, k.params["tag"]) {
		return neutronError(http.StatusNotFound, "TagNotFound", "Tag %s could not be found.", k.params["tag"])
	}
	*tags = remove(*tags, k.params["tag"])
	return empty(http.StatusNoContent)
}
