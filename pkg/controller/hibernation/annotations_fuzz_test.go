package hibernation

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// Whatever an owner writes into the annotation that orders to go back in time, no machine is meant but those that it names.
func FuzzRemakeAnnotation(f *testing.F) {
	for _, value := range []string{"", ",", " , ,\t", "demo-master-0", "demo-master-0,demo-master-0 ,\ndemo-worker-1", "*", "true", "a;b", "demo-master-0\x00", "\u00a0x\u2003", strings.Repeat("a,", 10000)} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		cd := installedCD()
		cd.Annotations = map[string]string{hivev1.AnnotationRemakeServer: value}
		names := namedIn(cd, hivev1.AnnotationRemakeServer)
		for name := range names {
			if name == "" || strings.TrimSpace(name) != name || strings.Contains(name, ",") || !strings.Contains(value, name) {
				t.Fatalf("%q is named in %q", name, value)
			}
		}
		if words := strings.FieldsFunc(value, func(r rune) bool { return r == ',' }); len(names) > len(words) {
			t.Fatalf("%d names in %q", len(names), value)
		}
		listed := names.UnsortedList()
		slices.Reverse(listed)
		cd.Annotations[hivev1.AnnotationRemakeServer] = strings.Join(listed, " ,")
		if again := namedIn(cd, hivev1.AnnotationRemakeServer); !again.Equal(names) {
			t.Fatalf("%q was read as %q", listed, again)
		}
	})
}

// A switch is on only for the words that say so, and what is no switch leaves the cluster to us.
func FuzzSwitches(f *testing.F) {
	for _, value := range []string{"true", "True", "TRUE", "t", "1", "yes", "on", " true", "false", "", "0", "2", "tRUE", "true\n"} {
		f.Add(value, value)
	}
	f.Fuzz(func(t *testing.T, value, relocate string) {
		on := slices.Contains([]string{"1", "t", "T", "true", "TRUE", "True"}, value)
		if truthy(value) != on {
			t.Fatalf("%q is on: %t", value, !on)
		}
		cd := installedCD()
		cd.Annotations = map[string]string{hivev1.AnnotationReconcilePause: value, hivev1.AnnotationRelocate: relocate}
		if alone := leftAlone(cd); alone != (on || relocate != "") {
			t.Fatalf("left alone: %t, with %q and %q", alone, value, relocate)
		}
		now := metav1.NewTime(startOfTest())
		cd.DeletionTimestamp = &now
		if leftAlone(cd) != on {
			t.Fatal("a cluster that is deleted waits for our finalizer")
		}
	})
}

// Whatever durations and times stand in a ClusterDeployment, it never runs for longer than hibernateAfter says since the
// latest of these times, and the time that is left only ever gets shorter.
func FuzzHibernateAfter(f *testing.F) {
	for _, duration := range []string{"8h", "0s", "-1h", "1ns", "2562047h47m16.854775807s", "8", "eight hours", "", "1e3h", ".5h", "+5m"} {
		f.Add(duration, "2026-11-20T00:00:00Z", `{"claimedTimestamp": "2026-11-20T03:00:00Z", "claimName": "c", "poolName": "p"}`, int64(3600))
	}
	f.Add("8h", "0001-01-01T00:00:00Z", `{"poolName": "p"}`, int64(0))
	f.Add("8h", "9999-12-31T23:59:59Z", `null`, int64(1))
	f.Add("2562047h", "9999-12-31T23:59:59-12:00", `{"claimedTimestamp": "9999-12-31T23:59:59Z"}`, int64(1<<40))
	f.Fuzz(func(t *testing.T, duration, installed, pool string, later int64) {
		spec := struct {
			HibernateAfter *metav1.Duration             `json:"hibernateAfter"`
			Installed      *metav1.Time                 `json:"installed"`
			Pool           *hivev1.ClusterPoolReference `json:"pool"`
		}{}
		data, _ := json.Marshal(map[string]string{"hibernateAfter": duration, "installed": installed})
		if utiljson.Unmarshal(data, &spec) != nil || utiljson.Unmarshal([]byte(`{"pool": `+pool+`}`), &spec) != nil {
			t.Skip("no API server would have it")
		}
		cd := installedCD(showing(StateRunning, time.Hour))
		cd.Spec.HibernateAfter, cd.Status.InstalledTimestamp, cd.Spec.ClusterPoolRef = spec.HibernateAfter, spec.Installed, spec.Pool
		now := startOfTest()
		checkLimit(t, cd, now, time.Duration(uint32(later))*time.Second)
	})
}

// checkLimit: what limits a cluster's time is never more than hibernateAfter, and less when some of it has passed.
func checkLimit(t *testing.T, cd *hivev1.ClusterDeployment, now time.Time, passed time.Duration) {
	t.Helper()
	bound, pool := cd.Spec.HibernateAfter, cd.Spec.ClusterPoolRef
	left, limited := untilHibernateAfter(cd, now)
	if limited != (bound != nil && bound.Duration > 0 && !unclaimed(cd)) {
		t.Fatalf("limited %t: %+v", limited, cd.Spec)
	}
	if !limited {
		return
	}
	if before(cd.Status.InstalledTimestamp, now) && (pool == nil || before(pool.ClaimedTimestamp, now)) && left > bound.Duration {
		t.Fatalf("%s are left of %s", left, bound.Duration)
	}
	if after, _ := untilHibernateAfter(cd, now.Add(passed)); after > left {
		t.Fatalf("%s are left, and %s later %s", left, passed, after)
	}
}

func before(at *metav1.Time, now time.Time) bool { return at == nil || at.Time.Before(now) }

// Whatever a ClusterOperator says of itself, it is good only if it says so three times.
func FuzzClusterOperator(f *testing.F) {
	for _, status := range []string{
		`{"conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "False"}, {"type": "Degraded", "status": "False"}]}`,
		`{"conditions": [{"type": "Available", "status": true}, null, 5, "x", {"type": ["Degraded"]}, {}]}`, `{"conditions": {"type": "Available"}}`, `null`, `[]`, `{}`,
		`{"conditions": [{"type": "Available", "status": "True"}, {"type": "Available", "status": "False"}, {"type": "Progressing", "status": ""}]}`,
	} {
		f.Add([]byte(status))
	}
	f.Fuzz(func(t *testing.T, status []byte) {
		operator := &unstructured.Unstructured{}
		if operator.UnmarshalJSON([]byte(`{"apiVersion": "config.openshift.io/v1", "kind": "ClusterOperator", "metadata": {"name": "etcd"}, "status": `+string(status)+`}`)) != nil {
			t.Skip("no API server would send it")
		}
		faults := operatorFaults(operator)
		if len(faults) > 3 {
			t.Fatalf("%q", faults)
		}
		for kind, want := range map[string]string{"Available": "True", "Progressing": "False", "Degraded": "False"} {
			says := strings.Contains(string(status), want)
			named := slices.ContainsFunc(faults, func(fault string) bool { return strings.HasPrefix(fault, kind) })
			if !says && !named && !strings.Contains(string(status), `\`) {
				t.Fatalf("%s is good by %s", kind, status)
			}
		}
	})
}
