package env_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/overwinter/overwinter/test/env"
)

func TestEnvironment(t *testing.T) {
	g := NewWithT(t)
	e, err := env.Start(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = e.Stop() })
	hub, err := e.StartAPI(t.Context(), "hub", "../../config/crds")
	g.Expect(err).NotTo(HaveOccurred())
	other, err := e.StartAPI(t.Context(), "other")
	g.Expect(err).NotTo(HaveOccurred())

	// The file lets in, and the two APIs keep what they hold apart.
	config, err := clientcmd.BuildConfigFromFlags("", hub.Kubeconfig)
	g.Expect(err).NotTo(HaveOccurred())
	c, err := client.New(config, client.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "demo"}}
	g.Expect(c.Create(t.Context(), namespace)).To(Succeed())
	c, err = client.New(other.Config, client.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	err = c.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace)
	g.Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
	g.Expect(err).To(HaveOccurred())

	// The manager may do what its role says, and no more.
	kubeconfig, err := hub.GrantManager(t.Context(), "../../config/rbac/role.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	g.Expect(err).NotTo(HaveOccurred())
	c, err = client.New(config, client.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "demo"}}
	g.Expect(c.Create(t.Context(), secret)).To(Succeed())
	g.Expect(apierrors.IsForbidden(c.Create(t.Context(), namespace))).To(BeTrue())

	pids := []int{hub.PID(), other.PID()}
	g.Expect(pids).To(HaveEach(WithTransform(alive, BeTrue())))
	g.Expect(e.Stop()).To(Succeed())
	g.Expect(pids).To(HaveEach(WithTransform(alive, BeFalse())))
	g.Expect(e.Dir).NotTo(BeADirectory())
}

func TestAssetsAreAskedFor(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("KUBEBUILDER_ASSETS", "")
	_, err := env.Start(t.Context())
	g.Expect(err).To(MatchError(ContainSubstring("make test")))
	t.Setenv("KUBEBUILDER_ASSETS", t.TempDir())
	_, err = env.Start(t.Context())
	g.Expect(err).To(MatchError(os.ErrNotExist))
}

func TestFailureShowsTheLog(t *testing.T) {
	g := NewWithT(t)
	p, err := env.StartProcess(env.Command{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", "echo so it goes; exit 3"}, Log: t.TempDir() + "/log",
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(p.Done()).Should(BeClosed())
	g.Expect(p.Failure()).To(MatchError(And(ContainSubstring("exit status 3"), ContainSubstring("so it goes"))))
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
