package env_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/overwinter/overwinter/test/env"
)

// parentVariable makes this test's program the parent that is killed.
const parentVariable = "OVERWINTER_TEST_PARENT"

func TestChildrenDieWithTheirParent(t *testing.T) {
	if log := os.Getenv(parentVariable); log != "" {
		beParent(log)
	}
	g := NewWithT(t)
	parent := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	parent.Env = append(os.Environ(), parentVariable+"="+filepath.Join(t.TempDir(), "log"))
	output, err := parent.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(parent.Start()).To(Succeed())
	line, err := bufio.NewReader(output).ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	var child int
	_, err = fmt.Sscan(line, &child)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(alive(child)).To(BeTrue())

	g.Expect(parent.Process.Kill()).To(Succeed())
	g.Expect(parent.Wait()).NotTo(Succeed())
	// Whoever inherits the orphan has to reap it; that it is a zombie will do.
	g.Eventually(func() string { return state(child) }).WithTimeout(time.Minute).Should(BeElementOf("", "Z"))
}

func TestStopReachesGrandchildren(t *testing.T) {
	g := NewWithT(t)
	p, err := env.StartProcess(env.Command{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", "sleep 1000 & echo $!; wait"}, Log: t.TempDir() + "/log",
	})
	g.Expect(err).NotTo(HaveOccurred())
	var sleep int
	g.Eventually(func() (int, error) { return fmt.Sscan(p.Tail(1), &sleep) }).Should(Equal(1))
	g.Expect(p.Stop(0)).NotTo(Succeed())
	g.Eventually(func() string { return state(sleep) }).WithTimeout(time.Minute).Should(BeElementOf("", "Z"))
}

func beParent(log string) {
	p, err := env.StartProcess(env.Command{Name: "sleep", Path: "/bin/sleep", Args: []string{"1000"}, Log: log})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	<-p.Done()
	os.Exit(0)
}

// state returns the letter that the kernel gives a process, empty if there is none.
func state(pid int) string {
	content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	var (
		number      int
		name, state string
	)
	if _, err := fmt.Sscan(string(content), &number, &name, &state); err != nil {
		return err.Error()
	}
	return state
}
