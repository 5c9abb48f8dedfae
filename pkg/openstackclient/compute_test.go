package openstackclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	. "github.com/onsi/gomega"
)

// upTo answers like a Nova whose highest microversion is 2.N.
func upTo(highest int, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := r.Header.Get("X-Openstack-Nova-Api-Version")
		if minor, err := strconv.Atoi(strings.TrimPrefix(asked, "2.")); err == nil && minor > highest {
			answer(406, fmt.Sprintf(`{"computeFault": {"code": 406, "message": "Version %s is not supported by the API. Minimum is 2.1 and maximum is 2.%d."}}`, asked, highest))(w, r)
			return
		}
		next(w, r)
	}
}

func versions(cloud *fakeCloud) []string {
	cloud.mu.Lock()
	defer cloud.mu.Unlock()
	var found []string
	for _, request := range cloud.requests {
		if strings.HasPrefix(request.path, "/v2.1/") {
			found = append(found, request.header.Get("X-Openstack-Nova-Api-Version"))
		}
	}
	return found
}

func TestMicroversionFallsBack(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("GET /v2.1/servers/"+serverID, upTo(79, answer(200, serverBody)))
	client := cloud.client(FactoryOptions{})
	for range 2 {
		_, err := client.GetServer(t.Context(), ViewHostname, serverID)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = client.GetServer(t.Context(), ViewFlavorID, serverID)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(versions(cloud)).To(Equal([]string{"2.90", "2.79", "2.46", "2.79", "2.46"}), "what the cloud has is remembered")
}

func TestMicroversionThatIsNeeded(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	cloud.on("POST /v2.1/servers", upTo(51, answer(202, `{"server": {"id": "new"}}`)))
	client := cloud.client(FactoryOptions{})
	opts := CreateServerOpts{CreateOpts: servers.CreateOpts{Name: "demo", Tags: []string{"a"}}}
	for range 2 {
		_, err := client.CreateServer(t.Context(), opts)
		g.Expect(err).To(MatchError(ContainSubstring("this needs microversion 2.52 of the compute API")))
		g.Expect(err).To(MatchError(ContainSubstring("has none above 2.51")))
		g.Expect(KindOf(err)).To(Equal(KindInvalid))
		g.Expect(IsAmbiguous(err)).To(BeFalse())
	}
	g.Expect(versions(cloud)).To(Equal([]string{"2.52"}))

	cloud.on("GET /v2.1/servers/detail", upTo(25, answer(200, `{"servers": [{"id": "not-ours"}]}`)))
	old := cloud.client(FactoryOptions{})
	found, err := old.ListServers(t.Context(), ViewFlavorID, servers.ListOpts{Tags: "openshiftClusterID=demo"})
	g.Expect(err).To(MatchError(ContainSubstring("needs microversion 2.26")))
	g.Expect(found).To(BeNil())
	found, err = old.ListServers(t.Context(), ViewFlavorID, servers.ListOpts{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(1))
}

// A proxy that drops the header turns a filter by tag into a list of everything.
func TestTagFilterNeedsTheRightAnswer(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	list := func(header, value string) error {
		cloud.on("GET /v2.1/servers/detail", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			_, _ = w.Write([]byte(`{"servers": []}`))
		})
		_, err := client.ListServers(t.Context(), ViewFlavorID, servers.ListOpts{TagsAny: "a"})
		return err
	}
	g.Expect(list("X-Openstack-Nova-Api-Version", "2.46")).To(Succeed())
	g.Expect(list("Openstack-Api-Version", "compute 2.46")).To(Succeed())
	g.Expect(list("X-Openstack-Nova-Api-Version", "2.1")).To(MatchError(ContainSubstring("does not filter by tag")))
	g.Expect(list("X-Other", "")).To(MatchError(ContainSubstring("does not filter by tag")))
}

func TestCreateServer(t *testing.T) {
	yes := true
	for name, test := range map[string]struct {
		opts          CreateServerOpts
		version, body string
	}{
		"least": {
			CreateServerOpts{CreateOpts: servers.CreateOpts{Name: "demo", ImageRef: "i", FlavorRef: "f", Networks: []servers.Network{{Port: "p1"}, {Port: "p2"}}}},
			"2.19", `{"server": {"name": "demo", "imageRef": "i", "flavorRef": "f", "networks": [{"port": "p1"}, {"port": "p2"}]}}`,
		},
		"all": {
			CreateServerOpts{
				CreateOpts: servers.CreateOpts{
					Name: "demo", ImageRef: "i", FlavorRef: "f", Networks: []servers.Network{{Port: "p1"}}, AvailabilityZone: "az", ConfigDrive: &yes,
					Metadata: map[string]string{"a": "b"}, Tags: []string{"t=1", "u"},
				},
				Description: "größer", KeyName: "my key", ServerGroup: "9fea6e4e-cbff-43f4-b503-5fcb072c3aa9",
			},
			"2.52", `{"server": {"name": "demo", "imageRef": "i", "flavorRef": "f", "networks": [{"port": "p1"}], "availability_zone": "az", "config_drive": true,
				"metadata": {"a": "b"}, "tags": ["t=1", "u"], "description": "größer", "key_name": "my key"}, "os:scheduler_hints": {"group": "9fea6e4e-cbff-43f4-b503-5fcb072c3aa9"}}`,
		},
		"another host name": {
			CreateServerOpts{CreateOpts: servers.CreateOpts{Name: "demo", Hostname: "other", Networks: []servers.Network{{Port: "p1"}}}},
			"2.90", `{"server": {"name": "demo", "imageRef": "", "flavorRef": "", "hostname": "other", "networks": [{"port": "p1"}]}}`,
		},
		"tag of a port": {
			CreateServerOpts{CreateOpts: servers.CreateOpts{Name: "demo", Networks: []servers.Network{{Port: "p1", Tag: "x"}}}},
			"2.42", `{"server": {"name": "demo", "imageRef": "", "flavorRef": "", "networks": [{"port": "p1", "tag": "x"}]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			cloud.on("POST /v2.1/servers", answer(202, `{"server": {"id": "new", "adminPass": "x"}}`))
			id, err := cloud.client(FactoryOptions{}).CreateServer(t.Context(), test.opts)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(id).To(Equal("new"))
			g.Expect(cloud.last().body).To(MatchJSON(test.body))
			g.Expect(versions(cloud)).To(Equal([]string{test.version}))
		})
	}
}

func TestCreateServerWithoutAnID(t *testing.T) {
	for _, body := range []string{``, `{}`, `{"server": {}}`, `[]`, `{"server": {"id": 5}}`} {
		g := NewWithT(t)
		cloud := newFakeCloud(t)
		cloud.on("POST /v2.1/servers", answer(202, body))
		_, err := cloud.client(FactoryOptions{}).CreateServer(t.Context(), CreateServerOpts{CreateOpts: servers.CreateOpts{Name: "demo"}})
		g.Expect(KindOf(err)).To(Equal(KindTransient))
		g.Expect(IsAmbiguous(err)).To(BeTrue(), "there may be a server now")
	}
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	_, err := cloud.client(FactoryOptions{}).CreateServer(t.Context(), CreateServerOpts{})
	g.Expect(KindOf(err)).To(Equal(KindInvalid))
	g.Expect(cloud.log()).To(BeEmpty())
}

func TestImageIDIsNeverEmpty(t *testing.T) {
	const id = "b2494575-ceee-44fa-b708-049a9137c997"
	location := func(value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", value)
			w.WriteHeader(http.StatusAccepted)
		}
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		ok      bool
	}{
		"body": {answer(202, `{"image_id": "`+id+`"}`), true},
		"body without a content type": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(202)
			_, _ = w.Write([]byte(`{"image_id": "` + id + `"}`))
		}, true},
		"location":                   {location("http://glance:9292//images/" + id), true},
		"location of an old cloud":   {upTo(44, location("http://glance:9292/images/"+id)), true},
		"location of something else": {location("http://glance:9292/"), false},
		"location without an ID":     {location("http://glance:9292/images/"), false},
		"neither":                    {answer(202, ``), false},
		"an empty ID":                {answer(202, `{"image_id": ""}`), false},
		"no JSON":                    {answer(202, `x`), false},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cloud := newFakeCloud(t)
			cloud.on("POST /v2.1/servers/"+serverID+"/action", test.handler)
			got, err := cloud.client(FactoryOptions{}).CreateServerImage(t.Context(), serverID, servers.CreateImageOpts{Name: "snap", Metadata: map[string]string{"k": "v"}})
			g.Expect(cloud.last().body).To(MatchJSON(`{"createImage": {"name": "snap", "metadata": {"k": "v"}}}`))
			g.Expect(versions(cloud)[0]).To(Equal("2.45"))
			if test.ok {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(got).To(Equal(id))
				return
			}
			g.Expect(got).To(BeEmpty())
			g.Expect(KindOf(err)).To(Equal(KindTransient))
			g.Expect(IsAmbiguous(err)).To(BeTrue(), "there may be an image now")
		})
	}
}

func TestActions(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	cloud.on("POST /v2.1/servers/"+serverID+"/action", answer(202, ""))
	cloud.on("DELETE /v2.1/servers/"+serverID, answer(204, ""))
	cloud.on("DELETE /image/v2/images/i", answer(204, ""))
	cloud.on("PUT /image/v2/images/i/tags/openshiftClusterID=demo", answer(204, ""))
	for action, do := range map[string]func() error{
		"pause":       func() error { return client.PauseServer(t.Context(), serverID) },
		"unpause":     func() error { return client.UnpauseServer(t.Context(), serverID) },
		"os-start":    func() error { return client.StartServer(t.Context(), serverID) },
		"os-stop":     func() error { return client.StopServer(t.Context(), serverID) },
		"forceDelete": func() error { return client.ForceDeleteServer(t.Context(), serverID) },
	} {
		g.Expect(do()).To(Succeed())
		var body map[string]any
		g.Expect(json.Unmarshal([]byte(cloud.last().body), &body)).To(Succeed())
		g.Expect(body).To(HaveLen(1))
		g.Expect(body).To(HaveKey(action))
		g.Expect(cloud.last().header).NotTo(HaveKey("X-Openstack-Nova-Api-Version"))
	}
	g.Expect(client.DeleteServer(t.Context(), serverID)).To(Succeed())
	g.Expect(client.DeleteImage(t.Context(), "i")).To(Succeed())
	g.Expect(client.TagImage(t.Context(), "i", "openshiftClusterID=demo")).To(Succeed())
}

func TestReleasePort(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	cloud.on("PUT /network/v2.0/ports/p", answer(200, `{"port": {"id": "p", "device_id": ""}}`))
	g.Expect(client.ReleasePort(t.Context(), "p")).To(Succeed())
	g.Expect(cloud.last().body).To(MatchJSON(`{"port": {"device_id": ""}}`))

	for status, want := range map[int]Kind{403: KindForbidden, 404: KindNotFound, 500: KindTransient} {
		cloud.on("PUT /network/v2.0/ports/p", answer(status, `{"NeutronError": {"type": "T", "message": "It says why.", "detail": ""}}`))
		err := client.ReleasePort(t.Context(), "p")
		g.Expect(KindOf(err)).To(Equal(want))
		g.Expect(err).To(MatchError(fmt.Sprintf("release port: It says why. (HTTP %d)", status)))
	}
}

func TestAttachPort(t *testing.T) {
	g := NewWithT(t)
	cloud := newFakeCloud(t)
	client := cloud.client(FactoryOptions{})
	path := "POST /v2.1/servers/" + serverID + "/os-interface"
	cloud.on(path, answer(200, `{"interfaceAttachment": {"port_id": "p", "port_state": "ACTIVE"}}`))
	g.Expect(client.AttachPort(t.Context(), serverID, "p")).To(Succeed())
	g.Expect(cloud.last().body).To(MatchJSON(`{"interfaceAttachment": {"port_id": "p"}}`))
	g.Expect(cloud.last().header).NotTo(HaveKey("X-Openstack-Nova-Api-Version"))

	for status, want := range map[int]Kind{400: KindInvalid, 403: KindForbidden, 404: KindNotFound, 409: KindConflict, 500: KindTransient} {
		cloud.on(path, answer(status, fmt.Sprintf(`{"failure": {"code": %d, "message": "Port p is still in use."}}`, status)))
		err := client.AttachPort(t.Context(), serverID, "p")
		g.Expect(KindOf(err)).To(Equal(want))
		g.Expect(err).To(MatchError(fmt.Sprintf("attach port to server: Port p is still in use. (HTTP %d)", status)))
		g.Expect(IsAmbiguous(err)).To(Equal(status == 500), "Nova may have got as far as that")
	}
}
