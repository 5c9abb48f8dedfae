package cloud

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entry is what the ledger keeps of a request: no token, no password and, for Keystone, nothing of the body.
type Entry struct {
	Seq    int
	At     time.Time
	Op     string
	Method string
	// Path is the path with the query.
	Path string
	// Status is that of the answer; 0 while there is none, or if the client got none.
	Status       int
	Project      string
	Microversion string
	// Target is the ID in the path.
	Target string
	// BodyHash is the SHA-256 of the body, in hexadecimal digits; Name, Ports and Image are taken from it.
	BodyHash  string
	Name      string
	Ports     []string
	Image     string
	RequestID string
	// Fault names the rule or hook that changed the answer, if one did.
	Fault string
}

// Ledger is the record of requests, in order of arrival. Operations have names of the form service.thing.verb:
// keystone.token.create; nova.server.list, .get, .create, .delete, and actions by their own names without "os-", as in
// nova.server.createImage; glance.image.list; neutron.port.update.
type Ledger struct {
	most int // entries to keep; 0 is all, less than 0 none

	mu      sync.Mutex
	seq     int
	entries []ledgerEntry
}

// ledgerEntry is an Entry whose body is read when somebody asks for it: most never are.
type ledgerEntry struct {
	Entry
	body []byte
}

func (l *Ledger) begin(k *call) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	if l.most < 0 {
		return l.seq
	}
	e := ledgerEntry{Entry: Entry{
		Seq: l.seq, At: k.At, Op: k.Op, Method: k.Request.Method, Path: k.uri, Project: k.Project,
		Microversion: requestedMicroversion(k.Request.Header), Target: k.Target,
	}}
	if !strings.HasPrefix(k.Op, keystone) {
		e.body = k.Body
	}
	if l.most > 0 && len(l.entries) >= 2*l.most { // half of them at a time, so that each is moved once
		l.entries = append(make([]ledgerEntry, 0, 2*l.most), l.entries[l.most:]...)
	}
	l.entries = append(l.entries, e)
	return e.Seq
}

// read takes from the body what an Entry says of it.
func (e *ledgerEntry) read() {
	if len(e.body) > 0 {
		sum := sha256.Sum256(e.body)
		e.BodyHash = hex.EncodeToString(sum[:])
		e.highlight(e.body)
		e.body = nil
	}
}

// highlight takes from a body what one asks the ledger for.
func (e *Entry) highlight(body []byte) {
	var outer map[string]json.RawMessage
	if json.Unmarshal(body, &outer) != nil {
		return
	}
	for _, key := range []string{"server", "createImage", "port", "server_group"} {
		var inner struct {
			Name     string `json:"name"`
			ImageRef string `json:"imageRef"`
			Networks []struct {
				Port string `json:"port"`
			} `json:"networks"`
		}
		if outer[key] == nil || json.Unmarshal(outer[key], &inner) != nil {
			continue
		}
		e.Name, e.Image = inner.Name, inner.ImageRef
		for _, n := range inner.Networks {
			if n.Port != "" {
				e.Ports = append(e.Ports, n.Port)
			}
		}
	}
}

func (l *Ledger) end(seq, status int, requestID, fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, found := slices.BinarySearchFunc(l.entries, seq, func(e ledgerEntry, seq int) int { return e.Seq - seq })
	if found { // not after a Reset, nor if it is too old to be kept
		l.entries[i].Status, l.entries[i].RequestID, l.entries[i].Fault = status, requestID, fault
	}
}

// Entries returns all requests since the last Reset that are kept (see Options.LedgerSize), or those whose operation matches one of
// the patterns (of path.Match, as in "nova.server.*").
func (l *Ledger) Entries(patterns ...string) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Entry
	for i := range l.kept() {
		e := &l.kept()[i]
		if len(patterns) == 0 || matchesAny(patterns, e.Op) {
			e.read()
			out = append(out, e.Entry)
		}
	}
	return out
}

// kept are the entries that may be seen.
func (l *Ledger) kept() []ledgerEntry {
	if l.most > 0 && len(l.entries) > l.most {
		return l.entries[len(l.entries)-l.most:]
	}
	return l.entries
}

// Last returns the newest request, and false if there is none.
func (l *Ledger) Last() (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return Entry{}, false
	}
	e := &l.entries[len(l.entries)-1]
	e.read()
	return e.Entry, true
}

// Requests returns how many requests there have been, kept or not, Resets notwithstanding.
func (l *Ledger) Requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

func matchesAny(patterns []string, op string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, op)
		return err == nil && ok
	})
}

// Count returns how many requests were made, or how many whose operation matches one of the patterns.
func (l *Ledger) Count(patterns ...string) int { return len(l.Entries(patterns...)) }

// Counts returns the number of requests by operation.
func (l *Ledger) Counts() map[string]int {
	out := map[string]int{}
	for _, e := range l.Entries() {
		out[e.Op]++
	}
	return out
}

// Changes returns the requests that were not mere reads, authentication aside.
func (l *Ledger) Changes() []Entry {
	return slices.DeleteFunc(l.Entries(), func(e Entry) bool {
		return e.Method == http.MethodGet || e.Method == http.MethodHead || strings.HasPrefix(e.Op, keystone)
	})
}

// Reset forgets all requests.
func (l *Ledger) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}
