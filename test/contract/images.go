package contract

import (
	"context"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

// imagesCase: tags, protection and deletion.
func imagesCase(t *testing.T, s *suite) {
	g := NewWithT(t)
	ctx := t.Context()
	yes := true
	id := s.seed.makeEmptyImage(t, s.prefix+"-protected", &yes)
	unprotect := func(ctx context.Context) error {
		_, err := images.Update(ctx, s.seed.image, id, images.UpdateOpts{images.ReplaceImageProtected{NewProtected: false}}).Extract()
		return err
	}
	t.Cleanup(func() { gone(t, unprotect(cleanup(t))) })
	image, err := s.client.GetImage(ctx, id)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Status).To(Equal(images.ImageStatusQueued))
	g.Expect(image.Protected).To(BeTrue())
	g.Expect(image.Properties).To(HaveKeyWithValue(baseProperty, "yes"))

	for range 2 {
		g.Expect(s.client.TagImage(ctx, id, "openshiftClusterID="+s.prefix)).To(Succeed(), "once more is no error")
	}
	g.Expect(s.client.TagImage(ctx, id, "a tag, 100 % of one?")).To(Succeed())
	image, err = s.client.GetImage(ctx, id)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Tags).To(ConsistOf("openshiftClusterID="+s.prefix, "a tag, 100 % of one?"))

	kind(g, s.client.DeleteImage(ctx, id), openstackclient.KindForbidden)
	g.Expect(unprotect(ctx)).To(Succeed())
	g.Expect(s.client.DeleteImage(ctx, id)).To(Succeed())
	_, err = s.client.GetImage(ctx, id)
	kind(g, err, openstackclient.KindNotFound)
	kind(g, s.client.DeleteImage(ctx, id), openstackclient.KindNotFound)
	kind(g, s.client.TagImage(ctx, id, "late"), openstackclient.KindNotFound)

	var want []string
	for range 3 {
		want = append(want, s.seed.makeEmptyImage(t, s.prefix+"-page", nil))
	}
	found, err := s.client.ListImages(ctx, openstackclient.ListImagesOpts{ListOpts: images.ListOpts{Name: s.prefix + "-page", Limit: 1}})
	g.Expect(err).NotTo(HaveOccurred())
	ids := []string{}
	for _, one := range found {
		ids = append(ids, one.ID)
	}
	g.Expect(ids).To(ConsistOf(want), "all pages, of one image each")
}
