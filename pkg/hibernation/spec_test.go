package hibernation

import (
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

func ptr[T any](v T) *T { return &v }

func fitServer() *openstackclient.Server {
	return &openstackclient.Server{
		Server:     servers.Server{ID: "id-0", Name: "demo-x7k2p-master-0", Status: statusActive},
		ImageID:    "image",
		FlavorName: "m1",
		Power:      openstackclient.PowerRunning,
		MACs:       []string{"fa:16:3e:00:00:0a"},
	}
}

func TestUnfitServersAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*openstackclient.Server)
		why    string
	}{
		"running":             {func(*openstackclient.Server) {}, ""},
		"off":                 {func(s *openstackclient.Server) { s.Status, s.Power = statusShutoff, openstackclient.PowerOff }, ""},
		"paused":              {func(s *openstackclient.Server) { s.Status, s.Power = statusPaused, openstackclient.PowerPaused }, ""},
		"not locked":          {func(s *openstackclient.Server) { s.Locked = ptr(false) }, ""},
		"locked":              {func(s *openstackclient.Server) { s.Locked = ptr(true) }, "unlock it"},
		"boots from a volume": {func(s *openstackclient.Server) { s.ImageID = "" }, "boots from a volume"},
		"a volume": {func(s *openstackclient.Server) { s.AttachedVolumes = []servers.AttachedVolume{{ID: "vol-1"}} },
			"volume vol-1 is attached"},
		"ephemeral disk": {func(s *openstackclient.Server) { s.EphemeralGiB = 1 }, "flavor m1 has local ephemeral or swap disks"},
		"swap":           {func(s *openstackclient.Server) { s.SwapMiB = 1 }, "flavor m1 has local ephemeral or swap disks"},
		"bootstrap":      {func(s *openstackclient.Server) { s.Name = "demo-x7k2p-bootstrap" }, "bootstrap server"},
		"in error":       {func(s *openstackclient.Server) { s.Status = statusError }, "its status is ERROR"},
		"suspended":      {func(s *openstackclient.Server) { s.Status = "SUSPENDED" }, "its status is SUSPENDED"},
		"shelved":        {func(s *openstackclient.Server) { s.Status = "SHELVED_OFFLOADED" }, "its status is SHELVED_OFFLOADED"},
		"rescued":        {func(s *openstackclient.Server) { s.Status = "RESCUE" }, "its status is RESCUE"},
		"resized":        {func(s *openstackclient.Server) { s.Status = "VERIFY_RESIZE" }, "its status is VERIFY_RESIZE"},
		"unknown":        {func(s *openstackclient.Server) { s.Status = "UNKNOWN" }, "its status is UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			srv := fitServer()
			test.change(srv)
			err := refuse([]*openstackclient.Server{fitServer(), srv}, "demo-x7k2p")
			if test.why == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(BeAssignableToTypeOf(&Refusal{}))
			g.Expect(err).To(MatchError(And(HavePrefix(srv.Name+" can't be hibernated: "), ContainSubstring(test.why))))
		})
	}
}

func ownPort(id, mac string) ports.Port {
	return ports.Port{
		ID: id, Name: "demo-master-port-0", MACAddress: mac, NetworkID: "net",
		FixedIPs: []ports.IP{{IPAddress: "10.0.0.9"}, {IPAddress: "fd00::9"}},
	}
}

