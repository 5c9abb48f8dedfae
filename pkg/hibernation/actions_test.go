package hibernation

import (
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/instanceactions"
	. "github.com/onsi/gomega"
)

// historyOf reads "pause@10 createImage@20" as a server's actions with the seconds at which they were asked for, and returns
// them as Nova lists them, newest first.
func historyOf(t *testing.T, text string) history {
	t.Helper()
	var list []instanceactions.InstanceAction
	for _, word := range strings.Fields(text) {
		action, second, _ := strings.Cut(word, "@")
		at, err := time.ParseDuration(second + "s")
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		list = append([]instanceactions.InstanceAction{{Action: action, StartTime: someday.Add(at)}}, list...)
	}
	return history{known: true, entries: list}
}

// A historyCase is what the machines of a cut were before, with their histories; and what is found.
type historyCase struct {
	before    []string
	histories []string
	// why is empty if nothing else ran.
	why string
}

func TestHistoriesOfACut(t *testing.T) {
	checkHistoryCases(t, map[string]historyCase{
		"paused, then snapshotted": {
			[]string{statusActive, statusActive}, []string{"create@0 pause@10 createImage@20", "create@1 pause@11 createImage@21"}, "",
		},
		"within one second": {
			[]string{statusActive, statusActive}, []string{"pause@10 createImage@10", "pause@10 createImage@10"}, "",
		},
		"cycles before": {
			[]string{statusActive}, []string{"create@0 pause@1 createImage@2 unpause@3 pause@10 createImage@20"}, "",
		},
		"one was off all the time": {
			[]string{statusActive, statusShutoff}, []string{"pause@10 createImage@20", "create@0 stop@5 createImage@20"}, "",
		},
		"one was off, its snapshot came before the last pause": {
			[]string{statusActive, statusShutoff}, []string{"pause@10 createImage@20", "stop@5 createImage@9"}, "",
		},
		"one was paused all the time": {
			[]string{statusActive, statusPaused}, []string{"pause@10 createImage@20", "pause@5 createImage@20"}, "",
		},
		"all were off": {
			[]string{statusShutoff, statusShutoff}, []string{"stop@5 createImage@20", "stop@50 createImage@60"}, "",
		},
		"a second snapshot": {
			[]string{statusActive}, []string{"pause@10 createImage@20 createImage@30"}, "",
		},
	})
}

func TestHistoriesOfWhatMoved(t *testing.T) {
	checkHistoryCases(t, map[string]historyCase{
		"unpaused and paused between two looks": {
			[]string{statusActive, statusActive}, []string{"pause@10 unpause@12 pause@14 createImage@20", "pause@10 createImage@20"},
			`m-0: somebody asked for "unpause"`,
		},
		"unpaused and paused again after its snapshot": {
			[]string{statusActive, statusActive}, []string{"pause@10 createImage@20 unpause@22 pause@24", "pause@10 createImage@20"},
			`m-0: somebody asked for "pause" after its snapshot`,
		},
		"running": {
			[]string{statusActive}, []string{"pause@10 createImage@20 unpause@22"}, `somebody asked for "unpause" after its snapshot`,
		},
		"rebooted between pause and snapshot": {
			[]string{statusActive}, []string{"pause@10 reboot@12 createImage@20"}, `m-0: somebody asked for "reboot" between its pause and its snapshot`,
		},
		"paused after another's snapshot": {
			[]string{statusActive, statusActive}, []string{"pause@10 createImage@12", "pause@14 createImage@20"}, "was paused at 2026-11-23T15:04:19Z, after the first snapshot",
		},
		"a foreign snapshot before the last pause": {
			[]string{statusActive, statusActive}, []string{"pause@10 createImage@12 createImage@20", "pause@14 createImage@20"}, "after the first snapshot",
		},
		"a foreign snapshot before its own pause": {
			[]string{statusActive, statusActive}, []string{"createImage@5 pause@10 createImage@20", "pause@14 createImage@20"}, "",
		},
		"one that was off was started and stopped": {
			[]string{statusActive, statusShutoff}, []string{"pause@10 createImage@20", "stop@5 start@12 stop@14 createImage@20"}, `m-1: somebody asked for "st`,
		},
		"one that was off was started after its snapshot": {
			[]string{statusActive, statusShutoff}, []string{"pause@10 createImage@20", "stop@5 createImage@20 start@22"}, `m-1: somebody asked for "start" after its snapshot`,
		},
		"its history is gone":     {[]string{statusActive}, []string{""}, "m-0: its history in Nova does not show"},
		"no pause in its history": {[]string{statusActive}, []string{"createImage@20"}, "does not show that it was paused"},
		"never snapshotted":       {[]string{statusActive}, []string{"create@0 pause@10"}, `somebody asked for "pause" after its snapshot`},
		"off, never snapshotted":  {[]string{statusShutoff}, []string{""}, "does not show"},
	})
}

func checkHistoryCases(t *testing.T, cases map[string]historyCase) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var machines []*Machine
			histories := map[string]history{}
			for i, before := range test.before {
				id := string(rune('0' + i))
				machines = append(machines, &Machine{Name: "m-" + id, ServerID: id, Before: before})
				histories[id] = historyOf(t, test.histories[i])
			}
			err := checkHistories(machines, histories)
			if test.why == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(BeAssignableToTypeOf(&abandonment{}))
			g.Expect(err).To(MatchError(ContainSubstring(test.why)))
		})
	}
}
