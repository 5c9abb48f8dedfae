package faults

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// trace is what happened in a world, for a person to read.
type trace struct {
	mu    sync.Mutex
	begun time.Time
	lines []string
	// secrets must never appear in a line.
	secrets []string
	leaked  []string
}

// scan looks for credentials.
func (t *trace) scan(line string) {
	for _, secret := range t.secrets {
		if strings.Contains(line, secret) {
			t.leaked = append(t.leaked, strings.ReplaceAll(line, secret, "…"))
		}
	}
}

// guard has a secret looked for from now on.
func (t *trace) guard(secret string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if secret != "" && !slices.Contains(t.secrets, secret) {
		t.secrets = append(t.secrets, secret)
	}
}

// examine looks for credentials in a text that is not entered.
func (t *trace) examine(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.scan(text)
}

// add enters a line.
func (t *trace) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := fmt.Sprintf(format, args...)
	t.scan(line)
	t.lines = append(t.lines, fmt.Sprintf("%9.1fs  %s", time.Since(t.begun).Seconds(), line))
}

// Write takes what the processes log. A line for each request would only repeat the calls.
func (t *trace) Write(p []byte) (int, error) {
	if strings.Contains(string(p), `msg="openstack request"`) {
		t.examine(string(p))
		return len(p), nil
	}
	t.add("   log %s", strings.TrimSpace(string(p)))
	return len(p), nil
}

// tail returns the last lines.
func (t *trace) tail(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	left := ""
	if over := len(lines) - n; over > 0 {
		left = fmt.Sprintf("  … %d lines before\n", over)
		lines = lines[over:]
	}
	return left + strings.Join(lines, "\n")
}

// length returns how many lines there are.
func (t *trace) length() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.lines)
}

// since returns the lines from one on.
func (t *trace) since(line int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines[line:])
}
