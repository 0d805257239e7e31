#!/usr/bin/env bash
# A whole Ceph on one machine: a monitor, one store in memory, and the S3 gateway, for tests.
#
#   ceph.sh DIRECTORY FIRST_PORT GATEWAY_PORT ACCESS_KEY SECRET_KEY
#
# FIRST_PORT and the forty after it are the cluster's own.
#
# Ends with its children when it is told to (SIGTERM); the file `ready` says that the gateway answers.
set -euo pipefail
directory=$1 monitor_port=$2 gateway_port=$3 access_key=$4 secret_key=$5
old_port=$((monitor_port + 1))
fsid=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
mkdir -p "$directory"/{mon,osd,run,log,rgw}
cd "$directory"

children=()
stop() {
  trap - EXIT
  kill -9 "${children[@]}" 2>/dev/null || true # nothing of it is kept, and the gateway takes its time
  wait
  exit 0
}
trap stop TERM INT
trap 'status=$?; kill -9 "${children[@]}" 2>/dev/null; exit "$status"' EXIT
start() { "$@" >>"log/$1.out" 2>&1 </dev/null & children+=($!); }
until_true() { for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "not in time: $*" >&2; exit 1; }

cat >ceph.conf <<CONF
[global]
fsid = $fsid
mon_initial_members = a
mon_host = [v2:127.0.0.1:$monitor_port,v1:127.0.0.1:$old_port]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = true
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 2000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 1073741824
paxos_propose_interval = 0.05
osd_heartbeat_grace = 60
ms_mon_client_mode = crc
ms_mon_service_mode = crc
ms_mon_cluster_mode = crc
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
ms_bind_port_min = $((monitor_port + 2))
ms_bind_port_max = $((monitor_port + 40))
run_dir = $directory/run
admin_socket = $directory/run/\$name.asok
log_file = $directory/log/\$name.log
mon_data = $directory/mon
osd_data = $directory/osd
rgw_data = $directory/rgw
[client]
rgw_enable_apis = s3, admin
CONF
export CEPH_CONF=$directory/ceph.conf

step() { echo "$*" >step; "$@"; }

monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor_port,v1:127.0.0.1:$old_port]" monmap >/dev/null
step ceph-mon --mkfs -i a --monmap monmap
start ceph-mon -f -i a
step until_true timeout 5 ceph mon stat
step timeout 20 ceph osd new "$osd" >/dev/null
step ceph-osd -i 0 --mkfs --osd-uuid "$osd" >log/mkfs.out 2>&1
start ceph-osd -f -i 0
step until_true sh -c "timeout 5 ceph osd stat | grep -q '1 up'"
step timeout 20 radosgw-admin user create --uid dewy --display-name dewy \
  --access-key "$access_key" --secret "$secret_key" >/dev/null 2>log/user.out
start radosgw -f -n client.rgw.a --rgw-frontends "beast endpoint=127.0.0.1:$gateway_port"
step until_true bash -c "exec 3<>/dev/tcp/127.0.0.1/$gateway_port"
echo ready >ready
wait
