package cloud

import (
	"maps"
	"net/http"
	"time"
)

type project struct {
	id, name string
	quota    Quota
	hostIDs  map[string]string // of hosts by name, as this project sees them
}

type user struct {
	id, name, password string
	projects           []*project // the first is the default
	elsewhere          *project   // where log-ins lead, whatever they ask for; nil is nowhere else
}

type appCredential struct {
	id, name, secret string
	user             *user
	project          *project
}

type token struct {
	id              string
	user            *user
	project         *project // nil if unscoped
	methods         []string
	issued, expires time.Time
}

const (
	domainID   = "default"
	domainName = "Default"
)

func keystoneRoutes() []route {
	var rs []route
	for _, prefix := range []string{"", "/identity"} {
		rs = append(rs,
			newRoute("keystone.versions", "GET "+prefix+"/", (*Cloud).identityVersions),
			newRoute("keystone.version", "GET "+prefix+"/v3", (*Cloud).identityVersion),
			newRoute("keystone.token.create", "POST "+prefix+"/v3/auth/tokens", (*Cloud).createToken),
		)
	}
	for i := range rs {
		rs[i].open = true
	}
	return append(rs,
		newRoute("keystone.token.get", "GET /identity/v3/auth/tokens", (*Cloud).showToken),
		newRoute("keystone.token.delete", "DELETE /identity/v3/auth/tokens", (*Cloud).deleteToken),
	)
}

func (c *Cloud) identityVersionDoc(k *call) object {
	return object{
		"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
		"links":       []object{{"rel": "self", "href": c.base(k.Request) + "/identity/v3/"}},
		"media-types": []object{{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}},
	}
}

func (c *Cloud) identityVersions(k *call) *reply {
	rep := answer(http.StatusMultipleChoices, object{"versions": object{"values": []object{c.identityVersionDoc(k)}}})
	rep.header.Set("Location", c.base(k.Request)+"/identity/v3/")
	return rep
}

func (c *Cloud) identityVersion(k *call) *reply {
	return answer(http.StatusOK, object{"version": c.identityVersionDoc(k)})
}

// AddAccount adds a user, its projects if they are new, and returns the IDs of the projects.
func (c *Cloud) AddAccount(a Account) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := &user{id: c.newHexID(), name: a.User, password: a.Password}
	var ids []string
	for _, name := range a.Projects {
		p := c.projectNamed(name)
		u.projects = append(u.projects, p)
		ids = append(ids, p.id)
	}
	c.users.put(u.id, u)
	return ids
}

// AddApplicationCredential gives a user one for a project and returns its ID and secret; both are empty if there is no such user.
func (c *Cloud) AddApplicationCredential(userName, projectName, name string) (id, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.userNamed(userName)
	if u == nil {
		return "", ""
	}
	a := &appCredential{id: c.newHexID(), name: name, secret: c.newHexID(), user: u, project: c.projectNamed(projectName)}
	c.appCreds.put(a.id, a)
	return a.id, a.secret
}

// SetPassword changes a user's password. Tokens stay good.
func (c *Cloud) SetPassword(userName, password string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.userNamed(userName); u != nil {
		u.password = password
	}
}

// LeadElsewhere has a user's credentials lead to another project from now on, whatever they ask for: as when somebody has made a project of the
// same name anew. The user's tokens end. An empty name ends it. It returns false if there is no such user.
func (c *Cloud) LeadElsewhere(userName, projectName string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.userNamed(userName)
	if u == nil {
		return false
	}
	u.elsewhere = nil
	if projectName != "" {
		u.elsewhere = c.projectNamed(projectName)
	}
	maps.DeleteFunc(c.tokens, func(_ string, t *token) bool { return t.user == u })
	return true
}

// RevokeTokens ends all tokens.
func (c *Cloud) RevokeTokens() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tokens)
}

func (c *Cloud) revoke(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tokens, id)
}

// projectNamed returns the project of that name and makes it if need be.
func (c *Cloud) projectNamed(name string) *project {
	if p := c.projects.find(func(p *project) bool { return p.name == name }); p != nil {
		return p
	}
	p := &project{id: c.newHexID(), name: name, quota: *c.opts.Quotas, hostIDs: map[string]string{}}
	c.projects.put(p.id, p)
	c.addSecurityGroup(p, "default", "Default security group")
	return p
}

func (c *Cloud) userNamed(name string) *user {
	return c.users.find(func(u *user) bool { return u.name == name })
}

func (c *Cloud) validToken(id string) *token {
	t := c.tokens[id]
	if t == nil || !c.now.Before(t.expires) {
		return nil
	}
	return t
}

func (c *Cloud) newToken(u *user, p *project, methods []string) *token {
	t := &token{
		id: "gAAAA" + c.newHexID() + c.newHexID(), user: u, project: p, methods: methods,
		issued: c.now, expires: c.now.Add(c.opts.TokenTTL),
	}
	c.tokens[t.id] = t
	return t
}

func (c *Cloud) tokenDoc(k *call, t *token) object {
	doc := object{
		"methods": t.methods, "audit_ids": []string{t.id[5:27]},
		"issued_at": isoMicros(t.issued), "expires_at": isoMicros(t.expires),
		"user": object{
			"id": t.user.id, "name": t.user.name, "password_expires_at": nil,
			"domain": object{"id": domainID, "name": domainName},
		},
	}
	if p := t.project; p != nil {
		doc["project"] = object{"id": p.id, "name": p.name, "domain": object{"id": domainID, "name": domainName}}
		doc["is_domain"] = false
		doc["roles"] = []object{{"id": "9fe2ff9ee4384b1894a90878d3e92bab", "name": "member"}, {"id": "0c3b6e5f7b7f4c0ea50b56f8c8a2c2f3", "name": "reader"}}
		doc["catalog"] = c.catalog(k)
	}
	return object{"token": doc}
}

func (c *Cloud) catalog(k *call) []object {
	base := c.base(k.Request)
	var out []object
	for _, s := range []struct{ kind, name, path string }{
		{"identity", "keystone", "/identity/v3"}, {"compute", "nova", "/compute/v2.1"}, {"image", "glance", "/image"}, {"network", "neutron", "/network"},
	} {
		var endpoints []object
		for _, iface := range []string{"public", "internal", "admin"} {
			endpoints = append(endpoints, object{
				"id": s.name + "-" + iface, "interface": iface, "region": c.opts.Region, "region_id": c.opts.Region, "url": base + s.path,
			})
		}
		out = append(out, object{"id": s.name, "type": s.kind, "name": s.name, "endpoints": endpoints})
	}
	return out
}
