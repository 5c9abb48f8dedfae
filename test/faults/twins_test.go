package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/overwinter/overwinter/test/cloud"
)

// The answer to the making of a server is lost, and somebody who does not wait makes it by hand as well: both are complete, and
// which of them the cluster is to have is not for us to decide.
func TestTwinsByHand(t *testing.T) {
	s, f := shape{name: "pair", masters: 1, workers: 1}, resumeFlow()
	for _, c := range reference(t, s, f) {
		if c.op != "nova.server.create" {
			continue
		}
		t.Run(fmt.Sprint(c.n), func(t *testing.T) {
			t.Parallel()
			tried.faults.Add(1)
			inWorld(t, s, *first, func(w *world) { w.twinByHand(f, c.n) })
		})
	}
}

// impatient is how long somebody waits for a server.
const impatient = 500 * time.Millisecond

// twinByHand has the server that the n-th call makes be made twice, and a person remove the one that is not needed.
func (w *world) twinByHand(f flow, n int) {
	w.twins, w.others = true, true
	var ours, theirs string
	w.start(f, func(c *call, done bool) *fault {
		if c.n != n || !done {
			return nil
		}
		name := bodyName(c, "server")
		// Both write under one name: what the machine has written is not told apart.
		w.lost[name] = true
		w.later(impatient, func() { ours, theirs = w.makeTwin(name) })
		reset := cloud.ResetAfter()
		return &fault{name: "reset after the effect", cloud: &reset}
	})
	w.until(time.Hour, func() bool { return f.over(w) })
	w.counting = false
	if says := w.conditions(); ours == "" || !strings.Contains(says, ours) || !strings.Contains(says, theirs) {
		w.violate("silent", "there are two servers, %q and %q, and nothing says so: %s", ours, theirs, says)
	}
	w.trace.add("PERSON: deletes %s", theirs)
	w.cloud.DeleteServer(theirs)
	w.finish()
	if s, _ := w.cloud.Server(ours); s.Status != "ACTIVE" {
		w.violate("missing", "the server that was made first, %s, is %q", ours, s.Status)
	}
}

// makeTwin makes a server like the only one of that name, on a port of its own, and returns the IDs of both.
func (w *world) makeTwin(name string) (first, second string) {
	was := w.cloud.ServersNamed(cloud.DefaultProject, name)
	if len(was) != 1 {
		return "", ""
	}
	answer := w.member(http.MethodPost, "/compute/v2.1/servers", map[string]any{"server": map[string]any{
		"name": name, "imageRef": was[0].ImageID, "flavorRef": was[0].FlavorID, "metadata": was[0].Metadata,
		"networks": []any{map[string]any{"uuid": w.seeds[0].NetworkID}},
	}})
	made, _ := answer["server"].(map[string]any)
	second, _ = made["id"].(string)
	w.trace.add("SOMEBODY: makes %s a second time: %s", name, second)
	return was[0].ID, second
}
