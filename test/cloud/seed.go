package cloud

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// ClusterOptions says what SeedClusterWith makes.
type ClusterOptions struct {
	InfraID          string
	Masters, Workers int
	// Project and User own it; DefaultProject and DefaultUser if empty.
	Project, User string
	// BootFromVolume makes servers without an image, whose root volumes die with them.
	BootFromVolume bool
	// NovaPorts has Nova make the ports.
	NovaPorts bool
	// KeyName, Zone and Description are those of each server.
	KeyName, Zone, Description string
}

// Cluster is what SeedCluster has made. The servers of a role are in the order in which they were made.
type Cluster struct {
	InfraID, Project                         string
	Masters, Workers                         []Server
	NetworkID, SubnetID, ImageID             string
	MasterGroup, WorkerGroup                 string // of servers
	MasterSecurityGroup, WorkerSecurityGroup string
	APIPort, IngressPort                     string
	masterVIPs                               []string
	project                                  *project
	user                                     *user
	net                                      *network
	sub                                      *subnet
	tags                                     []string
	options                                  ClusterOptions
	added                                    int // by AddServer
}

// seededAgo is the time from the making of a seeded server's port to that of the server, and from then to its boot. Whole seconds
// are all that is shown of either.
const seededAgo = 2 * time.Second

// Servers returns the masters, then the workers, as they were when the cluster was made.
func (cl *Cluster) Servers() []Server { return slices.Concat(cl.Masters, cl.Workers) }

// SeedCluster makes what the OpenShift installer and the machine API leave in the default project for a cluster of that infrastructure ID:
// network, security groups, ports of the virtual IP addresses, image, server groups, and running servers with ports of their own.
func (c *Cloud) SeedCluster(infraID string, masters, workers int) *Cluster {
	return c.SeedClusterWith(ClusterOptions{InfraID: infraID, Masters: masters, Workers: workers})
}

// SeedClusterWith is SeedCluster with more to choose. Project and user are made if they don't exist.
func (c *Cloud) SeedClusterWith(o ClusterOptions) *Cluster {
	setDefault(&o.Project, DefaultProject)
	setDefault(&o.User, DefaultUser)
	var cl *Cluster
	c.alter(func() {
		cl = &Cluster{InfraID: o.InfraID, Project: o.Project, options: o, project: c.projectNamed(o.Project), user: c.userNamed(o.User)}
		if cl.user == nil {
			cl.user = &user{id: c.newHexID(), name: o.User, password: DefaultPassword, projects: []*project{cl.project}}
			c.users.put(cl.user.id, cl.user)
		}
		cl.tags = []string{"openshiftClusterID=" + o.InfraID}
		c.seedShared(cl)
		for i := range o.Masters {
			s := c.seedServer(cl, "master", i, fmt.Sprintf("%s-master-%d", o.InfraID, i))
			cl.Masters = append(cl.Masters, c.serverState(s))
		}
		for i := range o.Workers {
			s := c.seedServer(cl, "worker", i, fmt.Sprintf("%s-worker-0-%s", o.InfraID, c.suffix()))
			cl.Workers = append(cl.Workers, c.serverState(s))
		}
	})
	return cl
}

// suffix is what Kubernetes puts behind generated names.
func (c *Cloud) suffix() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	b := make([]byte, 5)
	for i := range b {
		b[i] = letters[c.rng.IntN(len(letters))]
	}
	return string(b)
}

// seedShared makes what the servers have in common.
func (c *Cloud) seedShared(cl *Cluster) {
	infra, p := cl.InfraID, cl.project
	cl.net = c.addNetwork(p, infra+"-openshift")
	cl.sub = c.addSubnet(p, cl.net, infra+"-nodes", "10.0.0.0/16")
	masters := c.addSecurityGroup(p, infra+"-master", "Created By OpenShift Installer")
	workers := c.addSecurityGroup(p, infra+"-worker", "Created By OpenShift Installer")
	cl.net.tags, cl.sub.tags, masters.tags, workers.tags = cl.tags, cl.tags, cl.tags, cl.tags
	cl.NetworkID, cl.SubnetID, cl.MasterSecurityGroup, cl.WorkerSecurityGroup = cl.net.id, cl.sub.id, masters.id, workers.id

	cl.masterVIPs = []string{"10.0.0.5", "10.0.0.7"}
	for i, vip := range []struct {
		name string
		id   *string
	}{{"api", &cl.APIPort}, {"ingress", &cl.IngressPort}} {
		port := c.newPort(p, cl.net)
		port.name, port.tags, port.securityGroups = infra+"-"+vip.name+"-port", cl.tags, []string{masters.id}
		port.fixedIPs = []fixedIP{{cl.sub, cl.masterVIPs[i]}}
		c.ports.put(port.id, port)
		*vip.id = port.id
	}

	img := c.newImage(p, infra+"-rhcos")
	img.status, img.diskFormat, img.containerFormat, img.minDisk, img.size = imageActive, "qcow2", "bare", 10, 1<<20
	img.sumUp([]byte(img.id))
	img.tags = slices.Clone(cl.tags)
	img.props = map[string]string{"os_distro": "rhcos", "hw_disk_bus": "virtio"}
	c.images.put(img.id, img)
	cl.ImageID = img.id

	if key := cl.options.KeyName; key != "" && c.keypairs[cl.user.id][key] == nil {
		c.addKeypair(cl.user, key, "ssh-ed25519 "+c.newHexID())
	}
	cl.MasterGroup = c.addGroup(p, cl.user, infra+"-master", "soft-anti-affinity").id
	cl.WorkerGroup = c.addGroup(p, cl.user, infra+"-worker", "soft-anti-affinity").id
}

