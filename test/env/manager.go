package env

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// BuildManager builds the manager of this tree into dir and returns the program's path.
func BuildManager(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "manager")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/overwinter/overwinter/cmd/manager")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the manager: %w\n%s", err, strings.TrimSpace(string(output)))
	}
	return path, lookAtSources(ctx)
}

// lookAtSources looks at the files that the manager is built of. A test's result is cached until a file changes that the test
// itself has looked at, and the compiler is another process.
func lookAtSources(ctx context.Context) error {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-f", `{{if and .Module .Module.Main}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}`,
		"github.com/overwinter/overwinter/cmd/manager")
	files, err := list.Output()
	if err != nil {
		return fmt.Errorf("list the manager's sources: %w", err)
	}
	for path := range strings.FieldsSeq(string(files)) {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	return nil
}

// StartManager starts the manager's program and waits until it is ready. Flags are added to those that say who it is and
// where its health is served; metrics and leader election are off, and no address is denied: the clouds and clusters of
// tests listen on this machine.
func (e *Env) StartManager(ctx context.Context, name, program, kubeconfig string, flags ...string) (*Process, error) {
	health, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	args := append([]string{
		"--kubeconfig=" + kubeconfig,
		"--health-probe-bind-address=" + health,
		"--metrics-bind-address=0",
		"--leader-elect=false",
		"--deny-cidrs=",
	}, flags...)
	p, err := e.StartProcess(name, program, args...)
	if err != nil {
		return nil, err
	}
	return p, p.WaitReady(ctx, http.DefaultClient, "http://"+health+"/readyz")
}
