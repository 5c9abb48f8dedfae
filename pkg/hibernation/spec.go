package hibernation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// refuse returns a Refusal for the first server that could not be stopped and made again as it is. All of them are
// checked before any is touched.
func refuse(list []*openstackclient.Server, infraID string) error {
	for _, srv := range list {
		if why := unfit(srv, infraID); why != "" {
			return &Refusal{Message: fmt.Sprintf("%s can't be hibernated: %s", srv.Name, why)}
		}
	}
	return nil
}

func unfit(srv *openstackclient.Server, infraID string) string {
	switch {
	case srv.Name == infraID+"-bootstrap":
		return "it is the installation's bootstrap server; have the installer take it down (openshift-install destroy bootstrap)"
	case !healthy(srv):
		return fmt.Sprintf("its status is %s; bring it to ACTIVE or SHUTOFF", srv.Status)
	case locked(srv):
		return "it is locked, and Nova refuses to pause or delete it; unlock it"
	case srv.ImageID == "":
		return "it boots from a volume, which is not supported yet"
	case len(srv.AttachedVolumes) > 0:
		return fmt.Sprintf("volume %s is attached to it, and a snapshot would not hold that volume's data; detach it", srv.AttachedVolumes[0].ID)
	case srv.EphemeralGiB > 0 || srv.SwapMiB > 0:
		return fmt.Sprintf("its flavor %s has local ephemeral or swap disks, which a snapshot leaves out; move what is on them elsewhere, and resize it to a flavor without", srv.FlavorName)
	}
	return ""
}

// locked tells whether Nova refuses to change a server's state.
func locked(srv *openstackclient.Server) bool { return srv.Locked != nil && *srv.Locked }

// specOf returns what a server is made again from; the flavor's ID and the server group are known elsewhere.
func specOf(srv *openstackclient.Server, list []ports.Port) (ServerSpec, error) {
	inOrder, err := portsInOrder(srv, list)
	if err != nil {
		return ServerSpec{}, err
	}
	spec := ServerSpec{
		FlavorName:       srv.FlavorName,
		DiskGiB:          srv.DiskGiB,
		Ports:            inOrder,
		Metadata:         srv.Metadata,
		Tags:             serverTags(srv),
		KeyName:          srv.KeyName,
		AvailabilityZone: srv.AvailabilityZone,
		ConfigDrive:      srv.ConfigDrive,
		Description:      srv.Description,
	}
	for _, g := range srv.SecurityGroups {
		if name, ok := g["name"].(string); ok && !slices.Contains(spec.SecurityGroups, name) {
			spec.SecurityGroups = append(spec.SecurityGroups, name)
		}
	}
	slices.Sort(spec.SecurityGroups)
	if srv.Hostname != nil && *srv.Hostname != "" && *srv.Hostname != derivedHostname(srv.Name) {
		spec.Hostname = *srv.Hostname
	}
	return spec, nil
}

// portsInOrder matches the server's interfaces with its ports: each must have one that survives the server.
func portsInOrder(srv *openstackclient.Server, list []ports.Port) ([]Port, error) {
	byMAC := map[string]ports.Port{}
	for _, p := range list {
		byMAC[strings.ToLower(p.MACAddress)] = p
	}
	if len(srv.MACs)+len(list) == 0 {
		return nil, &Refusal{Message: fmt.Sprintf("%s can't be hibernated: it has no port, and would be made again without a network; attach its port to it", srv.Name)}
	}
	var out []Port
	for _, mac := range srv.MACs {
		p, ok := byMAC[strings.ToLower(mac)]
		if !ok {
			return nil, &Refusal{Message: fmt.Sprintf("%s can't be hibernated: its interface %s has no port that belongs to it; detach that interface or repair the port", srv.Name, mac)}
		}
		delete(byMAC, strings.ToLower(mac))
		if why := doomed(p, srv); why != "" {
			return nil, &Refusal{Message: fmt.Sprintf("%s can't be hibernated: its port %s %s, which is not supported yet; make the server again with a port that is there before it", srv.Name, p.ID, why)}
		}
		out = append(out, portOf(p))
	}
	for _, p := range list {
		if _, left := byMAC[strings.ToLower(p.MACAddress)]; left {
			return nil, &Refusal{Message: fmt.Sprintf("%s can't be hibernated: port %s belongs to it and Nova does not show it as an interface; wait until both agree, or detach the port", srv.Name, p.ID)}
		}
	}
	return out, nil
}

func portOf(p ports.Port) Port {
	out := Port{ID: p.ID, MAC: p.MACAddress, NetworkID: p.NetworkID}
	for _, ip := range p.FixedIPs {
		out.IPs = append(out.IPs, ip.IPAddress)
	}
	return out
}

var (
	notInHostname   = regexp.MustCompile(`[^\w.-]+`)
	hyphensHostname = regexp.MustCompile(`[ _.]`)
)

// derivedHostname returns the host name that Nova gives a server of that name (nova.utils.sanitize_hostname): at most 63
// characters, in lower case, with hyphens for spaces, underscores and dots.
func derivedHostname(name string) string {
	if len(name) > 63 {
		name = name[:63]
	}
	h := notInHostname.ReplaceAllString(hyphensHostname.ReplaceAllString(name, "-"), "")
	return strings.Trim(strings.ToLower(h), ".-")
}
