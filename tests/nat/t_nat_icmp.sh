#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# ICMP and ICMPv6 through the router (RFC 5508, 4890): queries, errors both ways, sizes.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# variant NAME "what" "FEATURES" "SETTINGS" SCENE
variant()
{
	rw_case "$1" "$2"
	eval "$1_body() { nat_begin $3; $4; nat_up; nat_scene icmp $5; nat_finish; }"
}

udp_forward='NAT_FORWARDS="udp $NAT_EXT 5300 $NAT_LAN2_GHOST 53"'

variant query "two hosts ping with one identifier" "" : query
variant query_independent "one identifier outside, whoever is pinged" "" : query_independent
variant query_unsolicited "answers that nobody asked for stay out" "" : unsolicited
variant query_timeout "the mapping of a query ends after its time" "" 'NAT_TIMEOUTS="icmp=2"' "expiry 2"
variant query6 "IPv6: answers come in, queries do not" "" : query6
for flow in udp tcp icmp; do
	variant "errors_in_$flow" "errors about a $flow flow, restored to what was sent" "" : "errors_in $flow"
done
variant errors_short "errors that quote 8 bytes" "" : errors_short
variant errors_quoted_options "errors that quote a header with options" "" : errors_quoted_options
variant errors_quoted_sum "a wrong checksum in the quoted transport header is left alone" "" : errors_quoted_sum
variant errors_quoted_header_sum "a broken quoted IP header is dropped" quoted_header_sum : errors_quoted_header_sum
variant errors_extension "RFC 4884 extensions arrive as they were" "" : errors_extension
variant errors_bad "broken errors and those about no flow are dropped" "" : errors_bad
variant errors_keep "no error ends a mapping" "" : errors_keep
variant errors_no_refresh "no error keeps the mapping of a query" "" 'NAT_TIMEOUTS="icmp=2"' "errors_no_refresh 2"
variant errors_out "errors of the LAN leave as the router's" "" "$udp_forward" errors_out
variant errors_out_unknown "errors of the LAN about no flow stay in" "" : errors_out_unknown
variant errors6 "ICMPv6 errors" "" : errors6
variant hairpin_query "a hairpinned query" "" 'NAT_BINAT="$NAT_LAN2_GHOST $NAT_STATIC"' hairpin_query
variant hairpin_error "an error about a hairpinned packet" "" "$udp_forward" hairpin_error

# The link to the provider takes 1300 bytes.
for scene in df_set df_clear; do
	rw_case "size_$scene" "a packet larger than the WAN takes: $scene"
	eval "size_${scene}_body() { nat_begin; nat_topo; n_mtu wan0 1300; n_start; n_load; nat_scene icmp $scene; nat_finish; }"
done

rw_case pmtu_out "TCP from the LAN learns of a small link on the way"
pmtu_out_body()
{
	nat_begin
	nat_up
	ip -n "$NS_ISP" link set i2 mtu 1300
	rw_spawn tcp "$NS_INET2" python3 "$RW_LIB/tcp.py" serve 7000 1000000 "$RW_STATE/tcp.ready"
	rw_until 5 test -e "$RW_STATE/tcp.ready" || rw_fail "the TCP server did not start"
	rw_in "$NS_LAN1" python3 "$RW_LIB/tcp.py" send "$NAT_INET2" 7000 1000000 ||
	    rw_fail "the stream does not pass"
	ip -n "$NS_LAN1" route get "$NAT_INET2" | grep -q 'mtu 1300' ||
	    rw_fail "the sender was not told of the MTU"
	nat_finish
}

rw_case pmtu_in "TCP from outside to a forward learns of a small link of the LAN"
pmtu_in_body()
{
	nat_begin
	NAT_FORWARDS="tcp $NAT_EXT 7000 $NAT_LAN2 7000"
	nat_up
	n_mtu lan0 1300
	rw_spawn tcp "$NS_LAN2" python3 "$RW_LIB/tcp.py" serve 7000 1000000 "$RW_STATE/tcp.ready"
	rw_until 5 test -e "$RW_STATE/tcp.ready" || rw_fail "the TCP server did not start"
	rw_in "$NS_INET1" python3 "$RW_LIB/tcp.py" send "$NAT_EXT" 7000 1000000 ||
	    rw_fail "the stream does not pass"
	ip -n "$NS_INET1" route get "$NAT_EXT" | grep -q 'mtu 1300' ||
	    rw_fail "the sender was not told of the MTU"
	nat_finish
}

# trace_by ARG...: the provider's router and the destination, in that order.
trace_by()
{
	nat_run "$NS_LAN1" traceroute -n -q 1 -w 1 -m 5 "$@" "$NAT_INET1" || rw_fail "traceroute $*"
	awk '$1 ~ /^[0-9]+$/ { print $2 }' "$RW_STATE/out" | tr '\n' ' ' >"$RW_STATE/hops"
	grep -q "^$NAT_GW4 $NAT_ISP $NAT_INET1 $" "$RW_STATE/hops" ||
	    rw_fail "traceroute $* shows: $(cat "$RW_STATE/hops")"
}

rw_case traceroute "by UDP, ICMP and TCP it shows every hop"
traceroute_body()
{
	rw_need traceroute
	nat_begin
	nat_up
	rw_spawn web "$NS_INET1" python3 -m http.server 80
	trace_by -U
	trace_by -I
	trace_by -T -p 80
	nat_finish
}

rw_case ping_tools "ping of a whole frame, of many at once, of the router, over IPv6"
ping_tools_body()
{
	nat_begin
	nat_up
	rw_ping "$NS_LAN1" "$NAT_INET1" 20 || rw_fail "ping"
	rw_ping "$NS_LAN2" "$NAT_INET2" 5 1472 || rw_fail "ping of a whole frame"
	rw_in "$NS_LAN1" ping -n -q -c 3 -i 0.05 -s 4000 -M dont "$NAT_INET1" >/dev/null || rw_fail "ping in fragments"
	rw_ping "$NS_LAN1" "$NAT_GW4" || rw_fail "ping of the router"
	rw_in "$NS_LAN1" ping -n -q -c 3 -i 0.05 "$NAT_INET1_6" >/dev/null || rw_fail "ping over IPv6"
	rw_in "$NS_LAN1" ping -n -q -c 3 -i 0.05 -s 4000 "$NAT_INET1_6" >/dev/null || rw_fail "ping over IPv6 in fragments"
	nat_finish
}

atf_init_test_cases()
{
	rw_add_cases
}
