package cloud

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// opAction is the operation of a server action before its name was looked up.
const opAction = "nova.server.action"

func novaRoutes() []route {
	const v, s = "/compute/v2.1", "/compute/v2.1/servers"
	rs := []route{
		newRoute("nova.versions", "GET /compute", (*Cloud).computeVersions),
		newRoute("nova.version", "GET "+v, (*Cloud).computeVersion),
		newRoute("nova.server.list", "GET "+s, (*Cloud).listServers),
		newRoute("nova.server.list", "GET "+s+"/detail", (*Cloud).listServersDetail),
		newRoute("nova.server.create", "POST "+s, (*Cloud).createServer),
		newRoute("nova.server.get", "GET "+s+"/{id}", (*Cloud).showServer),
		newRoute("nova.server.update", "PUT "+s+"/{id}", (*Cloud).updateServer),
		newRoute("nova.server.delete", "DELETE "+s+"/{id}", (*Cloud).deleteServer),
		newRoute(opAction, "POST "+s+"/{id}/action", (*Cloud).serverAction),
		newRoute("nova.metadata.list", "GET "+s+"/{id}/metadata", (*Cloud).listMetadata),
		newRoute("nova.metadata.update", "POST "+s+"/{id}/metadata", (*Cloud).updateMetadata),
		newRoute("nova.metadata.replace", "PUT "+s+"/{id}/metadata", (*Cloud).replaceMetadata),
		newRoute("nova.metadata.get", "GET "+s+"/{id}/metadata/{key}", (*Cloud).showMetadatum),
		newRoute("nova.metadata.set", "PUT "+s+"/{id}/metadata/{key}", (*Cloud).setMetadatum),
		newRoute("nova.metadata.delete", "DELETE "+s+"/{id}/metadata/{key}", (*Cloud).deleteMetadatum),
		newRoute("nova.tag.list", "GET "+s+"/{id}/tags", (*Cloud).listServerTags),
		newRoute("nova.tag.replace", "PUT "+s+"/{id}/tags", (*Cloud).replaceServerTags),
		newRoute("nova.tag.clear", "DELETE "+s+"/{id}/tags", (*Cloud).clearServerTags),
		newRoute("nova.tag.add", "PUT "+s+"/{id}/tags/{tag}", (*Cloud).addServerTag),
		newRoute("nova.tag.delete", "DELETE "+s+"/{id}/tags/{tag}", (*Cloud).deleteServerTag),
		newRoute("nova.instanceaction.list", "GET "+s+"/{id}/os-instance-actions", (*Cloud).listInstanceActions),
		newRoute("nova.instanceaction.get", "GET "+s+"/{id}/os-instance-actions/{request}", (*Cloud).showInstanceAction),
		newRoute("nova.interface.list", "GET "+s+"/{id}/os-interface", (*Cloud).listInterfaces),
		newRoute("nova.interface.create", "POST "+s+"/{id}/os-interface", (*Cloud).attachInterface),
		newRoute("nova.interface.delete", "DELETE "+s+"/{id}/os-interface/{port}", (*Cloud).detachInterface),
		newRoute("nova.volumeattachment.list", "GET "+s+"/{id}/os-volume_attachments", (*Cloud).listAttachments),
		newRoute("nova.volumeattachment.update", "PUT "+s+"/{id}/os-volume_attachments/{volume}", (*Cloud).updateAttachment),
		newRoute("nova.flavor.list", "GET "+v+"/flavors", (*Cloud).listFlavors),
		newRoute("nova.flavor.list", "GET "+v+"/flavors/detail", (*Cloud).listFlavorsDetail),
		newRoute("nova.flavor.get", "GET "+v+"/flavors/{id}", (*Cloud).showFlavor),
		newRoute("nova.flavor.extraspecs", "GET "+v+"/flavors/{id}/os-extra_specs", (*Cloud).listExtraSpecs),
		newRoute("nova.servergroup.list", "GET "+v+"/os-server-groups", (*Cloud).listServerGroups),
		newRoute("nova.servergroup.create", "POST "+v+"/os-server-groups", (*Cloud).createServerGroup),
		newRoute("nova.servergroup.get", "GET "+v+"/os-server-groups/{id}", (*Cloud).showServerGroup),
		newRoute("nova.servergroup.delete", "DELETE "+v+"/os-server-groups/{id}", (*Cloud).deleteServerGroup),
		newRoute("nova.keypair.list", "GET "+v+"/os-keypairs", (*Cloud).listKeypairs),
		newRoute("nova.keypair.create", "POST "+v+"/os-keypairs", (*Cloud).createKeypair),
		newRoute("nova.keypair.get", "GET "+v+"/os-keypairs/{id}", (*Cloud).showKeypair),
		newRoute("nova.keypair.delete", "DELETE "+v+"/os-keypairs/{id}", (*Cloud).deleteKeypair),
		newRoute("nova.limits.get", "GET "+v+"/limits", (*Cloud).showLimits),
		newRoute("nova.zone.list", "GET "+v+"/os-availability-zone", (*Cloud).listZones),
	}
	rs[0].open, rs[1].open = true, true
	return rs
}

