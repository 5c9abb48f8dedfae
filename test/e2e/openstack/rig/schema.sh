#!/bin/bash
# schema.sh SERVICE: makes a service's tables, and in keystone's case its keys and the administrator. For up.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
E=$STATE/etc

case $1 in
keystone)
  manage() { keystone-manage --config-file "$E/keystone/keystone.conf" "$@"; }
  manage db_sync
  manage fernet_setup --keystone-user root --keystone-group root
  manage credential_setup --keystone-user root --keystone-group root
  manage bootstrap --bootstrap-password "$PASS" --bootstrap-username admin --bootstrap-project-name admin \
    --bootstrap-role-name admin --bootstrap-service-name keystone --bootstrap-region-id $REGION \
    --bootstrap-public-url "$AUTH_URL" --bootstrap-internal-url "$AUTH_URL" --bootstrap-admin-url "$AUTH_URL"
  ;;
nova)
  manage() { nova-manage --config-file "$E/nova/nova.conf" --config-file "$E/nova/db.conf" "$@"; }
  manage api_db sync
  manage cell_v2 map_cell0 --database_connection "$(db_url nova_cell0)"
  manage db sync
  manage cell_v2 list_cells | grep -q ' cell1 ' || manage cell_v2 create_cell --name cell1
  ;;
placement) placement-manage --config-file "$E/placement/placement.conf" db sync ;;
glance) glance-manage --config-file "$E/glance/glance-api.conf" db_sync ;;
neutron) neutron-db-manage --config-file "$E/neutron/neutron.conf" --config-file "$E/neutron/ml2_conf.ini" upgrade heads ;;
cinder) cinder-manage --config-file "$E/cinder/cinder.conf" db sync ;;
*) die "no such service: $1" ;;
esac
touch "$STATE/mysql/.synced-$1"
