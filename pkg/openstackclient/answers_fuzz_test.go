package openstackclient

import (
	"context"
	"net/http"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
)

// asked is the ID that the fuzz targets ask for.
const asked = "11111111-2222-4333-8444-555555555555"

// adminPass is what Nova says to whoever makes a server.
const adminPass = "hunter3"

// call is a method of Client; it returns the IDs in what it found.
type call struct {
	name string
	do   func(context.Context, Client) ([]string, error)
}

// calls are the methods of Client that take an answer of the cloud's.
var calls = []call{
	{"list servers by name", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.ListServers(ctx, ViewFlavorID, servers.ListOpts{Name: "^demo-"})
		return idsOf(found, func(s Server) string { return s.ID }), err
	}},
	{"list servers by tag", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.ListServers(ctx, ViewHostname, servers.ListOpts{Tags: "openshiftClusterID=demo"})
		return idsOf(found, func(s Server) string { return s.ID }), err
	}},
	{"get server", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.GetServer(ctx, ViewHostname, asked)
		return theID(found, func(s Server) string { return s.ID }), err
	}},
	{"list actions", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.ListServerActions(ctx, asked)
		return idsOf(found, func(a instanceactions.InstanceAction) string { return a.RequestID }), err
	}},
	{"list server groups", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.ListServerGroups(ctx)
		return idsOf(found, func(g servergroups.ServerGroup) string { return g.ID }), err
	}},
	{"get flavor", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.GetFlavor(ctx, asked)
		if found == nil {
			return nil, err
		}
		return []string{found.ID}, err
	}},
	{"list images", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.ListImages(ctx, ListImagesOpts{Properties: map[string]string{"overwinter_infra_id": "demo"}})
		return idsOf(found, func(i images.Image) string { return i.ID }), err
	}},
	{"get image", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.GetImage(ctx, asked)
		return theID(found, func(i images.Image) string { return i.ID }), err
	}},
	{"list ports", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.ListPorts(ctx, ListPortsOpts{DeviceIDs: []string{asked}})
		return idsOf(found, func(p ports.Port) string { return p.ID }), err
	}},
	{"get network", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.GetNetwork(ctx, asked)
		if found == nil {
			return nil, err
		}
		return []string{found.ID}, err
	}},
	{"list security groups", func(ctx context.Context, c Client) ([]string, error) {
		found, err := c.ListSecurityGroups(ctx, groups.ListOpts{Tags: "a"})
		return idsOf(found, func(g groups.SecGroup) string { return g.ID }), err
	}},
	{"create server", func(ctx context.Context, c Client) ([]string, error) {
		id, err := c.CreateServer(ctx, CreateServerOpts{CreateOpts: servers.CreateOpts{Name: "n", ImageRef: "i", FlavorRef: "f"}})
		return theID(&id, strings.Clone), err
	}},
	{"create image", func(ctx context.Context, c Client) ([]string, error) {
		id, err := c.CreateServerImage(ctx, asked, servers.CreateImageOpts{Name: "n"})
		return theID(&id, strings.Clone), err
	}},
	{"has key pair", func(ctx context.Context, c Client) ([]string, error) {
		_, err := c.HasKeyPair(ctx, "k")
		return nil, err
	}},
	{"delete server", func(ctx context.Context, c Client) ([]string, error) { return nil, c.DeleteServer(ctx, asked) }},
	{"pause server", func(ctx context.Context, c Client) ([]string, error) { return nil, c.PauseServer(ctx, asked) }},
	{"delete image", func(ctx context.Context, c Client) ([]string, error) { return nil, c.DeleteImage(ctx, asked) }},
	{"tag image", func(ctx context.Context, c Client) ([]string, error) { return nil, c.TagImage(ctx, asked, "t") }},
	{"attach port", func(ctx context.Context, c Client) ([]string, error) { return nil, c.AttachPort(ctx, asked, "p") }},
	{"release port", func(ctx context.Context, c Client) ([]string, error) { return nil, c.ReleasePort(ctx, "p") }},
}

