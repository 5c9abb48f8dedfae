package hibernation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/cloud"
)

var errDied = errors.New("the manager died")

// bodyNames tells whether a create is of a server of that name.
func bodyNames(k *cloud.Call, name string) bool {
	var body struct {
		Server struct {
			Name string `json:"name"`
		} `json:"server"`
	}
	return json.Unmarshal(k.Body, &body) == nil && body.Server.Name == name
}

// dieAt lets the manager die at the n-th of its requests to the cloud and its saves, before or after it has its effect: from
// then on nothing that it asks for is done, until another one is started.
func (r *rig) dieAt(n int, after bool) {
	next := func(late bool) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if late != after || r.dead.Load() {
			return r.dead.Load()
		}
		r.dead.Store(n == 0)
		n--
		return r.dead.Load()
	}
	save := func(late bool) func() error {
		return func() error {
			if next(late) {
				return errDied
			}
			return nil
		}
	}
	r.kube.beforeSave, r.kube.afterSave = save(false), save(true)
	r.onRequest(func(*cloud.Call) *cloud.Effect {
		if e := cloud.ResetBefore(); next(false) {
			return &e
		}
		return nil
	})
	r.onAnswer(func(*cloud.Call, int) *cloud.Effect {
		if e := cloud.ResetAfter(); next(true) {
			return &e
		}
		return nil
	})
}

// restartManager starts another process, which knows nothing of the one before.
func (r *rig) restartManager(holder string) {
	r.dead.Store(false)
	r.kube.beforeSave, r.kube.afterSave, r.before, r.after = nil, nil, nil, nil
	opts := r.options
	opts.Holder = holder
	r.engine, r.api = r.manager(opts), r.clientOf(cloud.DefaultUser, project)
}

// runUntilDeath repeats a verb until the manager dies; false means that it was done before.
func (r *rig) runUntilDeath(do verb) bool {
	r.t.Helper()
	for range maxPasses {
		p, err := r.once(do)
		if r.dead.Load() {
			return true
		}
		if err == nil && p.Done {
			return false
		}
		r.wait(p)
	}
	r.t.Fatal("not done")
	return false
}

// However the manager dies, the next one brings the cycle to its end: nothing is lost, nothing is made twice, nothing is left.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, verbs := range []struct {
		name string
		do   verb
	}{{"hibernate", hibernate}, {"resume", resume}, {"cleanup", cleanup}} {
		for _, after := range []bool{false, true} {
			for _, holder := range []string{"manager-1", "manager-2"} {
				t.Run(fmt.Sprintf("%s, after %v, then %s", verbs.name, after, holder), func(t *testing.T) {
					n := 0
					for crashOnce(t, verbs.name, verbs.do, n, after, holder) {
						n++
					}
					NewWithT(t).Expect(n).To(BeNumerically(">=", 4), "times at which it can die")
				})
			}
		}
	}
}

// crashOnce runs one cycle in which the manager dies once, and tells whether it did.
func crashOnce(t *testing.T, name string, do verb, n int, after bool, holder string) (died bool) {
	t.Helper()
	t.Run(fmt.Sprint(n), func(t *testing.T) {
		r := newRig(t, 1, 0)
		if name != "hibernate" {
			r.hibernate()
		}
		if name == "cleanup" {
			r.resume()
		}
		r.dieAt(n, after)
		died = r.runUntilDeath(do)
		r.restartManager(holder)
		r.g.Expect(r.until(do)).To(Succeed())
		switch name {
		case "hibernate":
			r.expectAsleep()
			r.resume()
		case "resume":
			r.expectAwake()
		}
		r.expectClean()
	})
	return died
}

// The same while a hibernation is undone.
func TestCrashesWhileRollingBack(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for n, died := 0, true; died; n++ {
			t.Run(fmt.Sprintf("%d, after %v", n, after), func(t *testing.T) {
				r := newRig(t, 1, 0, func(s *setup) { s.cloud.Latencies.SnapshotUpload = 5 * time.Second })
				r.passes(2, hibernate)
				r.g.Expect(r.record().Cut.Shooting).To(BeTrue())
				r.dieAt(n, after)
				died = r.runUntilDeath(resume)
				r.restartManager("manager-2")
				r.resume()
				r.expectUndone()
				r.g.Expect(r.secret()).To(BeNil())
			})
		}
	}
}
