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
		{"no snapshots", []string{"--snapshots-in-flight", "0"}, exitUsage, "", "--snapshots-in-flight"},
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
	tests := []struct {
		name   string
		config *unstructured.Unstructured
		err    error
		on     bool
		fails  bool
	}{
		{"no Hive", nil, notServed, false, false},
		{"Hive without a HiveConfig", nil, nil, false, false},
		{"Hive with all its controllers", hiveConfig(map[string]any{}), nil, true, false},
		{"others are disabled", hiveConfig(map[string]any{"disabledControllers": []any{"clusterpool"}}), nil, true, false},
		{"disabled", hiveConfig(map[string]any{"disabledControllers": []any{"clusterpool", "hibernation"}}), nil, false, false},
		{"not allowed to look", nil, forbidden, false, true},
		{"nonsense", hiveConfig(map[string]any{"disabledControllers": "hibernation"}), nil, false, true},
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
			on, err := hiveHibernates(t.Context(), hub)
			g.Expect(err != nil).To(Equal(tt.fails))
			g.Expect(on).To(Equal(tt.on))

			quiet := log.New()
			quiet.SetOutput(io.Discard)
			ours := &options{controllers: knownControllers()}
			err = checkHive(t.Context(), hub, ours, quiet)
			g.Expect(errors.Is(err, errHiveHibernates)).To(Equal(tt.on))
			g.Expect(err != nil).To(Equal(tt.on || tt.fails))
			ours.ignoreHive = true
			err = checkHive(t.Context(), hub, ours, quiet)
			g.Expect(err != nil).To(Equal(tt.fails))
			ours = &options{}
			g.Expect(checkHive(t.Context(), hub, ours, quiet)).To(Succeed(), "another controller of ours is nobody's concern")
		})
	}
}
