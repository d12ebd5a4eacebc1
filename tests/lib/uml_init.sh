#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# First process of a user-mode-linux whose root is the host's root, read only.
# On the kernel command line: rw_jobs=DIR, where numbered job files appear, and
# any number of rw_addr=IF,ADDR/LEN,MTU. Each job's end is told on the console.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
# /tmp stays the host's: the jobs, and much else, may lie below it.
export TMPDIR=/run
ip link set lo up
jobs=
read -r line < /proc/cmdline
for word in $line; do
	case $word in
	rw_jobs=*)
		jobs=${word#rw_jobs=}
		;;
	rw_addr=*)
		rest=${word#rw_addr=}
		dev=${rest%%,*}
		rest=${rest#*,}
		ip link set "$dev" mtu "${rest##*,}"
		ip link set "$dev" up
		ip addr add "${rest%%,*}" dev "$dev" || echo "UMLBAD $word"
		;;
	esac
done
echo "UMLUP $(uname -r) $(cut -d ' ' -f 1 /proc/uptime)"
n=1
while [ "$n" -lt 1000 ]; do
	if [ -f "$jobs/$n" ]; then
		sh "$jobs/$n" </dev/null 2>&1
		echo "UMLRC $n $?"
		n=$((n + 1))
	else
		sleep 0.05
	fi
done
