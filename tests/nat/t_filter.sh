#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# The filter: rules, replies, reloads, kills, tables; hosts that punch; nmap and hping3.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

forward='NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"'

# probe HOST TCP UDP: the lines of standard input as probes at that host.
probe()
{
	NAT_PROBES=$(cat)
	nat_scene filter probes "$@"
}

rw_case replies "block says nothing, block return says it: reset, unreachable"
replies_body()
{
	nat_begin
	NAT_BINAT="$NAT_LAN2 $NAT_STATIC"
	nat_rules nft <<-NFT
	iifname wan0 ip daddr $NAT_LAN2 tcp dport 80 accept
	iifname wan0 ip daddr $NAT_LAN2 udp dport 53 accept
	iifname wan0 meta l4proto tcp th dport 81 reject with tcp reset
	iifname wan0 udp dport 54 reject
	iifname wan0 drop
	NFT
	nat_rules iipf <<-PF
	block drop in on wan0 all
	block return in on wan0 proto tcp to any port 81
	block return in on wan0 proto udp to any port 54
	pass in on wan0 inet proto tcp to $NAT_LAN2 port 80
	pass in on wan0 inet proto udp to $NAT_LAN2 port 53
	PF
	nat_up
	probe lan2 80,81,82 53,54,55 <<-PROBES
	inet1 tcp $NAT_STATIC 80 pass
	inet1 tcp $NAT_STATIC 81 refused
	inet1 tcp $NAT_STATIC 82 silence
	inet1 udp $NAT_STATIC 53 pass
	inet1 udp $NAT_STATIC 54 refused
	inet1 udp $NAT_STATIC 55 silence
	inet1 tcp $NAT_LAN2_6 81 refused
	inet1 tcp $NAT_LAN2_6 80 silence
	inet1 udp $NAT_LAN2_6 54 refused
	PROBES
	nat_finish
}

rw_case rules "ranges, lists, negation, families, order"
rules_body()
{
	nat_begin
	NAT_BINAT="$NAT_LAN2 $NAT_STATIC"
	nat_rules nft <<-NFT
	iifname wan0 ip saddr 192.0.2.0/24 tcp dport 1000-1999 drop
	iifname wan0 ip saddr != 203.0.113.1 tcp dport 80 drop
	iifname wan0 tcp dport { 80, 443, 1000-2000 } accept
	iifname wan0 ip6 saddr 2001:db8:a2::/64 udp dport 53 accept
	iifname wan0 drop
	NFT
	nat_rules iipf <<-PF
	web = "{ 80, 443 }"
	block drop in on wan0 all
	pass in on wan0 proto tcp to any port \$web
	pass in on wan0 proto tcp to any port 1000:2000
	pass in on wan0 inet6 proto udp from 2001:db8:a2::/64 to any port 53
	block drop in on wan0 inet proto tcp from ! 203.0.113.1 to any port 80
	block drop in quick on wan0 inet proto tcp from 192.0.2.0/24 to any port 999 >< 2000
	pass in quick on wan0 inet proto tcp from 192.0.2.0/24 to any port 1500
	PF
	nat_up
	probe lan2 80,443,1000,1500,2000,2001 53 <<-PROBES
	inet1 tcp $NAT_STATIC 80 pass
	inet2 tcp $NAT_STATIC 80 silence
	inet1 tcp $NAT_STATIC 443 pass
	inet2 tcp $NAT_STATIC 443 pass
	inet1 tcp $NAT_STATIC 1000 pass
	inet2 tcp $NAT_STATIC 1000 silence
	inet2 tcp $NAT_STATIC 1500 silence
	inet2 tcp $NAT_STATIC 2000 pass
	inet1 tcp $NAT_STATIC 2001 silence
	inet1 tcp $NAT_LAN2_6 443 pass
	inet2 udp $NAT_LAN2_6 53 pass
	inet1 udp $NAT_LAN2_6 53 silence
	inet2 udp $NAT_STATIC 53 silence
	PROBES
	nat_finish
}

# scene NAME "what" "FEATURES" "SETTINGS" SCENE
scene()
{
	rw_case "$1" "$2"
	eval "$1_body() { nat_begin $3; $4; nat_up; nat_scene filter $5; nat_finish; }"
}

