package env

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Command is a program to run as a child.
type Command struct {
	// Name is what the process is called in messages.
	Name string
	// Path is the program, Args its arguments.
	Path string
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Log is the file that takes the program's output.
	Log string
}

// Process is a running child.
type Process struct {
	name, log string
	cmd       *exec.Cmd
	done      chan struct{}
	err       error
}

// StartProcess starts a child. It is over when Done is closed.
func StartProcess(command Command) (*Process, error) {
	file, err := os.OpenFile(command.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", command.Name, err)
	}
	cmd := exec.Command(command.Path, command.Args...)
	cmd.Env = append(os.Environ(), command.Env...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = childAttributes()
	p := &Process{name: command.Name, log: command.Log, cmd: cmd, done: make(chan struct{})}

	started := make(chan error, 1)
	go func() {
		// The kernel's notion of a parent is the thread: keep this one for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer file.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Name, err)
	}
	return p, nil
}

// Done is closed when the process is over.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID returns the child's process ID, which is also that of its process group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the process to end, kills it and all it started if it is not gone after grace, and waits for its end. It
// returns how the process ended: nil if it left with status 0.
func (p *Process) Stop(grace time.Duration) error {
	if grace > 0 {
		p.signal(syscall.SIGTERM)
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
		}
	}
	p.signal(syscall.SIGKILL)
	<-p.done
	return p.err
}

func (p *Process) signal(sig syscall.Signal) {
	// Nothing to do about an error: it says that the group is gone.
	_ = syscall.Kill(-p.PID(), sig)
}

// Failure describes a process that ended by itself, with the last lines of its log; nil while it runs.
func (p *Process) Failure() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	reason := p.err
	if reason == nil {
		reason = errors.New("it left with status 0")
	}
	return fmt.Errorf("%s ended: %w\n%s", p.name, reason, p.Tail(20))
}

// Tail returns the last lines that the process wrote.
func (p *Process) Tail(lines int) string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(string(bytes.TrimRight(content, "\n")), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
