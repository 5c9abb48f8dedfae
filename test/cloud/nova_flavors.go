package cloud

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

type flavor struct {
	id, name                          string
	vcpus, ram, disk, ephemeral, swap int
	extraSpecs                        map[string]string
}

// FlavorSpec says what AddFlavor makes: cores, MiB of RAM and of swap, GiB of root and ephemeral disk. The ID is a new one if
// it is empty.
type FlavorSpec struct {
	ID, Name                          string
	VCPUs, RAM, Disk, Ephemeral, Swap int
	ExtraSpecs                        map[string]string
}

// AddFlavor adds a public flavor and returns its ID.
func (c *Cloud) AddFlavor(spec FlavorSpec) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	if spec.ID == "" {
		spec.ID = c.newID()
	}
	f := &flavor{
		id: spec.ID, name: spec.Name, vcpus: spec.VCPUs, ram: spec.RAM, disk: spec.Disk, ephemeral: spec.Ephemeral, swap: spec.Swap,
		extraSpecs: maps.Clone(spec.ExtraSpecs),
	}
	c.flavors.put(f.id, f)
	return f.id
}

// DeleteFlavor removes a flavor by name; servers keep their copy of it. It returns what AddFlavor makes it again from, and false
// if there is none.
func (c *Cloud) DeleteFlavor(name string) (FlavorSpec, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flavorNamed(name)
	if f == nil {
		return FlavorSpec{}, false
	}
	c.version++
	c.flavors.drop(f.id)
	return FlavorSpec{
		ID: f.id, Name: f.name, VCPUs: f.vcpus, RAM: f.ram, Disk: f.disk, Ephemeral: f.ephemeral, Swap: f.swap,
		ExtraSpecs: maps.Clone(f.extraSpecs),
	}, true
}

// specs are the flavor's extra specs, never null.
func (f *flavor) specs() map[string]string {
	if f.extraSpecs == nil {
		return map[string]string{}
	}
	return f.extraSpecs
}

func (c *Cloud) flavorNamed(name string) *flavor {
	return c.flavors.find(func(f *flavor) bool { return f.name == name })
}

func (c *Cloud) flavorView(k *call, f *flavor) object {
	swap := any("")
	if f.swap > 0 || k.mv >= 75 {
		swap = f.swap
	}
	v := object{
		"id": f.id, "name": f.name, "ram": f.ram, "disk": f.disk, "swap": swap, "vcpus": f.vcpus, "rxtx_factor": 1.0,
		"OS-FLV-EXT-DATA:ephemeral": f.ephemeral, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
		"links": c.links(k, "flavors", f.id),
	}
	if k.mv >= 55 {
		v["description"] = nil
	}
	if k.mv >= 61 {
		v["extra_specs"] = f.specs()
	}
	return v
}

func (c *Cloud) listFlavors(k *call) *reply {
	return c.flavorPage(k, "flavors", func(k *call, f *flavor) object {
		return object{"id": f.id, "name": f.name, "links": c.links(k, "flavors", f.id)}
	})
}

func (c *Cloud) listFlavorsDetail(k *call) *reply {
	return c.flavorPage(k, "flavors/detail", c.flavorView)
}

func (c *Cloud) flavorPage(k *call, collection string, view func(*call, *flavor) object) *reply {
	fs := slices.Clone(c.flavors.all())
	slices.SortFunc(fs, func(a, b *flavor) int { return strings.Compare(a.id, b.id) })
	if marker := k.query.Get("marker"); marker != "" {
		if c.flavors.get(marker) == nil {
			return novaError(http.StatusBadRequest, "marker [%s] not found", marker)
		}
		fs = slices.DeleteFunc(fs, func(f *flavor) bool { return f.id <= marker })
	}
	limit := c.novaLimit(k.query)
	fs = fs[:min(limit, len(fs))]
	views := []object{}
	for _, f := range fs {
		views = append(views, view(k, f))
	}
	doc := object{"flavors": views}
	if len(fs) > 0 && len(fs) == limit {
		doc["flavors_links"] = []object{{"rel": "next", "href": c.base(k.Request) + "/compute/v2.1/" + collection + "?" + nextQuery(k.query, fs[len(fs)-1].id)}}
	}
	return answer(http.StatusOK, doc)
}

func (c *Cloud) showFlavor(k *call) *reply {
	f := c.flavors.get(k.id())
	if f == nil {
		return novaError(http.StatusNotFound, "Flavor %s could not be found.", k.id())
	}
	return answer(http.StatusOK, object{"flavor": c.flavorView(k, f)})
}

func (c *Cloud) listExtraSpecs(k *call) *reply {
	f := c.flavors.get(k.id())
	if f == nil {
		return novaError(http.StatusNotFound, "Flavor %s could not be found.", k.id())
	}
	return answer(http.StatusOK, object{"extra_specs": f.specs()})
}