scene reload "states outlive a ruleset that refuses them" "" "$forward" reload
do_forbid() { NAT_FORWARDS=''; n_load; }
scene reload_busy "rulesets replaced under traffic: nothing is lost" "" : reload_busy
do_again() { n_load; }
scene reload_bad "a ruleset with an error changes nothing" "" "$forward" reload_bad
do_load_bad() { _dl=$NAT_RULES NAT_RULES='passs in all'; ! n_load; _dl_rc=$?; NAT_RULES=$_dl; return "$_dl_rc"; }
scene kill "killed states are gone, others stay" kill : kill
do_kill() { n_kill "$NAT_LAN1" "$NAT_INET1"; }

# with_table: a table of who may not.
with_table()
{
	NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"
	NAT_TABLES=bad
	nat_rules nft <<-'NFT'
	iifname wan0 ip saddr @bad drop
	NFT
	nat_rules iipf <<-'PF'
	block drop in quick on wan0 from <bad>
	PF
}
scene table "an address in and out of a table, live" "" with_table table
do_add() { n_table add bad "$NAT_INET2"; }
do_delete() { n_table delete bad "$NAT_INET2"; }
scene table_prefix "a prefix in and out of a table" "" with_table table_prefix
do_add_net() { n_table add bad 192.0.2.0/24; }
do_delete_net() { n_table delete bad 192.0.2.0/24; }

# npf_three: what npf's rule test has, in our addresses.
npf_three()
{
	NAT_NAPT=no NAT_EXCEPT=0.0.0.0/0
	nat_rules nft <<-NFT
	iifname lan0 ip daddr 203.0.113.21 accept
	iifname lan0 ip daddr 203.0.113.23 drop
	NFT
	NAT_GLOBAL='chain first { type filter hook prerouting priority raw; ip daddr 203.0.113.22 notrack; }'
	nat_rules iipf <<-PF
	block drop in on wan0 all
	pass in on lan0 to 203.0.113.21 keep state
	pass in on lan0 to 203.0.113.22 no state
	pass out on wan0 to 203.0.113.22 no state
	block drop in on lan0 to 203.0.113.23
	PF
}
rw_case npf_rules "with state, without, and not at all"
npf_rules_body()
{
	nat_begin
	npf_three
	[ "$RW_NAT_DRIVER" = nft ] || NAT_GLOBAL=
	nat_topo
	for g in 203.0.113.22 203.0.113.23; do
		nat_ghosts "$NS_ISP" i1 "$NAT_MAC_INET1" "$g"
	done
	n_start
	n_load || rw_fail "the ruleset was not taken"
	nat_scene filter npf_rules
	nat_finish
}
scene npf_nat "a mapping is for its interface, direction and endpoint" "" if_bound npf_nat
# pf's states count on every interface unless told otherwise.
if_bound() { [ "$RW_NAT_DRIVER" = nft ] || NAT_GLOBAL='set state-policy if-bound'; }

for p in udp tcp; do
	rw_case "punch_$p" "hosts behind two routers reach each other: $p"
	eval "punch_${p}_body() { nat_begin; rw_need nft; nat_topo; nat_second; n_start; n_load; nat_scene filter punch_$p; nat_finish; }"
done

# --- scanners -----------------------------------------------------------------------------------

# scanned: lan2 by a public address; 80 and 443 open in the filter, 23 refused, all else dropped.
# 80 and 22 have servers.
scanned()
{
	NAT_BINAT="$NAT_LAN2 $NAT_STATIC"
	nat_rules nft <<-'NFT'
	iifname wan0 tcp dport { 80, 443 } tcp flags & (fin|syn|rst|ack) == syn accept
	iifname wan0 tcp dport 23 tcp flags & (fin|syn|rst|ack) == syn reject with tcp reset
	iifname wan0 drop
	NFT
	nat_rules iipf <<-'PF'
	block drop in on wan0 all
	block return in on wan0 proto tcp to any port 23 flags S/SA
	pass in on wan0 proto tcp to any port { 80, 443 } flags S/SA keep state
	PF
	nat_up
	rw_spawn web "$NS_LAN2" python3 -m http.server 80
	rw_spawn web2 "$NS_LAN2" python3 -m http.server 22
	rw_until 5 rw_in "$NS_LAN2" sh -c 'grep -q ":0050 " /proc/net/tcp && grep -q ":0016 " /proc/net/tcp' ||
	    rw_fail "the servers do not listen"
}

