package cloud_test

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Glance's checksum is that
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// content is what Glance shows of an image's bytes.
type content struct {
	Size, VirtualSize           any
	Checksum, Algorithm, Hash   any
	DiskFormat, ContainerFormat any
	MinDisk, MinRAM             any
}

func (r *rig) content(id string) content {
	var out map[string]any
	err := images.Get(r.ctx, r.image, id).ExtractInto(&out)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	for key, value := range out {
		if n, ok := value.(json.Number); ok {
			out[key], err = n.Float64()
			r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
		}
	}
	return content{
		out["size"], out["virtual_size"], out["checksum"], out["os_hash_algo"], out["os_hash_value"], out["disk_format"], out["container_format"],
		out["min_disk"], out["min_ram"],
	}
}

// TestUploadedContent: null until there is something, then what the bytes are.
func TestUploadedContent(t *testing.T) {
	r := newRig(t, cloud.Options{})
	for name, data := range map[string][]byte{"some": []byte("a disk"), "none": nil} {
		img, err := images.Create(r.ctx, r.image, images.CreateOpts{Name: name, DiskFormat: "raw", ContainerFormat: "bare", MinDisk: 3, MinRAM: 4}).Extract()
		r.Expect(err).NotTo(HaveOccurred())
		want := content{DiskFormat: "raw", ContainerFormat: "bare", MinDisk: 3.0, MinRAM: 4.0}
		r.Expect(r.content(img.ID)).To(Equal(want), name)
		r.Expect(imagedata.Upload(r.ctx, r.image, img.ID, bytes.NewReader(data)).ExtractErr()).To(Succeed())
		sum, hash := md5.Sum(data), sha512.Sum512(data) //nolint:gosec // as above
		want.Size, want.Checksum, want.Algorithm, want.Hash = float64(len(data)), hex.EncodeToString(sum[:]), "sha512", hex.EncodeToString(hash[:])
		if len(data) > 0 {
			want.VirtualSize = float64(len(data))
		}
		r.Expect(r.content(img.ID)).To(Equal(want), name)
	}
}

// TestSnapshotContent: of each its own, and none of a store that reckons none.
func TestSnapshotContent(t *testing.T) {
	for name, hashless := range map[string]bool{"uploaded": false, "within the storage": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{Latencies: secondSteps, NoHashes: hashless})
			s := pausedServer(r)
			var seen []content
			for range 2 {
				id, err := r.snapshot(s.ID, "snap", nil)
				r.Expect(err).NotTo(HaveOccurred())
				r.Expect(r.content(id)).To(Equal(content{MinDisk: 80.0, MinRAM: 0.0}))
				r.Settle()
				seen = append(seen, r.content(id))
			}
			for _, one := range seen {
				r.Expect(one).To(And(HaveField("Size", BeEquivalentTo(1<<20)), HaveField("VirtualSize", BeEquivalentTo(80<<30)), HaveField("ContainerFormat", "bare")))
				if hashless {
					r.Expect(one).To(And(HaveField("Checksum", BeNil()), HaveField("Hash", BeNil()), HaveField("Algorithm", BeNil()), HaveField("DiskFormat", "raw")))
				} else {
					r.Expect(one).To(And(HaveField("Checksum", HaveLen(32)), HaveField("Hash", HaveLen(128)), HaveField("Algorithm", "sha512"), HaveField("DiskFormat", "qcow2")))
				}
			}
			r.Expect(seen[0].Hash == seen[1].Hash).To(Equal(hashless))
		})
	}
}

// TestLostContent: Glance goes on calling an image active of which the bytes are gone.
func TestLostContent(t *testing.T) {
	for name, c := range map[string]struct {
		lose   func(*rig, string) bool
		shown  content
		status string
		lost   bool
	}{
		"empty": {
			func(r *rig, id string) bool { return r.EmptyImage(id) },
			content{Size: 0.0, DiskFormat: "qcow2", ContainerFormat: "bare", MinDisk: 80.0, MinRAM: 0.0}, "ACTIVE", true,
		},
		"truncated":             {func(r *rig, id string) bool { return r.TruncateImage(id, 10) }, content{}, "ERROR", false},
		"only shown as smaller": {func(r *rig, id string) bool { return r.SetImageSize(id, 10) }, content{}, "ACTIVE", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cloud.Options{WriteInterval: time.Second})
			s := r.SeedCluster("demo", 1, 0).Masters[0]
			r.pass(time.Minute)
			r.PauseServer(s.ID)
			id, err := r.snapshot(s.ID, "snap", nil)
			r.Expect(err).NotTo(HaveOccurred())
			r.Settle()
			whole := r.content(id)
			r.Expect(c.lose(r, id)).To(BeTrue())
			if c.lost {
				r.Expect(r.content(id)).To(Equal(c.shown))
			} else {
				whole.Size = 10.0
				r.Expect(r.content(id)).To(Equal(whole))
			}
			r.Expect(r.getImage(id).Status).To(Equal(images.ImageStatusActive))
			r.DeleteServer(s.ID)
			r.Settle()
			again, err := r.create(s, id)
			r.Expect(err).NotTo(HaveOccurred())
			r.Settle()
			r.Expect(r.server(again).Status).To(Equal(c.status))
			if c.lost {
				r.Expect(r.Regressions()).To(ConsistOf(And(HaveField("Started", BeZero()), HaveField("Highest", BeNumerically(">", 60)))))
			} else {
				r.Expect(r.Regressions()).To(BeEmpty())
			}
		})
	}
}

