package cloud

import "fmt"

// CloudName is the name of the only cloud in what CloudsYAML returns: the one that the OpenShift installer takes by default.
const CloudName = "openstack"

// CloudsYAML returns a clouds.yaml with a user's password for a project.
func (c *Cloud) CloudsYAML(userName, projectName string) string {
	c.mu.Lock()
	password := ""
	if u := c.userNamed(userName); u != nil {
		password = u.password
	}
	c.mu.Unlock()
	return fmt.Sprintf(`clouds:
  %s:
    auth:
      auth_url: %s
      username: %s
      password: %s
      project_name: %s
      user_domain_name: %s
      project_domain_name: %s
    region_name: %s
    identity_api_version: 3
`, CloudName, c.AuthURL(), userName, password, projectName, domainName, domainName, c.opts.Region)
}

// CloudsYAMLForApplicationCredential returns a clouds.yaml with an application credential.
func (c *Cloud) CloudsYAMLForApplicationCredential(id, secret string) string {
	return fmt.Sprintf(`clouds:
  %s:
    auth_type: v3applicationcredential
    auth:
      auth_url: %s
      application_credential_id: %s
      application_credential_secret: %s
    region_name: %s
    identity_api_version: 3
`, CloudName, c.AuthURL(), id, secret, c.opts.Region)
}

// AuthURL returns the URL of Keystone.
func (c *Cloud) AuthURL() string { return c.URL() + "/identity/v3" }

// ProjectID returns the ID of a project, or "".
func (c *Cloud) ProjectID(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.projects.find(func(p *project) bool { return p.name == name }); p != nil {
		return p.id
	}
	return ""
}
