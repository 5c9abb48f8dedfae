package cloud

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// createRequest is the body of a create.
type createRequest struct {
	Server struct {
		Name             string            `json:"name"`
		ImageRef         string            `json:"imageRef"`
		FlavorRef        flexible          `json:"flavorRef"`
		Networks         json.RawMessage   `json:"networks"`
		Metadata         map[string]string `json:"metadata"`
		Tags             []string          `json:"tags"`
		KeyName          string            `json:"key_name"`
		AvailabilityZone string            `json:"availability_zone"`
		ConfigDrive      flexible          `json:"config_drive"`
		Description      *string           `json:"description"`
		Hostname         string            `json:"hostname"`
		UserData         string            `json:"user_data"`
		SecurityGroups   []struct {
			Name string `json:"name"`
		} `json:"security_groups"`
		BlockDevices []blockDevice `json:"block_device_mapping_v2"`
	} `json:"server"`
	Hints    schedulerHints `json:"os:scheduler_hints"`
	OldHints schedulerHints `json:"OS-SCH-HNT:scheduler_hints"`
}

type schedulerHints struct {
	Group string `json:"group"`
}

type blockDevice struct {
	BootIndex           *flexible `json:"boot_index"`
	SourceType          string    `json:"source_type"`
	DestinationType     string    `json:"destination_type"`
	UUID                string    `json:"uuid"`
	VolumeSize          flexible  `json:"volume_size"`
	DeleteOnTermination bool      `json:"delete_on_termination"`
}

// flexible takes a string, a number or a boolean, as Nova's schemas do in places.
type flexible string

func (f *flexible) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		var s string
		err := json.Unmarshal(b, &s)
		*f = flexible(s)
		return err
	}
	if s := string(b); s != "null" {
		*f = flexible(s)
	}
	return nil
}

// createFields are what a create may have, with the microversion that brought it.
var createFields = map[string]int{
	"name": 1, "imageRef": 1, "flavorRef": 1, "adminPass": 1, "metadata": 1, "networks": 1, "OS-DCF:diskConfig": 1, "accessIPv4": 1,
	"accessIPv6": 1, "personality": 1, "availability_zone": 1, "block_device_mapping": 1, "block_device_mapping_v2": 1, "config_drive": 1,
	"min_count": 1, "max_count": 1, "return_reservation_id": 1, "user_data": 1, "key_name": 1, "security_groups": 1,
	"description": 19, "tags": 52, "trusted_image_certificates": 63, "host": 74, "hypervisor_hostname": 74, "hostname": 90,
}

func (c *Cloud) createServer(k *call) *reply {
	var req createRequest
	if refused := checkCreate(k, &req); refused != nil {
		return refused
	}
	s, refused := c.draftServer(k, &req)
	if refused != nil {
		return refused
	}
	group, refused := c.hintedGroup(k, &req)
	if refused != nil {
		return refused
	}
	if refused := c.checkQuota(k.project, s.flavor); refused != nil {
		return refused
	}
	c.addServer(s)
	for _, a := range s.attachments {
		c.volumes.put(a.volume.id, a.volume)
		a.volume.status = "in-use"
	}
	if group != nil {
		group.members = append(group.members, s.id)
	}
	c.record(s, k, "create")
	c.notify(ServerCreated, s)
	c.build(s)
	secs := []object{{"name": "default"}}
	if len(s.secNames) > 0 {
		secs = nil
		for _, n := range s.secNames {
			secs = append(secs, object{"name": n})
		}
	}
	links := c.links(k, "servers", s.id)
	rep := answer(http.StatusAccepted, object{"server": object{
		"id": s.id, "links": links, "OS-DCF:diskConfig": "MANUAL", "security_groups": secs, "adminPass": c.newHexID()[:12],
	}})
	rep.header.Set("Location", links[0]["href"].(string))
	return rep
}

// checkCreate does what Nova's schema does.
func checkCreate(k *call, req *createRequest) *reply {
	var shape struct {
		Server map[string]json.RawMessage `json:"server"`
	}
	if !k.decode(&shape) || !k.decode(req) || shape.Server == nil {
		return malformedBody()
	}
	if refused := checkFields(k.mv, shape.Server); refused != nil {
		return refused
	}
	if n := len(req.Server.Name); n == 0 || n > 255 {
		return badLength("name", req.Server.Name)
	}
	if _, err := base64.StdEncoding.DecodeString(req.Server.UserData); err != nil {
		return novaError(http.StatusBadRequest, "Invalid input for field/attribute user_data. '%s' is not a 'base64'", req.Server.UserData)
	}
	return checkMetadata(req.Server.Metadata)
}