func TestPortsAreInTheServersOrder(t *testing.T) {
	const a, b = "fa:16:3e:00:00:0a", "fa:16:3e:00:00:0b"
	for name, test := range map[string]struct {
		macs  []string
		ports []ports.Port
		want  []string
		why   string
	}{
		"none":                 {nil, nil, nil, "it has no port"},
		"one":                  {[]string{a}, []ports.Port{ownPort("p-a", a)}, []string{"p-a"}, ""},
		"in the other order":   {[]string{b, a}, []ports.Port{ownPort("p-a", a), ownPort("p-b", b)}, []string{"p-b", "p-a"}, ""},
		"capitals":             {[]string{strings.ToUpper(a)}, []ports.Port{ownPort("p-a", a)}, []string{"p-a"}, ""},
		"without a port":       {[]string{a, b}, []ports.Port{ownPort("p-a", a)}, nil, "its interface " + b + " has no port"},
		"without an interface": {[]string{a}, []ports.Port{ownPort("p-a", a), ownPort("p-b", b)}, nil, "port p-b belongs to it and Nova does not show it"},
		"made by Nova":         {[]string{a}, []ports.Port{{ID: "p-a", MACAddress: a}}, nil, "port p-a was made by Nova"},
		"no name, but a tag":   {[]string{a}, []ports.Port{{ID: "p-a", MACAddress: a, Tags: []string{"x"}}}, []string{"p-a"}, ""},
		"no name, but words":   {[]string{a}, []ports.Port{{ID: "p-a", MACAddress: a, Description: "x"}}, []string{"p-a"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			srv := fitServer()
			srv.MACs = test.macs
			out, err := portsInOrder(srv, test.ports)
			if test.why != "" {
				g.Expect(err).To(BeAssignableToTypeOf(&Refusal{}))
				g.Expect(err).To(MatchError(And(HavePrefix(srv.Name), ContainSubstring(test.why))))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			var ids []string
			for _, p := range out {
				ids = append(ids, p.ID)
			}
			g.Expect(ids).To(Equal(test.want))
		})
	}
}

func TestSpecHoldsAllOfAServer(t *testing.T) {
	g := NewWithT(t)
	srv := fitServer()
	srv.Metadata, srv.Tags, srv.KeyName = map[string]string{"Name": "demo-x7k2p-master"}, &[]string{"openshiftClusterID=demo-x7k2p"}, "core"
	srv.AvailabilityZone, srv.ConfigDrive, srv.Description, srv.Hostname = "az-2", true, "words", ptr("other")
	srv.SecurityGroups = []map[string]any{{"name": "b"}, {"name": "a"}, {"name": "b"}}
	spec, err := specOf(srv, []ports.Port{ownPort("p-a", "fa:16:3e:00:00:0a")})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(spec).To(Equal(ServerSpec{
		FlavorName: "m1", Metadata: map[string]string{"Name": "demo-x7k2p-master"}, Tags: []string{"openshiftClusterID=demo-x7k2p"},
		KeyName: "core", AvailabilityZone: "az-2", ConfigDrive: true, Description: "words", Hostname: "other", SecurityGroups: []string{"a", "b"},
		Ports: []Port{{ID: "p-a", MAC: "fa:16:3e:00:00:0a", IPs: []string{"10.0.0.9", "fd00::9"}, NetworkID: "net"}},
	}))
}

func TestDerivedHostnames(t *testing.T) {
	for name, want := range map[string]string{
		"demo-x7k2p-master-0":               "demo-x7k2p-master-0",
		"Demo_X7.k2p Master":                "demo-x7-k2p-master",
		"-demo.":                            "demo",
		strings.Repeat("a", 64):             strings.Repeat("a", 63),
		strings.Repeat("a", 62) + "-b":      strings.Repeat("a", 62),
		"demo@home":                         "demohome",
		"worker." + strings.Repeat("a", 60): "worker-" + strings.Repeat("a", 56),
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(derivedHostname(name)).To(Equal(want))
			srv := fitServer()
			srv.Name, srv.Hostname = name, ptr(want)
			spec, err := specOf(srv, []ports.Port{ownPort("p-a", "fa:16:3e:00:00:0a")})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(spec.Hostname).To(BeEmpty(), "Nova derives it again")
		})
	}
}

func TestOwnership(t *testing.T) {
	const mine, other = "demo-x7k2p", "demo-x7k2p-b"
	for name, test := range map[string]struct {
		metadata string
		tags     []string
		owned    bool
		blocked  bool
	}{
		"a name alone":              {"", nil, false, false},
		"metadata":                  {mine, nil, true, false},
		"tag":                       {"", []string{"x", clusterTag(mine)}, true, false},
		"both":                      {mine, []string{clusterTag(mine)}, true, false},
		"another's metadata":        {other, nil, false, false},
		"another's tag":             {"", []string{clusterTag(other)}, false, false},
		"metadata against tag":      {mine, []string{clusterTag(other)}, false, true},
		"tag against metadata":      {other, []string{clusterTag(mine)}, false, true},
		"two tags":                  {"", []string{clusterTag(mine), clusterTag(other)}, false, true},
		"a tag that starts like it": {"", []string{clusterTag(mine) + "0"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			srv := fitServer()
			srv.Tags = &test.tags
			if test.metadata != "" {
				srv.Metadata = map[string]string{clusterKey: test.metadata}
			}
			got, err := owned(srv, mine)
			g.Expect(got).To(Equal(test.owned))
			if test.blocked {
				g.Expect(err).To(BeAssignableToTypeOf(&Blocked{}))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
		})
	}
}
