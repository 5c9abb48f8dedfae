package cloud

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// number parses what Nova takes for one.
func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

// serverParams are the query parameters that servers lists know, with the microversion that brought them.
var serverParams = map[string]int{
	"user_id": 1, "project_id": 1, "tenant_id": 1, "launch_index": 1, "image_ref": 1, "image": 1, "kernel_id": 1, "ramdisk_id": 1,
	"hostname": 1, "key_name": 1, "power_state": 1, "vm_state": 1, "task_state": 1, "host": 1, "node": 1, "flavor": 1, "reservation_id": 1,
	"launched_at": 1, "terminated_at": 1, "availability_zone": 1, "name": 1, "display_name": 1, "description": 1, "display_description": 1,
	"locked_by": 1, "uuid": 1, "root_device_name": 1, "config_drive": 1, "access_ip_v4": 1, "access_ip_v6": 1, "auto_disk_config": 1,
	"progress": 1, "sort_key": 1, "sort_dir": 1, "all_tenants": 1, "soft_deleted": 1, "deleted": 1, "status": 1, "changes-since": 1, "ip": 1,
	"ip6": 1, "created_at": 1, "block_device_mapping": 1, "services": 1, "metadata": 1, "system_metadata": 1, "info_cache": 1,
	"security_groups": 1, "pci_devices": 1, "limit": 1, "marker": 1,
	"tags": 26, "tags-any": 26, "not-tags": 26, "not-tags-any": 26, "changes-before": 66, "locked": 73,
}

// serverFilter is what a list of servers is narrowed by.
type serverFilter struct {
	name, ip *regexp.Regexp
	tests    []func(*server) bool
}

func (f *serverFilter) matches(c *Cloud, s *server) bool {
	if f.name != nil && !f.name.MatchString(s.name) {
		return false
	}
	if f.ip != nil && !slices.ContainsFunc(c.boundPorts(s), func(p *port) bool {
		return slices.ContainsFunc(p.fixedIPs, func(ip fixedIP) bool { return f.ip.MatchString(ip.address) })
	}) {
		return false
	}
	return !slices.ContainsFunc(f.tests, func(test func(*server) bool) bool { return !test(s) })
}

// serverFilter reads the query as Nova does for a plain member: from 2.75 unknown parameters are refused, before that they are
// ignored, and so are those that only administrators may use.
func (c *Cloud) serverFilter(k *call) (*serverFilter, *reply) {
	if refused := checkServerParams(k); refused != nil {
		return nil, refused
	}
	f := &serverFilter{}
	for _, r := range [...]struct {
		key  string
		into **regexp.Regexp
	}{{"name", &f.name}, {"ip", &f.ip}} {
		if !k.query.Has(r.key) {
			continue
		}
		value := k.query.Get(r.key)
		re, err := c.pattern(value)
		if err != nil {
			return nil, novaError(http.StatusBadRequest, "Invalid input for query parameters %s. Value: %s. '%s' is not a 'regex'", r.key, value, value)
		}
		*r.into = re
	}
	if refused := f.addStatus(k); refused != nil {
		return nil, refused
	}
	f.addTags(k)
	f.addFields(k)
	return f, nil
}

// pattern compiles a regular expression. The same few are asked for again and again.
func (c *Cloud) pattern(value string) (*regexp.Regexp, error) {
	if re := c.patterns[value]; re != nil {
		return re, nil
	}
	re, err := regexp.Compile("(?i)" + value) // MySQL's collation ignores case
	if err != nil {
		return nil, err
	}
	if c.patterns == nil || len(c.patterns) > 1000 {
		c.patterns = map[string]*regexp.Regexp{}
	}
	c.patterns[value] = re
	return re, nil
}

