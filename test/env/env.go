package env

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// dirPrefix and the process ID begin the names of the directories that environments keep their files in.
const dirPrefix = "overwinter-env-"

const (
	startTimeout = 2 * time.Minute
	startPoll    = 50 * time.Millisecond
	// requestTimeout is for one request, so that one that hangs is not all that was tried.
	requestTimeout = 10 * time.Second
)

// Env is an etcd and what runs on it.
type Env struct {
	// Dir holds the files of all processes; it goes when the Env is stopped.
	Dir string

	assets  string
	etcdURL string

	mu        sync.Mutex
	processes []*Process
}

// Assets returns the directory with kube-apiserver and etcd, which KUBEBUILDER_ASSETS names.
func Assets() (string, error) {
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		return "", errors.New("KUBEBUILDER_ASSETS is not set: `make test` and `make demo` build kube-apiserver and etcd " +
			"and set it; or let it name a directory that has both")
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("KUBEBUILDER_ASSETS: %w", err)
		}
	}
	return dir, nil
}

// Start starts an environment: an etcd, for now without API servers. Whoever calls it calls Stop, also after an error
// of what is started later.
func Start(ctx context.Context) (*Env, error) {
	assets, err := Assets()
	if err != nil {
		return nil, err
	}
	removeAbandoned(os.TempDir())
	dir, err := os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, fmt.Errorf("make the environment's directory: %w", err)
	}
	e := &Env{Dir: dir, assets: assets}
	if err := e.startEtcd(ctx); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return e, nil
}

// Stop ends all processes, the last one started first, and removes all files. It may be called twice.
func (e *Env) Stop() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := len(e.processes) - 1; i >= 0; i-- {
		// Nobody needs what etcd and the API servers hold; how a killed process ended says nothing.
		_ = e.processes[i].Stop(0)
	}
	e.processes = nil
	if err := os.RemoveAll(e.Dir); err != nil {
		return fmt.Errorf("remove the environment's directory: %w", err)
	}
	return nil
}

// StartProcess starts a program that Stop ends; its log is <name>.log in Dir.
func (e *Env) StartProcess(name, path string, args ...string) (*Process, error) {
	p, err := StartProcess(Command{Name: name, Path: path, Args: args, Log: filepath.Join(e.Dir, name+".log")})
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.processes = append(e.processes, p)
	return p, nil
}

func (e *Env) startEtcd(ctx context.Context) error {
	address, err := FreeAddress()
	if err != nil {
		return err
	}
	e.etcdURL = "http://" + address
	p, err := e.StartProcess("etcd", filepath.Join(e.assets, "etcd"),
		"--data-dir="+filepath.Join(e.Dir, "etcd"),
		"--listen-client-urls="+e.etcdURL,
		"--advertise-client-urls="+e.etcdURL,
		"--listen-peer-urls=http://127.0.0.1:0",
		"--unsafe-no-fsync",
		"--log-level=warn")
	if err != nil {
		return err
	}
	return p.WaitReady(ctx, http.DefaultClient, e.etcdURL+"/health")
}

// WaitReady waits until url answers 200. It ends early when the process does.
func (p *Process) WaitReady(ctx context.Context, client *http.Client, url string) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, startPoll, startTimeout, true, func(ctx context.Context) (bool, error) {
		if err := p.Failure(); err != nil {
			return false, err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, err
		}
		response, err := client.Do(request)
		if err != nil {
			last = err
			return false, nil //nolint:nilerr // it does not listen yet
		}
		last = fmt.Errorf("GET %s: %s", url, response.Status)
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
	if wait.Interrupted(err) {
		return fmt.Errorf("%s is not ready: %w (%w)\n%s", p.name, err, last, p.Tail(20))
	}
	return err
}

// FreeAddress returns an address of this machine on which nobody listens now.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// removeAbandoned removes the directories of environments whose process was killed before it could.
func removeAbandoned(temp string) {
	dirs, err := filepath.Glob(filepath.Join(temp, dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		owner, err := strconv.Atoi(pid)
		if err == nil && errors.Is(syscall.Kill(owner, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
}
