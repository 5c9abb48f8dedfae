package openstackclient

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/utils"
	"github.com/gophercloud/utils/v2/openstack/clientconfig"
	"gopkg.in/yaml.v3"

	"github.com/overwinter/overwinter/pkg/bounds"
)

// noEnvironment is a prefix that no environment variable can have, since the name of one never contains "=":
// clientconfig fills gaps of a clouds.yaml from variables with the prefix it is given.
const noEnvironment = "="

// cloudConfig is one cloud of a clouds.yaml, ready to authenticate with.
type cloudConfig struct {
	name         string
	auth         gophercloud.AuthOptions
	authURL      string
	region       string
	availability gophercloud.Availability
	insecure     bool
}

// onlyThese is a clientconfig source that knows one clouds.yaml and nothing else: no secure.yaml, no clouds-public.yaml,
// no search in the file system.
type onlyThese map[string]clientconfig.Cloud

// LoadCloudsYAML returns the clouds that the Secret has.
func (o onlyThese) LoadCloudsYAML() (map[string]clientconfig.Cloud, error) { return o, nil }

// LoadSecureCloudsYAML returns nothing.
func (o onlyThese) LoadSecureCloudsYAML() (map[string]clientconfig.Cloud, error) { return nil, nil }

// LoadPublicCloudsYAML returns nothing.
func (o onlyThese) LoadPublicCloudsYAML() (map[string]clientconfig.Cloud, error) { return nil, nil }

// parseCloud reads one cloud of a clouds.yaml. Its errors are KindInvalid, name the place and never the content.
func parseCloud(credentials Credentials) (*cloudConfig, error) {
	if len(bytes.TrimSpace(credentials.CloudsYAML)) == 0 {
		return nil, invalidCredentials("the credentials Secret has no key %q or it is empty; put the clouds.yaml of the OpenStack project there", CloudsYAMLKey)
	}
	if err := bounds.CheckYAML(credentials.CloudsYAML); err != nil {
		return nil, invalidCredentials("key %q of the credentials Secret can't be used: %v", CloudsYAMLKey, err)
	}
	clouds, insecure, err := decodeClouds(credentials.CloudsYAML)
	if err != nil {
		return nil, err
	}
	name, err := pickCloud(clouds, credentials.Cloud)
	if err != nil {
		return nil, err
	}
	if err := refuseForeignSources(name, clouds[name]); err != nil {
		return nil, err
	}
	options := &clientconfig.ClientOpts{
		Cloud: name, EnvPrefix: noEnvironment, YAMLOpts: clouds, RegionName: clouds[name].RegionName,
	}
	cloud, err := clientconfig.GetCloudFromYAML(options)
	if err != nil {
		return nil, invalidCloud(name, "it can't be used: %v", err)
	}
	config := &cloudConfig{
		name:         shorten(name),
		region:       cloud.RegionName,
		availability: clientconfig.GetEndpointType(cloud.EndpointType),
		insecure:     insecure[name] || (cloud.Verify != nil && !*cloud.Verify),
	}
	if err := config.setAuth(options, cloud); err != nil {
		return nil, err
	}
	return config, nil
}

// decodeClouds returns the clouds, and which of them have the older spelling "insecure: true" of "verify: false", which
// clientconfig does not know.
func decodeClouds(content []byte) (onlyThese, map[string]bool, error) {
	var file clientconfig.Clouds
	if err := yaml.Unmarshal(content, &file); err != nil {
		return nil, nil, invalidCredentials("key %q of the credentials Secret is not a valid clouds.yaml%s", CloudsYAMLKey, lineOf(err))
	}
	var older struct {
		Clouds map[string]struct {
			Insecure bool `yaml:"insecure"`
		} `yaml:"clouds"`
	}
	if err := yaml.Unmarshal(content, &older); err != nil {
		return nil, nil, invalidCredentials("key %q of the credentials Secret is not a valid clouds.yaml%s", CloudsYAMLKey, lineOf(err))
	}
	insecure := map[string]bool{}
	for name, cloud := range older.Clouds {
		insecure[name] = cloud.Insecure
	}
	return onlyThese(file.Clouds), insecure, nil
}

// lineOf returns where a YAML error is. The error's own words may quote a password.
func lineOf(err error) string {
	if line := regexp.MustCompile(`line (\d+)`).FindString(err.Error()); line != "" {
		return " (" + line + ")"
	}
	return ""
}

func pickCloud(clouds onlyThese, name string) (string, error) {
	names := make([]string, 0, len(clouds))
	for n := range clouds {
		names = append(names, n)
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "", invalidCredentials("key %q of the credentials Secret has no clouds; it must have a map %q at its top", CloudsYAMLKey, "clouds")
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", invalidCredentials("no cloud is named; set platform.openstack.cloud to one that key %q of the credentials Secret has: %s", CloudsYAMLKey, listed(names))
	case !slices.Contains(names, name):
		return "", invalidCredentials("cloud %q is not in key %q of the credentials Secret, which has: %s; correct platform.openstack.cloud or the Secret", shorten(name), CloudsYAMLKey, listed(names))
	}
	return name, nil
}