func checkServerParams(k *call) *reply {
	for _, key := range sortedKeys(k.query) {
		if from := serverParams[key]; (from == 0 || from > k.mv) && k.mv >= 75 {
			return novaError(http.StatusBadRequest, "'%s' does not match any of the regexes: '^_'", key)
		}
	}
	if limit := k.query.Get("limit"); limit != "" {
		if _, ok := number(limit); !ok {
			return novaError(http.StatusBadRequest, "Invalid input for query parameters limit. Value: %s. '%s' does not match '^[0-9]*$'", limit, limit)
		}
	}
	return nil
}

func (f *serverFilter) addStatus(k *call) *reply {
	if !k.query.Has("status") {
		return nil
	}
	states, tasks := statesOf(k.query["status"])
	if len(states) == 0 && k.mv >= 38 {
		return novaError(http.StatusBadRequest, "Invalid status value")
	}
	if slices.Equal(states, []string{vmDeleted}) {
		return novaError(http.StatusForbidden, "Only administrators may list deleted instances")
	}
	f.tests = append(f.tests, func(s *server) bool {
		return slices.Contains(states, s.vm) && (len(tasks) == 0 || slices.Contains(tasks, s.task))
	})
	return nil
}

// statesOf returns the vm_states of some statuses, and the task_states if none of the statuses is that of a vm_state whatever its task.
func statesOf(wanted []string) (states, tasks []string) {
	is := func(status string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, status) })
	}
	anyTask := false
	for vm, status := range statusOf {
		if is(status) {
			states, anyTask = append(states, vm), true
		}
		for _, group := range taskStatus[vm] {
			for task, status := range group {
				if is(status) {
					states, tasks = append(states, vm), append(tasks, task)
				}
			}
		}
	}
	if anyTask {
		tasks = nil
	}
	return states, tasks
}

func (f *serverFilter) addTags(k *call) {
	if k.mv < 26 {
		return
	}
	for key, fits := range tagFilters {
		if !k.query.Has(key) {
			continue
		}
		want := strings.Split(k.query.Get(key), ",")
		f.tests = append(f.tests, func(s *server) bool { return fits(s.tags, want) })
	}
}

// tagFilters are the four ways, of Nova's and of Neutron's, in which tags narrow a list.
var tagFilters = map[string]func(have, want []string) bool{
	"tags":         hasAll,
	"tags-any":     hasAny,
	"not-tags":     func(have, want []string) bool { return !hasAll(have, want) },
	"not-tags-any": func(have, want []string) bool { return !hasAny(have, want) },
}

func hasAll(have, want []string) bool {
	return !slices.ContainsFunc(want, func(t string) bool { return !slices.Contains(have, t) })
}

func hasAny(have, want []string) bool {
	return slices.ContainsFunc(want, func(t string) bool { return slices.Contains(have, t) })
}

// addFields adds the filters that a member may use, from the microversion on that allows it.
func (f *serverFilter) addFields(k *call) {
	for key := range k.query {
		field, known := memberFilters[key]
		if known && k.mv >= field.from {
			want := k.query.Get(key)
			f.tests = append(f.tests, func(s *server) bool { return strings.EqualFold(field.value(s), want) })
		}
	}
}

// memberFilters are those fields, with the microversion.
var memberFilters = map[string]struct {
	from  int
	value func(*server) string
}{
	"image":             {1, func(s *server) string { return s.imageID }},
	"flavor":            {1, func(s *server) string { return s.flavor.id }},
	"locked":            {73, func(s *server) string { return strconv.FormatBool(s.locked != "") }},
	"availability_zone": {83, func(s *server) string { return s.zone }},
	"key_name":          {83, func(s *server) string { return s.keyName }},
	"power_state":       {83, func(s *server) string { return strconv.Itoa(s.power) }},
	"task_state":        {83, func(s *server) string { return s.task }},
	"vm_state":          {83, func(s *server) string { return s.vm }},
	"user_id":           {83, func(s *server) string { return s.user.id }},
	"hostname":          {90, func(s *server) string { return s.hostname }},
}
