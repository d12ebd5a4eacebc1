#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2034,SC2153,SC2154 # the library's variables
#
# A LAN of two hosts behind a router that filters and translates, an "internet" with
# web, UDP echo and FTP servers, and a third host behind a router of its own. See usage.
set -eu

DEMO_DIR=$(cd "$(dirname "$0")" && pwd -P)
RW_LIB=$(cd "$DEMO_DIR/../lib" && pwd -P)
# shellcheck source=/dev/null
. "$RW_LIB/all.subr"

usage()
{
	cat >&2 <<-'USAGE'
	usage: demo nat [--driver host|nft] [--pcap FILE] [--keep]
	       demo nat --remove FOLDER
	USAGE
	exit 2
}

pcap='' keep=no
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
	--driver) RW_NAT_DRIVER=$2 ;;
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
case $RW_NAT_DRIVER in host|nft) ;; *) usage ;; esac

# A demo that cannot run has failed: it is not a test to be skipped.
rw_skip()
{
	rw_say "demo: $*" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || rw_skip "run as root: it makes network namespaces"
rw_need ping python3 awk curl nft vsftpd
[ -z "$pcap" ] || rw_need tcpdump

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
"${RW_NAT_DRIVER}_n_need"

step() { printf '\n== %s\n' "$*"; }
ok() { printf '   ok   %s\n' "$*"; }
# indented: what a command says, set off from the demo's own words.
indented() { sed 's/^/        /'; }

# shellcheck source=/dev/null
. "$DEMO_DIR/nat_steps.subr"

nat_defaults
NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"
NAT_ALGS='ftp'
# As games and telephones like it.
! n_can eif || NAT_FILTERING=endpoint
step "A LAN, a router, an internet; and somebody behind a router of his own"
nat_topo
nat_second
cat <<PICTURE
   lan1 $NAT_LAN1 --+                                          +-- inet1 $NAT_INET1  web, echo, FTP
                        +-- $NAT_GW4 [router] $NAT_EXT -- isp --+
   lan2 $NAT_LAN2 --+                                          +-- inet2 $NAT_INET2 [router] -- lan3 $NAT_LAN3
PICTURE
demo_servers
ok "servers run in inet1; lan2 has a web server of its own"
if [ -n "$pcap" ]; then
	: >"$pcap" || rw_skip "$pcap: cannot be written"
	rw_spawn tcpdump "$NS_ISP" tcpdump -Z root --immediate-mode -U -i cust -s 0 -w "$pcap"
	rw_until 5 grep -q 'listening on' "$RW_STATE/tcpdump.log" || rw_fail "tcpdump does not listen"
	ok "the internet side is captured in $pcap"
fi

step "The router: driver $RW_NAT_DRIVER"
n_start
n_load || rw_fail "the ruleset was not taken"
demo_ruleset
ok "the ruleset is in force"

step "Browsing"
demo_browse
step "FTP, active and passive"
demo_ftp
step "UDP"
demo_echo
step "A port forward, from outside and from the LAN itself"
demo_forward
step "Two hosts behind two routers punch through to each other"
demo_punch
step "A port that nobody opened"
demo_blocked
step "Who is connected"
demo_table

if [ "$keep" = yes ]; then
	trap - EXIT INT TERM HUP
	demo_guide
	exit 0
fi

step "Taking it down"
n_stop || rw_fail "the router did not end cleanly"
ok "the router ended cleanly"
rw_say ""
rw_say "demo: all of it worked"
