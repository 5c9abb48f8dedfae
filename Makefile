# `make help` lists what can be made. Only Go, git, make and a POSIX shell are needed: the tools are pinned under
# hack/tools and are built the first time into a cache outside the tree (see hack/tool.sh).

MODULE  := github.com/overwinter/overwinter
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w -X $(MODULE)/pkg/version.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

IMAGE          ?= overwinter:latest
CONTAINER_TOOL ?= podman

# How long each fuzz target runs.
FUZZTIME ?= 30s

# How many random schedules `make faults` tries, and `make soak`, which begins with the schedule SEED.
FAULT_SEEDS ?= 2000
# How much of the matrices is tried: nothing for a sample, -full (a quarter of an hour), or -every (hours).
FAULT_LEVEL ?= -full
SEEDS       ?= 20000
SEED        ?= 1

# Passed to `go test`, for instance TESTFLAGS='-run TestResume -v'.
TESTFLAGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: generate
generate: generate-code generate-manifests generate-mocks vendor ## Generate everything anew: deep copies, CRDs, RBAC, mocks, go.mod, vendor.

.PHONY: generate-code
generate-code: ## Generate the deep copies of the API types.
	tool=$$(hack/tool.sh controller-gen) && "$$tool" object:headerFile=hack/boilerplate.go.txt paths='./apis/...'

.PHONY: generate-manifests
generate-manifests: ## Generate the CRDs and the RBAC role from the markers in the code.
	tool=$$(hack/tool.sh controller-gen) && "$$tool" crd paths='./apis/...' output:crd:dir=config/crds
	tool=$$(hack/tool.sh controller-gen) && "$$tool" rbac:roleName=overwinter-manager paths='./cmd/...' paths='./pkg/...' output:rbac:dir=config/rbac

.PHONY: generate-mocks
generate-mocks: ## Generate the mocks.
	tool=$$(hack/tool.sh mockgen) && PATH="$$(dirname "$$tool"):$$PATH" go generate ./...

.PHONY: vendor
vendor: ## Tidy go.mod and go.sum, and vendor what is imported.
	go mod tidy
	go mod vendor

.PHONY: verify
verify: ## Check generated files, modules, go vet, lint and file sizes.
	hack/check-sizes.sh
	hack/verify-generated.sh
	hack/verify-modules.sh
	go vet ./...
	$(MAKE) --no-print-directory lint

.PHONY: lint
lint: ## Run golangci-lint.
	tool=$$(hack/tool.sh golangci-lint) && "$$tool" run ./...

.PHONY: test
test: ## Run all tests but those that need a real cloud (TESTFLAGS are passed on).
	assets=$$(hack/kube-assets.sh) && KUBEBUILDER_ASSETS="$$assets" go test -timeout 20m $(TESTFLAGS) ./...

# The last line says what was tried. A run that fails names the command that repeats it.
.PHONY: faults
faults: ## Break everything that can be broken, at every point: the fault matrices, and FAULT_SEEDS random schedules (2000).
	go test -tags mutations -timeout 30m ./test/faults/mutations
	@mkdir -p bin
	go test -c -o bin/faults.test ./test/faults
	cd test/faults && ../../bin/faults.test -test.timeout=120m $(FAULT_LEVEL) -seeds=$(FAULT_SEEDS)

.PHONY: soak
soak: ## Try SEEDS random schedules, from SEED on (20000, 1).
	@mkdir -p bin
	go test -c -o bin/faults.test ./test/faults
	cd test/faults && ../../bin/faults.test -test.timeout=0 -test.run='^TestRandomSchedules$$' -seeds=$(SEEDS) -seed=$(SEED)

.PHONY: fuzz
fuzz: ## Fuzz whatever reads what others wrote, FUZZTIME for each target (30s).
	FUZZTIME='$(FUZZTIME)' hack/fuzz.sh

.PHONY: e2e-openstack
e2e-openstack: ## Run all end-to-end tests on a real OpenStack on this machine (Debian 12, as root; over an hour).
	test/e2e/openstack/run.sh

.PHONY: e2e-openstack-ci
e2e-openstack-ci: ## Run the part of them that checks every change (at most 20 minutes on two cores).
	OW_E2E=ci test/e2e/openstack/run.sh

.PHONY: build
build: ## Build the manager into bin/.
	$(GOBUILD) -o bin/manager ./cmd/manager

.PHONY: demo
demo: build ## Hibernate and resume a cluster on a simulated OpenStack, and show how it goes.
	@assets=$$(hack/kube-assets.sh etcd kube-apiserver) && $(GOBUILD) -o bin/demo ./test/demo && KUBEBUILDER_ASSETS="$$assets" exec bin/demo --manager bin/manager

.PHONY: run
run: build ## The same, and leave it up to try things out until Ctrl-C.
	@assets=$$(hack/kube-assets.sh etcd kube-apiserver) && $(GOBUILD) -o bin/demo ./test/demo && KUBEBUILDER_ASSETS="$$assets" exec bin/demo --manager bin/manager --keep

.PHONY: image
image: ## Build the container image IMAGE with CONTAINER_TOOL.
	$(CONTAINER_TOOL) build -f config/manager/Containerfile --build-arg VERSION='$(VERSION)' -t '$(IMAGE)' .

.PHONY: clean
clean: ## Remove what was built in the tree (the tools' cache stays).
	rm -rf bin _out
