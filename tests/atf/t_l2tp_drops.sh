#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # the library's variables
#
# What the router must not let through: nothing arrives on the LAN, the counter
# that is named for it moves by as much as was sent, and no other counter does.
#
# Site B has no kernel here: outer.py plays the peer and breaks the rules.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

SENT=7

# victim ENCAP COOKIE_BYTES: site A up, a peer that can be heard (checked).
victim()
{
	rw_begin
	r_want A tools kstat
	topo_two_sites "${3:-4}"
	topo_static_neighbours
	tun_defaults
	TUN_ENCAP=$1
	tun_cookie "$2"
	r_start A
	r_l2tp_up A || rw_fail "the pseudowire could not be set up"
	frame=$(python3 "$RW_LIB/frames.py" make plain "$RW_MAC_A" "$RW_MAC_B" 100)
	# The control: a right message does arrive, or the rest proves nothing.
	rw_await "$NS_CA" eth0 "$frame" 3
	outer 1 "$(message "$TUN_SID_A" "$TUN_COOKIE_A" "$frame")"
	rw_arrived || rw_fail "the right message did not arrive"
	r_counters A | sort > before
}

# message SID COOKIE REST: after the outer header, in hex.
message()
{
	[ "$TUN_ENCAP" = ip ] || printf '00030000'
	printf '%08x%s%s\n' "$1" "$2" "$3"
}

# outer COUNT HEX: from the peer's address.
outer()
{
	case $TUN_ENCAP in
	ip) _ou_e=ip ;;
	udp) _ou_e=udp:$TUN_PORT_B:$TUN_PORT_A ;;
	esac
	rw_in "$NS_RB" python3 "$RW_LIB/outer.py" "${OUTER_SRC:-$WAN_B}" "$WAN_A" \
	    "${OUTER_ENCAP:-$_ou_e}" "$1" "$2" || rw_fail "could not send"
}

# refused HEX COUNTER...: send it; exactly these counters move, by $SENT.
refused()
{
	_re_hex=$1
	shift
	rw_await "$NS_CA" eth0 "$frame" 1
	outer "$SENT" "$_re_hex"
	! rw_arrived || rw_fail "a frame arrived that must not"
	r_counters A | sort > after
	for _re_c; do
		printf '%s %s\n' "$_re_c" "$SENT"
	done | sort > expected
	# Counters that moved, with by how much. New ones count from zero.
	awk 'NR == FNR { was[$1] = $2; next }
	    $2 != was[$1] + 0 { print $1, $2 - was[$1] }' before after | sort > moved
	# What is counted in bytes goes with the packets.
	grep -v 'bytes ' moved > moved.packets || :
	diff -u expected moved.packets >&2 || {
		cat moved >&2
		rw_fail "other counters moved than $*"
	}
	r_counters A | sort > before
}

for encap in ip udp; do
	for size in 4 8; do
		rw_case "wrong_cookie_${size}_$encap" \
		    "a cookie of $size bytes that is off by a bit, at either end of it"
		eval "wrong_cookie_${size}_${encap}_body() { wrong_cookie $size $encap; }"
	done
	rw_case "unknown_session_$encap" "session ids that nobody has, and id 0"
	eval "unknown_session_${encap}_body() { unknown_session $encap; }"
	rw_case "short_$encap" "messages that end within header, cookie or frame"
	eval "short_${encap}_body() { short $encap; }"
	rw_case "wrong_peer_$encap" "the right message from the wrong address"
	eval "wrong_peer_${encap}_body() { wrong_peer $encap; }"
	rw_case "down_$encap" "messages for an interface that is down"
	eval "down_${encap}_body() { down $encap; }"
done

wrong_cookie()
{
	victim "$2" "$1"
	case $1 in
	4) first=21b2c3d4 last=a1b2c3d5 ;;
	8) first=21b2c3d4e5f60718 last=a1b2c3d4e5f60719 ;;
	esac
	refused "$(message "$TUN_SID_A" "$first" "$frame")" bad_cookie if.ierrors
	refused "$(message "$TUN_SID_A" "$last" "$frame")" bad_cookie if.ierrors
	refused "$(message "$TUN_SID_A" "$TUN_COOKIE_B" "$frame")" bad_cookie if.ierrors
	rw_finish A
}

unknown_session()
{
	victim "$1" 4
	refused "$(message 99 "$TUN_COOKIE_A" "$frame")" module.no_session
	refused "$(message "$TUN_SID_B" "$TUN_COOKIE_A" "$frame")" module.no_session
	# Over IP, session id 0 is a control message, which nobody awaits here.
	if [ "$1" = udp ]; then
		refused "$(message 0 "$TUN_COOKIE_A" "$frame")" module.no_session
	fi
	rw_finish A
}

short()
{
	victim "$1" 8
	refused "$(message "$TUN_SID_A" a1b2c3 '')" short if.ierrors
	refused "$(message "$TUN_SID_A" "$TUN_COOKIE_A" "${RW_MAC_A%%:*}")" \
	    runt if.ierrors
	if [ "$1" = udp ]; then
		refused 0003 module.short
		refused "0002$(message "$TUN_SID_A" "$TUN_COOKIE_A" "$frame" |
		    cut -c 5-)" module.bad_version
	else
		refused 0001 module.short
	fi
	rw_finish A
}

wrong_peer()
{
	victim "$1" 4
	rw_addr "$NS_RB" wan0 203.0.113.77/24
	OUTER_SRC=203.0.113.77
	refused "$(message "$TUN_SID_A" "$TUN_COOKIE_A" "$frame")" \
	    wrong_peer if.ierrors
	rw_finish A
}

down()
{
	victim "$1" 4
	r_ifconfig A "$TUN_IF" down || rw_fail "down"
	r_counters A | sort > before
	refused "$(message "$TUN_SID_A" "$TUN_COOKIE_A" "$frame")" down if.ierrors
	r_ifconfig A "$TUN_IF" up || rw_fail "up"
	rw_finish A
}

rw_case wrong_encap "a session over UDP, addressed over IP by another's endpoint"
wrong_encap_body()
{
	victim udp 0
	# A second pseudowire opens the IP endpoint.
	r_ifconfig A l2tp1 create || rw_fail "create"
	r_ifconfig A l2tp1 encap ip || rw_fail "encap"
	r_ifconfig A l2tp1 tunnel "$WAN_A" "$WAN_B" || rw_fail "tunnel"
	r_ifconfig A l2tp1 session 77 88 || rw_fail "session"
	r_counters A | sort > before
	OUTER_ENCAP=ip
	TUN_ENCAP=ip
	refused "$(message "$TUN_SID_A" '' "$frame")" wrong_encap if.ierrors
	r_ifconfig A l2tp1 destroy || rw_fail "destroy"
	rw_finish A
}

rw_case group_source "a frame whose source is a group address"
group_source_body()
{
	victim udp 0
	bad=$(python3 "$RW_LIB/frames.py" make plain "$RW_MAC_A" 03:77:00:00:00:0b 100)
	refused "$(message "$TUN_SID_A" '' "$bad")" bad_source if.ierrors
	rw_finish A
}

atf_init_test_cases()
{
	rw_add_cases
}
