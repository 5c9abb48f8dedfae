package cloud

import (
	"crypto/subtle"
	"net/http"
	"slices"
)

type domainRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (d domainRef) known() bool { return d.ID == domainID || (d.ID == "" && d.Name == domainName) }

type userRef struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Domain   domainRef `json:"domain"`
	Password string    `json:"password"`
}

type authRequest struct {
	Auth struct {
		Identity struct {
			Methods  []string `json:"methods"`
			Password struct {
				User userRef `json:"user"`
			} `json:"password"`
			AppCredential struct {
				ID     string  `json:"id"`
				Name   string  `json:"name"`
				Secret string  `json:"secret"`
				User   userRef `json:"user"`
			} `json:"application_credential"`
			Token struct {
				ID string `json:"id"`
			} `json:"token"`
		} `json:"identity"`
		Scope *struct {
			Project *struct {
				ID     string    `json:"id"`
				Name   string    `json:"name"`
				Domain domainRef `json:"domain"`
			} `json:"project"`
		} `json:"scope"`
	} `json:"auth"`
}

func (c *Cloud) createToken(k *call) *reply {
	var req authRequest
	if !k.decode(&req) || len(req.Auth.Identity.Methods) == 0 {
		return keystoneError(http.StatusBadRequest, "Expecting to find auth in request body. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.")
	}
	u, p, ok := c.authenticate(&req)
	if ok && p == nil {
		p, ok = c.scope(&req, u)
	}
	if !ok {
		return unauthorized(keystone, c.base(k.Request))
	}
	if u.elsewhere != nil {
		p = u.elsewhere
	}
	return c.tokenReply(k, http.StatusCreated, c.newToken(u, p, req.Auth.Identity.Methods))
}

func (c *Cloud) tokenReply(k *call, status int, t *token) *reply {
	rep := answer(status, c.tokenDoc(k, t))
	rep.header.Set("X-Subject-Token", t.id)
	rep.header.Set("Vary", "X-Auth-Token")
	return rep
}

// authenticate returns who it is and, where the credential itself says so, for which project.
func (c *Cloud) authenticate(req *authRequest) (*user, *project, bool) {
	id := &req.Auth.Identity
	switch id.Methods[0] {
	case "password":
		u := c.lookUp(id.Password.User)
		return u, nil, u != nil && same(u.password, id.Password.User.Password)
	case "application_credential":
		a := c.appCreds.get(id.AppCredential.ID)
		if a == nil && id.AppCredential.Name != "" {
			a = c.appCredentialNamed(id.AppCredential.Name, c.lookUp(id.AppCredential.User))
		}
		if a == nil || !same(a.secret, id.AppCredential.Secret) || req.Auth.Scope != nil {
			return nil, nil, false
		}
		return a.user, a.project, true
	case "token":
		t := c.validToken(id.Token.ID)
		if t == nil {
			return nil, nil, false
		}
		return t.user, nil, true
	}
	return nil, nil, false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (c *Cloud) lookUp(ref userRef) *user {
	if ref.ID != "" {
		return c.users.get(ref.ID)
	}
	if !ref.Domain.known() {
		return nil
	}
	return c.userNamed(ref.Name)
}

func (c *Cloud) appCredentialNamed(name string, u *user) *appCredential {
	return c.appCreds.find(func(a *appCredential) bool { return a.name == name && a.user == u })
}

// scope returns the project asked for, of which the user must be a member; without one, the user's default.
func (c *Cloud) scope(req *authRequest, u *user) (*project, bool) {
	if req.Auth.Scope == nil || req.Auth.Scope.Project == nil {
		if len(u.projects) == 0 {
			return nil, true
		}
		return u.projects[0], true
	}
	want := req.Auth.Scope.Project
	i := slices.IndexFunc(u.projects, func(p *project) bool {
		return p.id == want.ID || (want.ID == "" && p.name == want.Name && want.Domain.known())
	})
	if i < 0 {
		return nil, false
	}
	return u.projects[i], true
}

// subject is the token that a request about tokens means, if the one who asks may see it.
func (c *Cloud) subject(k *call) *token {
	t := c.validToken(k.Request.Header.Get("X-Subject-Token"))
	if t == nil || t.user != k.user {
		return nil
	}
	return t
}

func (c *Cloud) showToken(k *call) *reply {
	t := c.subject(k)
	if t == nil {
		return keystoneError(http.StatusNotFound, "Could not find token.")
	}
	return c.tokenReply(k, http.StatusOK, t)
}

func (c *Cloud) deleteToken(k *call) *reply {
	t := c.subject(k)
	if t == nil {
		return keystoneError(http.StatusNotFound, "Could not find token.")
	}
	delete(c.tokens, t.id)
	return empty(http.StatusNoContent)
}
