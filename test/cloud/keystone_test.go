package cloud_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/utils/v2/openstack/clientconfig"
	. "github.com/onsi/gomega"
	"gopkg.in/yaml.v3"

	"github.com/overwinter/overwinter/test/cloud"
)

func TestAuthentication(t *testing.T) {
	c := cloud.New(cloud.Options{Accounts: []cloud.Account{
		{User: "one", Password: cloud.DefaultPassword, Projects: []string{"a", "b"}},
		{User: "two", Password: "else", Projects: []string{"c"}},
	}})
	id, secret := c.AddApplicationCredential("one", "b", "ours")
	for name, test := range map[string]struct {
		change  func(*gophercloud.AuthOptions)
		project string // empty: refused with 401
	}{
		"password":               {func(*gophercloud.AuthOptions) {}, "a"},
		"the other project":      {func(o *gophercloud.AuthOptions) { o.TenantName = "b" }, "b"},
		"by versionless URL":     {func(o *gophercloud.AuthOptions) { o.IdentityEndpoint = c.URL() + "/identity" }, "a"},
		"default project":        {func(o *gophercloud.AuthOptions) { o.TenantName = "" }, "a"},
		"wrong password":         {func(o *gophercloud.AuthOptions) { o.Password = "no" }, ""},
		"unknown user":           {func(o *gophercloud.AuthOptions) { o.Username = "nobody" }, ""},
		"unknown domain":         {func(o *gophercloud.AuthOptions) { o.DomainName = "Elsewhere" }, ""},
		"somebody else's":        {func(o *gophercloud.AuthOptions) { o.TenantName = "c" }, ""},
		"no such project":        {func(o *gophercloud.AuthOptions) { o.TenantName = "z" }, ""},
		"application credential": {func(o *gophercloud.AuthOptions) { appCredential(o, id, secret) }, "b"},
		"its wrong secret":       {func(o *gophercloud.AuthOptions) { appCredential(o, id, "no") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			o := authOptions(c, "one", "a")
			test.change(&o)
			p, err := openstack.NewClient(o.IdentityEndpoint)
			g.Expect(err).NotTo(HaveOccurred())
			p.HTTPClient = http.Client{Transport: c.RoundTripper()}
			err = openstack.Authenticate(t.Context(), p, o)
			if test.project == "" {
				g.Expect(status(err)).To(Equal(401))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			project, err := p.GetAuthResult().(tokens.CreateResult).ExtractProject()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(project.Name).To(Equal(test.project))
			g.Expect(project.ID).To(Equal(c.ProjectID(test.project)))
		})
	}
}

func appCredential(o *gophercloud.AuthOptions, id, secret string) {
	*o = gophercloud.AuthOptions{IdentityEndpoint: o.IdentityEndpoint, ApplicationCredentialID: id, ApplicationCredentialSecret: secret}
}

func TestTokensExpire(t *testing.T) {
	r := newRig(t, cloud.Options{TokenTTL: time.Minute})
	list := func() error { return servers.List(r.compute, servers.ListOpts{}).Err }
	get := func() error { return servers.Get(r.ctx, r.compute, "x").Err }
	r.Expect(list()).To(Succeed())
	r.Expect(status(get())).To(Equal(404))
	r.Expect(r.Ledger().Count("keystone.token.create")).To(Equal(1))
	r.pass(59 * time.Second)
	r.Expect(status(get())).To(Equal(404))
	r.Expect(r.Ledger().Count("keystone.token.create")).To(Equal(1))
	r.pass(time.Second)
	r.Expect(status(get())).To(Equal(404), "gophercloud authenticates again")
	r.Expect(r.Ledger().Count("keystone.token.create")).To(Equal(2))
	r.SetPassword(cloud.DefaultUser, "changed")
	r.RevokeTokens()
	r.Expect(get()).To(HaveOccurred())
	entries := r.Ledger().Entries("nova.server.get")
	r.Expect(entries[len(entries)-1].Status).To(Equal(401))
}

func TestOtherProjectsAreInvisible(t *testing.T) {
	r := newRig(t, cloud.Options{})
	cluster := r.SeedCluster("demo", 1, 0)
	s := cluster.Masters[0]
	r.as("stranger", "other")
	r.Expect(status(servers.Get(r.ctx, r.compute, s.ID).Err)).To(Equal(404))
	r.Expect(status(servers.Delete(r.ctx, r.compute, s.ID).Err)).To(Equal(404))
	r.Expect(status(images.Get(r.ctx, r.image, cluster.ImageID).Err)).To(Equal(404))
	r.Expect(status(images.Delete(r.ctx, r.image, cluster.ImageID).Err)).To(Equal(404))
	r.Expect(status(ports.Get(r.ctx, r.network, s.Ports[0]).Err)).To(Equal(404))
	_, err := r.create(s, cluster.ImageID)
	r.Expect(status(err)).To(Equal(400))
	page, err := servers.List(r.compute, servers.ListOpts{}).AllPages(r.ctx)
	r.Expect(err).NotTo(HaveOccurred())
	empty, err := page.IsEmpty()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(empty).To(BeTrue())
}

func TestCloudsYAML(t *testing.T) {
	g := NewWithT(t)
	c := cloud.New(cloud.Options{})
	_, stop := c.Start()
	defer stop()
	var clouds clientconfig.Clouds
	g.Expect(yaml.Unmarshal([]byte(c.CloudsYAML("stranger", "other")), &clouds)).To(Succeed())
	parsed := clouds.Clouds[cloud.CloudName]
	p, err := clientconfig.AuthenticatedClient(t.Context(), &clientconfig.ClientOpts{
		AuthType: parsed.AuthType, AuthInfo: parsed.AuthInfo, RegionName: parsed.RegionName,
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p.Token()).NotTo(BeEmpty())
}
