//go:build e2e

package openstack

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func TestMain(m *testing.M) {
	// The clients' own logs: the manager's are in its file.
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}
