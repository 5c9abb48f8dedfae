package openstackclient

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	. "github.com/onsi/gomega"
)

const goodCloud = `clouds:
  mycloud:
    auth:
      auth_url: https://Keystone.example.com:5000/v3
      username: tenant
      password: hunter2-secret
      project_name: hive
      user_domain_name: Default
      project_domain_name: Other
    region_name: RegionOne
    interface: internal
`

func parse(content, cloud string) (*cloudConfig, error) {
	return parseCloud(Credentials{CloudsYAML: []byte(content), Cloud: cloud})
}

func TestParseCloud(t *testing.T) {
	g := NewWithT(t)
	cloud, err := parse(goodCloud, "mycloud")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cloud.authURL).To(Equal("https://keystone.example.com:5000"))
	g.Expect(cloud.region).To(Equal("RegionOne"))
	g.Expect(cloud.availability).To(Equal(gophercloud.AvailabilityInternal))
	g.Expect(cloud.insecure).To(BeFalse())
	g.Expect(cloud.auth.AllowReauth).To(BeTrue())
	g.Expect(cloud.auth.DomainName).To(Equal("Default"))
	g.Expect(*cloud.auth.Scope).To(Equal(gophercloud.AuthScope{ProjectName: "hive", DomainName: "Other"}))

	only, err := parse(goodCloud, "")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(only).To(Equal(cloud), "the only cloud need not be named")
}

func TestParseCloudVariants(t *testing.T) {
	withAuth := func(auth, rest string) string {
		return "clouds:\n  mycloud:\n" + rest + "    auth:\n      auth_url: http://keystone/identity\n" + auth
	}
	for name, test := range map[string]struct {
		content string
		check   func(Gomega, *cloudConfig)
	}{
		"application credential": {
			withAuth("      application_credential_id: abc\n      application_credential_secret: hunter2-secret\n", "    auth_type: v3applicationcredential\n"),
			func(g Gomega, c *cloudConfig) {
				g.Expect(c.auth.ApplicationCredentialID).To(Equal("abc"))
				g.Expect(c.auth.AllowReauth).To(BeTrue())
			},
		},
		"token of a project": {
			withAuth("      token: some-token\n      project_id: p1\n", "    auth_type: v3token\n"),
			func(g Gomega, c *cloudConfig) {
				g.Expect(c.auth.TokenID).To(Equal("some-token"))
				g.Expect(c.auth.AllowReauth).To(BeFalse())
			},
		},
		"user ID and project ID need no domains": {
			withAuth("      user_id: u1\n      password: hunter2-secret\n      project_id: p1\n", ""),
			func(g Gomega, c *cloudConfig) { g.Expect(c.authURL).To(Equal("http://keystone/identity")) },
		},
		"verify: false": {
			withAuth("      user_id: u1\n      password: hunter2-secret\n      project_id: p1\n", "    verify: false\n"),
			func(g Gomega, c *cloudConfig) { g.Expect(c.insecure).To(BeTrue()) },
		},
		"insecure: true": {
			withAuth("      user_id: u1\n      password: hunter2-secret\n      project_id: p1\n", "    insecure: true\n"),
			func(g Gomega, c *cloudConfig) { g.Expect(c.insecure).To(BeTrue()) },
		},
		"values of the region": {
			withAuth("      user_id: u1\n      password: hunter2-secret\n      project_id: p1\n",
				"    region_name: two\n    regions:\n    - one\n    - name: two\n      values:\n        endpoint_type: admin\n"),
			func(g Gomega, c *cloudConfig) { g.Expect(c.availability).To(Equal(gophercloud.AvailabilityAdmin)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cloud, err := parse(test.content, "mycloud")
			g.Expect(err).NotTo(HaveOccurred())
			test.check(g, cloud)
		})
	}
}

func TestParseCloudRefuses(t *testing.T) {
	change := func(old, replacement string) string {
		if !strings.Contains(goodCloud, old) {
			t.Fatalf("%q is not in the good cloud", old)
		}
		return strings.Replace(goodCloud, old, replacement, 1)
	}
	const end = "    interface: internal\n"
	for name, test := range map[string]struct {
		content, cloud, want string
	}{
		"nothing":           {"", "mycloud", `has no key "clouds.yaml" or it is empty`},
		"white space":       {"  \n", "mycloud", `has no key "clouds.yaml" or it is empty`},
		"not YAML":          {goodCloud + "  hunter2-secret\n  - :x", "mycloud", `is not a valid clouds.yaml (line `},
		"a wrong type":      {change("password: hunter2-secret", "password: [hunter2-secret]"), "mycloud", `is not a valid clouds.yaml (line `},
		"no clouds":         {"public-clouds: {}", "mycloud", "has no clouds"},
		"another cloud":     {goodCloud + "  second: {}\n", "third", `cloud "third" is not in key "clouds.yaml" of the credentials Secret, which has: mycloud, second; correct platform.openstack.cloud`},
		"no name of two":    {goodCloud + "  second: {}\n", "", "set platform.openstack.cloud to one that key \"clouds.yaml\" of the credentials Secret has: mycloud, second"},
		"no auth section":   {"clouds:\n  mycloud:\n    region_name: x\n", "mycloud", "it has no auth section"},
		"no password":       {change("      password: hunter2-secret\n", ""), "mycloud", "You must provide a password"},
		"no user":           {change("      username: tenant\n", ""), "mycloud", "Username"},
		"no user domain":    {change("      user_domain_name: Default\n", ""), "mycloud", "DomainID or DomainName"},
		"no project":        {change("      project_name: hive\n", ""), "mycloud", "names no project"},
		"no auth_url":       {change("      auth_url: https://Keystone.example.com:5000/v3\n", ""), "mycloud", "auth_url is missing"},
		"auth_url no URL":   {change("https://Keystone.example.com:5000/v3", "keystone.example.com"), "mycloud", "auth_url is not the URL"},
		"auth_url password": {change("https://Keystone", "https://me:hunter2-secret@Keystone"), "mycloud", "auth_url holds a user name or password"},
		"Identity v2":       {change("5000/v3", "5000/v2.0"), "mycloud", "Identity API v2"},
		"an odd auth_type":  {goodCloud + "    auth_type: v3oidcpassword\n", "mycloud", "auth_type is not supported"},
		"cacert":            {change(end, end+"    cacert: /etc/ca.pem\n"), "mycloud", "certificatesSecretRef"},
		"cert":              {change(end, end+"    cert: /etc/cert.pem\n"), "mycloud", "names local files"},
		"key":               {change(end, end+"    key: /etc/key.pem\n"), "mycloud", "names local files"},
		"cacert of region":  {change(end, end+"    regions: [{name: RegionOne, values: {cacert: /etc/ca.pem}}]\n"), "mycloud", "certificatesSecretRef"},
		"profile":           {change(end, end+"    profile: vexxhost\n"), "mycloud", "profile of a public cloud"},
		"cloud":             {change(end, end+"    cloud: vexxhost\n"), "mycloud", "profile of a public cloud"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			_, err := parse(test.content, test.cloud)
			g.Expect(err).To(MatchError(ContainSubstring(test.want)))
			g.Expect(KindOf(err)).To(Equal(KindInvalid))
			g.Expect(err.Error()).NotTo(ContainSubstring("hunter2"))
		})
	}
}

