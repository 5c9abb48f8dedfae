#!/bin/bash
# Brings the OpenStack control plane up on 127.0.0.1 and leaves it running. May be run again at any time: what runs
# stays, what has stopped is started, data bases are made once.
set -euo pipefail
SECONDS=0
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || die "run as root"
for b in mariadbd epmd uwsgi_python3 keystone-manage nova-manage neutron-db-manage glance-manage placement-manage cinder-manage; do
  command -v $b >/dev/null || die "$b is missing: run install.sh first"
done

umask 077
mkdir -p "$STATE"/{run,log,log/rabbitmq,cache,knobs,etc,tmp,nova,neutron,cinder,rabbitmq/mnesia}
mkdir -p "$STATE"/glance/{store,staging,tasks} "$STATE"/keystone/{fernet,credential}
touch "$STATE/.overwinter-rig"
echo "$SHIFT" >"$STATE/port-shift"
exec 9>"$STATE/.lock"
flock -w 300 9 || die "another up.sh is at work"

for pair in "epmd $((MQ_PORT + 20001))" "rabbitmq $MQ_PORT" "rabbitmq $((MQ_PORT + 20000))" "memcached $MC_PORT" \
  "keystone $KEYSTONE_PORT" "placement $PLACEMENT_PORT" "glance-api $GLANCE_PORT" "neutron-server $NEUTRON_PORT" \
  "nova-api $NOVA_PORT" "cinder-api $CINDER_PORT"; do
  set -- $pair
  if ! alive "$1" && tcp_up "$2"; then die "port $2 (for $1) is taken by another process"; fi
done

. "$RIG_DIR/config.sh"

#### data base, message broker ####
if [ ! -e "$STATE/mysql/.made" ]; then
  rm -rf "$STATE/mysql"
  mariadb-install-db --no-defaults --user=root --datadir="$STATE/mysql" --auth-root-authentication-method=normal \
    --skip-test-db >"$STATE/log/mariadb-install.log" 2>&1 || { tail "$STATE/log/mariadb-install.log" >&2; die "mariadb-install-db failed"; }
  touch "$STATE/mysql/.made"
fi
start_service epmd
start_service memcached
start_service mariadb
cell_up
wait_service epmd
start_service rabbitmq
wait_service mariadb
if [ ! -e "$STATE/mysql/.users" ]; then
  {
    for d in keystone placement glance nova_api nova nova_cell0 neutron cinder; do
      echo "CREATE DATABASE IF NOT EXISTS $d CHARACTER SET utf8mb3;"
    done
    for u in rig cell1; do
      echo "CREATE OR REPLACE USER '$u'@'localhost' IDENTIFIED BY '$PASS'; GRANT ALL ON *.* TO '$u'@'localhost';"
    done
    echo "FLUSH PRIVILEGES;"
  } | mariadb --no-defaults -u root -S "$DB_SOCK"
  touch "$STATE/mysql/.users"
fi
say "data base is up"

#### schemas, all at once ####
todo=(keystone nova neutron glance placement)
[ "$CINDER" = 1 ] && todo+=(cinder)
synced() { [ -e "$STATE/mysql/.synced-$1" ]; }
for s in "${todo[@]}"; do
  synced $s || start_proc "schema-$s" "$RIG_DIR/schema.sh" $s
done
for s in "${todo[@]}"; do
  while alive "schema-$s"; do sleep 0.2; done
  rm -f "$STATE/run/schema-$s".*
  synced $s || { tail -n 20 "$STATE/log/schema-$s.log" >&2; die "schema of $s: see $STATE/log/schema-$s.log"; }
done
say "schemas are there"

#### services ####
wait_service memcached
start_service keystone
wait_service rabbitmq
wait_service keystone
export RIG_REGION=$REGION RIG_PASSWORD=$PASS RIG_CINDER=$CINDER RIG_COMPUTES=$COMPUTES
RIG_CATALOGUE="image=glance=http://$HOST:$GLANCE_PORT placement=placement=http://$HOST:$PLACEMENT_PORT
 compute=nova=http://$HOST:$NOVA_PORT/v2.1 network=neutron=http://$HOST:$NEUTRON_PORT"
if [ "$CINDER" = 1 ]; then
  RIG_CATALOGUE="$RIG_CATALOGUE volumev3=cinderv3=http://$HOST:$CINDER_PORT/v3/%(project_id)s block-storage=cinder=http://$HOST:$CINDER_PORT/v3/%(project_id)s"
fi
export RIG_CATALOGUE
$PY "$RIG_DIR/py/register.py" catalogue people
say "keystone is up, catalogue and users are there"

start_service placement
wait_service placement
for s in $(service_names); do start_service "$s"; done
for s in glance-api neutron-server nova-api; do wait_service $s; done
[ "$CINDER" = 0 ] || wait_service cinder-api
say "the APIs answer"
$PY "$RIG_DIR/py/register.py" flavors external volumes

# The compute hosts register themselves; nova must then be told which cell they are in.
hosts_up() {
  [ "$(db -N nova -e "select count(*) from compute_nodes where deleted=0" 2>/dev/null)" -ge "$COMPUTES" ]
}
for ((i = 0; i < COMPUTES; i++)); do wait_for "nova-compute-$i" 180 hosts_up; done
if [ "$(db -N nova_api -e 'select count(*) from host_mappings')" -lt "$COMPUTES" ]; then
  nova-manage --config-file "$E/nova/nova.conf" --config-file "$E/nova/db.conf" cell_v2 discover_hosts >"$STATE/log/discover-hosts.log" 2>&1 ||
    die "discover_hosts failed: see $STATE/log/discover-hosts.log"
fi
$PY "$RIG_DIR/py/register.py" zones
for s in $(service_names); do alive "$s" || die "$s is not running; see $STATE/log/$s.log"; done

cloud() { # NAME USER PROJECT
  cat <<C
  $1:
    auth:
      auth_url: $AUTH_URL
      username: $2
      password: $PASS
      project_name: $3
      user_domain_name: Default
      project_domain_name: Default
    region_name: $REGION
    identity_api_version: 3
C
}
{
  echo clouds:
  cloud admin admin admin
  cloud tenant tenant hive
  cloud reader reader hive
  cloud stranger stranger other
} | write "$STATE/clouds.yaml"
say "up: OS_CLIENT_CONFIG_FILE=$STATE/clouds.yaml OS_CLOUD=tenant"
