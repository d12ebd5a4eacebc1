#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2034,SC2154 # the library's variables
#
# End-to-end speed of a pseudowire between two sites, beside two QEMU hubs that do
# the same and beside a plain tap-to-socket copy, in one run on one topology:
# TCP, and UDP datagrams of 64 bytes, MTU 1500 outside. Rounds alternate their
# order; medians and ratios are told as a table and as JSON.
set -eu

SPEED_DIR=$(cd "$(dirname "$0")" && pwd -P)
RW_LIB=$(cd "$SPEED_DIR/../lib" && pwd -P)
# shellcheck source=/dev/null
. "$RW_LIB/all.subr"
# shellcheck source=/dev/null
. "$SPEED_DIR/router_copy.subr"

usage()
{
	echo "usage: speed.sh [-r ROUNDS] [-t SECONDS] [-e udp|ip] [-f 4|6] [-c 0|4|8]" >&2
	echo "                [-v 'VARIANT ...'] [-j FILE]      variants: host qemu copy" >&2
	exit 2
}

rounds=5 seconds=2 encap=udp family=4 cookie=0 json='' variants='host qemu copy'
while getopts r:t:e:f:c:v:j: opt; do
	case $opt in
	r) rounds=$OPTARG ;;
	t) seconds=$OPTARG ;;
	e) encap=$OPTARG ;;
	f) family=$OPTARG ;;
	c) cookie=$OPTARG ;;
	v) variants=$OPTARG ;;
	j) json=$OPTARG ;;
	*) usage ;;
	esac
done
if [ "$rounds" -lt 1 ] || [ "$rounds" -gt 50 ] || [ "$seconds" -lt 1 ]; then
	usage
fi
case $json in ''|/*) ;; *) json=$PWD/$json ;; esac

rw_init "$(mktemp -d "${TMPDIR:-/tmp}/ropewalk-speed.XXXXXX")"
speed_end()
{
	rw_cleanup
	rm -rf "$RW_STATE"
}
trap speed_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rw_need_netns
rw_need iperf3 python3
for variant in $variants; do
	case $variant in
	host|qemu|copy) "${variant}_need" ;;
	*) usage ;;
	esac
done

# measure VARIANT KIND FILE: one iperf3 run from client A to client B. A run that
# iperf3 itself loses (its control connection shares the wire) is done again.
measure()
{
	for _ms_try in 1 2 3; do
		rm -f "$RW_STATE/iperfd.log"
		rw_spawn iperfd "$NS_CB" iperf3 -s -1 --forceflush
		rw_until 5 grep -q listening "$RW_STATE/iperfd.log" ||
		    rw_fail "the iperf3 server does not listen"
		case $2 in
		tcp) set -- "$1" "$2" "$3" ;;
		udp) set -- "$1" "$2" "$3" -u -l 64 -b 0 ;;
		esac
		_ms_rc=0
		(
			out=$3
			shift 3
			RW_T=$((seconds + 10)) rw_in "$NS_CA" iperf3 -J \
			    -c "$RW_LAN4_B" -t "$seconds" -O 0 "$@" > "$out"
		) || _ms_rc=$?
		set -- "$1" "$2" "$3"
		rw_stop iperfd 2 || :
		[ "$_ms_rc" -ne 0 ] || return 0
		rw_log "$1 $2: iperf3 failed, try $_ms_try"
	done
	rw_fail "$1: no $2 measurement"
}

round()
{
	R_DRIVER_A=$1
	R_DRIVER_B=$1
	r_both_up
	rw_until 5 rw_ping "$NS_CA" "$RW_LAN4_B" 2 || rw_fail "$1: no ping"
	for kind in tcp udp; do
		measure "$1" "$kind" "$RW_STATE/result.$1.$kind.$2"
	done
	for site in A B; do
		r_l2tp_down "$site" || rw_fail "$1: cannot be taken down"
		r_stop "$site" || rw_fail "$1: did not end cleanly"
	done
}

TOPO_FAMILY=$family
tun_defaults
TUN_ENCAP=$encap
tun_cookie "$cookie"
# Whole outer packets of 1,500 bytes for the tunnels, the same LAN MTU for all.
TUN_MTU=$((1500 - $(tun_overhead)))
# The clients keep their offloads, as real ones do.
TOPO_OFFLOAD=yes
topo_two_sites "$family" 1500 "$TUN_MTU"

n=1
while [ "$n" -le "$rounds" ]; do
	# Alternate: a slow minute of the machine shall not meet always the same.
	if [ $((n % 2)) -eq 1 ]; then
		order=$variants
	else
		order=$(printf '%s\n' "$variants" | tr ' ' '\n' | sed '1!G;h;$!d')
	fi
	for variant in $order; do
		rw_log "round $n of $rounds: $variant"
		round "$variant" "$n"
	done
	n=$((n + 1))
done
python3 "$SPEED_DIR/speed.py" "$RW_STATE" "$encap" "$family" "$cookie" \
    "$TUN_MTU" "$seconds" ${json:+"$json"}
