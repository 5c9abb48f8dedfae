package cloud

import (
	"path"
	"regexp"
	"slices"
)

// Rule makes requests go wrong. A request must fit everything that is set.
type Rule struct {
	// Name is what the ledger calls it; the effect's own name if empty.
	Name string
	// Op is an operation, or a pattern of path.Match such as "glance.*".
	Op string
	// Method is that of HTTP, Path a regular expression for the URL's path.
	Method string
	Path   *regexp.Regexp
	// When decides by the request itself.
	When func(*Call) bool
	// Skip lets that many requests pass which fit, then Times ones go wrong; 0 is all that follow.
	Skip, Times int
	// Effect is what happens.
	Effect Effect

	seen, hits int
}

// RuleHandle is a rule in force.
type RuleHandle struct {
	cloud *Cloud
	rule  *Rule
}

// AddRule puts a rule in force. Of several that fit a request the first one added applies.
func (c *Cloud) AddRule(r Rule) *RuleHandle {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Name == "" {
		r.Name = r.Effect.name
	}
	c.rules = append(c.rules, &r)
	return &RuleHandle{cloud: c, rule: &r}
}

// ClearRules ends all rules.
func (c *Cloud) ClearRules() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules = nil
}

// Hits returns how many requests the rule has spoiled.
func (h *RuleHandle) Hits() int {
	h.cloud.mu.Lock()
	defer h.cloud.mu.Unlock()
	return h.rule.hits
}

// Remove ends the rule.
func (h *RuleHandle) Remove() {
	h.cloud.mu.Lock()
	defer h.cloud.mu.Unlock()
	h.cloud.rules = remove(h.cloud.rules, h.rule)
}

// Hooks see every request, without the cloud's mutex, so that they may use the cloud. An effect that a hook returns is had in place of a rule's.
type Hooks struct {
	// Before is called when the request has arrived and nothing has been done.
	Before func(*Call) *Effect
	// After is called when the request has had its effect and the answer, with this status, has not yet left.
	After func(k *Call, status int) *Effect
}

// SetHooks replaces the hooks.
func (c *Cloud) SetHooks(h Hooks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = h
}

func (r *Rule) fits(k *Call) bool {
	if r.Op != "" {
		if ok, err := path.Match(r.Op, k.Op); err != nil || !ok {
			return false
		}
	}
	if r.Method != "" && r.Method != k.Request.Method {
		return false
	}
	if r.Path != nil && !r.Path.MatchString(k.Request.URL.Path) {
		return false
	}
	return r.When == nil || r.When(k)
}

// faultOf returns what is to go wrong with a request, or nil.
func (c *Cloud) faultOf(k *call) *Effect {
	c.mu.Lock()
	rules, before := slices.Clone(c.rules), c.hooks.Before
	c.mu.Unlock()
	if before != nil {
		if e := before(&k.Call); e != nil {
			return e
		}
	}
	for _, r := range rules {
		if r.fits(&k.Call) && c.takes(r) {
			e := r.Effect
			e.name = r.Name
			return &e
		}
	}
	return nil
}

// takes counts a request that fits and says whether it is one to spoil.
func (c *Cloud) takes(r *Rule) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.seen++
	if r.seen <= r.Skip || (r.Times > 0 && r.seen > r.Skip+r.Times) {
		return false
	}
	r.hits++
	return true
}

func (c *Cloud) hookAfter(k *call, status int) *Effect {
	c.mu.Lock()
	after := c.hooks.After
	c.mu.Unlock()
	if after == nil {
		return nil
	}
	return after(&k.Call, status)
}