// seedServer makes a server that has been running for a moment.
func (c *Cloud) seedServer(cl *Cluster, role string, index int, name string) *server {
	s := c.clusterServer(cl, role, name)
	s.placed, s.mapped, s.created = true, true, c.now.Add(-seededAgo)
	if h := c.pickHost(); h != nil {
		s.host, s.chosen = h.name, h.name
	}
	c.seedPort(cl, s, role, index)
	c.bindAll(s)
	c.recordAs(s, s.user, "req-"+c.newID(), "create")
	c.beginEvent(s, "create", computeEvents["create"], s.host)
	c.finishAction(s, "create", false)
	c.setVM(s, vmActive)
	return s
}

// clusterServer makes a server as the cluster's own are, in BUILD and without a port.
func (c *Cloud) clusterServer(cl *Cluster, role, name string) *server {
	o := cl.options
	flavorName, groupID := "rig."+role, cl.MasterGroup
	if role == "worker" {
		groupID = cl.WorkerGroup
	}
	if o.BootFromVolume {
		flavorName = "rig.bfv"
	}
	img := c.images.get(cl.ImageID)
	s := &server{
		id: c.newID(), name: name, seq: c.nextSeq(), project: cl.project, user: cl.user, created: c.now, updated: c.now,
		vm: vmBuilding, flavor: *c.flavorNamed(flavorName), imageID: img.id, imageProps: inheritable(img), hostname: hostnameOf(name),
		metadata: map[string]string{"Name": cl.InfraID + "-" + role, "openshiftClusterID": cl.InfraID},
		tags:     append([]string{"cluster-api-provider-openstack"}, cl.tags...), configDrive: true, keyName: o.KeyName, zone: o.Zone, pinned: o.Zone, disk: &disk{},
		userData: base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"ignition":{"version":"3.2.0","config":{"merge":[{"source":"https://10.0.0.5:22623/config/%s"}]}}}`, role)),
	}
	setDefault(&s.zone, c.opts.Zones[0])
	if o.Description != "" {
		s.description = &o.Description
	}
	if o.BootFromVolume {
		v := &volume{id: c.newID(), project: cl.project, size: 20, status: "in-use", imageID: img.id, disk: s.disk}
		c.volumes.put(v.id, v)
		s.imageID, s.attachments = "", []*attachment{{volume: v, device: "/dev/vda", onDelete: true, root: true}}
	}
	c.addServer(s)
	g := c.groups.get(groupID)
	g.members = append(g.members, s.id)
	return s
}

// seedPort makes the port of a server, not yet bound, or leaves that to Nova.
func (c *Cloud) seedPort(cl *Cluster, s *server, role string, index int) {
	if cl.options.NovaPorts {
		s.secNames = []string{cl.InfraID + "-" + role}
		s.nics = []nic{{networkID: cl.net.id}}
		return
	}
	p := c.newPort(cl.project, cl.net)
	p.name, p.securityGroups = fmt.Sprintf("%s-master-port-%d", cl.InfraID, index), []string{cl.MasterSecurityGroup}
	third := byte(1)
	if role == "worker" {
		p.name, p.securityGroups, third = s.name+"-0", []string{cl.WorkerSecurityGroup}, 2
	}
	third += byte((10 + index) / 250 * 2)
	p.description, p.created = "Created by cluster-api-provider-openstack", s.created.Add(-seededAgo)
	p.fixedIPs = []fixedIP{{cl.sub, netip.AddrFrom4([4]byte{10, 0, third, byte((10 + index) % 250)}).String()}}
	p.tags = append([]string{"cluster-api-provider-openstack"}, cl.tags...)
	for _, vip := range cl.masterVIPs {
		p.pairs = append(p.pairs, addressPair{IP: vip, MAC: p.mac})
	}
	c.ports.put(p.id, p)
	s.nics = []nic{{portID: p.id}}
}
