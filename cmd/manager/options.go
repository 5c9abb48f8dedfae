package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/overwinter/overwinter/pkg/controller/hibernation"
	"github.com/overwinter/overwinter/pkg/controller/unreachable"
	"github.com/overwinter/overwinter/pkg/dialguard"
	"github.com/overwinter/overwinter/pkg/logging"
)

// options are what the command line says.
type options struct {
	kubeconfig  string
	controllers []string
	workers     int
	ignoreHive  bool

	unreachableWorkers int

	cloudQPS          float64
	cloudBurst        int
	cloudTimeout      time.Duration
	snapshotsInFlight int

	denyCIDRs []string
	denied    []netip.Prefix

	hibernationDeadline time.Duration
	schedulingDeadline  time.Duration
	operatorsSettle     time.Duration
	cleanupAfter        time.Duration

	leaderElect          bool
	leaderElectNamespace string
	metricsAddress       string
	healthAddress        string

	logLevel  string
	logFormat string
	version   bool
}

// knownControllers returns the names that --controllers takes.
func knownControllers() []string {
	return []string{hibernation.ControllerName, unreachable.ControllerName}
}

// defaultDenyCIDRs returns the default of --deny-cidrs.
func defaultDenyCIDRs() []string {
	var list []string
	for _, prefix := range dialguard.DefaultDenied() {
		list = append(list, prefix.String())
	}
	return list
}

// parseOptions reads the command line. It returns pflag.ErrHelp after the usage was asked for and written to out.
func parseOptions(args []string, out io.Writer) (*options, error) {
	o := &options{}
	flags := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	flags.SetOutput(out)
	flags.SortFlags = false
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "the kubeconfig of the hub; without it $KUBECONFIG, else the pod's service account")
	flags.StringSliceVar(&o.controllers, "controllers", knownControllers(), "the controllers to run, of: "+strings.Join(knownControllers(), ", "))
	flags.IntVar(&o.workers, "workers", 10, "how many clusters are worked on at once")
	flags.IntVar(&o.unreachableWorkers, "unreachable-workers", 20, "how many clusters are asked at once whether they answer; one that does not takes 10s")
	flags.BoolVar(&o.ignoreHive, "ignore-hive", false, "run even though Hive's own hibernation controller is on (two controllers then fight over each cluster)")
	flags.Float64Var(&o.cloudQPS, "cloud-qps", 20, "requests per second to one project of one cloud; 0 means no bound")
	flags.IntVar(&o.cloudBurst, "cloud-burst", 100, "requests beyond --cloud-qps that may come at once")
	flags.DurationVar(&o.cloudTimeout, "cloud-timeout", 30*time.Second, "time limit of a request to a cloud")
	flags.IntVar(&o.snapshotsInFlight, "snapshots-in-flight", 16, "snapshots of one cluster that are made at once")
	flags.StringSliceVar(&o.denyCIDRs, "deny-cidrs", defaultDenyCIDRs(), "addresses that are never connected to on behalf of a cluster, whatever name leads there; empty denies none, the hub's own API is exempt")
	flags.DurationVar(&o.hibernationDeadline, "hibernation-deadline", time.Hour, "how long a hibernation may take before its snapshots are complete; then it is undone and tried again later")
	flags.DurationVar(&o.schedulingDeadline, "scheduling-deadline", 10*time.Minute, "how long a new server may wait for a host before it is deleted and made again")
	flags.DurationVar(&o.operatorsSettle, "operators-settle", 2*time.Minute, "how long ClusterOperators may report anew after a resume, before they are believed")
	flags.DurationVar(&o.cleanupAfter, "cleanup-after", 10*time.Minute, "for how long a resumed cluster must have been ready before its snapshots are deleted")
	flags.BoolVar(&o.leaderElect, "leader-elect", true, "let only one of several managers act")
	flags.StringVar(&o.leaderElectNamespace, "leader-elect-namespace", "", "the namespace of the lease for that; the pod's own if empty")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "where /metrics is served; 0 means nowhere")
	flags.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0 means nowhere")
	flags.StringVar(&o.logLevel, "log-level", "info", "error, warning, info, debug or trace")
	flags.StringVar(&o.logFormat, "log-format", logging.FormatText, "text or json")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	return o, o.check()
}

// check finds what makes no sense.
func (o *options) check() error {
	var errs []error
	for _, name := range o.controllers {
		if !slices.Contains(knownControllers(), name) {
			errs = append(errs, fmt.Errorf("--controllers: there is no %q, only: %s", name, strings.Join(knownControllers(), ", ")))
		}
	}
	if len(o.controllers) == 0 {
		errs = append(errs, errors.New("--controllers: none is named"))
	}
	positive := func(flag string, value int) {
		if value < 1 {
			errs = append(errs, fmt.Errorf("%s: %d is less than 1", flag, value))
		}
	}
	positive("--workers", o.workers)
	positive("--unreachable-workers", o.unreachableWorkers)
	positive("--snapshots-in-flight", o.snapshotsInFlight)
	if o.cloudQPS > 0 {
		positive("--cloud-burst", o.cloudBurst)
	}
	denied, err := dialguard.Parse(o.denyCIDRs)
	if err != nil {
		errs = append(errs, fmt.Errorf("--deny-cidrs: %w", err))
	}
	o.denied = denied
	if o.cloudQPS < 0 {
		errs = append(errs, fmt.Errorf("--cloud-qps: %v is negative", o.cloudQPS))
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
		least time.Duration
	}{
		{"--cloud-timeout", o.cloudTimeout, time.Second},
		{"--hibernation-deadline", o.hibernationDeadline, time.Second},
		{"--scheduling-deadline", o.schedulingDeadline, time.Second},
		{"--operators-settle", o.operatorsSettle, 0},
		{"--cleanup-after", o.cleanupAfter, 0},
	} {
		if d.value < d.least {
			errs = append(errs, fmt.Errorf("%s: %s is less than %s", d.flag, d.value, d.least))
		}
	}
	return errors.Join(errs...)
}
