#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# What iipf and iipfctl have that a peer has not: errors with their place, diff, trace, the log,
# states over a restart, limits.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# up SETTING...: the router.
up()
{
	nat_begin iipf
	NAT_FORWARDS="tcp $NAT_EXT 8080 $NAT_LAN2 80"
	for _up; do eval "$_up"; done
	nat_up
}

# up_web SETTING...: and a web server in lan2.
up_web()
{
	up "$@"
	rw_spawn web "$NS_LAN2" python3 -m http.server 80
	rw_until 5 rw_in "$NS_LAN2" sh -c 'grep -q ":0050 " /proc/net/tcp' || rw_fail "no web server"
}

# reached PORT: whether inet1 gets a page there.
reached()
{
	nat_run "$NS_INET1" curl -sS -m 2 -o /dev/null "http://$NAT_EXT:$1/"
}

rw_case errors "what is wrong is told with file, line and column, and changes nothing"
errors_body()
{
	rw_need curl
	up_web
	n=0
	# The line, and what must be said of it.
	while IFS='|' read -r line said; do
		n=$((n + 1))
		printf 'set timeout tcp.established 7440\n%s\n' "$line" >bad.conf
		for check in -nf -f; do
			! n_ctl_file bad.conf $check @ >out 2>err || rw_fail "$check took: $line"
			grep -qE '^(iipfctl: )?[^:]*bad\.conf:2:[0-9]+: ' err || rw_fail "no place: $line: $(cat err)"
			grep -qiE -e "$said" err || rw_fail "$line: $(cat err)"
			! grep -q panicked err || rw_fail "$line: $(cat err)"
		done
	done <<-'LINES'
	passs in all|pass
	pass in on wan0 proto tcp to any port 99999|port
	pass in from 10.0.0.0/33 to any|10.0.0.0/33|prefix|address
	pass in inet6 from 10.0.0.1 to any|famil|inet6
	nat on wan0 from 10.0.0.0/24 to any|->
	pass in from <nosuch to any|table|<|nosuch
	pass in on wan0 proto nosuch all|nosuch|protocol
	LINES
	[ "$n" -eq 7 ] || rw_fail "$n lines were tried"
	reached 8080 || rw_fail "a refused ruleset changed something"
	nat_finish
}

rw_case difference "diff says what a load would change; nothing for what runs"
difference_body()
{
	up
	n_ctl_file "$RW_STATE/iipf.conf" diff @ >out || rw_fail "diff of what runs: $(cat out)"
	[ ! -s out ] || rw_fail "diff of what runs says: $(cat out)"
	printf 'block drop in quick on wan0 inet proto tcp from any to any port 4444\n' >>"$RW_STATE/iipf.conf"
	n_ctl_file "$RW_STATE/iipf.conf" diff @ >out || :
	grep -q '^+.*4444' out || rw_fail "diff says: $(cat out)"
	! grep -q '^-[^-]' out || rw_fail "diff takes away: $(cat out)"
	nat_finish
}

rw_case trace "what would happen to a packet, by rule, translation and way out"
trace_body()
{
	up
	iipf_trace_packet tcp "$NAT_INET1" 40000 "$NAT_EXT" 8080 >out || rw_fail "trace"
	for word in 'passes' 'rdr on wan0' "$NAT_LAN2:80" 'lan0' 'iipf.conf:[0-9]+: pass'; do
		grep -qE -- "$word" out || rw_fail "the trace does not say '$word': $(cat out)"
	done
	iipf_trace_packet tcp "$NAT_INET1" 40000 "$NAT_EXT" 8081 >out || rw_fail "trace"
	for word in 'dropped' 'iipf.conf:[0-9]+: block'; do
		grep -qE "$word" out || rw_fail "the trace does not say '$word': $(cat out)"
	done
	! n_states | grep -q ':808[01]' || rw_fail "a trace made a state"
	nat_finish
}

