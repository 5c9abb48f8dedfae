package env

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// controllerManager is the program's name.
const controllerManager = "kube-controller-manager"

// StartControllerManager starts Kubernetes' own controllers of the given names against an API server; its name is that
// of the process and of its log. Flags are added to those that say where the API is. It serves nothing: what it does is
// seen in the API.
func (e *Env) StartControllerManager(api *API, name string, controllers []string, flags ...string) (*Process, error) {
	path := filepath.Join(e.assets, controllerManager)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("KUBEBUILDER_ASSETS has no %s (`make test` builds it and links it beside the others, "+
			"see hack/kube-assets.sh): %w", controllerManager, err)
	}
	args := append([]string{
		"--kubeconfig=" + api.Kubeconfig,
		"--controllers=" + strings.Join(controllers, ","),
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	}, flags...)
	return e.StartProcess(name, path, args...)
}
