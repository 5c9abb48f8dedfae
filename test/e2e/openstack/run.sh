#!/bin/bash
# run.sh [arguments for go test]: installs OpenStack from Debian's packages, brings it up on loopback with ports and state
# of its own, runs the OpenStack client's contract suite and the end-to-end test against it, and takes it down again.
#
#   KEEP=1 run.sh -run TestCycle     leaves OpenStack up, and uses the one that was left up
#   OW_E2E=ci run.sh                 leaves the long tests out
#
# Exit code 2: it cannot run on this machine; the last line says why.
set -euo pipefail
SECONDS=0
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.."

say() { printf 'e2e [%3ds] %s\n' "$SECONDS" "$*"; }
cannot() { echo "e2e: cannot run here: $*" >&2; exit 2; }

[ -e /etc/debian_version ] || cannot "OpenStack is installed from Debian's packages, and this is not Debian"
[ "$(id -u)" = 0 ] || cannot "OpenStack's packages are installed and run as root"
command -v go >/dev/null || cannot "there is no go in PATH"

export OW_RIG_STATE=${OW_RIG_STATE:-/var/tmp/overwinter-openstack}
keep=${KEEP:-}
work=$(mktemp -d)
child=
locked=
started=

# step COMMAND...: runs it in a process group of its own, so that a signal can end all of it.
step() {
  local code=0
  set -m
  "$@" 8>&- &
  child=$!
  set +m
  wait "$child" || code=$?
  child=
  return $code
}

finish() {
  local code=$?
  trap '' INT TERM HUP
  if [ -n "$child" ]; then
    kill -TERM -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  if [ -n "$started" ]; then
    if [ $code != 0 ] && [ -d "$OW_RIG_STATE/log" ]; then
      say "OpenStack's own errors, the last ones:"
      grep -hE '^[0-9: .-]+ (ERROR|CRITICAL) ' "$OW_RIG_STATE"/log/*.log | sort | tail -n 15 | cut -c1-300 || true
    fi
    if [ -n "$keep" ]; then
      say "left up; $here/rig/down.sh --wipe removes it"
    else
      "$here/rig/down.sh" --wipe || code=1
    fi
  fi
  if [ $code = 0 ] && [ -s "$work/summary" ]; then cat "$work/summary"; fi
  rm -rf -- "$work"
  if [ -n "$locked" ]; then rm -f -- "$OW_RIG_STATE.lock"; fi
  exit $code
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

exec 8>"$OW_RIG_STATE.lock"
flock -n 8 || cannot "another run uses $OW_RIG_STATE (OW_RIG_STATE=... for one beside it)"
locked=1

# free_ports: the first shift of all ports at which none is taken.
free_ports() {
  local shift port
  for shift in 200 400 600 800 1000; do
    for port in 5000 5672 8774 8776 8778 9292 9696 11311 25672 25673; do
      if (exec 3<>"/dev/tcp/127.0.0.1/$((port + shift))") 2>/dev/null; then continue 2; fi
    done
    echo $shift
    return
  done
  cannot "no free ports"
}

say "kube-apiserver and etcd"
KUBEBUILDER_ASSETS=$(hack/kube-assets.sh etcd kube-apiserver)
export KUBEBUILDER_ASSETS

say "the test"
step go test -tags e2e -c -o /dev/null ./test/e2e/openstack
export OW_E2E_SUMMARY=$work/summary

say "OpenStack's packages"
step "$here/rig/install.sh"

if [ -d "$OW_RIG_STATE" ] && [ -z "$keep" ]; then
  say "an earlier run left OpenStack behind"
  "$here/rig/down.sh" --wipe
fi
if [ ! -e "$OW_RIG_STATE/port-shift" ]; then
  export OW_RIG_PORT_SHIFT=${OW_RIG_PORT_SHIFT:-$(free_ports)}
fi
say "OpenStack at $OW_RIG_STATE"
started=1
step "$here/rig/up.sh"
export OS_CLIENT_CONFIG_FILE=$OW_RIG_STATE/clouds.yaml OS_CLOUD=tenant

if [ $# = 0 ]; then
  say "the client's contract suite"
  step env CONTRACT_OTHER_CLOUD=stranger CONTRACT_ADMIN_CLOUD=admin \
    go test -count=1 -timeout 20m -run TestReal ./test/contract/...
fi
say "the end-to-end test"
step go test -tags e2e -count=1 -timeout 3h -v "$@" ./test/e2e/openstack
say "passed"
