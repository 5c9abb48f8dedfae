//go:build unix && !linux

package env

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C reaches the parent alone and a signal
// to the group reaches all that the child started.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
