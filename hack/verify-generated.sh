#!/bin/sh
# Fails where `make generate` would change anything: code, CRDs, RBAC, mocks, go.mod, go.sum, vendor. It runs in a copy,
# the tree itself is not touched.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The tree as it is, uncommitted and new files included, by way of an index of its own.
GIT_DIR=$(git rev-parse --absolute-git-dir)
GIT_INDEX_FILE=$copy/index
export GIT_DIR GIT_INDEX_FILE
git --work-tree="$root" read-tree HEAD
git --work-tree="$root" add --all
mkdir "$copy/tree"
git --work-tree="$root" checkout-index --all --prefix="$copy/tree/"

echo "generating everything anew in a copy"
(
  unset GIT_DIR GIT_INDEX_FILE
  cd "$copy/tree"
  make --no-print-directory generate
)

git --work-tree="$copy/tree" add --all --intent-to-add
if ! git --work-tree="$copy/tree" diff --exit-code --stat -- .; then
  git --work-tree="$copy/tree" --no-pager diff -- . ':!vendor' | head -n 100
  echo "generated files are not up to date: run 'make generate' and commit what it changes" >&2
  exit 1
fi