// TestFitness: what an image demands is seen, and obeyed at the create.
func TestFitness(t *testing.T) {
	r := newRig(t, cloud.Options{})
	s := pausedServer(r)
	id, err := r.snapshot(s.ID, "snap", nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Settle()
	r.DeleteServer(s.ID)
	r.Settle()
	r.Expect([]bool{r.SetImageMinDisk(id, 81), r.SetImageFormat(id, "", "ovf"), r.SetImageHashes(id, "", "beef")}).To(HaveEach(true))
	r.Expect(r.content(id)).To(And(
		HaveField("MinDisk", 81.0), HaveField("DiskFormat", BeNil()), HaveField("ContainerFormat", "ovf"), HaveField("Checksum", BeNil()), HaveField("Hash", "beef"),
	))
	_, err = r.create(s, id)
	r.Expect(status(err)).To(Equal(400))
	r.Expect([]bool{r.EmptyImage("none"), r.TruncateImage("none", 1), r.SetImageSize("none", 1)}).To(HaveEach(false))
}

// TestAgesOfPorts: those made beforehand are older than their server, Nova's are younger, however quick the cloud is.
func TestAgesOfPorts(t *testing.T) {
	r := newRig(t, cloud.Options{})
	beforehand := r.SeedCluster("demo", 1, 0)
	byNova := r.SeedClusterWith(cloud.ClusterOptions{InfraID: "other", Masters: 1, NovaPorts: true})
	grown, ok := r.AddServerWithNovaPort(beforehand, "demo-worker-new", "openshiftClusterID=demo", "mine")
	r.Expect(ok).To(BeTrue())
	r.Settle()
	port, ok := r.AttachNetwork(beforehand.Masters[0].ID, beforehand.NetworkID)
	r.Expect(ok).To(BeTrue())
	for _, c := range []struct {
		server string
		older  bool
	}{{beforehand.Masters[0].ID, true}, {byNova.Masters[0].ID, false}, {grown.ID, false}} {
		s, _ := r.Server(c.server)
		made, of := r.port(s.Ports[0]).CreatedAt, r.server(c.server).Created
		r.Expect(made.Nanosecond()).To(BeZero())
		r.Expect(made.Before(of)).To(Equal(c.older))
		r.Expect(made.After(of)).To(Equal(!c.older))
	}
	s, _ := r.Server(grown.ID)
	r.Expect(r.port(s.Ports[0]).Tags).To(ConsistOf("openshiftClusterID=demo", "mine"))
	r.DeleteServer(grown.ID)
	r.Settle()
	r.Expect(status(ports.Get(r.ctx, r.network, s.Ports[0]).Err)).To(Equal(404), "a tag saves it from nothing")

	r.Expect(r.port(port).DeviceID).To(Equal(beforehand.Masters[0].ID))
	r.Expect(r.DetachPort(beforehand.Masters[0].ID, port)).To(BeTrue())
	r.Expect(status(ports.Get(r.ctx, r.network, port).Err)).To(Equal(404))
	own := beforehand.Masters[0].Ports[0]
	r.Expect([]bool{r.DetachPort(beforehand.Masters[0].ID, own), r.DetachPort(beforehand.Masters[0].ID, own)}).To(Equal([]bool{true, false}))
	r.Expect(r.port(own).DeviceID).To(BeEmpty())
	r.Expect(r.AttachPort(beforehand.Masters[0].ID, own)).To(BeTrue())
	r.Expect(r.byOthers(beforehand.Masters[0].ID)).To(Equal([]string{
		"attach_interface", "detach_interface", "detach_interface", "detach_interface", "attach_interface",
	}))
}
