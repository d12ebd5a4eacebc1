#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # the library's variables
#
# Our router at site A, user-mode-linux as the whole of site B; tshark judges
# what ours sends.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# peer FAMILY ENCAP COOKIE SUBLAYER
peer()
{
	rw_begin
	uml_need
	judge_need
	topo_two_sites "$1"
	tun_defaults
	TUN_ENCAP=$2
	TUN_PORT_B=1702
	TUN_SUB=$4
	tun_cookie "$3"
	r_start A
	r_l2tp_up A || rw_fail "site A: the pseudowire could not be set up"
	judge_start A
	uml_start B
	tr_reach "$NS_CA" "$RW_LAN4_B" "from A to the guest"
	uml_do B 10 <<-GUEST || rw_fail "ping from the guest to A"
	ping -n -q -i 0.05 -W 2 -c 3 $RW_LAN4_A
	GUEST
	rw_ping "$NS_CA" "$RW_LAN4_B" 5 1472 || rw_fail "full-size ping to the guest"
	uml_do B 10 <<-GUEST || rw_fail "full-size ping from the guest"
	ping -n -q -i 0.05 -W 2 -M do -s 1472 -c 5 $RW_LAN4_A
	GUEST
	judge_stop A
	uml_do B 10 <<-GUEST || rw_fail "TCP server in the guest"
	python3 $RW_LIB/tcp.py serve 7000 $TCP_BYTES /run/ready >/dev/null 2>&1 &
	n=0
	until [ -e /run/ready ] || [ \$n -ge 80 ]; do sleep 0.1; n=\$((n + 1)); done
	[ -e /run/ready ]
	GUEST
	rw_in "$NS_CA" python3 "$RW_LIB/tcp.py" send "$RW_LAN4_B" 7000 "$TCP_BYTES" ||
	    rw_fail "TCP stream to the guest"
	rw_spawn tcp "$NS_CA" python3 "$RW_LIB/tcp.py" serve 7001 "$TCP_BYTES" \
	    "$RW_STATE/tcp.ready"
	rw_until 5 test -e "$RW_STATE/tcp.ready" || rw_fail "TCP server at A"
	uml_do B 30 <<-GUEST || rw_fail "TCP stream from the guest"
	python3 $RW_LIB/tcp.py send $RW_LAN4_A 7001 $TCP_BYTES
	GUEST
	uml_stop B
	rw_finish A
}

for encap in ip udp; do
	for family in 4 6; do
		for cookie in 0 4 8; do
			name=uml_${encap}_ipv${family}_cookie$cookie
			rw_case "$name" "UML, $encap over IPv$family, cookies of $cookie bytes" 150
			eval "${name}_body() { peer $family $encap $cookie none; }"
		done
		name=uml_${encap}_ipv${family}_sublayer
		rw_case "$name" "UML with a pinned counter against sublayer default" 150
		eval "${name}_body() { peer $family $encap 4 default; }"
	done
done

atf_init_test_cases()
{
	rw_add_cases
}
