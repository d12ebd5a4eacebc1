#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # the library's variables
#
# Our router at site A, a QEMU hub at site B; tshark judges what ours sends.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# peer FAMILY ENCAP COOKIE SUBLAYER COUNTER
peer()
{
	R_DRIVER_B=qemu
	rw_begin
	judge_need
	topo_two_sites "$1"
	tun_defaults
	TUN_ENCAP=$2
	# QEMU's far port need not be ours.
	TUN_PORT_B=1702
	TUN_SUB=$4
	QEMU_COUNTER=$5
	tun_cookie "$3"
	r_both_up
	judge_start A
	tr_ping
	tr_full
	judge_stop A
	tr_tcp "$NS_CA" "$NS_CB" "$RW_LAN4_B"
	tr_tcp "$NS_CB" "$NS_CA" "$RW_LAN4_A"
	frame=$(python3 "$RW_LIB/frames.py" make vlan "$RW_MAC_B" "$RW_MAC_A" 400 42)
	rw_frame_crosses "$NS_CA" eth0 "$NS_CB" eth0 "$frame" || rw_fail "tagged frame"
	r_stop B || rw_fail "QEMU did not end"
	rw_finish A
}

for encap in ip udp; do
	for family in 4 6; do
		for cookie in 0 4 8; do
			name=qemu_${encap}_ipv${family}_cookie$cookie
			rw_case "$name" "QEMU, $encap over IPv$family, cookies of $cookie bytes"
			eval "${name}_body() { peer $family $encap $cookie none off; }"
		done
		name=qemu_${encap}_ipv${family}_sublayer
		rw_case "$name" "QEMU with a pinned counter against sublayer default"
		eval "${name}_body() { peer $family $encap 8 default off; }"
	done
	name=qemu_${encap}_ipv4_counter
	rw_case "$name" "QEMU with a running counter against sublayer default"
	eval "${name}_body() { peer 4 $encap 4 default on; }"
done

atf_init_test_cases()
{
	rw_add_cases
}
