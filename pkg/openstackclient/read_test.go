package openstackclient

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"
)

// pages answers with one page after the other, by the marker in the query.
func pages(byMarker map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := byMarker[r.URL.Query().Get("marker")]
		if !ok {
			answer(400, `{"badRequest": {"message": "marker not found"}}`)(w, r)
			return
		}
		answer(200, body)(w, r)
	}
}

func TestServersOfAllPages(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	// The link leads elsewhere, as behind a proxy that Nova does not know of.
	const next = `"servers_links": [{"rel": "next", "href": "http://internal:8774/v2.1/servers/detail?limit=1&name=%%5Edemo-&marker=%s"}]`
	cloud.on("GET /v2.1/servers/detail", pages(map[string]string{
		"":  `{"servers": [{"id": "a"}], ` + fmt.Sprintf(next, "a") + `}`,
		"a": `{"servers": [{"id": "b"}], ` + fmt.Sprintf(next, "b") + `}`,
		"b": `{"servers": [{"id": "c"}]}`,
	}))
	found, err := cloud.client(FactoryOptions{}).ListServers(t.Context(), ViewFlavorID, servers.ListOpts{Name: "^demo-", Limit: 1})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(3))
	g.Expect(found[2].ID).To(Equal("c"))
	query, err := url.ParseQuery(cloud.last().query)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(query).To(Equal(url.Values{"limit": {"1"}, "name": {"^demo-"}, "marker": {"b"}}))
}

func TestImagesOfAllPages(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /image/v2/images", pages(map[string]string{
		"": `{"images": [{"id": "a", "name": "x", "hibernation_cycle": "1", "size": null}], "next": "/v2/images?hibernation_cycle=1&marker=a"}`,
		// Glance offers a next page that turns out to be empty, and here even one after that.
		"a": `{"images": [{"id": "b", "size": 5}], "next": "/v2/images?hibernation_cycle=1&marker=b"}`,
		"b": `{"images": [], "next": "/v2/images?hibernation_cycle=1&marker=c"}`,
	}))
	client := cloud.client(FactoryOptions{})
	opts := ListImagesOpts{ListOpts: images.ListOpts{Name: "in:a,b", Tags: []string{"t=1"}}, Properties: map[string]string{"hibernation_cycle": "1", "instance_uuid": "x y"}}
	found, err := client.ListImages(t.Context(), opts)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(2))
	g.Expect(found[0].Properties).To(HaveKeyWithValue("hibernation_cycle", "1"))
	query, err := url.ParseQuery(cloud.requests[1].query)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(query).To(Equal(url.Values{"name": {"in:a,b"}, "tag": {"t=1"}, "hibernation_cycle": {"1"}, "instance_uuid": {"x y"}}))
}

func TestPorts(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /network/v2.0/ports", pages(map[string]string{
		"":  `{"ports": [{"id": "a", "device_id": "d1"}], "ports_links": [{"rel": "next", "href": "http://x/v2.0/ports?marker=a"}, {"rel": "previous", "href": "http://x/v2.0/ports?marker=z&page_reverse=True"}]}`,
		"a": `{"ports": [{"id": "b"}], "ports_links": [{"rel": "previous", "href": "http://x/v2.0/ports?marker=b&page_reverse=True"}]}`,
	}))
	client := cloud.client(FactoryOptions{})
	found, err := client.ListPorts(t.Context(), ListPortsOpts{ListOpts: ports.ListOpts{NetworkID: "n"}, DeviceIDs: []string{"d1", "d2"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(2))
	g.Expect(cloud.requests[1].query).To(Equal("device_id=d1&device_id=d2&network_id=n"))

	many := make([]string, 250)
	for i := range many {
		many[i] = fmt.Sprintf("11111111-2222-4333-8444-%012d", i)
	}
	cloud.on("GET /network/v2.0/ports", answer(200, `{"ports": []}`))
	before := len(cloud.log())
	_, err = client.ListPorts(t.Context(), ListPortsOpts{DeviceIDs: many})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cloud.log()).To(HaveLen(before + 3))
	asked := ""
	for _, request := range cloud.requests[before:] {
		g.Expect(len(request.query)).To(BeNumerically("<", 6000))
		asked += request.query
	}
	for _, device := range many {
		g.Expect(asked).To(ContainSubstring(device))
	}

	_, err = client.ListPorts(t.Context(), ListPortsOpts{IDs: []string{"p1", "p2"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cloud.last().query).To(Equal("id=p1&id=p2"))

	before = len(cloud.log())
	for _, opts := range []ListPortsOpts{
		{DeviceIDs: []string{"d1", ""}}, // an empty one would select every unused port
		{IDs: []string{""}},
		{IDs: []string{"p1"}, DeviceIDs: []string{"d1"}},
	} {
		_, err = client.ListPorts(t.Context(), opts)
		g.Expect(KindOf(err)).To(Equal(KindInvalid))
	}
	g.Expect(cloud.log()).To(HaveLen(before))
}

func TestServerGroupsOfAllPages(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/os-server-groups", func(w http.ResponseWriter, r *http.Request) {
		count := map[string]int{"": 100, "100": 100, "200": 3}[r.URL.Query().Get("offset")]
		list := make([]string, count)
		for i := range list {
			list[i] = fmt.Sprintf(`{"id": "g-%s-%d", "members": ["m"], "policy": "soft-anti-affinity", "rules": {}}`, r.URL.Query().Get("offset"), i)
		}
		answer(200, `{"server_groups": [`+strings.Join(list, ", ")+`]}`)(w, r)
	})
	found, err := cloud.client(FactoryOptions{}).ListServerGroups(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(203))
	g.Expect(found[0].Members).To(Equal([]string{"m"}))
	g.Expect(*found[0].Policy).To(Equal("soft-anti-affinity"))
	g.Expect(cloud.last().header.Get("X-Openstack-Nova-Api-Version")).To(Equal("2.64"))
}

