//go:build mutations

package mutations

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

const (
	// atOnce is how many runs of the harness there are at a time.
	atOnce = 2
	// buildWithin and runWithin are generous: the machine may be busy.
	buildWithin = 20 * time.Minute
	runWithin   = 5 * time.Minute
)

// Each planted bug is found, and by the check that is there for it. Without the bug the same rows pass.
func TestMutations(t *testing.T) {
	binaries := build(t)
	turns := make(chan struct{}, atOnce)
	inTurn := func(name string, do func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			do(t)
		})
	}
	tried := map[rows]bool{}
	for _, m := range table() {
		inTurn(m.name, func(t *testing.T) { m.expectFound(t, binaries) })
		if !tried[m.rows] {
			tried[m.rows] = true
			inTurn("without "+m.name, func(t *testing.T) { expectSound(t, binaries, m.rows) })
		}
	}
}

func (m mutation) expectFound(t *testing.T, binaries map[string]string) {
	t.Helper()
	g := NewWithT(t)
	found := run(t, binaries, m.name, m.rows)
	t.Logf("%s: found by %v in %s", m.name, found.checks, found.row)
	g.Expect(found.ended).To(BeTrue(), "the tests did not come to their end:\n%s", found.output)
	g.Expect(found.passed).To(BeFalse(), "nobody notices the bug")
	g.Expect(found.checks).To(ContainElement(m.check), found.output)
}

func expectSound(t *testing.T, binaries map[string]string, r rows) {
	t.Helper()
	g := NewWithT(t)
	found := run(t, binaries, "", r)
	g.Expect(found.passed).To(BeTrue(), found.output)
	g.Expect(found.tried).To(BeTrue(), "no row has such a name:\n%s", found.output)
}

// build builds the tests of each package that a mutation names, with all mutations in them, and returns the paths of the binaries.
func build(t *testing.T) map[string]string {
	t.Helper()
	g := NewWithT(t)
	dir := t.TempDir()
	overlay, files := writeOverlay(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), buildWithin)
	defer cancel()
	binaries := map[string]string{}
	for _, m := range table() {
		if binaries[m.rows.pkg] != "" {
			continue
		}
		binary := filepath.Join(dir, flat(m.rows.pkg)+".test")
		command := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, m.rows.pkg)
		command.Dir = root
		output, err := command.CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), "%s can't be built with the mutations:\n%s\n%s", m.rows.pkg, output, blamed(string(output), files))
		binaries[m.rows.pkg] = binary
	}
	return binaries
}

// writeOverlay writes the files with all mutations in them, and what tells the compiler of them. It returns the path of that, and
// the files.
func writeOverlay(t *testing.T, dir string) (string, map[string]string) {
	t.Helper()
	g := NewWithT(t)
	base, err := filepath.Abs(root)
	g.Expect(err).NotTo(HaveOccurred())
	files, err := plant(table())
	g.Expect(err).NotTo(HaveOccurred())
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range files {
		replacement := filepath.Join(dir, flat(path))
		g.Expect(os.WriteFile(replacement, []byte(text), 0o600)).To(Succeed())
		overlay.Replace[filepath.Join(base, path)] = replacement
	}
	data, err := json.Marshal(overlay)
	g.Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(dir, "overlay.json")
	g.Expect(os.WriteFile(path, data, 0o600)).To(Succeed())
	return path, files
}

var compileError = regexp.MustCompile(`(?m)^\S*/(\S+\.go):(\d+):`)

// flat is what a file of the repository is called in the overlay's directory.
func flat(path string) string { return strings.ReplaceAll(path, "/", "_") }

// blamed names the mutations in which the compiler found something: the lines that it names are those of the overlay.
func blamed(output string, files map[string]string) string {
	lines := map[string][]string{}
	for path, text := range files {
		lines[flat(path)] = strings.Split(text, "\n")
	}
	var out []string
	for _, match := range compileError.FindAllStringSubmatch(output, -1) {
		in := lines[match[1]]
		line, _ := strconv.Atoi(match[2])
		for i := min(len(in), line) - 1; i >= 0; i-- {
			if name, ok := strings.CutPrefix(in[i], mutantMark); ok {
				out = append(out, name)
				break
			}
		}
	}
	return "look at " + strings.Join(slices.Compact(out), ", ")
}

// findings are what a run of the harness says.
type findings struct {
	// ended says that it came to its end, passed that nothing was violated.
	ended, passed bool
	// tried says that there were rows.
	tried bool
	// checks are those that were violated, row is the first row in which one was.
	checks []string
	row    string
	output string
}

var (
	violation  = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: \[([\w-]+)\] `)
	failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)
	nothing    = regexp.MustCompile(`(?m)^faults: crash-points=0 fault-points=0 schedules=0 `)
	endedSo    = regexp.MustCompile(`(?m)^(PASS|FAIL)$`)
	failedRow  = regexp.MustCompile(`go test \./test/faults .*-run='\^([^']+)\$'`)
)

// run runs rows of the harness, or tests, with a mutation in force, until the first in which it is noticed.
func run(t *testing.T, binaries map[string]string, mutant string, r rows) findings {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runWithin)
	defer cancel()
	flags := []string{"-test.run=" + r.run, "-test.failfast", "-test.parallel=1"}
	if r.full {
		flags = append(flags, "-every")
	}
	command := exec.CommandContext(ctx, binaries[r.pkg], flags...)
	command.Dir = filepath.Join(root, r.pkg)
	command.Env = append(os.Environ(), mutantEnv+"="+mutant)
	output, err := command.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%s can't be run: %v", r.pkg, err)
	}
	out := findings{passed: err == nil, output: string(output)}
	if r.pkg == harnessPackage {
		out.ended = ctx.Err() == nil && strings.Contains(out.output, "\nfaults: crash-points=")
		out.tried = out.ended && !nothing.MatchString(out.output)
		out.note(violation)
	} else {
		out.ended = ctx.Err() == nil && endedSo.MatchString(out.output)
		out.tried = out.ended && !strings.Contains(out.output, "testing: warning: no tests to run")
		out.note(failedTest)
	}
	if match := failedRow.FindStringSubmatch(out.output); match != nil {
		out.row = match[1]
	}
	return out
}

// note takes down the checks that a pattern finds in the output.
func (f *findings) note(pattern *regexp.Regexp) {
	for _, match := range pattern.FindAllStringSubmatch(f.output, -1) {
		if !slices.Contains(f.checks, match[1]) {
			f.checks = append(f.checks, match[1])
		}
	}
}
