#!/bin/sh
# Fails where a downloaded module is not what go.sum says, of the product or of a tool.
set -eu
cd "$(dirname "$0")/.."

for module in . hack/tools/*/; do
  printf '%s: ' "$module"
  # Nothing is vendored for the tools, and the vendored copies of the product's modules are compared elsewhere.
  (cd "$module" && GOFLAGS=-mod=mod GOWORK=off go mod verify)
done