// refuseForeignSources refuses a cloud that would take a part of itself from the manager's file system.
func refuseForeignSources(name string, cloud clientconfig.Cloud) error {
	all := []clientconfig.Cloud{cloud}
	for _, region := range cloud.Regions {
		all = append(all, region.Values)
	}
	for _, c := range all {
		switch {
		case c.CACertFile != "":
			return invalidCloud(name, `it names a local file in "cacert", which is not here; remove the line and give the certificate by platform.openstack.certificatesSecretRef`)
		case c.ClientCertFile != "" || c.ClientKeyFile != "":
			return invalidCloud(name, `it names local files in "cert" or "key", which are not here; client certificates are not supported`)
		case c.Profile != "" || c.Cloud != "":
			return invalidCloud(name, `it refers to the profile of a public cloud ("profile" or "cloud"), which is not here; write out its auth_url and the rest`)
		}
	}
	return nil
}

// setAuth fills in how to authenticate, and checks it as far as possible without asking the cloud.
func (c *cloudConfig) setAuth(options *clientconfig.ClientOpts, cloud *clientconfig.Cloud) error {
	if err := checkAuthType(c.name, cloud); err != nil {
		return err
	}
	auth, err := clientconfig.AuthOptions(options)
	if err != nil {
		return invalidCloud(c.name, "its auth section can't be used: %v", plain(err))
	}
	c.auth = *auth
	if err := c.setAuthURL(auth.IdentityEndpoint); err != nil {
		return err
	}
	scope, err := c.auth.ToTokenV3ScopeMap()
	if err != nil {
		return invalidCloud(c.name, "its auth section is incomplete: %v", plain(err))
	}
	applicationCredential := auth.ApplicationCredentialID != "" || auth.ApplicationCredentialName != ""
	_, toProject := scope["project"]
	// A bare token is already scoped, to what only the cloud can say.
	bareToken := auth.TokenID != "" && len(scope) == 0
	if !toProject && !applicationCredential && !bareToken {
		return invalidCloud(c.name, "its auth section names no project; add project_id, or project_name with project_domain_name")
	}
	if _, err := c.auth.ToTokenV3CreateMap(scope); err != nil {
		return invalidCloud(c.name, "its auth section is incomplete: %v", plain(err))
	}
	c.auth.AllowReauth = auth.TokenID == ""
	return nil
}

func checkAuthType(name string, cloud *clientconfig.Cloud) error {
	supported := []clientconfig.AuthType{
		"", clientconfig.AuthPassword, clientconfig.AuthToken, clientconfig.AuthV3Password, clientconfig.AuthV3Token,
		clientconfig.AuthV3ApplicationCredential,
	}
	if !slices.Contains(supported, cloud.AuthType) {
		return invalidCloud(name, "its auth_type is not supported; use one of password, v3password, v3applicationcredential, token, v3token")
	}
	if cloud.AuthInfo == nil {
		return invalidCloud(name, "it has no auth section")
	}
	if strings.HasPrefix(cloud.IdentityAPIVersion, "2") || strings.Contains(cloud.AuthInfo.AuthURL, "/v2.0") {
		return invalidCloud(name, "it asks for the Identity API v2, which is not supported; use v3")
	}
	return nil
}

// setAuthURL checks the identity endpoint and keeps it without its version, so that writing the version or leaving it
// out is the same cloud.
func (c *cloudConfig) setAuthURL(endpoint string) error {
	parsed, err := url.Parse(strings.TrimSpace(endpoint))
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" || len(endpoint) > maxURL {
		return invalidCloud(c.name, "its auth_url is not the URL of an identity service, like https://keystone.example.com:5000/v3")
	}
	if parsed.User != nil {
		return invalidCloud(c.name, "its auth_url holds a user name or password; put them in the auth section")
	}
	parsed.Host = strings.ToLower(parsed.Host)
	base, err := utils.BaseEndpoint(parsed.String())
	if err != nil {
		return invalidCloud(c.name, "its auth_url can't be used")
	}
	c.authURL = strings.TrimRight(base, "/")
	c.auth.IdentityEndpoint = parsed.String()
	return nil
}

// plain returns the words of those gophercloud errors that hold nothing but names of fields.
func plain(err error) string {
	var missing gophercloud.ErrMissingInput
	if errors.As(err, &missing) {
		return missing.Argument + " is missing"
	}
	return err.Error()
}

func invalidCloud(name, format string, args ...any) *Error {
	return invalidCredentials("cloud %q in key %q of the credentials Secret: %s", shorten(name), CloudsYAMLKey, fmt.Sprintf(format, args...))
}