// microversionForm is what Nova takes for a microversion, "latest" aside.
var microversionForm = regexp.MustCompile(`^[1-9]\d*\.([1-9]\d*|0)$`)

// requestedMicroversion returns what the headers ask for, or "". OpenStack-API-Version wins over Nova's own older header.
func requestedMicroversion(h http.Header) string {
	for _, v := range h.Values("OpenStack-API-Version") {
		for one := range strings.SplitSeq(v, ",") {
			if version, ok := strings.CutPrefix(strings.TrimSpace(one), "compute "); ok {
				return strings.TrimSpace(version)
			}
		}
	}
	return h.Get("X-OpenStack-Nova-API-Version")
}

// negotiate sets the call's microversion, or returns the refusal.
func (c *Cloud) negotiate(k *call) *reply {
	asked := requestedMicroversion(k.Request.Header)
	switch {
	case asked == "":
		k.mv = 1
		return nil
	case asked == "latest":
		k.mv = c.maxMV
		return nil
	case !microversionForm.MatchString(asked):
		return novaError(http.StatusBadRequest, "API Version String %s is of invalid format. Must be of format MajorNum.MinorNum.", asked)
	}
	minor, ok := strings.CutPrefix(asked, "2.")
	n, err := strconv.Atoi(minor)
	if !ok || err != nil || n < 1 || n > c.maxMV {
		rep := novaError(http.StatusNotAcceptable, "Version %s is not supported by the API. Minimum is 2.1 and maximum is 2.%d.", asked, c.maxMV)
		setMicroversionText(rep.header, asked)
		return rep
	}
	k.mv = n
	return nil
}

func setMicroversion(h http.Header, minor int) { setMicroversionText(h, "2."+strconv.Itoa(minor)) }

func setMicroversionText(h http.Header, version string) {
	values := []string{"compute " + version, version, "X-OpenStack-Nova-API-Version"} // the keys are in Go's form already: this is done for each request
	h["Openstack-Api-Version"], h["X-Openstack-Nova-Api-Version"], h["Vary"] = values[0:1:1], values[1:2:2], values[2:3:3]
}

// mustMinor returns the minor version of "2.x"; anything else is a mistake in the Options of a test, and it panics.
func mustMinor(version string) int {
	minor, ok := strings.CutPrefix(version, "2.")
	n, err := strconv.Atoi(minor)
	if !ok || err != nil || n < 1 {
		panic(fmt.Sprintf("cloud: %q is no microversion of Nova", version))
	}
	return n
}

func (c *Cloud) computeVersionDoc(k *call) object {
	return object{
		"id": "v2.1", "status": "CURRENT", "version": fmt.Sprintf("2.%d", c.maxMV), "min_version": "2.1", "updated": "2013-07-23T11:33:21Z",
		"links": []object{{"rel": "self", "href": c.base(k.Request) + "/compute/v2.1/"}},
	}
}

func (c *Cloud) computeVersions(k *call) *reply {
	return answer(http.StatusOK, object{"versions": []object{c.computeVersionDoc(k)}})
}

func (c *Cloud) computeVersion(k *call) *reply {
	return answer(http.StatusOK, object{"version": c.computeVersionDoc(k)})
}

// links are those of a thing of Nova's.
func (c *Cloud) links(k *call, kind, id string) []object {
	base := c.base(k.Request) + "/compute"
	return []object{
		{"rel": "self", "href": base + "/v2.1/" + kind + "/" + id},
		{"rel": "bookmark", "href": base + "/" + kind + "/" + id},
	}
}

func (c *Cloud) listZones(*call) *reply {
	var zones []object
	for _, z := range c.opts.Zones {
		zones = append(zones, object{"zoneName": z, "zoneState": object{"available": true}, "hosts": nil})
	}
	return answer(http.StatusOK, object{"availabilityZoneInfo": zones})
}

// usage is what counts against Nova's quotas; a server counts until it is really gone.
type usage struct{ instances, cores, ram int }

func (c *Cloud) usageOf(p *project) usage {
	var u usage
	for _, s := range c.live.all() {
		if s.project == p && !s.ended() && !c.unreachable(s) { // a cell that is down is not counted
			u.instances++
			u.cores += s.flavor.vcpus
			u.ram += s.flavor.ram
		}
	}
	return u
}

func (c *Cloud) showLimits(k *call) *reply {
	q, u := k.project.quota, c.usageOf(k.project)
	groups := 0
	for _, g := range c.groups.all() {
		if g.project == k.project {
			groups++
		}
	}
	absolute := object{
		"maxTotalInstances": q.Instances, "maxTotalCores": q.Cores, "maxTotalRAMSize": q.RAM, "maxServerMeta": 128,
		"maxTotalKeypairs": q.KeyPairs, "maxServerGroups": q.ServerGroups, "maxServerGroupMembers": q.ServerGroupMembers,
		"totalInstancesUsed": u.instances, "totalCoresUsed": u.cores, "totalRAMUsed": u.ram, "totalServerGroupsUsed": groups,
	}
	if k.mv <= 56 {
		absolute["maxPersonality"], absolute["maxPersonalitySize"] = 5, 10240
	}
	return answer(http.StatusOK, object{"limits": object{"rate": []any{}, "absolute": absolute}})
}
