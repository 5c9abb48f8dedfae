#!/bin/sh
# Runs every fuzz target of the packages given (all of ./pkg by default) for FUZZTIME each, one after the other, and stops at
# the first input that fails: it is then under testdata/fuzz of its package, and `go test` runs it again.
set -eu

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./pkg/...

run=0
for package in $(go list "$@"); do
	listed=$(go test -list '^Fuzz' "$package")
	for target in $(printf '%s\n' "$listed" | grep '^Fuzz' || true); do
		printf '%s %s\n' "${package#*/overwinter/overwinter/}" "$target"
		# To make an input smaller takes longer than to find the next one.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 30x -parallel "${FUZZPARALLEL:-1}" "$package"
		run=$((run + 1))
	done
done
printf 'fuzz: ok targets=%s\n' "$run"
