#!/bin/bash
# Installs what up.sh needs, on Debian 12 "bookworm" (OpenStack Zed), as root. Only the code packages (python3-* and
# *-common), not the daemon packages: nova-compute alone would pull in kvm, udev rules and iscsi, and up.sh starts the
# processes itself. Nothing is started by the packages: a policy-rc.d that forbids it is in place meanwhile.
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
PACKAGES=(
  mariadb-server rabbitmq-server memcached python3-memcache
  uwsgi-core uwsgi-plugin-python3
  python3-keystone
  python3-placement placement-common
  python3-glance glance-common
  python3-nova nova-common
  python3-neutron neutron-common
  python3-cinder cinder-common
  python3-pymysql python3-openstacksdk python3-openstackclient
  curl jq procps
)

command -v dpkg-query >/dev/null || { echo "install.sh: this is not a Debian system" >&2; exit 2; }
missing=()
for p in "${PACKAGES[@]}"; do
  dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
done
if [ ${#missing[@]} = 0 ]; then
  echo "install.sh: everything is installed already"
  exit 0
fi

# Another release has other versions of OpenStack, which config.sh was not written for.
. /etc/os-release
[ "${VERSION_CODENAME-}" = bookworm ] || {
  echo "install.sh: needs Debian 12 (bookworm); this is ${PRETTY_NAME-unknown}" >&2
  exit 2
}
[ "$(id -u)" = 0 ] || { echo "install.sh: must be root to install: ${missing[*]}" >&2; exit 2; }

# The lists may be stale or absent on a fresh machine.
apt-get update -q || echo "install.sh: apt-get update failed; going on with the lists there are" >&2

P=/usr/sbin/policy-rc.d
saved=
if [ -e "$P" ]; then saved=$(mktemp "$P.XXXXXX"); cp -a "$P" "$saved"; fi
restore() {
  if [ -n "$saved" ]; then mv -f "$saved" "$P"; else rm -f "$P"; fi
}
trap restore EXIT
trap 'exit 130' INT TERM
printf '#!/bin/sh\n# temporary: packages must not start services\nexit 101\n' >"$P"
chmod 755 "$P"

apt-get install -y -q --no-install-recommends \
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
  -o Dpkg::Use-Pty=0 \
  "${missing[@]}"
echo "install.sh: done"
