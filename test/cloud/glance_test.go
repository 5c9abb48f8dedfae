package cloud_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

// imageQuery is a list request as it is.
type imageQuery string

func (q imageQuery) ToImageListQuery() (string, error) { return "?" + string(q), nil }

func (r *rig) imageNames(query string) []string {
	page, err := images.List(r.image, imageQuery(query)).AllPages(r.ctx)
	r.ExpectWithOffset(1, err).NotTo(HaveOccurred())
	found, err := images.ExtractImages(page)
	r.Expect(err).NotTo(HaveOccurred())
	names := []string{}
	for _, img := range found {
		names = append(names, img.Name)
	}
	return names
}

func (r *rig) makeImage(o images.CreateOpts) string {
	img, err := images.Create(r.ctx, r.image, o).Extract()
	r.Expect(err).NotTo(HaveOccurred())
	return img.ID
}

func TestImageFilters(t *testing.T) {
	r := newRig(t, cloud.Options{})
	r.makeImage(images.CreateOpts{Name: "a", Tags: []string{"x=1", "y"}, Properties: map[string]string{"infra": "one", "cycle": "1"}})
	r.makeImage(images.CreateOpts{Name: "b", Tags: []string{"x=1"}, Properties: map[string]string{"infra": "one", "cycle": "2/3"}})
	r.makeImage(images.CreateOpts{Name: "b,c", Properties: map[string]string{"infra": "two"}})
	for query, want := range map[string][]string{
		"":                           {"b,c", "b", "a"},
		"infra=one":                  {"b", "a"},
		"infra=one&cycle=2%2F3":      {"b"},
		"infra=none":                 {},
		"unknown=1":                  {},
		"name=a":                     {"a"},
		"name=in:a,b":                {"b", "a"},
		"name=in:%22b%2Cc%22,a":      {"b,c", "a"},
		"tag=x%3D1":                  {"b", "a"},
		"tag=x%3D1&tag=y":            {"a"},
		"status=queued&infra=two":    {"b,c"},
		"status=active":              {},
		"visibility=private":         {},
		"visibility=shared":          {"b,c", "b", "a"},
		"sort=name:asc":              {"a", "b", "b,c"},
		"sort_key=name&sort_dir=asc": {"a", "b", "b,c"},
	} {
		r.Expect(r.imageNames(query)).To(Equal(want), query)
	}
	err := images.List(r.image, imageQuery("marker=2a1a6a5b-0000-4000-8000-000000000000")).EachPage(r.ctx, nil)
	r.Expect(status(err)).To(Equal(400))
}

func TestImagePages(t *testing.T) {
	r := newRig(t, cloud.Options{GlancePageSize: 2, GlanceMaxPageSize: 3})
	for i := range 6 {
		r.makeImage(images.CreateOpts{Name: fmt.Sprint(i), Properties: map[string]string{"p": "v"}})
	}
	for query, requests := range map[string]int{"p=v": 4, "p=v&limit=100": 3, "p=v&limit=1": 7} {
		r.Ledger().Reset()
		r.Expect(r.imageNames(query)).To(HaveLen(6))
		r.Expect(r.Ledger().Count("glance.image.list")).To(Equal(requests), query+": the last page is empty")
	}
}

func TestImageLife(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 0)
	id := r.makeImage(images.CreateOpts{Name: "mine", ContainerFormat: "bare", DiskFormat: "qcow2", Properties: map[string]string{"a": "b"}})
	r.Expect(r.getImage(id).Visibility).To(Equal(images.ImageVisibilityShared))
	_, err := r.create(cluster.Masters[0], id)
	r.Expect(status(err)).To(Equal(400), "not active")
	r.Expect(imagedata.Upload(r.ctx, r.image, id, bytes.NewReader([]byte("disk"))).ExtractErr()).To(Succeed())
	r.Expect(r.getImage(id)).To(And(HaveField("Status", images.ImageStatusActive), HaveField("SizeBytes", BeEquivalentTo(4))))
	update := func(p images.Patch) int {
		_, err := images.Update(r.ctx, r.image, id, images.UpdateOpts{p}).Extract()
		return status(err)
	}
	r.Expect(update(images.UpdateImageProperty{Op: images.AddOp, Name: "infra", Value: "x"})).To(Equal(0))
	r.Expect(update(images.UpdateImageProperty{Op: images.RemoveOp, Name: "none"})).To(Equal(409))
	r.Expect(update(images.ReplaceImageTags{NewTags: []string{"t"}})).To(Equal(0))
	for _, tag := range []struct {
		method, name string
		want         int
	}{{"PUT", "u", 204}, {"DELETE", "none", 404}, {"DELETE", "u", 204}, {"DELETE", "u", 404}} {
		url := r.image.ServiceURL("images", id, "tags", tag.name)
		_, err := r.provider.Request(r.ctx, tag.method, url, &gophercloud.RequestOpts{OkCodes: []int{tag.want}}) //nolint:bodyclose // gophercloud has
		r.Expect(err).NotTo(HaveOccurred(), "%+v", tag)
	}
	r.Expect(update(images.ReplaceImageProtected{NewProtected: true})).To(Equal(0))
	r.Expect(r.getImage(id)).To(And(HaveField("Tags", []string{"t"}), HaveField("Properties", HaveKeyWithValue("infra", "x"))))
	r.Expect(status(images.Delete(r.ctx, r.image, id).Err)).To(Equal(403))
	r.Expect(update(images.ReplaceImageProtected{NewProtected: false})).To(Equal(0))
	r.Expect(status(images.Delete(r.ctx, r.image, id).Err)).To(Equal(0))
	r.Expect(status(images.Delete(r.ctx, r.image, id).Err)).To(Equal(404))
}

func TestImagesInUse(t *testing.T) {
	for _, inUse := range []bool{false, true} {
		r := newRig(t, cloud.Options{ImagesInUse: inUse})
		cluster := r.SeedCluster("demo", 1, 0)
		err := images.Delete(r.ctx, r.image, cluster.ImageID).ExtractErr()
		if !inUse {
			r.Expect(err).NotTo(HaveOccurred())
			r.Expect(servers.Pause(r.ctx, r.compute, cluster.Masters[0].ID).ExtractErr()).To(Succeed())
			continue
		}
		r.Expect(status(err)).To(Equal(409))
		r.DeleteServer(cluster.Masters[0].ID)
		r.Settle()
		r.Expect(images.Delete(r.ctx, r.image, cluster.ImageID).ExtractErr()).To(Succeed())
	}
}
