#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# Limits and what stands before a server: synproxy, states of a rule and of a source, overload;
# log lines of port blocks, the log as it comes, anchors, an interface that is down.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# door OPTIONS NFT-RULES: 8080 outside is lan2's port 80, by a rule of its own.
door()
{
	NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"
	NAT_TIMEOUTS="tcp_closing=1"
	_do_opt=$1
	shift
	nat_rules nft <<-NFT
	$*
	NFT
	nat_rules iipf <<-PF
	block drop in quick on wan0 inet from <bad>
	pass in on wan0 inet proto tcp from any to $NAT_LAN2 port 80 keep state ($_do_opt)
	PF
}

rw_case rule_max "a rule has no more states than it may; one that ends makes room"
rule_max_body()
{
	nat_begin
	door 'max 6' 'iifname wan0 tcp dport 80 ct count over 6 drop'
	NAT_TABLES=bad
	nat_up
	nat_scene limits rule_max 6
	nat_finish
}

rw_case src_states "a source has no more states than it may; others are not concerned"
src_states_body()
{
	nat_begin
	door 'max-src-states 4' 'iifname wan0 tcp dport 80 add @from { ip saddr ct count over 4 } drop'
	only nft 'set from { type ipv4_addr; size 1000; flags dynamic; }'
	NAT_TABLES=bad
	nat_up
	nat_scene limits src_states 4
	nat_finish
}

# only DRIVER TEXT: what stands before all rules of that driver.
only() { [ "$RW_NAT_DRIVER" != "$1" ] || NAT_GLOBAL=$2; }

rw_case src_nodes "no more sources than the rule may have"
src_nodes_body()
{
	nat_begin src_nodes
	door 'max-src-nodes 1'
	NAT_TABLES=bad NAT_GLOBAL='set timeout src.track 2'
	nat_up
	nat_scene limits src_nodes
	nat_finish
}

rw_case src_conn "who has more established connections than it may is refused from then on"
src_conn_body()
{
	nat_begin src_conn
	door 'max-src-conn 3, overload <bad>'
	NAT_TABLES=bad
	nat_up
	nat_scene limits src_conn 3
	nat_finish
}

# overload_with FLUSH: five connections in three seconds, no more.
overload_with()
{
	NAT_RATE_SECONDS=3
	door "max-src-conn-rate 5/$NAT_RATE_SECONDS, overload <bad>$1" 'iifname wan0 ip saddr @bad drop
	iifname wan0 tcp dport 80 ct state new update @rates { ip saddr limit rate over 30/minute burst 5 packets } add @bad { ip saddr } drop'
	only nft 'set bad { type ipv4_addr; size 1000; flags dynamic; }
	set rates { type ipv4_addr; size 1000; flags dynamic,timeout; timeout 60s; }'
	[ "$RW_NAT_DRIVER" = nft ] || NAT_TABLES=bad
	nat_up
	nat_scene limits overload 5 "${1:+flush}"
	nat_finish
}
do_forgive() { n_table delete bad "$NAT_INET1"; }
do_not_listed() { ! listed; }
do_listed() { rw_until 3 listed; }
listed()
{
	case $RW_NAT_DRIVER in
	nft) rw_in "$NS_NAT" nft list set inet filter bad ;;
	*) n_ctl table bad show ;;
	esac >"$RW_STATE/listed" || return 1
	! grep -qF "$NAT_INET2" "$RW_STATE/listed" || rw_fail "another source is in the table"
	grep -qF "$NAT_INET1" "$RW_STATE/listed"
}

rw_case overload "who connects too fast is put into a table, and refused"
overload_body() { nat_begin; overload_with ''; }
rw_case overload_flush "and with flush its connections end"
overload_flush_body() { nat_begin overload_flush; overload_with ' flush'; }

# --- synproxy -----------------------------------------------------------------------------------

# plain_site: hosts of the LAN are reached by their own addresses.
plain_site() { NAT_NAPT=no NAT_EXCEPT=0.0.0.0/0; }

# rule_for STATE: to lan2's port 80.
rule_for()
{
	nat_rules nft <<-NFT
	iifname wan0 ip daddr $NAT_LAN2 tcp dport 80 accept
	NFT
	nat_rules iipf <<-PF
	pass in on wan0 inet proto tcp from any to $NAT_LAN2 port 80 $1 state
	PF
	NAT_GLOBAL=
	[ "$1" = keep ] || only nft "chain untracked { type filter hook prerouting priority raw; iifname wan0 tcp dport 80 tcp flags & (syn|ack) == syn notrack; }
	chain proxy { type filter hook forward priority filter - 1; iifname wan0 ip daddr $NAT_LAN2 tcp dport 80 ct state invalid,untracked synproxy mss 1460 wscale 10 timestamp sack-perm; }"
}

# flood ADDR PORT: SYNs of a host that answers nothing.
flood()
{
	RW_T=30 rw_in "$NS_INET1" hping3 -q -n -S -p "$2" -a "$NAT_INET1_GHOST" -i u500 -c 1500 "$1" >flooded 2>&1 || :
	grep -qE '1(4[5-9]|50)[0-9] packets transmitted' flooded || rw_fail "hping3: $(tail -n 3 flooded)"
}

