#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# Fragments, and captures of packets that should not be.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# variant NAME "what" "SETTINGS" FILE SCENE [FEATURE]
variant()
{
	rw_case "$1" "$2"
	eval "$1_body() { nat_begin ${6:-}; $3; nat_up; nat_scene $4 $5; nat_finish; }"
}

variant order "every order of three fragments, both ways" : frag "order 4"
variant order6 "the same over IPv6" : frag "order 6"
variant interleaved "fragments of two datagrams, mixed" : frag interleaved
variant overlap "overlapping fragments are refused" : frag "overlap 4"
variant overlap6 "the same over IPv6 (RFC 5722)" : frag "overlap 6"
variant duplicate "a fragment twice" : frag duplicate
variant holes "fragments without their head" : frag holes
variant too_long "fragments beyond 65,535 bytes, of odd length, of none" : frag too_long
variant tiny "a forbidden SYN in pieces" 'NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2_GHOST 80"' frag tiny
variant flood "6,000 fragments that nothing completes" : frag flood frag_flood
variant atomic "an IPv6 fragment that is whole" : frag atomic

for set in garbage truncated missummed addresses options overlapping six; do
	variant "replay_$set" "a capture from outside: $set" : corner "replay $set"
done
for set in garbage truncated addresses overlapping; do
	variant "replay_inside_$set" "a capture from the LAN: $set" : corner "inside $set"
done

atf_init_test_cases()
{
	rw_add_cases
}