func (c call) mutates() bool {
	first, _, _ := strings.Cut(c.name, " ")
	return first != "list" && first != "get" && first != "has"
}

func idsOf[T any](found []T, id func(T) string) []string {
	var ids []string
	for _, one := range found {
		ids = append(ids, id(one))
	}
	return ids
}

func theID[T any](found *T, id func(T) string) []string {
	if found == nil || id(*found) == "" {
		return nil
	}
	return []string{id(*found)}
}

// called returns the call that a number stands for.
func called(which uint8) call { return calls[int(which)%len(calls)] }

// numbered returns the number of a call.
func numbered(name string) uint8 {
	for i, c := range calls {
		if c.name == name {
			return uint8(i)
		}
	}
	panic(name)
}

// seedAnswers are answers as the services give them, by the call that they are to.
func seedAnswers() map[string][]string {
	return map[string][]string{
		"list servers by name": {
			`{"servers": [` + serverAt246 + `]}`,
			`{"servers": [{"id": "a", "tags": null, "metadata": {"a": null}, "security_groups": [{"name": 5}], "fault": {"code": 500}}], "servers_links": [{"rel": "next", "href": "?marker=a"}]}`,
			`{"servers": [{"id": "..", "OS-EXT-STS:power_state": 1e99, "flavor": {"swap": "x", "ephemeral": 9223372036854775808}}]}`,
		},
		"list servers by tag": {`{"servers": [{"id": "a", "addresses": {"n": [{"OS-EXT-IPS-MAC:mac_addr": "x"}]}, "image": {"id": 5}, "locked": null}]}`},
		"get server":          {`{"server": {"id": "` + asked + `", "image": "", "addresses": {}, "OS-SRV-USG:launched_at": "2026-11-23T01:52:43.000000"}}`, `{"server": {"id": "another"}}`},
		"list actions":        {`{"instanceActions": [{"action": "pause", "request_id": "req-1", "start_time": "2026-11-23T01:52:27.000000", "message": null}]}`},
		"list server groups":  {`{"server_groups": [{"id": "g", "members": ["m"], "policy": "x", "rules": {"max_server_per_host": 3}}, {"id": "g2", "policies": [], "rules": null}]}`},
		"get flavor":          {`{"flavor": {"id": "` + asked + `", "swap": "", "disk": 40, "rxtx_factor": 1.0, "OS-FLV-EXT-DATA:ephemeral": 1e300}}`},
		"list images": {
			`{"images": [{"id": "a", "name": null, "size": null, "overwinter_cycle": 5, "instance_uuid": {"x": []}, "tags": ["t"], "properties": 7, "min_disk": null}], "next": "/v2/images?marker=a"}`,
			`{"images": [{"id": "a", "size": "5"}, {"id": "b", "size": 1e30, "created_at": "x"}], "next": null}`,
			`{"images": [{"id": "a", "locations": [{"url": 5}], "os_hidden": "no", "virtual_size": -1}]}`,
		},
		"get image":            {`{"id": "` + asked + `", "status": "active", "size": 5, "protected": false, "instance_uuid": "s", "overwinter_cycle": null, "nested": {"a": [1, {"b": null}]}}`, `{"id": ".."}`},
		"list ports":           {`{"ports": [{"id": "a", "device_id": "d", "fixed_ips": [{"ip_address": "10.0.0.9"}], "tags": null, "created_at": "2026-11-23T01:52:43Z"}], "ports_links": [{"rel": "next", "href": "http://x/ports?marker=a"}]}`},
		"get network":          {`{"network": {"id": "` + asked + `", "shared": true, "created_at": "x", "availability_zone_hints": null}}`},
		"list security groups": {`{"security_groups": [{"id": "s", "security_group_rules": [{"port_range_min": null}]}]}`},
		"create server":        {`{"server": {"id": "s", "adminPass": "` + adminPass + `", "links": []}}`, `{"server": {"id": ""}}`, `{"server": [`, ``},
		"create image":         {`{"image_id": "i"}`, ``, `{"image_id": 5}`},
		"has key pair":         {`{"keypair": {"name": "k"}}`},
	}
}

