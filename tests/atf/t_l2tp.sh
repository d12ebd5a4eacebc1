#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # the library's variables
#
# L2TPv3 pseudowires between two sites: what they carry, and that nothing is
# carried once they are gone.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# sites FAMILY ENCAP [WAN_MTU [LAN_MTU]]: both sites up, nothing sent yet.
sites()
{
	rw_begin
	r_want_encap "$2"
	topo_two_sites "$1" "${3:-1500}" "${4:-1500}"
	tun_defaults
	TUN_ENCAP=$2
	TUN_MTU=${4:-1500}
	r_both_up
}

# want_both WHAT...: skip when a router has it not.
want_both()
{
	rw_begin
	r_want A "$@"
	r_want B "$@"
}

# any_encap: UDP where both routers have it, for cases that are about something else.
any_encap()
{
	if r_can A encap && r_can B encap; then
		echo udp
	else
		echo ip
	fi
}

# basic INNER OUTER ENCAP
basic()
{
	sites "$2" "$3"
	if [ "$1" = 6 ]; then
		topo_inner6
		tr_ping6
		_b_dst=$RW_LAN6_B
	else
		tr_ping
		_b_dst=$RW_LAN4_B
	fi
	r_l2tp_down A || rw_fail "A's pseudowire could not be taken down"
	rw_noping "$NS_CA" "$_b_dst" || rw_fail "ping passes without a pseudowire"
	r_l2tp_up A || rw_fail "A's pseudowire could not be set up again"
	tr_reach "$NS_CA" "$_b_dst" "after it was set up again"
	rw_finish A B
}

for encap in ip udp; do
	for outer in 4 6; do
		for inner in 4 6; do
			name=basic_ipv${inner}overipv${outer}_$encap
			rw_case "$name" \
			    "IPv$inner hosts across a pseudowire over IPv$outer, $encap"
			eval "${name}_body() { basic $inner $outer $encap; }"
		done
	done
done

rw_case teardown "each step of a teardown stops the traffic, each step back restores it"
teardown_body()
{
	sites 4 "$(any_encap)"
	tr_ping
	r_want A tools
	r_ifconfig A "$TUN_IF" deletetunnel || rw_fail "deletetunnel"
	tr_silence "deletetunnel"
	# shellcheck disable=SC2046
	r_ifconfig A "$TUN_IF" tunnel $(r_tunnel_args A) || rw_fail "tunnel"
	tr_ping
	r_ifconfig A "$TUN_IF" deletesession || rw_fail "deletesession"
	tr_silence "deletesession"
	r_ifconfig A "$TUN_IF" session "$TUN_SID_A" "$TUN_SID_B" ||
	    rw_fail "session"
	tr_ping
	r_ifconfig A "$TUN_IF" down || rw_fail "down"
	tr_silence "down"
	r_ifconfig A "$TUN_IF" up || rw_fail "up"
	tr_ping
	r_ifconfig A "$TUN_IF" destroy || rw_fail "destroy"
	tr_silence "destroy"
	! r_ifconfig A "$TUN_IF" >/dev/null 2>&1 ||
	    rw_fail "the interface is still there after destroy"
	! r_can A tap || ! ip -n "$NS_RA" link show dev "$TUN_IF" >/dev/null 2>&1 ||
	    rw_fail "its tap is still there after destroy"
	r_l2tp_up A || rw_fail "create again"
	tr_ping
	rw_finish A B
}


