#!/bin/bash
# down.sh [--wipe]: stops what up.sh started, by pid file, and nothing else. --wipe also removes the state directory.
set -u
. "$(dirname "$0")/lib.sh"
wipe=0
case ${1-} in --wipe) wipe=1 ;; '') ;; *) die "usage: down.sh [--wipe]" ;; esac
[ -d "$STATE/run" ] || { echo "rig: nothing at $STATE"; exit 0; }
# The APIs first, the data base and the message broker last; each batch at once.
names=$(cd "$STATE/run" && ls -- *.pid 2>/dev/null | sed 's/\.pid$//')
for n in $names; do case $n in mariadb | rabbitmq | epmd) ;; *) stop_proc "$n" & ;; esac; done
wait
for n in rabbitmq mariadb; do stop_proc $n & done
wait
stop_proc epmd
if [ $wipe = 1 ]; then
  [ -e "$STATE/.overwinter-rig" ] || die "$STATE does not look like a state directory of this rig; not removed"
  rm -rf -- "$STATE"
  echo "rig: stopped, $STATE removed"
else
  echo "rig: stopped, state kept in $STATE"
fi