// What is in the manager's environment, home and working directory must change nothing.
func TestNothingFromOutside(t *testing.T) {
	g := NewWithT(t)
	gaps := strings.Replace(goodCloud, "      project_name: hive\n      user_domain_name: Default\n      project_domain_name: Other\n    region_name: RegionOne\n    interface: internal\n", "      project_id: p1\n      user_domain_name: Default\n", 1)
	before, err := parse(gaps, "mycloud")
	g.Expect(err).NotTo(HaveOccurred())

	dir := t.TempDir()
	for _, file := range []string{"clouds.yaml", "secure.yaml", "clouds-public.yaml"} {
		g.Expect(os.WriteFile(filepath.Join(dir, file), []byte(strings.ReplaceAll(goodCloud, "hunter2-secret", "from-a-file")), 0o600)).To(Succeed())
	}
	t.Chdir(dir)
	for _, variable := range []string{
		"CLOUD", "AUTH_URL", "USERNAME", "USER_ID", "PASSWORD", "TOKEN", "AUTH_TOKEN", "PROJECT_ID", "PROJECT_NAME", "TENANT_ID", "TENANT_NAME",
		"DOMAIN_ID", "DOMAIN_NAME", "DEFAULT_DOMAIN", "USER_DOMAIN_ID", "USER_DOMAIN_NAME", "PROJECT_DOMAIN_ID", "PROJECT_DOMAIN_NAME",
		"APPLICATION_CREDENTIAL_ID", "APPLICATION_CREDENTIAL_NAME", "APPLICATION_CREDENTIAL_SECRET", "SYSTEM_SCOPE", "REGION_NAME",
		"INTERFACE", "CACERT", "CERT", "KEY", "CLIENT_CONFIG_FILE",
	} {
		t.Setenv("OS_"+variable, "from-the-environment")
		t.Setenv(variable, "from-the-environment")
	}
	t.Setenv("OS_IDENTITY_API_VERSION", "2.0")
	after, err := parse(gaps, "mycloud")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after).To(Equal(before))

	_, err = parse(strings.Replace(gaps, "      project_id: p1\n", "", 1), "mycloud")
	g.Expect(err).To(MatchError(ContainSubstring("names no project")), "a gap stays one")
	_, err = parse(goodCloud+"  second: {}\n", "")
	g.Expect(err).To(MatchError(ContainSubstring("no cloud is named")))
}
