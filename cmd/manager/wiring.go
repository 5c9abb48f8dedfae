package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
	hibernationcontroller "github.com/overwinter/overwinter/pkg/controller/hibernation"
	"github.com/overwinter/overwinter/pkg/controller/unreachable"
	"github.com/overwinter/overwinter/pkg/csrapproval"
	"github.com/overwinter/overwinter/pkg/dialguard"
	"github.com/overwinter/overwinter/pkg/hibernation"
	"github.com/overwinter/overwinter/pkg/openstackclient"
	"github.com/overwinter/overwinter/pkg/remoteclient"
	"github.com/overwinter/overwinter/pkg/version"
)

const (
	// programName is the field manager of our writes, and the name of the lease.
	programName = "overwinter"
	// shutdownTimeout is how long visits that are under way may take to end.
	shutdownTimeout = 45 * time.Second
	// hubQPS and hubBurst bound the requests to the hub.
	hubQPS, hubBurst = 100, 200
)

// runManager builds the manager and runs it until ctx is done.
func runManager(ctx context.Context, opts *options, logger *log.Logger) error {
	config, err := hubConfig(opts.kubeconfig)
	if err != nil {
		return err
	}
	if err := joinHosts(config); err != nil {
		return fmt.Errorf("find the hub's API: %w", err)
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	hub, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make a client to the hub: %w", err)
	}
	controllers, err := besideHive(ctx, hub, opts, logger)
	if err != nil {
		return err
	}
	mgr, err := newManager(config, scheme, opts)
	if err != nil {
		return err
	}
	guard := dialguard.New(opts.denied)
	remote := remoteclient.New(mgr.GetAPIReader(), userAgent(), remoteclient.Guarded(guard))
	if slices.Contains(controllers, hibernationcontroller.ControllerName) {
		if err := addHibernation(ctx, mgr, remote, guard, opts, logger); err != nil {
			return err
		}
	}
	if slices.Contains(controllers, unreachable.ControllerName) {
		if err := addUnreachable(mgr, remote, opts, logger); err != nil {
			return err
		}
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run the manager: %w", err)
	}
	return nil
}

// hubConfig leads to the API that the ClusterDeployments are in.
func hubConfig(kubeconfig string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the hub's API: %w", err)
	}
	config.UserAgent = userAgent()
	config.QPS, config.Burst = hubQPS, hubBurst
	return config, nil
}

func userAgent() string { return programName + "/" + version.Get() }

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), hivev1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("register the API types: %w", err)
	}
	return scheme, nil
}

// newManager returns a manager whose client reads Secrets live: a cache would hold every Secret of the hub.
func newManager(config *rest.Config, scheme *runtime.Scheme, opts *options) (manager.Manager, error) {
	timeout := shutdownTimeout
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Client: client.Options{
			FieldOwner: programName,
			Cache:      &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}},
		},
		Metrics:                       metricsserver.Options{BindAddress: opts.metricsAddress},
		HealthProbeBindAddress:        opts.healthAddress,
		LeaderElection:                opts.leaderElect,
		LeaderElectionID:              programName,
		LeaderElectionNamespace:       opts.leaderElectNamespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("caches", cachesSynced(mgr)); err != nil {
		return nil, fmt.Errorf("add the readiness check: %w", err)
	}
	return mgr, nil
}

// cachesSynced tells a probe whether the manager knows the ClusterDeployments; a manager that waits to lead does, too.
func cachesSynced(mgr manager.Manager) healthz.Checker {
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}

// addHibernation builds the hibernation controller and the actuators it knows.
func addHibernation(ctx context.Context, mgr manager.Manager, remote *remoteclient.Clients, guard *dialguard.Guard, opts *options, logger *log.Logger) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find the host's name: %w", err)
	}
	engine := hibernation.New(hibernation.NewStore(mgr.GetAPIReader(), mgr.GetClient()), hibernation.Options{
		Holder:             host + "_" + uuid.NewString(),
		SnapshotsInFlight:  opts.snapshotsInFlight,
		Deadline:           opts.hibernationDeadline,
		SchedulingDeadline: opts.schedulingDeadline,
	})
	clouds := openstackclient.NewFactory(openstackclient.FactoryOptions{
		Version:        version.Get(),
		RequestTimeout: opts.cloudTimeout,
		QPS:            opts.cloudQPS,
		Burst:          opts.cloudBurst,
		Logger:         logger,
		Guard:          guard,
	})
	recorder := mgr.GetEventRecorder(programName)

	reconciler := hibernationcontroller.NewReconciler(hibernationcontroller.Options{
		Workers:         opts.workers,
		CleanupAfter:    opts.cleanupAfter,
		OperatorsSettle: opts.operatorsSettle,
	})
	reconciler.Client = mgr.GetClient()
	reconciler.Remote = remote
	reconciler.Approve = csrapproval.Approve
	reconciler.Recorder = recorder
	reconciler.Logger = logger
	reconciler.Actuators = hibernationcontroller.NewRegistry(
		hibernationcontroller.NewOpenStackActuator(clouds, hibernationcontroller.EngineSessions(engine), remote, recorder),
	)
	return reconciler.SetupWithManager(ctx, mgr)
}

// addUnreachable builds the unreachable controller.
func addUnreachable(mgr manager.Manager, remote *remoteclient.Clients, opts *options, logger *log.Logger) error {
	reconciler := unreachable.NewReconciler(unreachable.Options{Workers: opts.unreachableWorkers})
	reconciler.Client = mgr.GetClient()
	reconciler.Remote = remote
	reconciler.Recorder = mgr.GetEventRecorder(programName)
	reconciler.Logger = logger
	return reconciler.SetupWithManager(mgr)
}
