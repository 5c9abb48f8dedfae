package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/overwinter/overwinter/test/cloud"
)

const (
	deploymentFile = "../../config/manager/deployment.yaml"
	// hostileOfEach is how many clusters there are of each hostile kind, hostileRounds how often all of them are looked at at
	// once after the manager has started.
	hostileOfEach = 3
	hostileRounds = 3
	// largeClusters are as many as the manager has workers, of so many machines and two more.
	largeClusters, largeCluster = 10, 40
)

// hostileCloud is a kind of cloud that wants the memory of the manager: what answers which requests.
type hostileCloud struct {
	op     string
	effect cloud.Effect
	// once says that it is not asked again at the next look, large that the cluster is large.
	once, large bool
}

// hostileClouds are some whose answers are refused, and some whose every answer is accepted, since it is just below the bounds.
func hostileClouds(infraID string) map[string]hostileCloud {
	server := `{"id":"#","name":"` + infraID + `-#","status":"ACTIVE","addresses":{},"metadata":{"openshiftClusterID":"` + infraID + `","x":"` + strings.Repeat("x", 255) + `"}}`
	action := `{"action":"live-migration","request_id":"req-#","start_time":"2026-11-23T01:02:03.000000","message":"` + strings.Repeat("x", 2000) + `"}`
	return map[string]hostileCloud{
		"endless-servers": {op: "nova.server.list", effect: cloud.LongList(-1, `{"id":"#"}`)},
		"endless-answers": {op: "nova.*", effect: cloud.EndlessAnswer()},
		"login-page":      {op: "keystone.*", effect: cloud.LoginPage()},
		"servers":         {op: "nova.server.list", effect: cloud.LongList(2500, server)},
		"catalog":         {op: "keystone.token.create", effect: cloud.LongList(7000, `{"id":"#","type":"x","endpoints":[{}]}`), once: true},
		"histories":       {op: "nova.instanceaction.list", effect: cloud.LongList(2300, action), once: true, large: true},
		"ports":           {op: "neutron.port.list", effect: cloud.LongList(3500, `{"id":"#","device_id":"x","fixed_ips":[{}]}`), once: true},
	}
}

// TestS05ManagerStaysWithinItsMemory runs the manager as its Deployment does, with more hostile clouds and clusters than it has
// workers. It has to live, to stay within the pod's memory, and to serve a cluster whose cloud is good.
func TestS05ManagerStaysWithinItsMemory(t *testing.T) {
	g := NewWithT(t)
	limit, environment := podMemory(t)
	group := newMemoryGroup(t, limit)
	h := newHubWithout(t, "memory")
	api := hostileCluster(t)
	var hostile []*besieged
	for kind, like := range hostileClouds("") {
		count, workers := hostileOfEach, 2
		if like.large {
			count, workers = largeClusters, largeCluster
		}
		for i := range count {
			name := fmt.Sprintf("%s-%d", kind, i)
			w := newWorld(t, name, asleepFromTheStart, func(s *setup) {
				s.hub, s.kubeconfig, s.workers, s.cloud.Latencies = h, api, workers, cloud.Latencies{}
			})
			it := hostileClouds(name)[kind]
			hostile = append(hostile, &besieged{world: w, kind: it, rule: w.cloud.AddRule(cloud.Rule{Op: it.op, Effect: it.effect})})
		}
	}
	h.startLimited(t, group, environment)
	for round := range hostileRounds {
		for _, w := range hostile {
			w.reached(round)
		}
		for _, w := range hostile {
			w.before = w.rule.Hits()
			w.poke()
		}
	}
	good := newWorld(t, "good-among-hostile", asleepFromTheStart, func(s *setup) { s.hub = h })
	good.reaches(hibernating)

	g.Expect(h.manager.Failure()).To(Succeed())
	peak := peakMemory(t, h.manager.PID())
	t.Logf("the manager took %d MiB at most, of %d MiB; its memory was limited by the kernel: %v", peak>>20, limit>>20, group != "")
	g.Expect(peak).To(BeNumerically("<", limit))
	g.Expect(h.manager.Tail(1 << 20)).NotTo(ContainSubstring("panic"))
}

// besieged is a world with a hostile cloud.
type besieged struct {
	*world
	kind   hostileCloud
	rule   *cloud.RuleHandle
	before int
}

// reached waits until the cloud was asked what it answers in its own way.
func (b *besieged) reached(round int) {
	b.t.Helper()
	if round > 0 && b.kind.once {
		return
	}
	b.eventually(func() (int, error) {
		if err := b.manager.Failure(); err != nil {
			return 0, StopTrying("the manager did not live").Wrap(err)
		}
		return b.rule.Hits(), nil
	}).
		Should(BeNumerically(">", b.before), func() string { return fmt.Sprintf("round %d: %s", round, b.story()()) })
}

