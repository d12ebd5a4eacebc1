#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# What an RFC 5780 client says of the router: coturn's natdiscovery in the LAN, its server
# with two addresses in the internet.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# discover OPTION PATTERN: what the client must say.
discover()
{
	rw_spawn turn "$NS_INET1" turnserver -n -S -z --no-cli --no-tls --no-dtls \
	    --listening-ip "$NAT_INET1" --listening-ip "$NAT_INET1B" \
	    --log-file stdout --pidfile "$RW_STATE/turn.pid" --userdb "$RW_STATE/turn.db"
	# A client that asked before the server was there would wait for ever.
	RW_T=1 rw_until 10 rw_in "$NS_INET1" turnutils_stunclient -p 3478 "$NAT_INET1" ||
	    rw_fail "the STUN server does not answer"
	rw_in "$NS_LAN1" turnutils_natdiscovery "$1" "$NAT_INET1" >"$RW_STATE/found.log" 2>&1 ||
	    rw_fail "natdiscovery ended with an error"
	grep -q "$2" "$RW_STATE/found.log" || rw_fail "natdiscovery does not say: $2"
	rw_stop turn 5 || :
	nat_finish
}

# stun NAME "what" "FEATURES" "SETTING" OPTION PATTERN
stun()
{
	rw_case "$1" "$2"
	eval "$1_body() { rw_need_stun; nat_begin $3; $4; nat_up; discover $5 '$6'; }"
}

rw_need_stun()
{
	rw_need turnserver turnutils_natdiscovery turnutils_stunclient
}

stun stun_mapping "RFC 5780: endpoint independent mapping" "" : -m 'Endpoint Independent Mapping'
stun stun_filtering_port "RFC 5780: address and port dependent filtering" "" : \
    -f 'Address and Port Dependent Filtering'
stun stun_filtering_address "RFC 5780: address dependent filtering" adf NAT_FILTERING=address \
    -f 'Address Dependent Filtering'
stun stun_filtering_endpoint "RFC 5780: endpoint independent filtering" eif NAT_FILTERING=endpoint \
    -f 'Endpoint Independent Filtering'
stun stun_hairpin "RFC 5780: hairpinning" hairpin_mapping NAT_FILTERING=endpoint -H 'successful hairpinning'

atf_init_test_cases()
{
	rw_add_cases
}