# ghosts: states of that host.
ghosts()
{
	n_states >"$RW_STATE/states" || rw_fail "states"
	grep -cF "$NAT_INET1_GHOST" "$RW_STATE/states" || :
}

# echoed URL: a megabyte there and back.
echoed()
{
	RW_T=30 nat_run "$NS_INET1" curl -sS -m 20 -H Expect: --data-binary @big -o back "$1" ||
	    rw_fail "$(tail -n 1 "$RW_STATE/out")"
	cmp big back || rw_fail "what came back is not what was sent"
}

# synproxied ADDR PORT: a flood that makes states, then, with the proxy, one that makes none.
synproxied()
{
	nat_export
	rw_spawn echo "$NS_LAN2" python3 "$RW_LIB/../nat/limits.py" echo
	rw_until 5 rw_in "$NS_LAN2" sh -c 'grep -q ":0050 " /proc/net/tcp' || rw_fail "no web server"
	head -c 1048576 /dev/urandom >big
	flood "$1" "$2"
	[ "$(ghosts)" -gt 500 ] || rw_fail "without a proxy the flood makes $(ghosts) states: nothing is shown by it"
	rule_for synproxy
	n_kill "$NAT_INET1_GHOST" "$NAT_LAN2" || rw_fail "kill"
	n_load || rw_fail "the ruleset was not taken"
	[ "$(ghosts)" -eq 0 ] || rw_fail "states of the flood are left"
	flood "$1" "$2" &
	_sy_flood=$!
	rw_pid_note flood "$_sy_flood"
	for _sy_n in 1 2 3; do
		echoed "http://$1:$2/"
	done
	wait "$_sy_flood" || rw_fail "the flood"
	flood "$1" "$2"
	[ "$(ghosts)" -eq 0 ] || rw_fail "the flood made $(ghosts) states"
	echoed "http://$1:$2/"
	[ "$RW_NAT_DRIVER" = nft ] || {
		n_ctl show counters >out || rw_fail "counters"
		awk '$1 == "syn_cookies" && $2 >= 2900 { a = 1 } $1 == "syn_proxied" && $2 >= 4 { b = 1 }
		    END { exit !(a && b) }' out || rw_fail "the counters do not say it: $(cat out)"
	}
}

rw_case synproxy "a flood of SYNs makes no state before a proxied server, which is reached meanwhile"
synproxy_body()
{
	rw_need hping3 curl
	nat_begin
	plain_site
	rule_for keep
	nat_up
	synproxied "$NAT_LAN2" 80
	nat_finish
}

rw_case synproxy_forward "the same before a forward"
synproxy_forward_body()
{
	rw_need hping3 curl
	nat_begin synproxy_forward
	NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"
	rule_for keep
	nat_up
	synproxied "$NAT_EXT" 8080
	nat_finish
}

# --- what is logged -----------------------------------------------------------------------------

rw_case block_log "two lines for a block of ports: given, taken back; whose, where, which ports"
block_log_body()
{
	nat_begin port_blocks
	NAT_PORTS=block:64 NAT_TIMEOUTS='udp=1' NAT_GLOBAL='set timeout nat.mapping 1'
	nat_up
	nat_scene limits port_block
	[ "$(kernel_log | grep -c 'iipf: port block')" -eq 2 ] ||
	    rw_fail "not two lines: $(kernel_log | grep 'port block')"
	nat_finish
}
# kernel_log: what the router's kernel has said, of whichever sort it is.
kernel_log()
{
	for _kl in hk rk vm; do
		[ ! -e "$RW_STATE/${_kl}N.log" ] || tr -d '\r' <"$RW_STATE/${_kl}N.log"
	done
}
# block_line WHAT: the ports in the line that says it, of lan1 and the outer address.
block_line()
{
	kernel_log | sed -n "s/.*iipf: port block $1: $NAT_LAN1 $NAT_EXT udp \([0-9]*\)-\([0-9]*\)\$/\1 \2/p"
}
do_given()
{
	rw_until 5 eval 'block_line given | grep .' || rw_fail "no line: $(kernel_log | tail -n 3)"
	block_line given >"$RW_STATE/block"
	! block_line 'taken back' | grep . || rw_fail "the block is taken back while it is used"
}
do_taken_back()
{
	rw_until 15 eval 'block_line "taken back" | grep .' || rw_fail "the block is not taken back"
	block_line 'taken back' | diff "$RW_STATE/block" - || rw_fail "another block is taken back"
}