// podMemory returns the memory that the manager's pod may use, and the manager's environment there.
func podMemory(t *testing.T) (int64, []string) {
	t.Helper()
	g := NewWithT(t)
	content, err := os.ReadFile(deploymentFile)
	g.Expect(err).NotTo(HaveOccurred())
	var deployment appsv1.Deployment
	g.Expect(yaml.UnmarshalStrict(content, &deployment)).To(Succeed())
	container := deployment.Spec.Template.Spec.Containers[0]
	var environment []string
	for _, variable := range container.Env {
		environment = append(environment, variable.Name+"="+variable.Value)
	}
	g.Expect(environment).To(ContainElement(HavePrefix("GOMEMLIMIT=")))
	limit := container.Resources.Limits.Memory().Value()
	g.Expect(limit).To(BeNumerically(">", 64<<20))
	return limit, environment
}

// newHubWithout starts another API server, without a manager.
func newHubWithout(t *testing.T, name string) *hub {
	t.Helper()
	g := NewWithT(t)
	h := &hub{env: shared.env, program: shared.program}
	var err error
	h.api, err = h.env.StartAPI(t.Context(), name, crdDir)
	g.Expect(err).NotTo(HaveOccurred())
	h.WithWatch, err = newHubClient(h.api)
	g.Expect(err).NotTo(HaveOccurred())
	return h
}

// startLimited starts the manager with that environment and in that memory group.
func (h *hub) startLimited(t *testing.T, group string, environment []string) {
	t.Helper()
	g := NewWithT(t)
	kubeconfig, err := h.api.GrantManager(t.Context(), roleFile)
	g.Expect(err).NotTo(HaveOccurred())
	enter := ""
	if group != "" {
		enter = "echo $$ > " + filepath.Join(group, "cgroup.procs") + "\n"
	}
	program := filepath.Join(h.env.Dir, "limited-manager")
	script := "#!/bin/sh\nset -e\n" + enter + "exec env " + strings.Join(environment, " ") + " " + h.program + " \"$@\"\n"
	g.Expect(os.WriteFile(program, []byte(script), 0o700)).To(Succeed()) //nolint:gosec // it is a program.
	h.manager, err = h.env.StartManager(t.Context(), "limited-manager", program, kubeconfig)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = h.manager.Stop(0) })
}

// newMemoryGroup makes a cgroup of its own that may use so much memory, and returns its directory; an empty string where this
// machine does not let us.
func newMemoryGroup(t *testing.T, limit int64) string {
	t.Helper()
	for parent, file := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		group := filepath.Join(parent, "overwinter-test-"+strconv.Itoa(os.Getpid()))
		if os.Mkdir(group, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(group) })
		bound := filepath.Join(group, file)
		if _, err := os.Stat(bound); err == nil && os.WriteFile(bound, []byte(strconv.FormatInt(limit, 10)), 0o600) == nil {
			return group
		}
	}
	return ""
}

// peakMemory returns the most memory that a process has had resident so far.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	g := NewWithT(t)
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if os.IsNotExist(err) {
		t.Skip("this machine does not say how much memory a process takes")
	}
	g.Expect(err).NotTo(HaveOccurred())
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(content)
	g.Expect(found).NotTo(BeNil())
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	g.Expect(err).NotTo(HaveOccurred())
	return kilobytes << 10
}

// hostileCluster returns the kubeconfig of a cluster whose lists are as large as they may be.
func hostileCluster(t *testing.T) string {
	t.Helper()
	item := `{"metadata":{"name":"%d-%d","annotations":{"x":"` + strings.Repeat("x", 180<<10) + `"}}}`
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		w.Header().Set("Content-Type", "application/json")
		kind, version := "Status", "v1"
		for _, list := range [][3]string{
			{"/nodes", "NodeList", "v1"}, {"/leases", "LeaseList", "coordination.k8s.io/v1"}, {"/csinodes", "CSINodeList", "storage.k8s.io/v1"},
			{"/machines", "MachineList", "machine.openshift.io/v1beta1"}, {"/secrets", "PartialObjectMetadataList", "meta.k8s.io/v1"},
		} {
			if strings.HasSuffix(r.URL.Path, list[0]) {
				kind, version = list[1], list[2]
			}
		}
		next := ""
		if page < 3 {
			next = strconv.Itoa(page + 1)
		}
		_, _ = fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":{"continue":%q},"items":[`, kind, version, next)
		for i := range 5 {
			if i > 0 {
				_, _ = fmt.Fprint(w, ",")
			}
			_, _ = fmt.Fprintf(w, item, page, i)
		}
		_, _ = fmt.Fprint(w, "]}")
	}))
	t.Cleanup(api.Close)
	return strings.NewReplacer("https://127.0.0.1:1", api.URL, `"}}]`, `", insecure-skip-tls-verify: true}}]`).Replace(deadEnd)
}