rw_case trace_live "the same of a packet as it comes"
trace_live_body()
{
	rw_need curl
	up_web
	n_ctl trace --live 1 --patience 10 proto tcp to any port 8081 >out 2>err &
	tracer=$!
	rw_pid_note tracer "$tracer"
	sleep 1
	! reached 8081 || rw_fail "a port that nobody opened is reached"
	wait "$tracer" || rw_fail "trace --live: $(cat err)"
	grep -qE 'block' out || rw_fail "the trace says: $(cat out)"
	nat_finish
}

rw_case logged "logged packets are a capture that tcpdump reads"
logged_body()
{
	rw_need curl tcpdump
	nat_want log
	up_web "NAT_RULES='block drop in log quick on wan0 inet proto tcp from any to any port 8181'"
	rw_spawn log "$NS_NAT" sh -c '"$0" -K "unix:$1" log >"$2"' \
	    "$(rw_bin)/iipfctl" "$(host_sock N)" "$PWD/log.pcap"
	sleep 1
	! reached 8181 || rw_fail "a blocked port is reached"
	! reached 8282 || rw_fail "a blocked port is reached"
	sleep 0.5
	rw_stop log || :
	tcpdump -n -e -r log.pcap >out 2>err || rw_fail "tcpdump: $(cat err)"
	grep -q "block in on wan0: .*$NAT_EXT.8181" out || rw_fail "tcpdump says: $(cat out)"
	! grep -q 8282 out || rw_fail "what no rule logs is logged"
	nat_finish
}

rw_case restart "established connections go on over a restart of the kernel"
restart_body()
{
	up
	nat_scene keep restart
	nat_finish
}
do_restart() { n_restart; }

rw_case stale "states that a new ruleset would refuse are listed, and end when it is asked"
stale_body()
{
	up
	nat_scene keep stale
	nat_finish
}
do_forbid()
{
	NAT_FORWARDS=''
	n_load || return 1
	n_ctl show states stale >"$RW_STATE/stale"
	grep -q ':80\b' "$RW_STATE/stale" || return 1
	! grep -q ':9000' "$RW_STATE/stale"
}
do_end_stale() { n_ctl kill stale >>"$RW_STATE/iipfctl.log" 2>&1; }

rw_case limit "a full table refuses what is new, keeps what is there, and counts"
limit_body()
{
	up "NAT_GLOBAL='set limit states 200'"
	nat_scene keep limit
	n_ctl show counters >out || rw_fail "counters"
	grep -E '\[drop\]' out | grep -qiE 'full|limit|states' || rw_fail "no counter says it: $(cat out)"
	nat_finish
}

rw_case json "everything that is shown is JSON when asked for"
json_body()
{
	up
	for what in rules nat states maps tables limits timeouts counters sources interfaces forwards status; do
		n_ctl --json show "$what" >out || rw_fail "show $what"
		python3 -m json.tool out >/dev/null || rw_fail "show $what is not JSON: $(head -c 300 out)"
	done
	nat_finish
}

rw_case pair_gone "when the kernel ends, the system has its addresses, and it comes up again"
pair_gone_body()
{
	nat_want pairs
	up
	ip -n "$NS_NAT" -br addr show dev wan0 | grep -q "$NAT_EXT/" || rw_fail "the tap has no address"
	n_stop || rw_fail "the router did not end cleanly"
	ip -n "$NS_NAT" link show dev wan0 >/dev/null 2>&1 && rw_fail "the tap is still there"
	ip -n "$NS_NAT" route show default | grep -q "$NAT_ISP" || rw_fail "the default route is lost"
	rw_in "$NS_NAT" ping -n -q -c 1 -W 2 "$NAT_INET1" >/dev/null || rw_fail "the system is cut off"
	n_start
	n_load || rw_fail "the ruleset was not taken"
	rw_ping "$NS_LAN1" "$NAT_INET1" 3 || rw_fail "no ping after the second start"
	nat_finish
}

atf_init_test_cases()
{
	rw_add_cases
}