rw_case logged_live "log is the first packet of a connection, log (all) all; as they come"
logged_live_body()
{
	rw_need curl tcpdump
	nat_begin iipf log
	NAT_RULES="pass in log on wan0 inet proto tcp from any to $NAT_LAN2 port 81 keep state
	pass in log (all) on wan0 inet proto tcp from any to $NAT_LAN2 port 82 keep state
	block drop in log on wan0 inet proto tcp from any to $NAT_LAN2 port 83"
	NAT_FORWARDS="tcp $NAT_EXT 81-83 $NAT_LAN2 81-83"
	nat_up
	for p in 81 82 83; do
		rw_spawn "web$p" "$NS_LAN2" python3 -m http.server "$p"
	done
	rw_until 5 rw_in "$NS_LAN2" sh -c 'for p in 0051 0052 0053; do grep -q ":$p " /proc/net/tcp || exit 1; done' ||
	    rw_fail "no web server"
	rw_spawn log "$NS_NAT" sh -c '"$0" -K "unix:$1" log | tcpdump -n -e -l -r - >"$2" 2>"$2.err"' \
	    "$(rw_bin)/iipfctl" "$(host_sock N)" "$PWD/log"
	sleep 1
	for p in 81 82; do
		nat_run "$NS_INET1" curl -sS -m 3 -o /dev/null "http://$NAT_EXT:$p/" || rw_fail "port $p is not reached"
	done
	! nat_run "$NS_INET1" curl -sS -m 2 -o /dev/null "http://$NAT_EXT:83/" || rw_fail "a blocked port is reached"
	rw_until 5 grep -q 'block in on wan0: .*\.83: Flags \[S\]' log || rw_fail "the block is not seen: $(cat log log.err)"
	[ "$(grep -c 'pass in on wan0: .*\.81: ' log)" -eq 1 ] || rw_fail "log: not the first packet alone: $(cat log)"
	[ "$(grep -cE '\.82[: ]' log)" -ge 8 ] || rw_fail "log (all): not all packets: $(cat log)"
	grep -qE '\.82 > .*Flags \[' log || rw_fail "log (all): no answer: $(cat log)"
	nat_finish
}

# --- anchors, interfaces ------------------------------------------------------------------------

rw_case anchor "an anchor's conditions hold for its rules; another file in its place changes only them"
anchor_body()
{
	nat_begin iipf files
	NAT_BINAT="$NAT_LAN2 $NAT_STATIC"
	NAT_RULES="block drop in on wan0 inet proto tcp from any to $NAT_LAN2
	pass in on wan0 inet proto tcp from any to $NAT_LAN2 port 80
	anchor \"guests\" in on wan0 inet proto tcp from $NAT_INET2 {
	pass proto tcp from any to $NAT_LAN2 port 81
	block return proto tcp from any to $NAT_LAN2 port 80
	}
	anchor \"more\" in on wan0 inet
	load anchor \"more\" from \"$RW_STATE/more.conf\""
	printf 'pass proto tcp from any to %s port 82\n' "$NAT_LAN2" >"$RW_STATE/more.conf"
	nat_up
	NAT_PROBES="inet1 tcp $NAT_STATIC 80 pass
	inet1 tcp $NAT_STATIC 81 silence
	inet2 tcp $NAT_STATIC 80 refused
	inet2 tcp $NAT_STATIC 81 pass
	inet1 tcp $NAT_STATIC 82 pass
	inet1 tcp $NAT_STATIC 83 silence"
	nat_scene filter probes lan2 80,81,82,83 -
	printf 'pass proto tcp from any to %s port 83\n' "$NAT_LAN2" >"$RW_STATE/more.conf"
	n_ctl_file "$RW_STATE/iipf.conf" diff @ >out || :
	[ "$(grep -c '^[-+][^-+]' out)" -eq 2 ] || rw_fail "more than the anchor's rule would change: $(cat out)"
	n_load || rw_fail "the ruleset was not taken"
	NAT_PROBES="inet1 tcp $NAT_STATIC 80 pass
	inet2 tcp $NAT_STATIC 81 pass
	inet1 tcp $NAT_STATIC 82 silence
	inet1 tcp $NAT_STATIC 83 pass"
	nat_scene filter probes lan2 80,81,82,83 -
	nat_finish
}

rw_case downed "what would leave by an interface that is down is refused at once, and passes when it is up"
downed_body()
{
	nat_begin links
	nat_up
	rw_ping "$NS_LAN1" "$NAT_INET1" 3 || rw_fail "no ping"
	ip -n "$NS_NAT" link set wan0 down
	_dn_from=$(date +%s%N)
	! nat_run "$NS_LAN1" ping -n -c 1 -W 5 "$NAT_INET1" || rw_fail "a ping through an interface that is down"
	_dn_ms=$((($(date +%s%N) - _dn_from) / 1000000))
	grep -q 'Unreachable' "$RW_STATE/out" || rw_fail "nobody says it: $(cat "$RW_STATE/out")"
	[ "$_dn_ms" -lt 2000 ] || rw_fail "refused after $_dn_ms ms"
	ip -n "$NS_NAT" link set wan0 up
	ip -n "$NS_NAT" route replace default via "$NAT_ISP"
	rw_ping "$NS_LAN1" "$NAT_INET1" 5 || rw_fail "no ping when it is up again"
	nat_finish
}

atf_init_test_cases()
{
	rw_add_cases
}
