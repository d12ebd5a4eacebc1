# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ./build.sh demo: two sites joined by a pseudowire, in network namespaces.
# ./build.sh demo nat: a LAN behind a router that filters and translates.
# ./build.sh demo syslog: two rings under a burst, and the sums.

# rw_demo [nat | syslog] ARG...: in a process of its own, which cleans up after itself.
rw_demo()
{
	rw_demo_which=demo
	if [ "${1:-}" = nat ]; then
		rw_demo_which=nat
		rw_setup demo_nat
		shift
	elif [ "${1:-}" = syslog ]; then
		rw_demo_which=syslog
		rw_logblast
		shift
	fi
	ROPEWALK_BIN=$RW_TARGET/release sh "$RW_TOP/tests/demo/$rw_demo_which.sh" "$@"
}