// A list whose every page is new never ends: it is given up before it fills the memory.
func TestEndlessLists(t *testing.T) {
	g := NewWithT(t)
	pages, description := 0, strings.Repeat("x", 100<<10)
	cloud := newFakeCloud(t)
	cloud.on("GET /network/v2.0/ports", func(w http.ResponseWriter, r *http.Request) {
		pages++
		answer(200, fmt.Sprintf(`{"ports": [{"id": "%d", "description": "%s"}], "ports_links": [{"rel": "next", "href": "?marker=%d"}]}`, pages, description, pages))(w, r)
	})
	_, err := cloud.client(FactoryOptions{}).ListPorts(t.Context(), ListPortsOpts{})
	g.Expect(err).To(MatchError(ContainSubstring("the list takes more than 6144 KiB")))
	g.Expect(KindOf(err)).To(Equal(KindInvalid))
	g.Expect(pages).To(BeNumerically("<=", maxListBody/(100<<10)+1))
}

// An answer that is not what it should be must not pass for an empty list.
func TestMalformedLists(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"servers": null}`, `{"servers": {}}`, `{"servers": [{}]}`, `{"servers": [{"id": ""}]}`, `{"servers": [5]}`, `{"servers": [`,
		`{"servers": [null]}`, `<html></html>`, `{"servers": [{"id": "a", "created": "x"}]}`,
		`{"servers": [{"id": "a"}], "servers_links": 5}`, `{"servers": [{"id": "a"}], "servers_links": [{"rel": "next", "href": "/v2.1/servers/detail"}]}`,
		`{"servers": [{"id": "a"}], "servers_links": [{"rel": "next", "href": "?name=x"}]}`, `{"servers": [{"id": "a"}], "next": 5}`,
	} {
		t.Run(body, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			cloud.on("GET /v2.1/servers/detail", answer(200, body))
			found, err := cloud.client(FactoryOptions{ReadAttempts: 1}).ListServers(t.Context(), ViewFlavorID, servers.ListOpts{Name: "x"})
			g.Expect(found).To(BeNil())
			g.Expect(KindOf(err)).To(Equal(KindTransient))
			g.Expect(asError(err).Op).To(Equal("list servers"))
			g.Expect(len(cloud.log())).To(BeNumerically("<=", 3), "it is not read again and again")
		})
	}
}

func TestMalformedObjects(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `{}`, `{"server": null}`, `{"server": {}}`, `{"server": []}`, `{"server": {"id": "` + serverID + `", "addresses": 5}}`} {
		t.Run(body, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			cloud.on("GET /v2.1/servers/"+serverID, answer(200, body))
			cloud.on("GET /image/v2/images/i", answer(200, body))
			client := cloud.client(FactoryOptions{ReadAttempts: 1})
			server, err := client.GetServer(t.Context(), ViewFlavorID, serverID)
			g.Expect(server).To(BeNil())
			g.Expect(KindOf(err)).To(Equal(KindTransient))
			image, err := client.GetImage(t.Context(), "i")
			g.Expect(image).To(BeNil())
			g.Expect(KindOf(err)).To(Equal(KindTransient))
		})
	}
}

func TestObjects(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	cloud.on("GET /image/v2/images/i", answer(200, `{"id": "i", "status": "saving", "instance_uuid": "s", "size": null, "tags": ["a"], "protected": true, "created_at": "2026-11-23T01:51:44Z"}`))
	image, err := client.GetImage(t.Context(), "i")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Status).To(Equal(images.ImageStatusSaving))
	g.Expect(image.Properties).To(HaveKeyWithValue("instance_uuid", "s"))

	cloud.on("GET /v2.1/flavors/f%20g", answer(200, `{"flavor": {"id": "f g", "name": "rig.worker", "disk": 40, "swap": "", "OS-FLV-EXT-DATA:ephemeral": 3}}`))
	flavor, err := client.GetFlavor(t.Context(), "f g")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(flavor.Ephemeral).To(Equal(3))

	cloud.on("GET /network/v2.0/networks/n", answer(200, `{"network": {"id": "n", "shared": true}}`))
	network, err := client.GetNetwork(t.Context(), "n")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(network.Shared).To(BeTrue())

	cloud.on("GET /network/v2.0/security-groups", answer(200, `{"security_groups": [{"id": "s", "name": "demo"}]}`))
	found, err := client.ListSecurityGroups(t.Context(), groups.ListOpts{Tags: "a=b"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(1))
	g.Expect(cloud.last().query).To(Equal("tags=a%3Db"))

	cloud.on("GET /v2.1/os-keypairs/my%2Fkey", answer(200, `{"keypair": {"name": "my/key"}}`))
	has, err := client.HasKeyPair(t.Context(), "my/key")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(has).To(BeTrue())
	cloud.on("GET /v2.1/os-keypairs/other", answer(404, `{"itemNotFound": {"code": 404, "message": "Keypair other not found for user f6a7"}}`))
	has, err = client.HasKeyPair(t.Context(), "other")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(has).To(BeFalse())
	cloud.on("GET /v2.1/os-keypairs/other", http.NotFound)
	_, err = client.HasKeyPair(t.Context(), "other")
	g.Expect(KindOf(err)).To(Equal(KindTransient))

	cloud.on("GET /v2.1/servers/"+serverID+"/os-instance-actions", answer(200, `{"instanceActions": [
		{"action": "createImage", "instance_uuid": "`+serverID+`", "request_id": "req-2", "user_id": "u", "project_id": "p", "start_time": "2026-11-23T01:52:27.000000", "message": "Error"},
		{"action": "create", "instance_uuid": "`+serverID+`", "request_id": "req-1", "user_id": "u", "project_id": "p", "start_time": "2026-11-23T01:52:26.000000", "message": null}]}`))
	actions, err := client.ListServerActions(t.Context(), serverID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(actions).To(HaveLen(2))
	g.Expect(actions[0].Message).To(Equal("Error"))
	g.Expect(actions[1].StartTime.Second()).To(Equal(26))
	g.Expect(actions[1].RequestID).To(Equal("req-1"))
	g.Expect(cloud.last().header.Get("X-Openstack-Nova-Api-Version")).To(Equal("2.21"), "from there on the history of a deleted server is shown")
}

func TestEmptyIDsAreNotSent(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	ctx := t.Context()
	_, get := client.GetServer(ctx, ViewFlavorID, "")
	_, getImage := client.GetImage(ctx, "")
	_, key := client.HasKeyPair(ctx, "")
	_, create := client.CreateServerImage(ctx, "", servers.CreateImageOpts{Name: "x"})
	for _, err := range []error{
		get, getImage, key, create, client.DeleteServer(ctx, ""), client.DeleteImage(ctx, ""), client.PauseServer(ctx, ""), client.TagImage(ctx, "i", ""),
		client.AttachPort(ctx, "", "p"), client.AttachPort(ctx, serverID, ""), client.ReleasePort(ctx, ""),
	} {
		g.Expect(KindOf(err)).To(Equal(KindInvalid))
	}
	g.Expect(cloud.log()).To(BeEmpty())
}
