#!/bin/bash
# seed-cluster.sh INFRA_ID [MASTERS [WORKERS]] [--adorned] [--from-volume]: what the OpenShift installer and the machine
# API leave in a project. May be run again: what is there by name stays. seed-cluster.sh INFRA_ID --remove: all of it goes.
# As cloud "tenant" of clouds.yaml; OW_RIG_CLOUD names another.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ -r "$STATE/clouds.yaml" ] || die "$STATE/clouds.yaml is not there: run up.sh first"
export OS_CLIENT_CONFIG_FILE=$STATE/clouds.yaml
exec $PY "$RIG_DIR/py/seed.py" --cloud "${OW_RIG_CLOUD:-tenant}" "$@"
