#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# Loading and unloading iipf in a kernel that loads modules, while packets pass.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

: "${ROPEWALK_NAT_CYCLES:=200}"

# traffic: pings, such in fragments, and over IPv6, whatever becomes of them.
traffic()
{
	# Also what is not translated has a way back.
	ip -n "$NS_ISP" route replace "$NAT_LAN4" via "$NAT_WAN4"
	rw_spawn pings "$NS_LAN1" timeout 1700 ping -n -q -i 0.02 -s 600 "$NAT_INET1"
	rw_spawn pieces "$NS_LAN2" timeout 1700 ping -n -q -i 0.05 -s 4000 "$NAT_INET2"
	rw_spawn pings6 "$NS_LAN1" timeout 1700 ping -n -q -i 0.05 -s 4000 "$NAT_INET1_6"
}

# from_lan: the address that a ping of lan1 has outside.
from_lan()
{
	rm -f "$RW_STATE/seen.log"
	rw_spawn seen "$NS_INET1" tcpdump -n -l -c 1 -i eth0 'icmp[icmptype] = icmp-echo and less 120'
	sleep 1
	rw_in "$NS_LAN1" ping -n -q -c 3 -i 0.2 -s 20 "$NAT_INET1" >/dev/null || :
	rw_until 3 grep -q 'echo request' "$RW_STATE/seen.log" || return 1
	sed -n 's/.*IP \([0-9.]*\) > .*echo request.*/\1/p' "$RW_STATE/seen.log" | tail -n 1
}

rw_case traffic "unloaded and loaded under traffic: nothing is translated, then all is again" 600
traffic_body()
{
	rw_need tcpdump
	nat_begin modules
	nat_up
	traffic
	[ "$(from_lan)" = "$NAT_EXT" ] || rw_fail "seen outside as $(tail -n 1 "$RW_STATE/seen.log")"
	if n_module load >out 2>&1; then
		rw_fail "loaded a second time"
	fi
	grep -qiE 'exists|already' out || rw_fail "the second load says: $(cat out)"
	n_module unload || rw_fail "unload under traffic"
	! n_ctl show status >out 2>&1 || rw_fail "iipfctl finds a module that is gone"
	[ "$(from_lan)" = "$NAT_LAN1" ] || rw_fail "without the module, seen outside as $(tail -n 1 "$RW_STATE/seen.log")"
	n_module load || rw_fail "load under traffic"
	n_load || rw_fail "the ruleset was not taken"
	[ "$(from_lan)" = "$NAT_EXT" ] || rw_fail "after loading again, seen outside as $(tail -n 1 "$RW_STATE/seen.log")"
	nat_finish
}

rw_case cycles "two hundred times loaded, with rules, states, and unloaded under traffic; no memory is lost" 1800
cycles_body()
{
	nat_begin modules
	nat_up
	traffic
	n_module unload || rw_fail "unload"
	# Some rounds first, for what is made once.
	n_cycles 20 || rw_fail "the first rounds"
	n_memory >before || rw_fail "no memory counters"
	n_cycles "$ROPEWALK_NAT_CYCLES" || rw_fail "a round failed"
	n_memory >after || rw_fail "no memory counters"
	python3 "$RW_LIB/memory.py" "$(n_os)" before after "$ROPEWALK_NAT_CYCLES" >&2 ||
	    rw_fail "memory grows with every round"
	for t in pings pieces pings6; do
		rw_stop "$t" || :
	done
	n_module load || rw_fail "load after $ROPEWALK_NAT_CYCLES rounds"
	n_load || rw_fail "the ruleset was not taken"
	rw_ping "$NS_LAN1" "$NAT_INET1" 3 || rw_fail "no ping after $ROPEWALK_NAT_CYCLES rounds"
	nat_finish
}

atf_init_test_cases()
{
	rw_add_cases
}
