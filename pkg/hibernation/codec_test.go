package hibernation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/overwinter/overwinter/pkg/openstackclient"
)

var someday = time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)

// fullRecord has every field set, so that it holds an object at every level.
func fullRecord() *Record {
	shot := func(cycle string) *Snapshot {
		return &Snapshot{Name: SnapshotName("m-0", cycle), ID: "image-" + cycle, Cycle: cycle, ServerID: "server-0", Attempt: Attempt{Asked: &someday, Misses: 1}}
	}
	return &Record{
		Version: recordVersion, InfraID: "demo-x7k2p",
		Cloud:     openstackclient.Scope{AuthURL: "https://keystone/v3", ProjectID: "project", Region: "RegionOne"},
		Claim:     &Claim{Holder: "manager-1", Seconds: 60, At: someday},
		Cut:       &Cut{Cycle: "20261123-150405", StartedAt: someday, Shooting: true, Abandoned: true, Why: "why", Counted: true},
		Sealed:    &Seal{Cycle: "20261122-150405", At: someday},
		Deleting:  &someday,
		Opened:    &someday,
		Done:      &someday,
		LastCycle: "20261123-150405", Observation: fullObservation(),
		Unobserved: "no route", HealthChecks: &HealthChecks{Asked: "20261123-150405", Failed: "why"},
		Tries:      &Tries{Count: 2, At: someday, NotBefore: someday, Why: "why"},
		OldRemakes: []string{"m-0"}, OldLeaveOuts: []string{"w-1"},
		Machines: []*Machine{{
			Name: "m-0", ServerID: "server-0", ControlPlane: true, Before: statusActive, InCut: true,
			Spec: ServerSpec{
				FlavorID: "flavor", FlavorName: "m1", Ports: []Port{{ID: "port", MAC: "fa:16:3e:00:00:01", IPs: []string{"10.0.0.9"}, NetworkID: "net"}},
				SecurityGroups: []string{"sg"}, Metadata: map[string]string{"a": "b"}, Tags: []string{"t"}, KeyName: "key",
				AvailabilityZone: "nova", ConfigDrive: true, Description: "words", Hostname: "host", ServerGroup: "group",
			},
			Still: &Action{Name: "pause", RequestID: "req-1", At: someday}, Ended: true, Late: &Action{Name: "start", RequestID: "req-2", At: someday}, Removed: true,
			FormerIDs: []string{"server-8"},
			Shot:      shot("20261123-150405"), Snapshot: shot("20261122-150405"),
			Creation: &Creation{ServerID: "server-0", Ran: true, Remade: true, Discarded: "server-9", Failures: 1, NotBefore: &someday, Fault: "fault", Attempt: Attempt{Asked: &someday, Misses: 1}},
		}},
		Leftovers: []Leftover{{ID: "image-9", Name: "old"}},
	}
}

