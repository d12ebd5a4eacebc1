#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# syslog_ns.sh COMMAND...: runs it as root where nothing is the machine's: processes, mounts, IPC and
# network are its own, with a /dev and a /run that are empty but for what programs need, so that any
# syslogd can have /dev/log. Whatever runs in there ends with COMMAND.
set -eu

if [ "${1:-}" != --inside ]; then
	exec unshare --mount --ipc --net --pid --fork --kill-child --mount-proc \
	    sh "$0" --inside "$@"
fi
shift

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
_dev=/run/dev
mkdir "$_dev"
mount -t tmpfs -o mode=755 tmpfs "$_dev"
mkdir "$_dev/shm" "$_dev/pts"
for _d in null zero full random urandom tty; do
	: >"$_dev/$_d"
	mount --bind "/dev/$_d" "$_dev/$_d"
done
chmod 1777 "$_dev/shm"
ln -s /proc/self/fd "$_dev/fd"
ln -s /proc/self/fd/0 "$_dev/stdin"
ln -s /proc/self/fd/1 "$_dev/stdout"
ln -s /proc/self/fd/2 "$_dev/stderr"
mount --rbind "$_dev" /dev
ip link set lo up
# As a running system has it; a namespace starts with 10.
echo 512 >/proc/sys/net/unix/max_dgram_qlen 2>/dev/null || :
exec "$@"
