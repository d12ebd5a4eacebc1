#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# Mappings (RFC 4787, 5382): what a flow gets outside, who may answer it, how long it lives.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# simple NAME "what it shows" FEATURES SCENE...: NAPT as it comes, and that scene.
simple()
{
	rw_case "$1" "$2"
	eval "$1_body() { nat_begin $3; nat_up; nat_scene map $4; nat_finish; }"
}

simple mapping_udp "one UDP socket has one mapping for four endpoints" "" endpoint_independent
simple mapping_tcp "one TCP source port has one mapping for three endpoints" "" endpoint_independent_tcp
simple mapping_conflict "hosts with equal ports keep a mapping of their own for every endpoint" eim conflict
simple mapping_deterministic "many conflicts change neither mapping nor filtering" eim deterministic
simple no_overloading "two hosts, one source port, one endpoint: two mappings" "" overloading
simple port_preservation "a free port is kept" "" preserve
simple port_parity "in conflict an even port becomes an even one, an odd one odd" parity parity
simple port_class "ports below 1024 stay below, others above" "" port_class
simple hairpin_filtered "the same with the default filtering, once both have spoken" hairpin_mapping hairpin
simple filtering_port "only an endpoint that was asked may answer (the default)" "" "filtering port"
simple filtering_port_tcp "the same of TCP" "" "filtering_tcp port"

# variant NAME "what" FEATURES "SETTINGS" SCENE: NAPT with something set.
variant()
{
	rw_case "$1" "$2"
	eval "$1_body() { nat_begin $3; $4; nat_up; nat_scene map $5; nat_finish; }"
}

variant hairpin_udp "hosts of the LAN meet by their outer endpoints and see the other's" hairpin_mapping \
    "NAT_FILTERING=endpoint" hairpin
variant filtering_address "any port of an address that was asked may answer" adf \
    "NAT_FILTERING=address" "filtering address"
variant filtering_endpoint "everybody may answer" eif "NAT_FILTERING=endpoint" "filtering endpoint"
variant filtering_endpoint_tcp "everybody may connect to a TCP mapping" eif \
    "NAT_FILTERING=endpoint" "filtering_tcp endpoint"
variant port_random "ports that cannot be guessed" "" "NAT_PORTS=random" random
variant port_blocks "a host's ports come from a block of its own" port_blocks \
    "NAT_PORTS=block:64" "blocks 64"
variant pooling_paired "a host leaves from one address of the pool" "" \
    'NAT_POOL="$NAT_EXT_A $NAT_EXT_B"' paired
variant timeout_udp "a mapping ends when it is not used for its time, not before" "" \
    'NAT_TIMEOUTS="udp=2"' "expiry 2"
variant refresh_outbound "what goes out keeps a mapping" "" 'NAT_TIMEOUTS="udp=2"' "refresh_outbound 2"
variant session_cap "a host has no more states than it may; another is not concerned" "" \
    "NAT_SESSIONS=10" "caps 10"
variant session_cap_told "whom the cap refuses is told (unreachable, code 13)" "" \
    "NAT_SESSIONS=1" unreachable_13

rw_case mapping_reload "a mapping outlives the ruleset"
mapping_reload_body()
{
	nat_begin
	nat_up
	nat_scene map reload
	nat_finish
}
do_reload()
{
	NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"
	n_load
}

rw_case hairpin_forward "the LAN reaches a forward by the outer address, a host its own"
hairpin_forward_body()
{
	nat_begin
	NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"
	nat_up
	nat_scene map hairpin_forward
	nat_finish
}

rw_case timeout_defaults "timeouts without configuration are those of the RFCs"
timeout_defaults_body()
{
	nat_begin rfc4787_timeouts
	nat_up
	[ "$(n_timeout udp)" -ge 120 ] || rw_fail "udp: $(n_timeout udp) s, 120 are the least"
	[ "$(n_timeout udp_answered)" -ge 300 ] || rw_fail "udp: $(n_timeout udp_answered) s, 300 are recommended"
	[ "$(n_timeout icmp)" -ge 60 ] || rw_fail "icmp: $(n_timeout icmp) s, 60 are the least"
	[ "$(n_timeout tcp)" -ge 7440 ] || rw_fail "tcp: $(n_timeout tcp) s, 7440 are the least"
	for t in tcp_opening tcp_closing; do
		[ "$(n_timeout $t)" -ge 240 ] || rw_fail "$t: $(n_timeout $t) s, 240 are the least"
	done
	nat_finish
}

rw_case address_conflict "the outer address may be one of the LAN's own prefix"
address_conflict_body()
{
	nat_begin
	NAT_POOL=10.0.0.130
	nat_topo
	# The provider hands out an address that the LAN uses too.
	ip -n "$NS_ISP" route add 10.0.0.130/32 via "$NAT_EXT"
	NAT_EXT=10.0.0.130
	n_start
	n_load || rw_fail "the ruleset was not taken"
	nat_scene map endpoint_independent
	nat_finish
}

atf_init_test_cases()
{
	rw_add_cases
}