# scan NAME OPTIONS STATE-OF-22 -23 -80 -443
scan()
{
	rw_case "scan_$1" "nmap $2: what of the filter it sees"
	eval "scan_$1_body() { rw_need nmap; nat_begin; scanned; scan_with '$2' '$3' '$4' '$5' '$6'; }"
}

scan_with()
{
	# shellcheck disable=SC2086 # a list
	RW_T=30 nat_run "$NS_INET1" nmap -n -Pn --max-retries 1 --max-rtt-timeout 200ms -p 22,23,80,443 \
	    $1 -oG "$RW_STATE/nmap" "$NAT_STATIC" || rw_fail "nmap"
	sed -n 's/.*Ports: //p' "$RW_STATE/nmap" | tr ',' '\n' | sed 's/^ *//; s/\t.*//' |
	    awk -F / '{ print $1, $2 }' >"$RW_STATE/ports"
	printf '%s\n' "22 $2" "23 $3" "80 $4" "443 $5" >"$RW_STATE/wanted"
	diff "$RW_STATE/wanted" "$RW_STATE/ports" >&2 || rw_fail "nmap $1 sees: $(tr '\n' ',' <"$RW_STATE/ports")"
	nat_finish
}

scan syn -sS filtered closed open closed
scan connect -sT filtered closed open closed
scan fin -sF 'open|filtered' 'open|filtered' 'open|filtered' 'open|filtered'
scan null -sN 'open|filtered' 'open|filtered' 'open|filtered' 'open|filtered'
scan xmas -sX 'open|filtered' 'open|filtered' 'open|filtered' 'open|filtered'
scan maimon -sM 'open|filtered' 'open|filtered' 'open|filtered' 'open|filtered'
scan ack -sA filtered filtered filtered filtered
scan window -sW filtered filtered filtered filtered

rw_case scan_fragmented "nmap -sS -f: headers in pieces show no more than whole ones, or nothing"
scan_fragmented_body()
{
	rw_need nmap
	nat_begin
	scanned
	if n_can tcp_in_pieces; then
		scan_with '-sS -f' filtered closed open closed
	else
		scan_with '-sS -f' filtered filtered filtered filtered
	fi
}

rw_case hping "hping3: only a SYN to an open port is answered, whatever the flags"
hping_body()
{
	rw_need hping3
	nat_begin
	scanned
	# Ports of their own: nothing late of one run shall look like another's answer.
	sport=2000
	hp() {
		sport=$((sport + 10))
		nat_run "$NS_INET1" hping3 -q -c 2 -i u50000 -s "$sport" "$@" "$NAT_STATIC"
	}
	hp -S -p 80 || rw_fail "a SYN is not answered"
	for flags in -A -SF -SR -SFRPAU -FPU -X; do
		! hp "$flags" -p 80 || rw_fail "flags $flags are answered"
	done
	! hp -S -p 22 || rw_fail "a closed port is answered"
	! hp -2 -p 53 || rw_fail "UDP is answered"
	! hp -S -p 80 -b || rw_fail "a wrong checksum is answered"
	hp -S -p 80 || rw_fail "a SYN is not answered any more"
	nat_finish
}

rw_case syn_flood "ten thousand SYNs from anywhere: who is there stays, who comes gets in"
syn_flood_body()
{
	rw_need hping3 curl
	nat_begin
	scanned
	rw_spawn flood "$NS_INET2" timeout 10 hping3 -q -S -p 80 -i u200 -c 10000 --rand-source "$NAT_STATIC"
	sleep 1
	for n in 1 2 3 4 5; do
		nat_run "$NS_INET1" curl -sS -m 5 -o /dev/null "http://$NAT_STATIC/" || rw_fail "request $n under the flood"
		nat_run "$NS_LAN1" ping -n -q -c 2 -i 0.05 "$NAT_INET1" || rw_fail "ping $n under the flood"
	done
	rw_stop flood || :
	nat_finish
}

atf_init_test_cases()
{
	rw_add_cases
}
