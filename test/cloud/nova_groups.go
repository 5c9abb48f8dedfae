package cloud

import (
	"net/http"
	"slices"
)

type serverGroup struct {
	id, name, policy string
	seq              int
	project          *project
	user             *user
	members          []string
}

func (c *Cloud) groupOf(s *server) *serverGroup {
	for _, g := range c.groups.all() {
		if slices.Contains(g.members, s.id) {
			return g
		}
	}
	return nil
}

func (c *Cloud) groupView(k *call, g *serverGroup) object {
	v := object{"id": g.id, "name": g.name, "members": list(g.members)}
	if k.mv >= 13 {
		v["project_id"], v["user_id"] = g.project.id, g.user.id
	}
	if k.mv >= 64 {
		v["policy"], v["rules"] = g.policy, object{}
	} else {
		v["policies"], v["metadata"] = []string{g.policy}, object{}
	}
	return v
}

func (c *Cloud) groupsOf(p *project) []*serverGroup {
	var out []*serverGroup
	for _, g := range c.groups.all() {
		if g.project == p {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b *serverGroup) int { return a.seq - b.seq })
	return out
}

func (c *Cloud) listServerGroups(k *call) *reply {
	views := []object{}
	for _, g := range c.groupsOf(k.project) {
		views = append(views, c.groupView(k, g))
	}
	offset, _ := number(k.query.Get("offset"))
	views = views[min(offset, len(views)):]
	if limit, ok := number(k.query.Get("limit")); ok {
		views = views[:min(limit, len(views))]
	}
	return answer(http.StatusOK, object{"server_groups": views[:min(len(views), c.opts.NovaPageSize)]})
}

func (c *Cloud) findGroup(k *call) *serverGroup {
	if g := c.groups.get(k.id()); g != nil && g.project == k.project {
		return g
	}
	return nil
}

func noGroup(id string) *reply {
	return novaError(http.StatusNotFound, "Instance group %s could not be found.", id)
}

func (c *Cloud) showServerGroup(k *call) *reply {
	g := c.findGroup(k)
	if g == nil {
		return noGroup(k.id())
	}
	return answer(http.StatusOK, object{"server_group": c.groupView(k, g)})
}

func (c *Cloud) createServerGroup(k *call) *reply {
	var req struct {
		Group struct {
			Name     string   `json:"name"`
			Policy   string   `json:"policy"`
			Policies []string `json:"policies"`
		} `json:"server_group"`
	}
	if !k.decode(&req) || req.Group.Name == "" {
		return malformedBody()
	}
	policy := req.Group.Policy
	if k.mv < 64 && len(req.Group.Policies) == 1 {
		policy = req.Group.Policies[0]
	}
	if !slices.Contains([]string{"affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"}, policy) {
		return novaError(http.StatusBadRequest, "Invalid input for field/attribute policy. Value: %s.", policy)
	}
	if q := k.project.quota.ServerGroups; q >= 0 && len(c.groupsOf(k.project)) >= q {
		return novaError(http.StatusForbidden, "Quota exceeded, too many server groups.")
	}
	return answer(http.StatusOK, object{"server_group": c.groupView(k, c.addGroup(k.project, k.user, req.Group.Name, policy))})
}

func (c *Cloud) addGroup(p *project, u *user, name, policy string) *serverGroup {
	g := &serverGroup{id: c.newID(), name: name, policy: policy, seq: c.nextSeq(), project: p, user: u}
	c.groups.put(g.id, g)
	return g
}

func (c *Cloud) deleteServerGroup(k *call) *reply {
	if c.findGroup(k) == nil {
		return noGroup(k.id())
	}
	c.groups.drop(k.id())
	return empty(http.StatusNoContent)
}
