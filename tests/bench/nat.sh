#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2034,SC2153,SC2154 # the library's variables
#
# End-to-end speed of a router that translates, in one run and one topology: nftables
# masquerade, our host kernel with iipf, and plain routing as what is to be had at most.
# TCP each way, UDP datagrams of 64 bytes each way, and connections a second. Rounds
# alternate their order; medians and ratios are told as a table and as JSON.
set -eu

BENCH_DIR=$(cd "$(dirname "$0")" && pwd -P)
RW_LIB=$(cd "$BENCH_DIR/../lib" && pwd -P)
# shellcheck source=/dev/null
. "$RW_LIB/all.subr"

usage()
{
	echo "usage: nat.sh [-r ROUNDS] [-t SECONDS] [-v 'VARIANT ...'] [-j FILE]" >&2
	echo "       variants: nft host route" >&2
	exit 2
}

rounds=5 seconds=2 json='' variants='nft host route'
while getopts r:t:v:j: opt; do
	case $opt in
	r) rounds=$OPTARG ;;
	t) seconds=$OPTARG ;;
	v) variants=$OPTARG ;;
	j) json=$OPTARG ;;
	*) usage ;;
	esac
done
if [ "$rounds" -lt 1 ] || [ "$rounds" -gt 50 ] || [ "$seconds" -lt 1 ]; then
	usage
fi
case $json in ''|/*) ;; *) json=$PWD/$json ;; esac

rw_init "$(mktemp -d "${TMPDIR:-/tmp}/ropewalk-bench.XXXXXX")"
bench_end()
{
	_be_rc=$?
	[ "$_be_rc" -eq 0 ] || echo "bench: ended with status $_be_rc" >&2
	rw_cleanup
	rm -rf "$RW_STATE"
}
trap bench_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rw_need_netns
rw_need iperf3 python3 cc
cc -O2 -o "$RW_STATE/conn" "$BENCH_DIR/conn.c" || rw_fail "conn.c does not compile"

# Variant "route" is a router without a thought.
route_n_need() { :; }
route_n_can() { return 0; }
route_n_wires() { :; }
route_n_start() { :; }
route_n_load() { :; }
route_n_stop() { :; }
for variant in $variants; do
	case $variant in
	nft|host|route) "${variant}_n_need" ;;
	*) usage ;;
	esac
done

# iperf KIND FILE: one run between lan1 and inet1. A run that iperf3 itself loses (its
# control connection shares the wire) is done again.
iperf()
{
	case $1 in
	tcp_up) _ip_args= ;;
	tcp_down) _ip_args=-R ;;
	udp_up) _ip_args='-u -l 64 -b 0' ;;
	udp_down) _ip_args='-u -l 64 -b 0 -R' ;;
	esac
	for _ip_try in 1 2 3; do
		rm -f "$RW_STATE/iperfd.log"
		rw_spawn iperfd "$NS_INET1" iperf3 -s -1 --forceflush
		rw_until 5 grep -q listening "$RW_STATE/iperfd.log" ||
		    rw_fail "the iperf3 server does not listen"
		_ip_rc=0
		# shellcheck disable=SC2086 # a list
		RW_T=$((seconds + 10)) rw_in "$NS_LAN1" iperf3 -J -c "$NAT_INET1" -t "$seconds" $_ip_args \
		    >"$2" || _ip_rc=$?
		rw_stop iperfd 2 || :
		[ "$_ip_rc" -ne 0 ] || return 0
		rw_log "$1: iperf3 failed, try $_ip_try"
	done
	rw_fail "no $1 measurement"
}

# connections FILE: connections a second, and how many failed.
connections()
{
	rm -f "$RW_STATE/connd.log"
	rw_spawn connd "$NS_INET1" "$RW_STATE/conn" serve 9000
	rw_until 5 grep -q listening "$RW_STATE/connd.log" || rw_fail "the server does not listen"
	RW_T=$((seconds + 10)) rw_in "$NS_LAN1" "$RW_STATE/conn" run "$NAT_INET1" 9000 "$seconds" >"$1" ||
	    rw_fail "no connections"
	rw_stop connd 2 || :
}

# measure VARIANT ROUND
measure()
{
	RW_NAT_DRIVER=$1
	nat_topo
	# Plain routing needs the way back.
	ip -n "$NS_ISP" route add "$NAT_LAN4" via "$NAT_EXT"
	n_start
	n_load || rw_fail "$1: the ruleset was not taken"
	rw_until 5 rw_ping "$NS_LAN1" "$NAT_INET1" 2 || rw_fail "$1: no ping"
	for kind in tcp_up tcp_down udp_up udp_down; do
		iperf "$kind" "$RW_STATE/result.$1.$kind.$2"
	done
	connections "$RW_STATE/result.$1.conn.$2"
	n_stop || rw_fail "$1: did not end cleanly"
	rw_cleanup
}

# Hosts keep their offloads, as real ones do.
TOPO_OFFLOAD=yes
nat_defaults

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
		measure "$variant" "$n"
	done
	n=$((n + 1))
done
python3 "$BENCH_DIR/nat.py" "$RW_STATE" "$seconds" ${json:+"$json"}
