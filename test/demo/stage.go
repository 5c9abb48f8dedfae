package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	"github.com/overwinter/overwinter/test/cloud"
	"github.com/overwinter/overwinter/test/env"
	"github.com/overwinter/overwinter/test/guest"
	"github.com/overwinter/overwinter/test/guest/controllers"
)

const (
	infraID = "demo-x7k2p"
	masters = 3
	workers = 3

	cleanupAfter    = 10 * time.Second
	operatorsSettle = 3 * time.Second
	// kubeletBoot and operatorsRollOut are how long the pretended cluster takes after its servers run.
	kubeletBoot      = 3 * time.Second
	operatorsRollOut = 7 * time.Second
	// nodesNotReady is how long the kubelets say that their Nodes are not ready; controllersLead is when the cluster's own
	// controllers are at work again, which would delete such Nodes: here a tenth of what it takes in a real one.
	nodesNotReady   = 15 * time.Second
	controllersLead = 12 * time.Second
)

// stage is all that the demo starts.
type stage struct {
	options options

	env       *env.Env
	hub       *env.API
	client    client.Client
	cloud     *cloud.Cloud
	stopCloud func()
	cluster   *cloud.Cluster
	guest     *guest.Guest
	lifecycle *controllers.Cloud
	manager   *env.Process
}

// latencies are those of a cloud that is some thirty times faster than usual, in due proportion.
func latencies(scale float64) cloud.Latencies {
	const ms = time.Millisecond
	uploads := 0
	return cloud.Latencies{
		API:      20 * ms,
		Op:       map[string]time.Duration{"keystone.token.create": 100 * ms, "nova.server.create": 200 * ms},
		Schedule: 500 * ms, Spawn: 4500 * ms,
		Pause: 500 * ms, Unpause: 500 * ms, Start: 2000 * ms, Stop: 2000 * ms,
		Delete: 2500 * ms, Deleted: 300 * ms,
		SnapshotPending: 300 * ms, SnapshotStart: 500 * ms, SnapshotExtract: 1500 * ms,
		SnapshotUploadOf: func(cloud.Server) time.Duration {
			// No two disks are equally full. The cloud asks for one server at a time.
			uploads++
			return 5700*ms + time.Duration(uploads*7%6)*1300*ms
		},
		SnapshotClear: 200 * ms,
	}.Scaled(scale)
}

// open starts everything and says what it starts.
func (s *stage) open(ctx context.Context) error {
	began := time.Now()
	fmt.Println("Overwinter's demo: a cluster of six servers goes to sleep and wakes up again.")
	e, err := env.Start(ctx)
	if err != nil {
		return err
	}
	s.env = e
	s.openCloud() //nolint:contextcheck // It serves until close, whatever becomes of the context.
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.openHub(groupCtx) })
	group.Go(func() error { return s.openGuest(ctx, groupCtx) })
	group.Go(func() error { return s.buildManager(groupCtx) })
	if err := group.Wait(); err != nil {
		return err
	}
	rbac := filepath.Join("config", "rbac")
	kubeconfig, err := s.hub.GrantManager(ctx, filepath.Join(rbac, "role.yaml"), filepath.Join(rbac, "leader_election_role.yaml"))
	if err != nil {
		return err
	}
	s.manager, err = s.env.StartManager(ctx, "manager", s.options.manager, kubeconfig,
		"--leader-elect=true", "--leader-elect-namespace=overwinter",
		fmt.Sprintf("--cleanup-after=%s", cleanupAfter),
		fmt.Sprintf("--operators-settle=%s", operatorsSettle))
	if err != nil {
		return err
	}
	fmt.Println("- Overwinter's manager, as a process of its own")
	fmt.Printf("All of it is up after %.1f s.\n", time.Since(began).Seconds())
	return nil
}

func (s *stage) openCloud() {
	s.cloud = cloud.New(cloud.Options{Seed: s.options.seed, Latencies: latencies(s.options.scale)})
	_, s.stopCloud = s.cloud.Start()
	s.cluster = s.cloud.SeedCluster(infraID, masters, workers)
	fmt.Printf("- a simulated OpenStack with %d servers of the cluster %s: %s\n", masters+workers, infraID, s.cloud.AuthURL())
}

func (s *stage) openHub(ctx context.Context) error {
	hub, err := s.env.StartAPI(ctx, "hub", filepath.Join("config", "crds"))
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), hivev1.AddToScheme(scheme)); err != nil {
		return err
	}
	s.hub = hub
	s.client, err = client.New(hub.Config, client.Options{Scheme: scheme})
	fmt.Printf("- a kube-apiserver with Overwinter's CRDs, the hub: https://%s\n", hub.Address)
	return err
}

// openGuest starts the cluster itself, which lives as long as ctx does.
func (s *stage) openGuest(ctx, start context.Context) error {
	if err := start.Err(); err != nil {
		return err
	}
	var err error
	source := guest.CloudServers(s.cloud, infraID)
	s.lifecycle = &controllers.Cloud{Source: source}
	checks := &controllers.HealthChecks{}
	s.guest, err = guest.Start(ctx, s.env, guest.Options{
		Name:     "cluster",
		Source:   source,
		Boot:     kubeletBoot,
		NotReady: nodesNotReady,
		Settle:   operatorsRollOut,
		Controllers: []guest.Controller{
			s.lifecycle.Controller(controllersLead), controllers.Machines(source, controllersLead),
			checks.Controller(0), controllers.Collector(0),
		},
	})
	if err == nil {
		fmt.Println("- a kube-apiserver that plays the cluster's own API, up while its servers are, with the controllers\n" +
			"  that delete Nodes and replace Machines of servers that are gone")
	}
	return err
}

func (s *stage) buildManager(ctx context.Context) error {
	if s.options.manager == "" {
		program, err := env.BuildManager(ctx, s.env.Dir)
		if err != nil {
			return err
		}
		s.options.manager = program
	}
	return nil
}

// close ends all that was started. It may be called twice, and after open has failed.
func (s *stage) close() error {
	var errs []error
	if s.manager != nil && s.manager.Failure() == nil {
		if err := s.manager.Stop(20 * time.Second); err != nil {
			errs = append(errs, fmt.Errorf("the manager did not shut down cleanly: %w", err))
		}
	}
	s.manager = nil
	if s.guest != nil {
		errs = append(errs, s.guest.Stop())
		s.guest = nil
	}
	if s.env != nil {
		errs = append(errs, s.env.Stop())
		s.env = nil
	}
	if s.stopCloud != nil {
		s.stopCloud()
		s.stopCloud = nil
	}
	return errors.Join(errs...)
}

// managerLog returns the end of the manager's log, where there is one.
func (s *stage) managerLog() string {
	if s.manager == nil {
		return ""
	}
	return "The end of the manager's log:\n" + s.manager.Tail(30)
}

// write puts a file beside the environment's others.
func (s *stage) write(name, content string) (string, error) {
	path := filepath.Join(s.env.Dir, name)
	return path, os.WriteFile(path, []byte(content), 0o600)
}
