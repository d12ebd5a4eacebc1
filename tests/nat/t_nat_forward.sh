#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# Port forwards, 1:1, exceptions, redirects, IPv6: what the administrator asked for.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# variant NAME "what" "FEATURES" "SETTINGS" SCENE
variant()
{
	rw_case "$1" "$2"
	eval "$1_body() { nat_begin $3; $4; nat_up; nat_scene forward $5; nat_finish; }"
}

variant forward_tcp "a TCP port of the router is a host's" "" \
    'NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"' tcp
variant forward_udp "a UDP port, and the answer comes from there" "" \
    'NAT_FORWARDS="udp $NAT_EXT 5300 $NAT_LAN2 53"' udp
variant forward_range "a range of ports, and nothing beside it" "" \
    'NAT_FORWARDS="udp $NAT_EXT 20000-20099 $NAT_LAN2 20000-20099"' range
variant forward_range_shifted "a range to another range, each port to its own" inside_range \
    'NAT_FORWARDS="udp $NAT_EXT 20000-20099 $NAT_LAN2 30000-30099"' range_shifted
variant forward_several "mappings of the LAN keep clear of forwarded ports" "" \
    'NAT_FORWARDS="tcp $NAT_EXT 8001 $NAT_LAN1 80
tcp $NAT_EXT 8002 $NAT_LAN2 80"' several
variant static_both_ways "an address is one host's, both ways, all protocols" "" \
    'NAT_BINAT="$NAT_LAN2 $NAT_STATIC"' binat
variant policy_except "not to that prefix; everything else" "" \
    'NAT_EXCEPT=192.0.2.0/24' except
variant redirect_local "a transparent proxy on the router" local 'NAT_REDIRECT="tcp 80 3128"' redirect
variant ipv6_open "IPv6 is filtered and not translated" "" \
    'NAT_OPEN="6 tcp $NAT_LAN2_6 80"' open6
variant napt66 "IPv6 with port translation" "" NAT_66=napt napt66
variant nptv6 "RFC 6296 prefix translation" nptv6 NAT_66=prefix nptv6

rw_case forward_live "a forward that comes and goes by a command"
forward_live_body()
{
	nat_begin forward_live
	nat_up
	nat_scene forward live
	nat_finish
}
do_add_forward() { n_forward add tcp "$NAT_EXT" 8080 "$NAT_LAN2" 80; }
do_del_forward() { n_forward delete tcp "$NAT_EXT" 8080 "$NAT_LAN2" 80; }

atf_init_test_cases()
{
	rw_add_cases
}
