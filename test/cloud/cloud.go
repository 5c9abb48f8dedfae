package cloud

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"
)

// Cloud is a simulated OpenStack and an http.Handler. Make one with New.
type Cloud struct {
	opts   Options
	clock  clock.Clock
	ledger *Ledger
	maxMV  int

	mu sync.Mutex // guards everything below
	// now is the time of the cloud: that of the clock at the last look, or of the event being done.
	now      time.Time
	ahead    time.Duration // of the clock: what Settle has skipped
	queue    eventQueue
	seq      int
	scratch  []byte // for what is being written
	patterns map[string]*regexp.Regexp
	// version counts what may have changed something; see Version.
	version uint64
	rng     *rand.Rand
	url     string

	projects table[project]
	users    table[user]
	appCreds table[appCredential]
	tokens   map[string]*token

	servers  map[string]*server // those too that are gone: their history stays
	live     table[server]      // those that GET shows
	gone     []string           // the others, oldest first
	groups   table[serverGroup]
	flavors  table[flavor]
	keypairs map[string]map[string]*keypair // by user, then by name
	volumes  table[volume]
	images   table[image]
	deleted  table[image] // that somebody could restore
	networks table[network]
	subnets  table[subnet]
	ports    table[port]
	secs     table[securityGroup]
	other    *user // who acts behind everybody's back; nil until he does

	machines    map[machineKey]*machine
	regressions []Regression
	failures    map[failureKey]string
	snapshots   int // createImage calls accepted so far
	placements  int // servers put into a cell so far
	hosts       []*host
	hostTurn    int // of the host that is next
	conductor   service
	scheduler   service
	// downCells are the cells that are down, with the number of the outage.
	downCells map[string]int

	rules       []*Rule
	hooks       Hooks
	history     history
	watchers    map[int]func(ServerEvent)
	undelivered []ServerEvent
	delivering  bool
}

// New returns a cloud with accounts, flavors (rig.small, rig.worker, rig.master, rig.bfv) and the network "external", and nothing else.
func New(opts Options) *Cloud {
	opts = opts.withDefaults()
	c := &Cloud{
		opts: opts, clock: opts.Clock, ledger: &Ledger{most: opts.LedgerSize}, now: opts.Clock.Now(), url: strings.TrimSuffix(opts.URL, "/"), hooks: opts.Hooks,
		tokens: map[string]*token{}, servers: map[string]*server{}, keypairs: map[string]map[string]*keypair{},
		machines: map[machineKey]*machine{}, failures: map[failureKey]string{},
		watchers: map[int]func(ServerEvent){}, downCells: map[string]int{}, hosts: newHosts(opts.Hosts),
	}
	c.rng = newRand(opts.Seed)
	c.maxMV = mustMinor(opts.MaxMicroversion)
	for _, a := range opts.Accounts {
		c.AddAccount(a)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addBasics()
	return c
}

func newRand(seed uint64) *rand.Rand {
	if seed == 0 {
		var b [8]byte
		_, _ = crand.Read(b[:]) // it never fails, by its documentation
		seed = binary.LittleEndian.Uint64(b[:])
	}
	return rand.New(rand.NewPCG(seed, seed))
}

// addBasics makes what an operator provides: flavors and the external network.
func (c *Cloud) addBasics() {
	for _, f := range []flavor{
		{name: "rig.small", vcpus: 1, ram: 1024, disk: 10},
		{name: "rig.worker", vcpus: 4, ram: 8192, disk: 40},
		{name: "rig.master", vcpus: 8, ram: 16384, disk: 80},
		{name: "rig.bfv", vcpus: 4, ram: 8192},
	} {
		f.id = c.newID()
		c.flavors.put(f.id, &f)
	}
	operator := c.projectNamed("admin")
	n := c.addNetwork(operator, "external")
	n.external = true
	c.addSubnet(operator, n, "external", "203.0.113.0/24")
}

// Start serves the cloud on a free port of 127.0.0.1 and returns the base URL and a function that stops serving and ends hanging
// requests. It panics if it can't listen.
func (c *Cloud) Start() (url string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("cloud: cannot listen on loopback: %v", err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{
		Handler: c, ReadHeaderTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	url = "http://" + l.Addr().String()
	c.mu.Lock()
	if c.opts.URL == "" {
		c.url = url
	}
	c.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends with ErrServerClosed
	}()
	return url, func() {
		cancel()
		_ = srv.Close()
		<-done
	}
}

// URL returns the base URL of the cloud: what Options.URL or Start said, else "http://cloud.invalid".
func (c *Cloud) URL() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base(nil)
}

// base returns the URL under which the services are, as seen by the client of a request.
func (c *Cloud) base(r *http.Request) string {
	switch {
	case c.url != "":
		return c.url
	case r != nil && r.Host != "":
		return "http://" + r.Host
	}
	return "http://cloud.invalid"
}

// Ledger returns the record of all requests.
func (c *Cloud) Ledger() *Ledger { return c.ledger }

func (c *Cloud) newID() string {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], c.rng.Uint64())
	binary.LittleEndian.PutUint64(b[8:], c.rng.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4
	return uuid.UUID(b).String()
}

// newHexID returns an ID as Keystone makes them.
func (c *Cloud) newHexID() string { return strings.ReplaceAll(c.newID(), "-", "") }

func (c *Cloud) nextSeq() int {
	c.seq++
	return c.seq
}
