#!/bin/sh
# Prints the path of a tool, pinned in a module under hack/tools; builds it the first time.
#
#   hack/tool.sh controller-gen|mockgen|golangci-lint|kube-apiserver|kube-controller-manager|etcd
#
# The binaries are kept outside the tree, by version and Go version, in
# ${OVERWINTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/overwinter}. Progress goes to stderr.
set -eu

fail() { echo "hack/tool.sh: $*" >&2; exit 1; }

tools=$(cd "$(dirname "$0")/tools" && pwd)

# version MODULE DIRECTORY: the version that DIRECTORY's go.mod pins.
version() {
  awk -v module="$1" '$1 == module { print $2 }' "$tools/$2/go.mod"
}

[ $# = 1 ] || fail "usage: hack/tool.sh NAME"
name=$1 module='' package='' ldflags='-s -w' duration=''
case $name in
  controller-gen)
    dir=generate module=sigs.k8s.io/controller-tools package=$module/cmd/controller-gen duration='a minute' ;;
  mockgen)
    dir=generate module=github.com/golang/mock package=$module/mockgen duration='half a minute' ;;
  golangci-lint)
    dir=lint module=github.com/golangci/golangci-lint/v2 package=$module/cmd/golangci-lint
    duration='four minutes' ;;
  kube-apiserver)
    dir=kubernetes module=k8s.io/kubernetes package=$module/cmd/$name duration='eight minutes' ;;
  kube-controller-manager)
    dir=kubernetes module=k8s.io/kubernetes package=$module/cmd/$name duration='four minutes' ;;
  etcd)
    dir=etcd module=go.etcd.io/etcd/server/v3 package=$module duration='a minute' ;;
  *)
    fail "no tool is called '$name'" ;;
esac

version=$(version "$module" "$dir")
[ -n "$version" ] || fail "hack/tools/$dir/go.mod does not pin $module"
go=$(go env GOVERSION)-$(go env GOARCH)

case $name in
  kube-*)
    # What they say of themselves; Kubernetes' own build sets the same.
    minor=${version#v*.}
    minor=${minor%%.*}
    pkg=k8s.io/component-base/version
    ldflags="$ldflags -X $pkg.gitVersion=$version -X $pkg.gitMajor=1 -X $pkg.gitMinor=$minor" ;;
esac

cache=${OVERWINTER_CACHE:-}
if [ -z "$cache" ]; then
  [ -n "${XDG_CACHE_HOME:-}${HOME:-}" ] || fail "neither OVERWINTER_CACHE nor HOME is set: no place for the tools"
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/overwinter
fi
case $name in
  kube-* | etcd)
    # All in one directory, as KUBEBUILDER_ASSETS wants them.
    target=$cache/kube/$(version k8s.io/kubernetes kubernetes)-etcd-$(version go.etcd.io/etcd/server/v3 etcd)-$go/$name ;;
  *)
    target=$cache/tools/$name-$version-$go/$name ;;
esac

if [ -x "$target" ]; then
  echo "$target"
  exit 0
fi
mkdir -p "$(dirname "$target")"

# One builds, the others wait. A lock whose owner is gone is taken over; should two build after all, each renames a
# whole file into place.
lock=$target.lock
build=''
locked=''
cleanup() {
  [ -z "$build" ] || kill "$build" 2>/dev/null || true
  rm -rf "$target.new.$$"
  [ -z "$locked" ] || rm -rf "$lock"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

waited=0
until mkdir "$lock" 2>/dev/null; do
  if [ -x "$target" ]; then
    echo "$target"
    exit 0
  fi
  # An owner writes its number right after it made the lock.
  owner=$(cat "$lock/pid" 2>/dev/null || true)
  if { [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; } || { [ -z "$owner" ] && [ "$waited" -ge 10 ]; }; then
    if mv "$lock" "$lock.old.$$" 2>/dev/null; then rm -rf "$lock.old.$$"; fi
    continue
  fi
  if [ $((waited % 20)) = 0 ]; then
    echo "waiting for $name ${version#v}, which another process builds: $waited s so far" >&2
  fi
  sleep 1
  waited=$((waited + 1))
done
locked=yes
echo $$ >"$lock/pid"
if [ -x "$target" ]; then
  echo "$target"
  exit 0
fi

what="building $name ${version#v} from source, about $duration on two cores, once"
echo "$what" >&2
log=$target.log
(
  cd "$tools/$dir"
  exec env CGO_ENABLED=0 GOFLAGS= GOWORK=off \
    go build -mod=readonly -buildvcs=false -trimpath -ldflags "$ldflags" -o "$target.new.$$" "$package"
) >"$log" 2>&1 &
build=$!
started=$(date +%s)
said=0
while kill -0 "$build" 2>/dev/null; do
  sleep 1
  seconds=$(($(date +%s) - started))
  if [ "$seconds" -ge $((said + 20)) ]; then
    echo "$what: $seconds s so far" >&2
    said=$seconds
  fi
done
if ! wait "$build"; then
  build=''
  tail -n 30 "$log" >&2
  fail "building $name failed; all of its output is in $log"
fi
build=''
mv -f "$target.new.$$" "$target"
rm -f "$log"
echo "$target"
