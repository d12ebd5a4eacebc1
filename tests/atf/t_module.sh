#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # the library's variables
#
# Loading and unloading if_l2tp in a kernel that loads modules.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

: "${ROPEWALK_CYCLES:=1000}"

one_site()
{
	rw_begin
	r_want A modules
	topo_two_sites 4
	tun_defaults
	TUN_ENCAP=ip
	r_both_up
	tr_ping
}

rw_case busy "a module with an interface is busy, stays whole, and goes once it is idle"
busy_body()
{
	one_site
	if r_unload A > out 2>&1; then
		rw_fail "unloaded with l2tp0 there"
	fi
	grep -qi 'busy' out || rw_fail "unload says: $(cat out)"
	tr_ping
	if r_load A > out 2>&1; then
		rw_fail "loaded a second time"
	fi
	grep -qiE 'exists|already' out || rw_fail "the second load says: $(cat out)"
	tr_ping
	r_l2tp_down A || rw_fail "destroy"
	r_unload A || rw_fail "unload when idle"
	! r_ifconfig A l2tp0 create || rw_fail "l2tp0 can be created without the module"
	r_load A || rw_fail "load again"
	r_l2tp_up A || rw_fail "create after loading again"
	tr_ping
	rw_finish A B
}

rw_case cycles "a thousand times loaded, used, unloaded under traffic; no memory is lost" 1800
cycles_body()
{
	one_site
	# Packets of the peer come in all along, whatever there is to take them.
	rw_spawn load "$NS_CB" timeout 1700 ping -n -q -i 0.002 -s 600 "$RW_LAN4_A"
	r_l2tp_down A || rw_fail "destroy"
	r_unload A || rw_fail "unload"
	# Some rounds first, for what is made once.
	r_cycles A 20 || rw_fail "the first rounds"
	r_memory A > before || rw_fail "no memory counters"
	r_cycles A "$ROPEWALK_CYCLES" || rw_fail "a round failed"
	r_memory A > after || rw_fail "no memory counters"
	rw_stop load || :
	python3 "$RW_LIB/memory.py" "$(vm_os A)" before after "$ROPEWALK_CYCLES" >&2 ||
	    rw_fail "memory grows with every round"
	r_load A || rw_fail "load after $ROPEWALK_CYCLES rounds"
	r_l2tp_up A || rw_fail "create after $ROPEWALK_CYCLES rounds"
	tr_ping
	rw_finish A B
}

rw_case local "the script for a BSD's own kernel: two pseudowires over the loopback interface" 300
local_body()
{
	rw_begin
	r_want A modules
	topo_two_sites 4
	tun_defaults
	r_start A
	r_unload A || rw_fail "unload"
	VM_T=250 vm_run A "sh /mnt/l2tp.sh /mnt" > out || {
		cat out >&2
		rw_fail "l2tp.sh: $(tail -n 1 out)"
	}
	r_load A || rw_fail "load"
	rw_finish A
}

atf_init_test_cases()
{
	rw_add_cases
}