// Any answer to any request is a result with IDs that can be worked with, or an error that can stand in a condition and
// that says rightly whether something may have happened.
func FuzzAnswer(f *testing.F) {
	versions := "X-Openstack-Nova-Api-Version: 2.90\nX-Openstack-Request-Id: req-1"
	for name, bodies := range seedAnswers() {
		for _, body := range bodies {
			f.Add(numbered(name), uint16(200), versions, []byte(body))
			f.Add(numbered(name), uint16(202), versions, []byte(body))
			f.Add(numbered(name), uint16(201), versions, []byte(body))
		}
	}
	for name, test := range answers {
		f.Add(uint8(len(name)), uint16(test.status), "Retry-After: 5", []byte(test.body))
	}
	f.Add(numbered("list servers by tag"), uint16(200), "Openstack-Api-Version: compute 2.25", []byte(`{"servers": []}`))
	f.Add(numbered("list servers by tag"), uint16(406), "", []byte(`{"computeFault": {"message": "Version 2.90 is not supported by the API. Minimum is 2.1 and maximum is 2.30."}}`))
	f.Add(numbered("create image"), uint16(202), "Location: http://glance//images/..", []byte(nil))
	f.Add(numbered("create image"), uint16(202), "Location: http://glance/v2/images/i?x#y", []byte(nil))
	f.Add(numbered("get server"), uint16(429), "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", []byte(nil))
	f.Add(numbered("get server"), uint16(503), "Retry-After: -9223372036854775808", []byte("\x1b[31m<br>\u2028"))
	f.Add(numbered("get server"), uint16(302), "Location: http://elsewhere/", []byte(nil))
	f.Add(numbered("get server"), uint16(200), "", []byte(strings.Repeat(`{"server":`, 300)))
	f.Add(numbered("delete image"), uint16(401), "", []byte(`{"error": {"message": "no"}}`))
	f.Fuzz(func(t *testing.T, which uint8, status uint16, headers string, body []byte) {
		call := called(which)
		code := statusOf(status)
		password := mark + "-password"
		ask := func() (*fuzzCloud, []string, error) {
			cloud := &fuzzCloud{t: t, answer: func(*http.Request) *http.Response { return reply(code, headers, body) }}
			ids, err := call.do(t.Context(), cloud.client(password))
			return cloud, ids, err
		}
		var cloud *fuzzCloud
		var ids []string
		var err error
		within(t, len(body)+len(headers), func() { cloud, ids, err = ask() })
		cloud.checkLog(mark)
		if err != nil {
			checkFailure(t, err, password, fuzzToken)
			checkAmbiguity(t, call, code, err)
			if code < 300 && strings.Contains(err.Error(), adminPass) {
				t.Fatalf("what was made is in the error: %v", err)
			}
			if len(ids) > 0 {
				t.Fatalf("%v, and yet it found %q", err, ids)
			}
			return
		}
		checkFound(t, call, code, ids)
		if _, again, err := ask(); err != nil || !reflect.DeepEqual(again, ids) {
			t.Fatalf("another time it found %q, %v", again, err)
		}
	})
}

// checkAmbiguity: what may have taken effect must not be repeated at once, and what has not must not be waited for.
func checkAmbiguity(t *testing.T, call call, status int, err error) {
	t.Helper()
	if IsNotFound(err) && status != http.StatusNotFound {
		t.Fatalf("nobody said that it does not exist: %v", err)
	}
	if may, must := call.mutates() && status/100 != 4, call.mutates() && (status >= 500 || status < 300); IsAmbiguous(err) && !may || !IsAmbiguous(err) && must {
		t.Fatalf("ambiguous %t: %v", IsAmbiguous(err), err)
	}
}