func fullObservation() *Observation {
	return &Observation{
		NodesReady: 6, At: someday, Late: true,
		Nodes: []ObservedNode{{
			Name: "m-0", UID: "uid-0", ProviderID: "openstack:///server-0", Ready: true, Unschedulable: true,
			Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"},
			Taints: []corev1.Taint{{Key: "k", Value: "v", Effect: corev1.TaintEffectNoExecute}}, PodCIDRs: []string{"10.128.0.0/23"}, Finalizers: []string{"f"},
		}},
		Machines: []ObservedMachine{{Name: "m-0", ProviderID: "openstack:///server-0", Phase: "Running", NodeName: "m-0"}},
		Signers:  []Signer{{Name: "ns/csr-signer", NotAfter: someday}},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	g := NewWithT(t)
	data, err := encode(fullRecord())
	g.Expect(err).NotTo(HaveOccurred())
	back, err := decode(data)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(back).To(Equal(fullRecord()))
	g.Expect(strings.Split(string(data), "\n")).To(ContainElement(`  "infraID": "demo-x7k2p",`), "a person can read it")
}

// addEverywhere adds a field to each object of a document, and returns how many there are.
func addEverywhere(doc any, path string) int {
	count := 0
	switch v := doc.(type) {
	case map[string]any:
		for key, inner := range v {
			count += addEverywhere(inner, path+"."+key)
		}
		// Metadata, labels and annotations are others' own keys, and a taint is Kubernetes'. What pins the cloud is compared as a
		// whole: one more field there is a new version.
		theirs := strings.HasSuffix(path, ".metadata") || strings.HasSuffix(path, ".labels") || strings.HasSuffix(path, ".annotations") || strings.Contains(path, ".taints[")
		if !theirs && path != "record.cloud" {
			v["future"] = map[string]any{"path": path}
			count++
		}
	case []any:
		for i, inner := range v {
			count += addEverywhere(inner, fmt.Sprintf("%s[%d]", path, i))
		}
	}
	return count
}

func TestUnknownFieldsSurviveAtEveryLevel(t *testing.T) {
	g := NewWithT(t)
	data, err := encode(fullRecord())
	g.Expect(err).NotTo(HaveOccurred())
	var doc map[string]any
	g.Expect(json.Unmarshal(data, &doc)).To(Succeed())
	g.Expect(addEverywhere(doc, "record")).To(BeNumerically(">=", 13), "objects in the record")
	newer, err := json.Marshal(doc)
	g.Expect(err).NotTo(HaveOccurred())

	r, err := decode(newer)
	g.Expect(err).NotTo(HaveOccurred())
	saved, err := encode(r)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(saved).To(MatchJSON(newer))
}

func TestUnusableRecordsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		change func(*Record)
		why    string
	}{
		"not JSON":                    {text: "hello", why: "not JSON"},
		"empty":                       {text: " ", why: "not JSON"},
		"cut off":                     {text: `{"version": 1, "infraID": "a`, why: "not JSON"},
		"a list":                      {text: `[]`, why: "not JSON"},
		"no version":                  {text: `{}`, why: "version is 0"},
		"a later version":             {text: `{"version": 2, "infraID": "a"}`, why: "version is 2 and this manager knows version 1 only"},
		"another type":                {text: `{"version": 1, "machines": "all"}`, why: "malformed"},
		"no infraID":                  {change: func(r *Record) { r.InfraID = "" }, why: "infraID or its cloud is missing"},
		"no project":                  {change: func(r *Record) { r.Cloud.ProjectID = "" }, why: "its cloud is missing"},
		"no auth URL":                 {change: func(r *Record) { r.Cloud.AuthURL = "" }, why: "its cloud is missing"},
		"opened and not sealed":       {change: func(r *Record) { r.Sealed = nil }, why: "opened and not sealed"},
		"a machine that is null":      {change: func(r *Record) { r.Machines = append(r.Machines, nil) }, why: "number 1"},
		"a machine without name":      {change: func(r *Record) { r.Machines[0].Name = "" }, why: "number 0"},
		"a machine without ID":        {change: func(r *Record) { r.Machines[0].ServerID = "" }, why: "number 0"},
		"a machine twice":             {change: func(r *Record) { r.Machines = append(r.Machines, r.Machines[0]) }, why: "m-0 twice"},
		"sealed without snapshot":     {change: func(r *Record) { r.Cut, r.Machines[0].InCut, r.Machines[0].Snapshot = nil, false, nil }, why: "no snapshot"},
		"sealed, snapshot without ID": {change: func(r *Record) { r.Cut, r.Machines[0].InCut, r.Machines[0].Snapshot.ID = nil, false, "" }, why: "no snapshot"},
		"in a cut that is not there":  {change: func(r *Record) { r.Cut = nil }, why: "m-0"},
		"in the cut without a shot":   {change: func(r *Record) { r.Machines[0].Shot = nil }, why: "m-0"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			text := []byte(test.text)
			if test.change != nil {
				r := fullRecord()
				test.change(r)
				var err error
				text, err = encode(r)
				g.Expect(err).NotTo(HaveOccurred())
			}
			_, err := decode(text)
			g.Expect(err).To(MatchError(ContainSubstring(test.why)))
		})
	}
}

func TestRecordMustFitIntoASecret(t *testing.T) {
	g := NewWithT(t)
	r := fullRecord()
	r.Machines[0].Spec.Description = strings.Repeat("x", maxRecord-2000)
	_, err := encode(r)
	g.Expect(err).To(MatchError(ContainSubstring("a Secret holds no more than 921600")))
	r.Machines[0].Spec.Description = strings.Repeat("x", maxRecord-10000)
	_, err = encode(r)
	g.Expect(err).NotTo(HaveOccurred())
}
