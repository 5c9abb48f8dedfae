package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/env"
)

const (
	crdDir   = "../../config/crds"
	roleFile = "../../config/rbac/role.yaml"
	// What leader election needs, in its own namespace.
	leaderRoleFile  = "../../config/rbac/leader_election_role.yaml"
	leaderNamespace = "overwinter"
)

// hub is where the manager works.
type hub struct {
	client.WithWatch

	env     *env.Env
	api     *env.API
	program string
	manager *env.Process
}

// shared is the hub of all tests. It is set before the first one runs.
var shared *hub

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	h, err := startHub(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		<-interrupted
		_ = h.env.Stop()
		os.Exit(1)
	}()
	shared = h
	// They mostly wait.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "The end of the manager's log:\n%s\n", h.manager.Tail(60))
	}
	if err := errors.Join(h.manager.Stop(time.Minute), h.env.Stop()); err != nil {
		fmt.Fprintf(os.Stderr, "the manager did not shut down cleanly: %v\n", err)
		return 1
	}
	return code
}

// startHub starts an API server and the manager.
func startHub(ctx context.Context) (*hub, error) {
	e, err := env.Start(ctx)
	if err != nil {
		return nil, err
	}
	h := &hub{env: e}
	if err := h.start(ctx); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return h, nil
}

func (h *hub) start(ctx context.Context) error {
	var err error
	if h.program, err = env.BuildManager(ctx, h.env.Dir); err != nil {
		return err
	}
	if h.api, err = h.env.StartAPI(ctx, "hub", crdDir); err != nil {
		return err
	}
	kubeconfig, err := h.api.GrantManager(ctx, roleFile, leaderRoleFile)
	if err != nil {
		return err
	}
	if h.WithWatch, err = newHubClient(h.api); err != nil {
		return err
	}
	h.manager, err = h.env.StartManager(ctx, "manager", h.program, kubeconfig,
		"--leader-elect=true", "--leader-elect-namespace="+leaderNamespace,
		"--cleanup-after=2s", "--operators-settle=1s")
	return err
}

// newHubClient returns a client to a hub as its users have it.
func newHubClient(api *env.API) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), hivev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.NewWithWatch(api.Config, client.Options{Scheme: scheme})
}
