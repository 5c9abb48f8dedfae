package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	log "github.com/sirupsen/logrus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/overwinter/overwinter/pkg/dialguard"
	"github.com/overwinter/overwinter/pkg/version"
)

func TestCommandLine(t *testing.T) {
	tests := []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"help", []string{"--help"}, exitOK, "", "--snapshots-in-flight"},
		{"version", []string{"--version"}, exitOK, version.Get(), ""},
		{"unknown flag", []string{"--nonsense"}, exitUsage, "", "nonsense"},
		{"an argument", []string{"nonsense"}, exitUsage, "", "nonsense"},
		{"unknown controller", []string{"--controllers", "hibernation,nonsense"}, exitUsage, "", "nonsense"},
		{"no controller", []string{"--controllers", ""}, exitUsage, "", "none is named"},
		{"no workers", []string{"--workers", "0"}, exitUsage, "", "--workers"},
		{"no workers for questions", []string{"--unreachable-workers", "0"}, exitUsage, "", "--unreachable-workers"},
		{"no snapshots", []string{"--snapshots-in-flight", "0"}, exitUsage, "", "--snapshots-in-flight"},
		{"no CIDR", []string{"--deny-cidrs", "10.0.0.0/8,nonsense"}, exitUsage, "", "--deny-cidrs: \"nonsense\" is not a CIDR"},
		{"nothing denied", []string{"--deny-cidrs=", "--version"}, exitOK, version.Get(), ""},
		{"negative QPS", []string{"--cloud-qps", "-1"}, exitUsage, "", "--cloud-qps"},
		{"no burst", []string{"--cloud-burst", "0"}, exitUsage, "", "--cloud-burst"},
		{"no burst, no bound", []string{"--cloud-burst", "0", "--cloud-qps", "0", "--version"}, exitOK, version.Get(), ""},
		{"no timeout", []string{"--cloud-timeout", "0s"}, exitUsage, "", "--cloud-timeout"},
		{"no deadline", []string{"--hibernation-deadline", "0s"}, exitUsage, "", "--hibernation-deadline"},
		{"negative pause", []string{"--operators-settle", "-1s"}, exitUsage, "", "--operators-settle"},
		{"no pauses", []string{"--operators-settle", "0s", "--cleanup-after", "0s", "--version"}, exitOK, version.Get(), ""},
		{"negative clean-up", []string{"--cleanup-after", "-1s"}, exitUsage, "", "--cleanup-after"},
		{"unknown level", []string{"--log-level", "loud"}, exitUsage, "", "loud"},
		{"unknown format", []string{"--log-format", "xml"}, exitUsage, "", "xml"},
		{"no hub", []string{"--kubeconfig", "/does/not/exist"}, exitFailed, "", "/does/not/exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := NewWithT(t)
			var stdout, stderr bytes.Buffer
			g.Expect(run(t.Context(), tt.args, &stdout, &stderr)).To(Equal(tt.code))
			g.Expect(stdout.String()).To(ContainSubstring(tt.stdout))
			g.Expect(stderr.String()).To(ContainSubstring(tt.stderr))
		})
	}
}

// TestS12DenyCIDRs denies what leads to this machine and to its cloud's metadata by default, and nothing if told so.
func TestS12DenyCIDRs(t *testing.T) {
	g := NewWithT(t)
	opts, err := parseOptions(nil, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(opts.denied).To(Equal(dialguard.DefaultDenied()))
	opts, err = parseOptions([]string{"--deny-cidrs="}, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(opts.denied).To(BeEmpty())
	opts, err = parseOptions([]string{"--deny-cidrs=10.0.0.0/8,192.168.0.0/16"}, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(opts.denied).To(HaveLen(2))
}

// TestUnreachableHub ends with an error that says so.
func TestUnreachableHub(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	g.Expect(os.WriteFile(path, []byte(`{apiVersion: v1, kind: Config, current-context: c,
contexts: [{name: c, context: {cluster: c}}], clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]}`), 0o600)).To(Succeed())
	var stdout, stderr bytes.Buffer
	g.Expect(run(t.Context(), []string{"--kubeconfig", path}, &stdout, &stderr)).To(Equal(exitFailed))
	g.Expect(stderr.String()).To(ContainSubstring("127.0.0.1:1"))
}

func hiveConfig(spec map[string]any) *unstructured.Unstructured {
	config := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	config.SetGroupVersionKind(hiveConfigKind())
	config.SetName(hiveConfigName)
	return config
}

func hiveConfigKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "hive.openshift.io", Version: "v1", Kind: "HiveConfig"}
}

func TestHive(t *testing.T) {
	notServed := &meta.NoKindMatchError{GroupKind: hiveConfigKind().GroupKind()}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "hiveconfigs"}, "hive", errors.New("rbac"))
	disabling := func(names ...any) *unstructured.Unstructured {
		return hiveConfig(map[string]any{"disabledControllers": names})
	}
	both, unreachableOnly := knownControllers(), []string{"unreachable"}
	tests := []struct {
		name    string
		config  *unstructured.Unstructured
		err     error
		opts    options
		runs    []string
		message string
	}{
		{"no Hive", nil, notServed, options{controllers: both}, both, ""},
		{"Hive without a HiveConfig", nil, nil, options{controllers: both}, both, ""},
		{"Hive with all its controllers", hiveConfig(map[string]any{}), nil, options{controllers: both}, nil, "hibernation controller is on"},
		{"others are disabled", disabling("clusterpool"), nil, options{controllers: both}, nil, "hibernation controller is on"},
		{"ours is disabled", disabling("clusterpool", "hibernation"), nil, options{controllers: both}, []string{"hibernation"}, ""},
		{"both are disabled", disabling("unreachable", "hibernation"), nil, options{controllers: both}, both, ""},
		{"Hive is ignored", hiveConfig(map[string]any{}), nil, options{controllers: both, ignoreHive: true}, both, ""},
		{"only the other of ours", disabling("hibernation"), nil, options{controllers: unreachableOnly}, nil, "none is left"},
		{"only the other, which is free", disabling("unreachable"), nil, options{controllers: unreachableOnly}, unreachableOnly, ""},
		{"not allowed to look", nil, forbidden, options{controllers: both, ignoreHive: true}, nil, "rbac"},
		{"nonsense", hiveConfig(map[string]any{"disabledControllers": "hibernation"}), nil, options{controllers: both}, nil, "disabledControllers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := NewWithT(t)
			scheme := runtime.NewScheme()
			scheme.AddKnownTypeWithName(hiveConfigKind(), &unstructured.Unstructured{})
			builder := fake.NewClientBuilder().WithScheme(scheme)
			if tt.config != nil {
				builder.WithObjects(tt.config)
			}
			hub := builder.WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					if tt.err != nil {
						return tt.err
					}
					return c.Get(ctx, key, obj, opts...)
				},
			}).Build()
			quiet := log.New()
			quiet.SetOutput(io.Discard)
			runs, err := besideHive(t.Context(), hub, &tt.opts, quiet)
			g.Expect(runs).To(Equal(tt.runs))
			if tt.message == "" {
				g.Expect(err).NotTo(HaveOccurred())
			} else {
				g.Expect(err).To(MatchError(ContainSubstring(tt.message)))
			}
		})
	}
}
