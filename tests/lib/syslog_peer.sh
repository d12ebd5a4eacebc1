#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# syslog_peer.sh rsyslogd|syslog-ng|syslogd|logread ARG...: becomes that program as `./build.sh setup
# syslog' has unpacked it. syslogd and logread are busybox's. "have PROGRAM" only says whether it is there.
set -eu

_cache=${RW_CACHE:-${ROPEWALK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ropewalk}}/peers
_have=no
if [ "$1" = have ]; then
	_have=yes
	shift
fi
_program=$1
shift
case $_program in
rsyslogd) _root=$_cache/rsyslog _file=usr/sbin/rsyslogd ;;
syslog-ng) _root=$_cache/syslog-ng _file=usr/sbin/syslog-ng ;;
syslogd | logread) _root=$_cache/busybox _file=bin/busybox ;;
*)
	echo "syslog_peer.sh: no program $_program" >&2
	exit 2
	;;
esac
if [ ! -x "$_root/$_file" ]; then
	[ $_have = yes ] || echo "syslog_peer.sh: $_root is not there: ./build.sh setup syslog" >&2
	exit 127
fi
[ $_have = no ] || exit 0
_libs=
for _l in "$_root"/usr/lib/*-linux-gnu "$_root"/lib/*-linux-gnu "$_root/usr/lib/syslog-ng"; do
	[ ! -d "$_l" ] || _libs=$_libs${_libs:+:}$_l
done
LD_LIBRARY_PATH=$_libs
export LD_LIBRARY_PATH
case $_program in
rsyslogd)
	for _m in "$_root"/usr/lib/*-linux-gnu/rsyslog; do :; done
	exec "$_root/$_file" -M "$_m" "$@"
	;;
syslog-ng)
	for _m in "$_root"/usr/lib/syslog-ng/[0-9]*; do :; done
	exec "$_root/$_file" --module-path "$_m" "$@"
	;;
*)
	unset LD_LIBRARY_PATH
	exec "$_root/$_file" "$_program" "$@"
	;;
esac
