#!/bin/sh
# Prints a directory that holds etcd, kube-apiserver and kube-controller-manager, for the tests and the demo:
# $KUBEBUILDER_ASSETS where that is set, else one outside the tree into which they are built from source the first time
# (see hack/tool.sh).
#
#   hack/kube-assets.sh [PROGRAM...]
#
# Whoever needs fewer of them names those. What is commonly put into KUBEBUILDER_ASSETS has no kube-controller-manager:
# that one alone is built then, and the directory printed has links to all.
set -eu

hack=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- etcd kube-apiserver kube-controller-manager

if [ -z "${KUBEBUILDER_ASSETS:-}" ]; then
  for program; do
    path=$("$hack/tool.sh" "$program")
  done
  dirname "$path"
  exit 0
fi

missing=''
for program; do
  if [ -x "$KUBEBUILDER_ASSETS/$program" ]; then
    continue
  fi
  if [ "$program" != kube-controller-manager ]; then
    echo "KUBEBUILDER_ASSETS is $KUBEBUILDER_ASSETS, and there is no executable $program in it;" \
      "unset it to have it built" >&2
    exit 1
  fi
  missing=$program
done
given=$(cd "$KUBEBUILDER_ASSETS" && pwd)
if [ -z "$missing" ]; then
  echo "$given"
  exit 0
fi

built=$("$hack/tool.sh" "$missing")
linked=$(dirname "$built")/beside-$(printf '%s' "$given" | cksum | tr ' ' -)
mkdir -p "$linked"
for path in "$given/etcd" "$given/kube-apiserver" "$built"; do
  link=$linked/$(basename "$path")
  # What a link of this directory leads to never changes; somebody else may be using it.
  [ -e "$link" ] || ln -sf "$path" "$link"
done
echo "$linked"
