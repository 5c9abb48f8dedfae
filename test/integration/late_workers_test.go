package integration

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/overwinter/overwinter/test/cloud"
)

// TestNodesSurviveLateWorkers has a cloud in which the workers have no servers, or none that run, until the control plane
// is up and the cloud's controller has looked for them a few times.
func TestNodesSurviveLateWorkers(t *testing.T) {
	t.Parallel()
	for name, shortage := range map[string]func(*inside) (end func()){
		"workers-in-build": (*inside).buildWorkersSlowly,
		"workers-lost":     answerWorkers(cloud.ResetBefore()),
		"workers-refused":  answerWorkers(cloud.Answer(http.StatusTooManyRequests, "", "Retry-After: 1")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInside(t, name, moments{cloud: 15 * time.Second})
			i.sleep()
			end := shortage(i)
			asked := map[string]int{}
			for node := range i.before.Nodes {
				asked[node] = i.controller.Asked(node)
			}
			i.order(running)
			for node := range i.before.Nodes {
				if isWorker(node) {
					i.eventually(func() int { return i.controller.Asked(node) - asked[node] }).Should(BeNumerically(">", 3), i.story())
				}
			}
			end()
			// Somebody who knows that it can go on now need not wait.
			i.poke()
			i.reaches(running)
			i.well()
		})
	}
}

func isWorker(name string) bool { return strings.Contains(name, "-worker-") }

// answerWorkers has every request that makes a worker's server go wrong.
func answerWorkers(effect cloud.Effect) func(*inside) func() {
	return func(i *inside) func() {
		return i.cloud.AddRule(cloud.Rule{Op: "nova.server.create", When: forWorker, Effect: effect}).Remove
	}
}

// buildWorkersSlowly has the workers' servers stay in BUILD.
func (i *inside) buildWorkersSlowly() func() {
	i.cloud.SetHooks(cloud.Hooks{Before: func(k *cloud.Call) *cloud.Effect {
		if k.Op == "nova.server.create" && forWorker(k) {
			// The masters were asked for before. What has not begun when the latencies change takes the new ones.
			i.Eventually(i.states).WithTimeout(patience).Should(ContainElement("ACTIVE"))
			latencies := quick()
			latencies.Spawn = time.Hour
			i.cloud.SetLatencies(latencies)
		}
		return nil
	}})
	return func() {
		i.cloud.SetHooks(cloud.Hooks{})
		i.cloud.SetLatencies(quick())
		for _, server := range i.servers() {
			if isWorker(server.Name) {
				i.Expect(server.Status).To(Equal("BUILD"))
				i.cloud.SetServerState(server.ID, "ACTIVE")
			}
		}
	}
}

// forWorker tells a request that makes a worker's server.
func forWorker(k *cloud.Call) bool {
	body := map[string]any{}
	if json.Unmarshal(k.Body, &body) != nil {
		return false
	}
	name, _, _ := unstructured.NestedString(body, "server", "name")
	return isWorker(name)
}
