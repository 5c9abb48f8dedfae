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
	harness := build(t)
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
		inTurn(m.name, func(t *testing.T) { m.expectFound(t, harness) })
		if !tried[m.rows] {
			tried[m.rows] = true
			inTurn("without "+m.name, func(t *testing.T) { expectSound(t, harness, m.rows) })
		}
	}
}

func (m mutation) expectFound(t *testing.T, harness string) {
	t.Helper()
	g := NewWithT(t)
	found := run(t, harness, m.name, m.rows)
	t.Logf("%s: found by %v in %s", m.name, found.checks, found.row)
	g.Expect(found.ended).To(BeTrue(), "the harness did not come to its end:\n%s", found.output)
	g.Expect(found.passed).To(BeFalse(), "nobody notices the bug")
	g.Expect(found.checks).To(ContainElement(m.check), found.output)
}

func expectSound(t *testing.T, harness string, r rows) {
	t.Helper()
	g := NewWithT(t)
	found := run(t, harness, "", r)
	g.Expect(found.passed).To(BeTrue(), found.output)
	g.Expect(found.tried).To(BeTrue(), "no row has such a name:\n%s", found.output)
}

// build builds the harness with all mutations in it, and returns the path of its binary.
func build(t *testing.T) string {
	t.Helper()
	g := NewWithT(t)
	base, err := filepath.Abs(root)
	g.Expect(err).NotTo(HaveOccurred())
	files, err := plant(table())
	g.Expect(err).NotTo(HaveOccurred())
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range files {
		replacement := filepath.Join(dir, flat(path))
		g.Expect(os.WriteFile(replacement, []byte(text), 0o600)).To(Succeed())
		overlay.Replace[filepath.Join(base, path)] = replacement
	}
	data, err := json.Marshal(overlay)
	g.Expect(err).NotTo(HaveOccurred())
	overlayFile, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "harness.test")
	g.Expect(os.WriteFile(overlayFile, data, 0o600)).To(Succeed())
	ctx, cancel := context.WithTimeout(t.Context(), buildWithin)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlayFile, "-o", binary, "./test/faults")
	command.Dir = base
	output, err := command.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), "the harness can't be built with the mutations:\n%s\n%s", output, blamed(string(output), files))
	return binary
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
	violation = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: \[([\w-]+)\] `)
	nothing   = regexp.MustCompile(`(?m)^faults: crash-points=0 fault-points=0 schedules=0 `)
	failedRow = regexp.MustCompile(`go test \./test/faults .*-run='\^([^']+)\$'`)
)

// run runs rows of the harness with a mutation in force, until the first row in which it is noticed.
func run(t *testing.T, harness, mutant string, r rows) findings {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runWithin)
	defer cancel()
	flags := []string{"-test.run=" + r.run, "-test.failfast", "-test.parallel=1"}
	if r.full {
		flags = append(flags, "-every")
	}
	command := exec.CommandContext(ctx, harness, flags...)
	command.Dir = filepath.Join(root, "test", "faults")
	command.Env = append(os.Environ(), mutantEnv+"="+mutant)
	output, err := command.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("the harness can't be run: %v", err)
	}
	out := findings{passed: err == nil, output: string(output)}
	out.ended = ctx.Err() == nil && strings.Contains(out.output, "\nfaults: crash-points=")
	out.tried = out.ended && !nothing.MatchString(out.output)
	for _, match := range violation.FindAllStringSubmatch(out.output, -1) {
		if !slices.Contains(out.checks, match[1]) {
			out.checks = append(out.checks, match[1])
		}
	}
	if match := failedRow.FindStringSubmatch(out.output); match != nil {
		out.row = match[1]
	}
	return out
}