// checkFound: success needs an answer that says so, and each ID leads to the one object that has it.
func checkFound(t *testing.T, call call, status int, ids []string) {
	t.Helper()
	if status >= 300 && call.name != "has key pair" {
		t.Fatalf("an answer of %d is no success", status)
	}
	if strings.HasPrefix(call.name, "create") && len(ids) == 0 {
		t.Fatal("it was made, and has no ID")
	}
	if strings.HasPrefix(call.name, "get") && !reflect.DeepEqual(ids, []string{asked}) {
		t.Fatalf("%q was asked for and %q found", asked, ids)
	}
	for _, id := range ids {
		if id == "" {
			t.Fatal("an object without an ID")
		}
		target, err := resource(operation{}, "servers", id)
		if err != nil {
			continue
		}
		if strings.Count(target, "/") != 1 || path.Clean("/"+target) != "/"+target {
			t.Fatalf("%q leads to %q", id, target)
		}
	}
}

// Lists end, whatever the links to their next pages are: to themselves, in a circle, or to more of the same.
func FuzzPages(f *testing.F) {
	for _, next := range []string{"?marker=a", "?", "", "/v2/images", "http://x/images?a=b&name=x", "%zz", "?%zz"} {
		f.Add(numbered("list images"), `{"images": [{"id": "a"}], "next": "`+next+`"}`)
		f.Add(numbered("list servers by name"), `{"servers": [{"id": "a"}], "servers_links": [{"rel": "next", "href": "`+next+`"}]}`)
		f.Add(numbered("list ports"), `{"ports": [{"id": "a"}], "ports_links": [{"rel": "next", "href": "`+next+`"}]}`)
	}
	f.Add(numbered("list servers by name"), `{"servers": [{"id": "a"}], "servers_links": [{"rel": "next", "href": "?name=%5Edemo-"}]}`)
	f.Add(numbered("list images"), `{"images": [{"id": "a"}], "next": "?marker=a"}`+"\n"+`{"images": [{"id": "b"}], "next": "?marker=b"}`)
	f.Add(numbered("list images"), `{"images": [{"id": "a"}], "next": "?marker=a"}`+"\n"+`{"images": [], "next": "?marker=b"}`)
	f.Add(numbered("list server groups"), `{"server_groups": [`+strings.TrimSuffix(strings.Repeat(`{"id": "g"},`, 100), ",")+`]}`)
	f.Add(numbered("list actions"), `{"instanceActions": [{"request_id": "a", "start_time": "2026-11-23T01:52:27.000000"}], "links": [{"rel": "next", "href": "?marker=a"}]}`)
	f.Fuzz(func(t *testing.T, which uint8, pages string) {
		bodies := strings.Split(pages, "\n")
		bodies = bodies[:min(len(bodies), rounds/4)]
		call := called(which)
		cloud := &fuzzCloud{t: t}
		cloud.answer = func(*http.Request) *http.Response {
			// The same again, once they have all been shown.
			body := bodies[(len(cloud.sent)-1)%len(bodies)]
			return reply(200, "X-Openstack-Nova-Api-Version: 2.90", []byte(body))
		}
		ids, err := call.do(t.Context(), cloud.client(mark))
		if err != nil {
			checkFailure(t, err, mark, fuzzToken)
			return
		}
		if call.mutates() {
			return
		}
		for _, request := range cloud.sent {
			if request.Header.Get("X-Auth-Token") != fuzzToken || !strings.Contains("nova glance neutron", request.URL.Host) {
				t.Fatalf("the token went to %s", request.URL)
			}
		}
		if len(ids) > 0 && len(cloud.sent) > len(bodies)+1 {
			t.Fatalf("%d requests for %d pages", len(cloud.sent), len(bodies))
		}
	})
}