for encap in ip udp; do
	rw_case "full_size_$encap" "full-size inner packets cross a WAN of the same MTU"
	eval "full_size_${encap}_body() { sites 4 $encap; full_size; }"
	rw_case "full_size6_$encap" "the same over IPv6 outside"
	eval "full_size6_${encap}_body() { sites 6 $encap; full_size; }"
	rw_case "jumbo_$encap" "9000-byte packets cross a WAN that holds them"
	eval "jumbo_${encap}_body() { want_both jumbo; sites 4 $encap 9200 9000; jumbo; }"
	rw_case "jumbo_fragmented_$encap" "9000-byte packets cross a WAN of MTU 1500"
	eval "jumbo_fragmented_${encap}_body() { want_both jumbo; sites 4 $encap 1500 9000; jumbo; }"
	rw_case "tcp_$encap" "a TCP stream arrives byte for byte, each way"
	eval "tcp_${encap}_body() { sites 4 $encap; tcp; }"
	rw_case "vlan_$encap" "802.1Q frames arrive byte for byte, and untagged ones"
	eval "vlan_${encap}_body() { sites 4 $encap; vlan plain vlan; }"
	rw_case "qinq_$encap" "802.1ad frames arrive byte for byte"
	eval "qinq_${encap}_body() { want_both qinq; sites 4 $encap; vlan qinq; }"
done

full_size()
{
	tr_full
	rw_finish A B
}

jumbo()
{
	tr_full 9000
	frame=$(frame vlan 9018 7)
	rw_frame_crosses "$NS_CA" eth0 "$NS_CB" eth0 "$frame" ||
	    rw_fail "tagged 9018-byte frame"
	rw_finish A B
}

tcp()
{
	tr_tcp "$NS_CA" "$NS_CB" "$RW_LAN4_B"
	tr_tcp "$NS_CB" "$NS_CA" "$RW_LAN4_A"
	rw_finish A B
}

# frame KIND SIZE [VID]: one from client A to client B.
frame()
{
	python3 "$RW_LIB/frames.py" make "$1" "$RW_MAC_B" "$RW_MAC_A" "$2" "${3:-0}"
}

vlan()
{
	for kind; do
		for size in 60 1518; do
			# Linux lets only one 802.1Q tag reach beyond the MTU.
			case $kind/$size in
			vlan/*) ;;
			*/1518) size=1514 ;;
			esac
			frame=$(frame "$kind" "$size" 42)
			rw_frame_crosses "$NS_CA" eth0 "$NS_CB" eth0 "$frame" ||
			    rw_fail "$kind frame of $size bytes"
		done
	done
	rw_finish A B
}

rw_case sublayer "the default L2-specific sublayer, and what happens when one end has none"
sublayer_body()
{
	rw_begin
	r_want A tools encap
	r_want B encap
	topo_two_sites 4
	tun_defaults
	TUN_SUB=default
	tun_cookie 4
	r_both_up
	tr_ping
	r_ifconfig A "$TUN_IF" sublayer none || rw_fail "sublayer none"
	tr_silence "one end without the sublayer"
	r_ifconfig A "$TUN_IF" sublayer default || rw_fail "sublayer default"
	tr_ping
	rw_finish A B
}

rw_case two_pseudowires "several pseudowires between the same two addresses"
two_pseudowires_body()
{
	want_both tap
	sites 4 udp
	# Another broadcast domain at each site.
	for s in A B; do
		r=$(ns_of r "$s")
		rw_bridge "$r" br1
		ip -n "$r" link set br1 address "02:78:00:00:00:0$s"
	done
	rw_addr "$NS_RA" br1 10.78.0.1/24
	rw_addr "$NS_RB" br1 10.78.0.2/24
	TUN_IF=l2tp1 TUN_SID_A=1003 TUN_SID_B=2004 TUN_BRIDGE=br1
	r_l2tp_up A || rw_fail "second pseudowire at A"
	r_l2tp_up B || rw_fail "second pseudowire at B"
	tr_reach "$NS_RA" 10.78.0.2 "over the second pseudowire"
	tr_ping
	r_l2tp_down A || rw_fail "second pseudowire down"
	rw_noping "$NS_RA" 10.78.0.2 || rw_fail "the second one still answers"
	tr_ping
	rw_finish A B
}

