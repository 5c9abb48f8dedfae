#!/bin/sh
# Prints a directory that holds kube-apiserver and etcd, for the tests and the demo: $KUBEBUILDER_ASSETS where that is
# set, else one outside the tree into which both are built from source the first time (see hack/tool.sh).
set -eu

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for binary in kube-apiserver etcd; do
    if [ ! -x "$KUBEBUILDER_ASSETS/$binary" ]; then
      echo "KUBEBUILDER_ASSETS is $KUBEBUILDER_ASSETS, and there is no executable $binary in it;" \
        "unset it to have kube-apiserver and etcd built" >&2
      exit 1
    fi
  done
  (cd "$KUBEBUILDER_ASSETS" && pwd)
  exit 0
fi

hack=$(cd "$(dirname "$0")" && pwd)
"$hack/tool.sh" etcd >/dev/null
apiserver=$("$hack/tool.sh" kube-apiserver)
dirname "$apiserver"
