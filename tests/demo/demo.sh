#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2034,SC2154 # the library's variables
#
# Two sites in network namespaces, each with a LAN and a router, joined by an
# L2TPv3 pseudowire across a routed "internet". See usage.
set -eu

DEMO_DIR=$(cd "$(dirname "$0")" && pwd -P)
RW_LIB=$(cd "$DEMO_DIR/../lib" && pwd -P)
# shellcheck source=/dev/null
. "$RW_LIB/all.subr"
# shellcheck source=/dev/null
. "$DEMO_DIR/report.subr"

usage()
{
	cat >&2 <<-'USAGE'
	usage: demo [--encap ip|udp] [--family 4|6] [--cookie 0|4|8]
	            [--seconds N] [--pcap FILE] [--keep]
	       demo --remove FOLDER
	USAGE
	exit 2
}

# one_of VALUE CHOICE...: VALUE, or usage when it is none of them.
one_of()
{
	_oo_v=$1
	shift
	for _oo_c; do
		if [ "$_oo_v" = "$_oo_c" ]; then
			printf '%s\n' "$_oo_v"
			return 0
		fi
	done
	rw_say "demo: '$_oo_v' is none of: $*" >&2
	return 1
}

encap=udp family=4 cookie=4 seconds=3 pcap='' keep=no
while [ $# -gt 0 ]; do
	case $1 in
	--keep)
		keep=yes
		shift
		continue
		;;
	esac
	[ $# -ge 2 ] || usage
	case $1 in
	--encap) encap=$(one_of "$2" ip udp) || usage ;;
	--family) family=$(one_of "$2" 4 6) || usage ;;
	--cookie) cookie=$(one_of "$2" 0 4 8) || usage ;;
	--seconds) seconds=$(one_of "$2" 1 2 3 4 5 10 20) || usage ;;
	--pcap) pcap=$2 ;;
	--remove)
		[ -f "$2/netns" ] || { rw_say "demo: $2: no demo there" >&2; exit 1; }
		RW_STATE=$(cd "$2" && pwd -P)
		rw_cleanup
		rm -rf "$RW_STATE"
		rw_say "removed $2"
		exit 0
		;;
	*) usage ;;
	esac
	shift 2
done

# A demo that cannot run has failed: it is not a test to be skipped.
rw_skip()
{
	rw_say "demo: $*" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || rw_skip "run as root: it makes network namespaces"
rw_need iperf3 ping python3 awk
[ -z "$pcap" ] || rw_need tcpdump
if [ -n "$pcap" ]; then
	: > "$pcap" || rw_skip "$pcap: cannot be written"
	pcap=$(cd "$(dirname "$pcap")" && pwd -P)/$(basename "$pcap")
fi

rw_init "$(mktemp -d "${TMPDIR:-/tmp}/ropewalk-demo.XXXXXX")"
demo_end()
{
	rw_cleanup
	rm -rf "$RW_STATE"
}
trap demo_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rw_need_netns
r_need

step()
{
	printf '\n== %s\n' "$*"
}

ok()
{
	printf '   ok   %s\n' "$*"
}

step "Two sites, each a client and a router, and an internet that routes between them"
topo_two_sites "$family"
cat <<PICTURE
   client $NS_CA              client $NS_CB
   $RW_LAN4_A                   $RW_LAN4_B
        |  LAN, bridge br0            |  LAN, bridge br0
   router $NS_RA              router $NS_RB
   $WAN_A  ==== $NS_NET ====  $WAN_B
PICTURE
ok "the routers reach each other; the LANs do not"

tun_defaults
TUN_ENCAP=$encap
tun_cookie "$cookie"
if [ -n "$pcap" ]; then
	rw_spawn tcpdump "$NS_NET" tcpdump -Z root --immediate-mode -U -i wa -s 0 \
	    -w "$pcap"
	rw_until 5 grep -q 'listening on' "$RW_STATE/tcpdump.log" ||
	    rw_fail "tcpdump does not listen"
	ok "the internet side is captured in $pcap"
fi

for site in A B; do
	step "Site $site: a $(r_driver $site) kernel in the router, with a pseudowire in the LAN's bridge"
	r_start $site
	if [ "$(r_driver $site)" = host ]; then
		rw_say "   hostkern -f hk$site.toml -s hk$site.sock"
		rw_say "   ifconfig $TUN_IF create encap $encap tunnel $(r_tunnel_args $site)"
		rw_say "       session $(tun_get SID $site) $(tun_get SID "$(other $site)")$(
		    [ "$cookie" = 0 ] || printf ' cookie %s' "$(r_cookie_args $site)") up"
	fi
	r_l2tp_up $site || rw_fail "site $site: the pseudowire could not be set up"
	ok "$TUN_IF is a port of br0"
done

step "The LANs are one"
tr_ping
ok "ping $RW_LAN4_A <-> $RW_LAN4_B"
tr_full
ok "ping of 1,500 bytes, not fragmented inside, both ways"
topo_inner6
tr_ping6
ok "ping over IPv6, $RW_LAN6_A <-> $RW_LAN6_B"
frame=$(python3 "$RW_LIB/frames.py" make vlan "$RW_MAC_B" "$RW_MAC_A" 600 42)
rw_frame_crosses "$NS_CA" eth0 "$NS_CB" eth0 "$frame" ||
    rw_fail "the VLAN-tagged frame did not arrive"
ok "a frame of VLAN 42, arrived byte for byte"
tr_tcp "$NS_CA" "$NS_CB" "$RW_LAN4_B"
ok "a TCP stream of $TCP_BYTES bytes, compared byte by byte"

step "iperf3, $seconds s each way"
demo_iperf A B
ok "A to B: $(demo_rate A)"
demo_iperf B A
ok "B to A: $(demo_rate B)"

step "What the kernels counted"
demo_quiesce
demo_table
demo_agree || rw_fail "the counters of the two sites do not agree"

if [ "$keep" = yes ]; then
	trap - EXIT INT TERM HUP
	demo_guide
	exit 0
fi

step "Taking it down"
for site in A B; do
	r_l2tp_down $site || rw_fail "site $site: the pseudowire could not be removed"
done
rw_noping "$NS_CA" "$RW_LAN4_B" || rw_fail "the LANs are still joined"
ok "no pseudowire, no ping"
for site in A B; do
	r_stop $site || rw_fail "site $site: the kernel did not end cleanly"
done
ok "both kernels ended cleanly, nothing leaked"
if [ -n "$pcap" ]; then
	rw_stop tcpdump || :
	ok "$pcap holds $(wc -c < "$pcap") bytes"
fi
rw_say ""
rw_say "demo: all of it worked"