# The route to the far end leads into the pseudowire itself.
for encap in ip udp; do
	rw_case "recursion_$encap" "a pseudowire routed into itself drops, counts, and stays calm"
	eval "recursion_${encap}_body() { want_both tap; sites 4 $encap; recursion; }"
done

recursion()
{
	tr_ping
	topo_static_neighbours
	rw_addr "$NS_RA" br0 10.77.0.254/24
	ip -n "$NS_RA" neigh replace "$RW_LAN4_B" lladdr "$RW_MAC_B" dev br0
	ip -n "$NS_RA" route replace "$WAN_B/32" via "$RW_LAN4_B" dev br0
	loop_was=$(r_counter A loop) || rw_fail "no counter 'loop'"
	cpu_was=$(cpu_ticks hkA)
	rx_was=$(rw_if_packets "$NS_RA" "$TUN_IF")
	rw_noping "$NS_CA" "$RW_LAN4_B" || rw_fail "ping passes through a loop"
	sleep 1
	loops=$(($(r_counter A loop) - loop_was))
	ticks=$(($(cpu_ticks hkA) - cpu_was))
	packets=$(($(rw_if_packets "$NS_RA" "$TUN_IF") - rx_was))
	rw_log "loop drops $loops, CPU ticks $ticks, packets on the tap $packets"
	[ "$loops" -ge 1 ] || rw_fail "the loop was not counted"
	[ "$packets" -le 100 ] || rw_fail "$packets packets from a handful of pings"
	[ "$ticks" -le 50 ] || rw_fail "$ticks ticks of CPU in two seconds"
	ip -n "$NS_RA" route del "$WAN_B/32"
	tr_ping
	rw_finish A B
}

# cpu_ticks NAME: CPU time that a process has used, in 1/100 s.
cpu_ticks()
{
	sed 's/^.*) //' "/proc/$(rw_pid "$1")/stat" | awk '{ print $12 + $13 }'
}

rw_case reconfigure_under_traffic "sessions, cookies, encapsulation change while packets flow"
reconfigure_under_traffic_body()
{
	want_both tools encap
	sites 4 udp
	tr_ping
	tr_load_start
	for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
		TUN_SID_A=$((3000 + round))
		TUN_SID_B=$((4000 + round))
		case $((round % 3)) in
		0) tun_cookie 0 ;; 1) tun_cookie 4 ;; 2) tun_cookie 8 ;;
		esac
		case $((round % 2)) in 0) TUN_ENCAP=udp ;; 1) TUN_ENCAP=ip ;; esac
		for s in A B; do
			change "$s" || rw_fail "site $s, round $round"
		done
	done
	tr_load_stop
	tr_ping
	rw_finish A B
}

# change SITE: what r_l2tp_up does to an interface that exists.
change()
{
	r_ifconfig "$1" "$TUN_IF" encap "$TUN_ENCAP" &&
	    eval "r_ifconfig $1 $TUN_IF tunnel $(r_tunnel_args "$1")" &&
	    r_ifconfig "$1" "$TUN_IF" session "$(tun_get SID "$1")" \
		"$(tun_get SID "$(other "$1")")" &&
	    eval "r_ifconfig $1 $TUN_IF cookie $(r_cookie_args "$1")"
}

rw_case destroy_under_traffic "destroy and create while packets flow; nothing leaks"
destroy_under_traffic_body()
{
	sites 4 "$(any_encap)"
	tr_ping
	tr_load_start
	for round in 1 2 3 4 5 6 7 8; do
		sleep 0.1
		case $((round % 2)) in 0) s=A ;; 1) s=B ;; esac
		r_l2tp_down "$s" || rw_fail "destroy at $s, round $round"
		r_l2tp_up "$s" || rw_fail "create at $s, round $round"
	done
	# One of them is destroyed for good, the other kernel ends beneath its own.
	r_l2tp_down A || rw_fail "destroy at A"
	sleep 0.2
	rw_finish A B
	tr_load_stop
}

atf_init_test_cases()
{
	rw_add_cases
}
