#!/bin/bash
# The first process of the machine that machine.py boots: file systems, modules, the command.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /dev/pts /dev/shm /run/disk /run/tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ip link set lo up
for module in overlay nf_tables bridge veth loop quota_v2; do
  modprobe -d "$PLACE" "$module"
done
mount -o prjquota /dev/ubda /run/disk
# It can neither translate addresses nor forward: containers have no bridge.
export DRAYMAN_TEST_NETWORK=none DRAYMAN_ELSEWHERE_DISK=/run/disk
export TMPDIR=/run/tmp PYTHONDONTWRITEBYTECODE=1
cd "$REPOSITORY"
bash "$PLACE/command"
echo "exit code of what was run: $?"
busybox poweroff -f
