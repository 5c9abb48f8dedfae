# Sourced by up.sh: writes every service's configuration into $STATE/etc. A person's own settings for glance, neutron,
# nova and cinder go into etc/SERVICE/conf.d/*.conf, policy overrides into etc/SERVICE/policy.yaml: those stay as they are.
E=$STATE/etc
MQ=rabbit://rig:$PASS@$HOST:$MQ_PORT/

auth_keys() { # USER: how a service authenticates
  cat <<C
auth_type = password
auth_url = $AUTH_URL
username = $1
password = $PASS
project_name = service
user_domain_id = default
project_domain_id = default
region_name = $REGION
C
}
authtoken() { # USER
  cat <<C
[keystone_authtoken]
www_authenticate_uri = $AUTH_URL
$(auth_keys "$1" | grep -v ^region_name)
service_token_roles = service
service_token_roles_required = true
C
}
common() { # SERVICE: what every oslo service is told
  cat <<C
[oslo_concurrency]
lock_path = $STATE/tmp/lock-$1
[oslo_policy]
policy_file = $E/$1/policy.yaml
policy_dirs = $E/$1/policy.d
[oslo_messaging_notifications]
driver = noop
[oslo_messaging_rabbit]
heartbeat_timeout_threshold = 0
C
}
write() { # FILE: from stdin, put in place in one step
  cat >"$1.new"
  mv "$1.new" "$1"
}

for s in keystone placement glance nova neutron cinder; do
  mkdir -p "$E/$s/policy.d" "$E/$s/conf.d"
  [ -e "$E/$s/policy.yaml" ] || echo '# none: the defaults in the code' >"$E/$s/policy.yaml"
done

mkdir -p "$E/rabbitmq"
: >"$E/rabbitmq/env.conf"
echo '[].' >"$E/rabbitmq/enabled_plugins"
write "$E/rabbitmq/rabbitmq.conf" <<C
listeners.tcp.default = $HOST:$MQ_PORT
default_user = rig
default_pass = $PASS
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
C

write "$E/keystone/keystone.conf" <<C
[DEFAULT]
public_endpoint = http://$HOST:$KEYSTONE_PORT/
[database]
connection = $(db_url keystone)
[token]
provider = fernet
expiration = $TOKEN_TTL
[fernet_tokens]
key_repository = $STATE/keystone/fernet
[identity]
password_hash_rounds = 4
[credential]
key_repository = $STATE/keystone/credential
[cache]
enabled = true
backend = dogpile.cache.memcached
memcache_servers = $HOST:$MC_PORT
expiration_time = 60
$(common keystone)
C

write "$E/placement/placement.conf" <<C
[placement_database]
connection = $(db_url placement)
[api]
auth_strategy = keystone
$(authtoken placement)
$(common placement)
C

write "$E/glance/glance-api.conf" <<C
[DEFAULT]
bind_host = $HOST
bind_port = $GLANCE_PORT
workers = 2
enabled_backends = file:file
node_staging_uri = file://$STATE/glance/staging
transport_url = $MQ
[database]
connection = $(db_url glance)
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = $STATE/glance/store
[os_glance_staging_store]
filesystem_store_datadir = $STATE/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = $STATE/glance/tasks
[paste_deploy]
flavor = keystone
config_file = /usr/share/glance-common/glance-api-paste.ini
$(authtoken glance)
$(common glance)
C

write "$E/neutron/neutron.conf" <<C
[DEFAULT]
bind_host = $HOST
bind_port = $NEUTRON_PORT
state_path = $STATE/neutron
api_paste_config = /usr/share/neutron-common/api-paste.ini
core_plugin = ml2
service_plugins = router,qos
api_workers = 2
rpc_workers = 1
rpc_state_report_workers = 0
metadata_agent_workers = 0
transport_url = $MQ
dhcp_agent_notification = false
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
[database]
connection = $(db_url neutron)
[quotas]
quota_network = -1
quota_subnet = -1
quota_port = -1
quota_router = -1
quota_floatingip = -1
quota_security_group = -1
quota_security_group_rule = -1
[nova]
$(auth_keys nova)
[placement]
$(auth_keys placement)
$(authtoken neutron)
$(common neutron)
C
write "$E/neutron/ml2_conf.ini" <<C
[ml2]
type_drivers = flat,vxlan,local
tenant_network_types = vxlan
mechanism_drivers = rig
extension_drivers = port_security,qos
[ml2_type_flat]
flat_networks = physnet1
[ml2_type_vxlan]
vni_ranges = 1:1000
C

write "$E/nova/nova.conf" <<C
[DEFAULT]
my_ip = $HOST
state_path = $STATE/nova
transport_url = $MQ
enabled_apis = osapi_compute
osapi_compute_listen = $HOST
osapi_compute_listen_port = $NOVA_PORT
osapi_compute_workers = 2
compute_driver = rigfake.RigDriver
vif_plugging_timeout = 0
vif_plugging_is_fatal = false
report_interval = 20
service_down_time = 180
[wsgi]
api_paste_config = /usr/share/nova-common/api-paste.ini
[conductor]
workers = 2
[scheduler]
workers = 1
[quota]
instances = 500
cores = -1
ram = -1
server_groups = 200
server_group_members = 200
key_pairs = 500
[vnc]
enabled = false
[spice]
enabled = false
[placement]
$(auth_keys placement)
[service_user]
send_service_user_token = true
$(auth_keys nova | grep -v ^region_name)
[neutron]
$(auth_keys neutron)
[glance]
region_name = $REGION
[cinder]
$(auth_keys nova | sed 's/^region_name/os_region_name/')
$(authtoken nova)
$(common nova)
C
# A compute host knows no data base.
write "$E/nova/db.conf" <<C
[api_database]
connection = $(db_url nova_api)
[database]
connection = $(db_url nova cell1 "$CELL_SOCK")
C
for ((i = 0; i < COMPUTES; i++)); do
  printf '[DEFAULT]\nhost = rig-compute-%d\nstate_path = %s\n' "$i" "$STATE/nova/compute-$i" |
    write "$E/nova/compute-$i.conf"
  mkdir -p "$STATE/nova/compute-$i"
done

write "$E/cinder/cinder.conf" <<C
[DEFAULT]
my_ip = $HOST
host = rig-volume
state_path = $STATE/cinder
api_paste_config = /usr/share/cinder-common/api-paste.ini
resource_query_filters_file = /etc/cinder/resource_filters.json
auth_strategy = keystone
osapi_volume_listen = $HOST
osapi_volume_listen_port = $CINDER_PORT
osapi_volume_workers = 1
transport_url = $MQ
enabled_backends = rig
default_volume_type = rig
glance_api_servers = http://$HOST:$GLANCE_PORT
quota_volumes = -1
quota_snapshots = -1
quota_gigabytes = -1
service_down_time = 180
[rig]
volume_driver = rig_cinder.RigVolumeDriver
volume_backend_name = rig
[backend_defaults]
[database]
connection = $(db_url cinder)
[nova]
$(auth_keys nova)
[service_user]
send_service_user_token = true
$(auth_keys cinder | grep -v ^region_name)
[coordination]
backend_url = file://$STATE/cinder/coordination
$(authtoken cinder)
$(common cinder)
C
