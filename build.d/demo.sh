# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ./build.sh demo: two sites joined by a pseudowire, in network namespaces.
# ./build.sh demo nat: a LAN behind a router that filters and translates.

# rw_demo [nat] ARG...: in a process of its own, which cleans up after itself.
rw_demo()
{
	rw_demo_which=demo
	if [ "${1:-}" = nat ]; then
		rw_demo_which=nat
		rw_setup demo_nat
		shift
	fi
	ROPEWALK_BIN=$RW_TARGET/release sh "$RW_TOP/tests/demo/$rw_demo_which.sh" "$@"
}
