package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// width is how many columns the timeline takes at most.
	width = 100
	// indent is where its third column begins.
	indent = 21
)

// timeline prints what changes, each line with the time since its start.
type timeline struct {
	out   io.Writer
	start time.Time
	last  look
}

// look is what the timeline shows, as of one moment. The maps lead from a name to a state.
type look struct {
	powerState, message        string
	record, servers, snapshots map[string]string
	nodes, machines, lifecycle map[string]string
}

// begin sets the time to 0 and announces what is about to happen.
func (t *timeline) begin(title string) {
	t.start = time.Now()
	fmt.Fprintf(t.out, "\n%s\n", title)
}

// line prints one line.
func (t *timeline) line(kind, text string) {
	fmt.Fprintf(t.out, "%6.1fs  %-10s  %s\n", time.Since(t.start).Seconds(), kind, fit(text, width-indent))
}

// show prints what has changed since the last look.
func (t *timeline) show(now look) {
	t.changes("Secret", t.last.record, now.record, "deleted")
	t.changes("server", t.last.servers, now.servers, "gone")
	t.changes("snapshot", t.last.snapshots, now.snapshots, "deleted")
	t.changes("Node", t.last.nodes, now.nodes, "gone")
	t.changes("Machine", t.last.machines, now.machines, "gone")
	t.changes("controller", t.last.lifecycle, now.lifecycle, "stopped")
	if now.powerState != t.last.powerState {
		t.line("powerState", now.powerState)
		if now.message != "" {
			fmt.Fprintf(t.out, "%*s%s\n", indent, "", fit(now.message, width-indent))
		}
	}
	t.last = now
}

// changes prints one line for all machines that went from one and the same state to another.
func (t *timeline) changes(kind string, before, after map[string]string, absent string) {
	type change struct{ from, to string }
	moved := map[change][]string{}
	names := slices.Sorted(maps.Keys(before))
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[name]; !known {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if from, to := before[name], after[name]; from != to {
			moved[change{from, to}] = append(moved[change{from, to}], name)
		}
	}
	order := slices.SortedFunc(maps.Keys(moved), func(a, b change) int {
		return strings.Compare(moved[a][0], moved[b][0])
	})
	for _, c := range order {
		from, to := c.from, c.to
		if to == "" {
			to = absent
		}
		step := to
		if from != "" {
			step = from + " → " + to
		}
		who := strings.Join(moved[c], " ")
		if len(moved[c]) == masters+workers {
			who = fmt.Sprintf("all %d", masters+workers)
		}
		t.line(kind, fmt.Sprintf("%-17s  %s", step, who))
	}
}

// fit shortens a text to so many columns.
func fit(text string, columns int) string {
	if runes := []rune(text); len(runes) > columns {
		return string(runes[:columns-1]) + "…"
	}
	return text
}
