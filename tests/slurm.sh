#!/bin/bash
# A SLURM of one node and two processors, for as long as a command runs: tests/slurm.sh COMMAND …
# Needs root, and Debian's packages: apt-get install slurmctld slurmd slurm-client munge. It lives in namespaces of its
# own, touches no service of the machine's, and ends with the command.
set -eu
if [ -z "${IN_NAMESPACES:-}" ]; then
    exec env IN_NAMESPACES=1 unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/etc" "$work/state" "$work/spool"
node=$(hostname -s)
cat > "$work/etc/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=5
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=yes\n' > "$work/etc/cgroup.conf"  # slurmd does not start without one
mkdir -p /etc/slurm /run/munge
mount --bind "$work/etc" /etc/slurm
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t tmpfs tmpfs /run/munge
chown munge: /run/munge
runuser -u munge -- munged --force 2> "$work/munged.log"
slurmctld
slurmd
for _ in $(seq 100); do
    [ "$(sinfo --noheader --format=%t 2> /dev/null)" = idle ] && break
    sleep 0.2
done
if [ "$(sinfo --noheader --format=%t)" != idle ]; then
    sinfo; tail -n 20 "$work"/*.log; exit 1
fi
"$@"
