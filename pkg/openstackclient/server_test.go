package openstackclient

import (
	"encoding/json"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// What Nova 26 shows at 2.46, with a second and third network added so that their order is not the alphabet's.
const serverAt246 = `{"id": "60963b7c-5f4c-4238-93f8-cc8aa9af9d8c", "name": "demo-worker-0", "status": "ACTIVE", "tenant_id": "f064", "user_id": "f6a7",
"metadata": {"Name": "demo-worker", "openshiftClusterID": "demo", "empty": ""}, "hostId": "ead5",
"image": {"id": "b2494575-ceee-44fa-b708-049a9137c997", "links": []}, "flavor": {"id": "cb155f30-6222-4967-bb13-f43146591126", "links": []},
"created": "2026-11-23T01:52:29Z", "updated": "2026-11-23T01:52:43Z", "addresses": {
"zoo": [{"version": 4, "addr": "10.0.2.10", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:ad:8e:12"},
        {"version": 6, "addr": "fd00::1", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:ad:8e:12"}],
"app": [{"version": 4, "addr": "10.0.0.99", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:9c:c2:36"}],
"mid": [{"version": 4, "addr": "10.9.0.1", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:01:02:03"}]},
"accessIPv4": "", "accessIPv6": "", "links": [], "OS-DCF:diskConfig": "MANUAL", "progress": 0, "OS-EXT-AZ:availability_zone": "nova",
"config_drive": "True", "key_name": "demo", "OS-SRV-USG:launched_at": "2026-11-23T01:52:43.000000", "OS-SRV-USG:terminated_at": null,
"OS-EXT-STS:task_state": null, "OS-EXT-STS:vm_state": "active", "OS-EXT-STS:power_state": 1,
"os-extended-volumes:volumes_attached": [{"id": "v1"}], "locked": false, "description": "größer", "tags": ["a", "b"], "security_groups": [{"name": "demo-worker"}]}`

func TestServerWithFlavorID(t *testing.T) {
	g := NewWithT(t)
	var server Server
	g.Expect(json.Unmarshal([]byte(serverAt246), &server)).To(Succeed())
	g.Expect(server.ID).To(Equal("60963b7c-5f4c-4238-93f8-cc8aa9af9d8c"))
	g.Expect(server.Description).To(Equal("größer"))
	g.Expect(server.MACs).To(Equal([]string{"fa:16:3e:ad:8e:12", "fa:16:3e:9c:c2:36", "fa:16:3e:01:02:03"}), "in Nova's order, each once")
	g.Expect(server.ImageID).To(Equal("b2494575-ceee-44fa-b708-049a9137c997"))
	g.Expect(server.FlavorID).To(Equal("cb155f30-6222-4967-bb13-f43146591126"))
	g.Expect(server.FlavorName).To(BeEmpty())
	g.Expect(server.Metadata).To(HaveKeyWithValue("openshiftClusterID", "demo"))
	g.Expect(*server.Tags).To(Equal([]string{"a", "b"}))
	g.Expect(server.ConfigDrive).To(BeTrue())
	g.Expect(server.AttachedVolumes).To(HaveLen(1))
	g.Expect(server.LaunchedAt).To(Equal(time.Date(2026, 11, 23, 1, 52, 43, 0, time.UTC)))
	g.Expect(server.Hostname).To(BeNil())
}

func TestServerWithHostname(t *testing.T) {
	g := NewWithT(t)
	var server Server
	server.MACs, server.FlavorID = []string{"left"}, "over"
	g.Expect(json.Unmarshal([]byte(`{"id": "1", "image": "", "description": null, "addresses": {},
		"flavor": {"vcpus": 4, "ram": 8192, "disk": 40, "ephemeral": 20, "swap": 512, "original_name": "rig.worker", "extra_specs": {}},
		"OS-SRV-USG:launched_at": null, "OS-EXT-SRV-ATTR:hostname": "demo"}`), &server)).To(Succeed())
	g.Expect(server.FlavorName).To(Equal("rig.worker"))
	g.Expect(server.FlavorID).To(BeEmpty())
	g.Expect(server.EphemeralGiB).To(Equal(20))
	g.Expect(server.SwapMiB).To(Equal(512))
	g.Expect(server.ImageID).To(BeEmpty())
	g.Expect(server.Image).To(BeNil())
	g.Expect(server.Description).To(BeEmpty())
	g.Expect(server.MACs).To(BeEmpty())
	g.Expect(server.LaunchedAt.IsZero()).To(BeTrue())
	g.Expect(*server.Hostname).To(Equal("demo"))
}

func TestMalformedServers(t *testing.T) {
	for _, content := range []string{
		`[]`, `"x"`, `{"id": 5}`, `{"id": "1", "addresses": []}`, `{"id": "1", "addresses": {"net": {}}}`, `{"id": "1", "addresses": {"net": [5]}}`,
		`{"id": "1", "image": [1]}`, `{"id": "1", "flavor": []}`, `{"id": "1", "flavor": {"swap": "many"}}`, `{"id": "1", "created": "yesterday"}`,
		`{"id": "1", "OS-SRV-USG:launched_at": "x"}`, `{"id": "1", "config_drive": 7}`, `{"id": "1", "description": 5}`,
	} {
		NewWithT(t).Expect(json.Unmarshal([]byte(content), new(Server))).NotTo(Succeed(), content)
	}
}
