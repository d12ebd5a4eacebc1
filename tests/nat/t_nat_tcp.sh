#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# TCP through the router (RFC 5382, 5961, 7857): opening, window, resets, end, time.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# variant NAME "what" "FEATURES" "SETTINGS" SCENE
variant()
{
	rw_case "$1" "$2"
	eval "$1_body() { nat_begin $3; $4; nat_up; nat_scene tcp $5; nat_finish; }"
}

closing='NAT_TIMEOUTS="tcp_closing=2 tcp_opening=2"'

variant exchange "a whole connection from inside" "" : exchange
variant exchange6 "the same over IPv6, untranslated; none from outside" "" : exchange6
variant from_outside "a connection from outside, through a forward" "" \
    'NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2_GHOST 80"' from_outside
variant simultaneous_open "both open at once" "" : simultaneous
variant simultaneous_open_late "the other's SYN comes first" "" : simultaneous_late
variant unsolicited_syn "no answer for six seconds to a SYN that nobody asked for" "" : unsolicited
variant rst_exact "the right reset ends it, and the ports can be used again" "" : rst_exact
variant rst_in_window "a reset in the window, not the right one, ends nothing" "" "$closing" rst_in_window
variant rst_out_of_window "a reset outside the window ends nothing" "" "$closing" rst_out_of_window
variant syn_in_window "a SYN in the window ends nothing" "" "$closing" syn_in_window
variant syn_ack_in_window "a SYN with ACK in the window ends nothing" "" "$closing" syn_ack_in_window
variant fin_out_of_window "a FIN outside the window ends nothing" "" "$closing" fin_out_of_window
variant half_close "one side has ended, the other goes on" "" : half_close
variant window "what is outside the window does not pass" "" : window
variant window_behind "what is long before the window does not pass" window_behind : window_behind
variant window_scale "scaled windows" "" : window_scale
variant window_no_scale "a scale of one side alone is none" "" : no_scale
variant npf_late_ack "acknowledgements out of order" "" : late_ack
variant npf_resend "retransmission behind an acknowledgement" "" : resend
variant npf_fin_resend "FINs, sent again" "" : fin_resend
variant npf_window_end "the end of the window, with holes" "" : window_end
variant timeout_opening "half-open connections end, whole ones stay" "" 'NAT_TIMEOUTS="tcp_opening=2"' opening_ends
variant timeout_idle "an idle connection ends after its time, not before" "" 'NAT_TIMEOUTS="tcp=3"' idle_ends
variant timeout_closing "a closed connection ends after its time, not before" "" "$closing" closing_ends
variant reuse "the same ports again, after the end" "" : reuse
variant no_pickup "nothing passes without a handshake" "" : no_pickup
variant nonsense_flags "flags that make no sense" "" : nonsense_flags
variant mss_clamp "the MSS of SYNs is clamped both ways" "" NAT_MSS=1400 "mss 1400"
variant connections "200 connections of two kernels" "" : kernels

rw_case stream "streams of 3 MB, both ways, byte by byte"
stream_body()
{
	nat_begin
	NAT_FORWARDS="tcp $NAT_EXT 7000 $NAT_LAN2 7000"
	nat_up
	tr_tcp "$NS_LAN1" "$NS_INET1" "$NAT_INET1"
	tr_tcp "$NS_INET1" "$NS_LAN2" "$NAT_EXT"
	tr_tcp "$NS_LAN1" "$NS_INET1" "$NAT_INET1_6"
	nat_finish
}

rw_case stream_offload "the same with the offloads of real hosts"
stream_offload_body()
{
	TOPO_OFFLOAD=yes
	stream_body
}

atf_init_test_cases()
{
	rw_add_cases
}
