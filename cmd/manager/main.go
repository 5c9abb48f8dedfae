// Command manager runs Overwinter's controllers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/overwinter/overwinter/pkg/logging"
	"github.com/overwinter/overwinter/pkg/version"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the program until ctx is done and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return exitOK
	case err != nil:
		_, _ = fmt.Fprintln(stderr, err)
		return exitUsage
	case opts.version:
		_, _ = fmt.Fprintln(stdout, version.Get())
		return exitOK
	}
	logger, err := logging.New(stderr, opts.logLevel, opts.logFormat)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitUsage
	}
	bridge := logging.Bridge(logger)
	ctrl.SetLogger(bridge)
	klog.SetLogger(bridge)
	logger.WithField("version", version.Get()).Info("Overwinter starts")
	if err := runManager(ctx, opts, logger); err != nil {
		logger.WithError(err).Error("Overwinter ends")
		return exitFailed
	}
	logger.Info("Overwinter ends")
	return exitOK
}
