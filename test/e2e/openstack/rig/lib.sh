# Sourced by the scripts beside it. Nothing here listens on, or talks to, anything but 127.0.0.1.
RIG_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
STATE=${OW_RIG_STATE:-/var/tmp/overwinter-openstack}
case $STATE in /*) ;; *) STATE=$PWD/$STATE ;; esac
export OW_RIG_STATE=$STATE

# Debian's own python only: a pyenv or a venv earlier in PATH lacks the packages.
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
for v in ${!OS_*}; do unset "$v"; done
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export XDG_CACHE_HOME=$STATE/cache
PY=/usr/bin/python3

HOST=127.0.0.1
REGION=RegionOne
DB_SOCK=$STATE/run/mariadb.sock
SHIFT=${OW_RIG_PORT_SHIFT:-$(cat "$STATE/port-shift" 2>/dev/null || echo 0)}
MQ_PORT=$((5672 + SHIFT)) # and 20000 and 20001 above it for erlang's own
MC_PORT=$((11311 + SHIFT))
KEYSTONE_PORT=$((5000 + SHIFT))
GLANCE_PORT=$((9292 + SHIFT))
PLACEMENT_PORT=$((8778 + SHIFT))
NOVA_PORT=$((8774 + SHIFT))
NEUTRON_PORT=$((9696 + SHIFT))
CINDER_PORT=$((8776 + SHIFT))
COMPUTES=${OW_RIG_COMPUTES:-2}
CINDER=${OW_RIG_CINDER:-1}
TOKEN_TTL=${OW_RIG_TOKEN_TTL:-3600}
PASS=${OW_RIG_PASSWORD:-rig-secret} # for everything: the machine is the trust boundary
export AUTH_URL=http://$HOST:$KEYSTONE_PORT/v3

say() { printf 'rig [%3ds] %s\n' "$SECONDS" "$*"; }
die() { echo "rig: $*" >&2; exit 1; }

starttime() { # PID: its start time in clock ticks, so that a recycled pid is not taken for ours
  local s
  s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  s=${s##*) }
  set -- $s
  echo "${20}"
}

alive() { # NAME
  local pid
  pid=$(cat "$STATE/run/$1.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(starttime "$pid")" = "$(cat "$STATE/run/$1.start" 2>/dev/null)" ]
}

start_proc() { # NAME COMMAND...
  local name=$1 pid
  shift
  if alive "$name"; then return 0; fi
  printf '\n==== %s start: %s\n' "$(date -Is)" "$*" >>"$STATE/log/$name.log"
  setsid "$@" >>"$STATE/log/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  starttime "$pid" >"$STATE/run/$name.start" || true
  echo "$pid" >"$STATE/run/$name.pid"
}

stop_proc() { # NAME: TERM, then KILL after 15 s; the process leads a group of its own (setsid)
  local name=$1 pid i
  if alive "$name"; then
    pid=$(cat "$STATE/run/$name.pid")
    kill -TERM "$pid" 2>/dev/null || true
    for i in $(seq 150); do alive "$name" || break; sleep 0.1; done
    # and workers that outlived their parent
    kill -KILL -- "-$pid" 2>/dev/null || true
  fi
  rm -f "$STATE/run/$name.pid" "$STATE/run/$name.start"
}

wait_for() { # NAME SECONDS COMMAND...: until it succeeds; gives up early if the process has died
  local name=$1 limit=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! alive "$name"; then tail -n 25 "$STATE/log/$name.log" >&2; die "$name died; see $STATE/log/$name.log"; fi
    if [ $SECONDS -ge $limit ]; then tail -n 25 "$STATE/log/$name.log" >&2; die "$name does not answer; see $STATE/log/$name.log"; fi
    sleep 0.2
  done
}
http_up() { local c; c=$(curl -s -o /dev/null -m 5 -w '%{http_code}' "$1"); [ "$c" != 000 ] && [ "$c" -lt 500 ]; }
tcp_up() { (exec 3<>"/dev/tcp/$HOST/$1") 2>/dev/null; }
db_url() { # DATABASE [USER [SOCKET]]
  echo "mysql+pymysql://${2:-rig}:$PASS@localhost/$1?unix_socket=${3:-$DB_SOCK}&charset=utf8"
}
db() { mariadb --no-defaults -u rig -p"$PASS" -S "$DB_SOCK" "$@"; }

service_names() { # in the order in which they start
  local i
  printf '%s\n' mariadb memcached epmd rabbitmq keystone placement glance-api neutron-server \
    nova-conductor nova-scheduler nova-api
  for ((i = 0; i < COMPUTES; i++)); do echo "nova-compute-$i"; done
  if [ "$CINDER" = 1 ]; then printf '%s\n' cinder-api cinder-scheduler cinder-volume; fi
}

# Nova's only cell, and nothing else, reaches the data base through a socket of its own, as a user of its own.
CELL_SOCK=$STATE/run/cell1.sock
cell_up() { ln -sfn "$DB_SOCK" "$CELL_SOCK"; }
cell_down() {
  rm -f "$CELL_SOCK"
  db -e "KILL USER 'cell1'@'localhost'"
}

start_wsgi() { # NAME PORT PROCESSES FILE VARIABLE=VALUE...
  local name=$1 port=$2 processes=$3 file=$4
  shift 4
  start_proc "$name" env "$@" uwsgi_python3 --master --die-on-term --need-app --enable-threads --single-interpreter \
    --processes "$processes" --post-buffering 1 --buffer-size 65535 --add-header 'Connection: close' \
    --http-socket "$HOST:$port" --wsgi-file "$file" --lazy-apps --disable-logging
}

start_daemon() { # NAME DAEMON OPTIONS...
  local name=$1
  shift
  start_proc "$name" env PYTHONPATH="$RIG_DIR/py" $PY "$RIG_DIR/py/launch.py" "$@"
}

start_service() { # NAME
  local E=$STATE/etc
  case $1 in
  mariadb)
    start_proc mariadb mariadbd --no-defaults --user=root --datadir="$STATE/mysql" --socket="$DB_SOCK" \
      --pid-file="$STATE/run/mariadb.self" --skip-networking --skip-log-bin --performance-schema=OFF \
      --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-buffer-pool-size=256M \
      --max-connections=2000 --character-set-server=utf8mb3 --skip-name-resolve ;;
  memcached)
    start_proc memcached memcached -u root -l $HOST -p $MC_PORT -U 0 -m 64 ;;
  epmd)
    start_proc epmd epmd -address $HOST -port $((MQ_PORT + 20001)) ;;
  rabbitmq)
    start_proc rabbitmq env HOME="$STATE/rabbitmq" ERL_EPMD_ADDRESS=$HOST ERL_EPMD_PORT=$((MQ_PORT + 20001)) \
      RABBITMQ_NODENAME=rig@localhost RABBITMQ_DIST_PORT=$((MQ_PORT + 20000)) \
      RABBITMQ_CONF_ENV_FILE="$E/rabbitmq/env.conf" RABBITMQ_CONFIG_FILE="$E/rabbitmq/rabbitmq.conf" \
      RABBITMQ_ENABLED_PLUGINS_FILE="$E/rabbitmq/enabled_plugins" \
      RABBITMQ_MNESIA_BASE="$STATE/rabbitmq/mnesia" RABBITMQ_LOG_BASE="$STATE/log/rabbitmq" \
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 2:2" \
      /usr/lib/rabbitmq/bin/rabbitmq-server ;;
  keystone)
    start_wsgi keystone $KEYSTONE_PORT 3 /usr/bin/keystone-wsgi-public \
      OS_KEYSTONE_CONFIG_DIR="$E/keystone" OS_KEYSTONE_CONFIG_FILES="$E/keystone/keystone.conf" ;;
  placement)
    start_wsgi placement $PLACEMENT_PORT 2 /usr/bin/placement-api OS_PLACEMENT_CONFIG_DIR="$E/placement" ;;
  glance-api)
    start_daemon glance-api glance-api --config-file "$E/glance/glance-api.conf" --config-dir "$E/glance/conf.d" ;;
  neutron-server)
    start_daemon neutron-server neutron-server --config-file "$E/neutron/neutron.conf" \
      --config-file "$E/neutron/ml2_conf.ini" --config-dir "$E/neutron/conf.d" ;;
  nova-api | nova-conductor | nova-scheduler)
    start_daemon "$1" "$1" --config-file "$E/nova/nova.conf" --config-file "$E/nova/db.conf" \
      --config-dir "$E/nova/conf.d" ;;
  nova-compute-*)
    start_daemon "$1" nova-compute --config-file "$E/nova/nova.conf" --config-file "$E/nova/compute-${1##*-}.conf" \
      --config-dir "$E/nova/conf.d" ;;
  cinder-api | cinder-scheduler | cinder-volume)
    start_daemon "$1" "$1" --config-file "$E/cinder/cinder.conf" --config-dir "$E/cinder/conf.d" ;;
  *) die "no such service: $1" ;;
  esac
}

wait_service() { # NAME: until it answers
  case $1 in
  mariadb) wait_for mariadb 60 mariadb-admin --no-defaults -S "$DB_SOCK" ping ;;
  epmd) wait_for epmd 20 tcp_up $((MQ_PORT + 20001)) ;;
  memcached) wait_for memcached 20 tcp_up "$MC_PORT" ;;
  rabbitmq) wait_for rabbitmq 120 tcp_up "$MQ_PORT" ;;
  keystone) wait_for keystone 120 http_up "http://$HOST:$KEYSTONE_PORT/v3" ;;
  placement) wait_for placement 120 http_up "http://$HOST:$PLACEMENT_PORT/" ;;
  glance-api) wait_for glance-api 120 http_up "http://$HOST:$GLANCE_PORT/versions" ;;
  neutron-server) wait_for neutron-server 180 http_up "http://$HOST:$NEUTRON_PORT/" ;;
  nova-api) wait_for nova-api 120 http_up "http://$HOST:$NOVA_PORT/" ;;
  cinder-api) wait_for cinder-api 120 http_up "http://$HOST:$CINDER_PORT/" ;;
  *) alive "$1" || die "$1 is not running; see $STATE/log/$1.log" ;;
  esac
}