// checkFields refuses what a microversion does not know, and what is missing.
func checkFields(mv int, have map[string]json.RawMessage) *reply {
	for _, field := range sortedKeys(have) {
		if from := createFields[field]; from == 0 || from > mv || (field == "personality" && mv >= 57) {
			return unexpected("server", field)
		}
	}
	required := []string{"name", "flavorRef"}
	if mv >= 37 {
		required = append(required, "networks")
	}
	for _, field := range required {
		if have[field] == nil {
			return novaError(http.StatusBadRequest, "Invalid input for field/attribute server. '%s' is a required property", field)
		}
	}
	return nil
}

func badLength(field, value string) *reply {
	verdict := "long"
	if value == "" {
		verdict = "short"
	}
	return novaError(http.StatusBadRequest, "Invalid input for field/attribute %s. Value: %s. '%s' is too %s", field, value, value, verdict)
}

// draftServer makes a server of the request, if all that it names exists.
func (c *Cloud) draftServer(k *call, req *createRequest) (*server, *reply) {
	in := &req.Server
	f := c.flavors.get(string(in.FlavorRef))
	if f == nil {
		return nil, novaError(http.StatusBadRequest, "Flavor %s could not be found.", in.FlavorRef)
	}
	s := &server{
		id: c.newID(), name: in.Name, description: in.Description, seq: c.nextSeq(), project: k.project, user: k.user,
		created: c.now, updated: c.now, vm: vmBuilding, task: taskScheduling, flavor: *f, metadata: maps.Clone(in.Metadata),
		tags: unique(in.Tags), keyName: in.KeyName, zone: in.AvailabilityZone, hostname: in.Hostname, userData: in.UserData,
		configDrive: strings.EqualFold(string(in.ConfigDrive), "true"), disk: &disk{},
	}
	if k.mv < 19 {
		s.description = &in.Name
	}
	if s.metadata == nil {
		s.metadata = map[string]string{}
	}
	if s.hostname == "" {
		s.hostname = hostnameOf(in.Name)
	}
	if s.keyName != "" && c.keypairs[k.user.id][s.keyName] == nil {
		return nil, novaError(http.StatusBadRequest, "Invalid key_name provided.")
	}
	if s.pinned = s.zone; s.zone == "" {
		s.zone = c.opts.Zones[0]
	} else if !slices.Contains(c.opts.Zones, s.zone) {
		return nil, novaError(http.StatusBadRequest, "The requested availability zone is not available")
	}
	if refused := c.chooseDisk(k, s, in.ImageRef, in.BlockDevices); refused != nil {
		return nil, refused
	}
	for _, g := range in.SecurityGroups {
		if c.securityGroupFor(k.project, g.Name) == nil {
			return nil, novaError(http.StatusBadRequest, "Unable to find security_group with name or id '%s'", g.Name)
		}
		s.secNames = append(s.secNames, g.Name)
	}
	return s, c.chooseNetworks(k, s, in.Networks)
}

// hostnameOf is what Nova makes of a name.
func hostnameOf(name string) string {
	h := strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '_' || r == '.':
			return '-'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return -1
	}, strings.ToLower(name))
	return strings.Trim(h[:min(len(h), 63)], "-")
}

func unique(in []string) []string {
	var out []string
	for _, s := range in {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (c *Cloud) hintedGroup(k *call, req *createRequest) (*serverGroup, *reply) {
	id := req.Hints.Group
	if id == "" {
		id = req.OldHints.Group
	}
	if id == "" {
		return nil, nil
	}
	g := c.groups.get(id)
	if g == nil || g.project != k.project {
		return nil, novaError(http.StatusBadRequest, "Instance group %s could not be found.", id)
	}
	if q := k.project.quota.ServerGroupMembers; q >= 0 && len(g.members) >= q {
		return nil, novaError(http.StatusForbidden, "Quota exceeded, too many servers in group")
	}
	return g, nil
}

func (c *Cloud) checkQuota(p *project, f flavor) *reply {
	u := c.usageOf(p)
	for _, q := range []struct {
		name             string
		more, used, most int
	}{{"instances", 1, u.instances, p.quota.Instances}, {"cores", f.vcpus, u.cores, p.quota.Cores}, {"ram", f.ram, u.ram, p.quota.RAM}} {
		if q.most >= 0 && q.used+q.more > q.most {
			return novaError(http.StatusForbidden, "Quota exceeded for %s: Requested %d, but already used %d of %d %s", q.name, q.more, q.used, q.most, q.name)
		}
	}
	return nil
}
