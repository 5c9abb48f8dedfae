// Command demo hibernates and resumes a cluster of six servers before your eyes: with a real kube-apiserver, the real
// manager as a process of its own, and a simulated OpenStack whose answers take time. It needs nothing else, and leaves
// nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

type options struct {
	keep    bool
	scale   float64
	seed    uint64
	manager string
}

func main() {
	var o options
	flag.BoolVar(&o.keep, "keep", false, "start everything, print what to try, and leave it up until Ctrl-C")
	flag.Float64Var(&o.scale, "scale", 1, "how slow the simulated OpenStack is; 1 takes about a minute")
	flag.Uint64Var(&o.seed, "seed", 0, "makes IDs and addresses reproducible; 0 takes a random one")
	flag.StringVar(&o.manager, "manager", "", "the manager's program; built from this tree if empty")
	flag.Parse()
	o.scale = max(o.scale, 0)
	// What goes wrong is said at the end, once.
	klog.SetLogger(logr.Discard())
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if !run(ctx, o) {
		stop()
		os.Exit(1)
	}
}

// run returns whether all went well. Whatever it started is gone by then.
func run(ctx context.Context, o options) bool {
	s := &stage{options: o}
	// Also on a panic.
	defer s.close()
	result, err := perform(ctx, s)
	tail := s.managerLog()
	if closed := s.close(); closed != nil {
		err = errors.Join(err, closed)
	}
	switch {
	case err == nil && o.keep:
		fmt.Println("\ndemo: all gone")
	case err == nil:
		fmt.Printf("\ndemo: ok hibernate=%.1fs resume=%.1fs nodes=%d/%d machines=%d/%d\n", result.hibernate.Seconds(),
			result.resume.Seconds(), result.inside.Nodes, len(result.before.Nodes), result.inside.Machines, len(result.before.Machines))
	case ctx.Err() != nil:
		fmt.Println("\ndemo: interrupted, all gone")
	default:
		what, more, _ := strings.Cut(err.Error(), "\n")
		fmt.Printf("\n%s\n%s\ndemo: failed: %s\n", more, tail, what)
	}
	return err == nil
}

func perform(ctx context.Context, s *stage) (result, error) {
	if err := s.open(ctx); err != nil {
		return result{}, err
	}
	p := newPlay(s)
	if err := p.install(ctx); err != nil {
		return result{}, err
	}
	if s.options.keep {
		return result{}, p.improvise(ctx)
	}
	return p.cycle(ctx)
}
