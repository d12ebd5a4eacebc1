#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # the library's variables
#
# The host kernel process and its tools: what is refused and how it is said, the
# control socket, privileges, signals.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

one_kernel()
{
	rw_begin
	[ "$(r_driver A)" = host ] || rw_skip "needs driver host at site A"
	topo_two_sites 4
	tun_defaults
	r_start A
}

# says PATTERN ARG...: ifconfig fails, with one sentence that has PATTERN.
says()
{
	_sa_p=$1
	shift
	if host_ifconfig A "$@" > out 2> err; then
		rw_fail "ifconfig $* was taken"
	fi
	[ -s err ] || rw_fail "ifconfig $*: no sentence"
	[ "$(wc -l < err)" -le 3 ] || rw_fail "ifconfig $*: $(cat err)"
	! grep -q 'panicked' err || rw_fail "ifconfig $*: $(cat err)"
	grep -qiE "$_sa_p" err || rw_fail "ifconfig $* says: $(cat err)"
}

rw_case duplicate_session "a second interface with the same session id is EEXIST"
duplicate_session_body()
{
	one_kernel
	r_l2tp_up A || rw_fail "first pseudowire"
	host_ifconfig A l2tp1 create || rw_fail "create"
	host_ifconfig A l2tp1 tunnel "$WAN_A" "$WAN_B" || rw_fail "tunnel"
	says 'EEXIST|exists|in use' l2tp1 session "$TUN_SID_A" 9
	says 'EEXIST|exists|in use' l2tp1 create
	# The other's ids are free for it, and the first one is as it was.
	host_ifconfig A l2tp1 session "$TUN_SID_B" 9 || rw_fail "another id"
	host_ifconfig A l2tp0 destroy || rw_fail "destroy"
	host_ifconfig A l2tp1 session "$TUN_SID_A" 9 || rw_fail "the freed id"
	rw_finish A
}

rw_case bad_arguments "what cannot be is refused with a sentence"
bad_arguments_body()
{
	one_kernel
	host_ifconfig A l2tp0 create || rw_fail "create"
	says 'mtu' l2tp0 mtu 10
	says 'mtu' l2tp0 mtu 70000
	says 'session' l2tp0 session 0 1
	says 'session' l2tp0 session 1 0
	says 'session' l2tp0 session 4294967296 1
	says 'famil' l2tp0 tunnel "$WAN_A" 2001:db8::1
	says 'cookie' l2tp0 cookie 5 1 4 1
	says 'cookie' l2tp0 cookie 4 0x100000000 4 1
	says 'address' l2tp0 tunnel nonsense "$WAN_B"
	says 'encap' l2tp0 encap gre
	says 'l2tp7|no such|ENXIO' l2tp7 up
	says 'nosuch' nosuch0 create
	rw_finish A
}

rw_case names "create picks a unit, -l and -a show it, name changes it"
names_body()
{
	one_kernel
	[ -z "$(host_ifconfig A -l | tr -d ' \n')" ] || rw_fail "interfaces at start"
	host_ifconfig A l2tp create > out || rw_fail "create"
	host_ifconfig A l2tp5 create || rw_fail "create l2tp5"
	host_ifconfig A -l > out || rw_fail "-l"
	for if in l2tp0 l2tp5; do
		grep -qw "$if" out || rw_fail "-l: $(cat out)"
	done
	host_ifconfig A l2tp5 name wan5 || rw_fail "name"
	host_ifconfig A -a > out || rw_fail "-a"
	grep -q '^wan5: ' out || rw_fail "-a: $(cat out)"
	ip -n "$NS_RA" link show dev wan5 >/dev/null ||
	    rw_fail "the tap kept its old name"
	host_ifconfig A wan5 mtu 1400 || rw_fail "mtu"
	ip -n "$NS_RA" link show dev wan5 | grep -q 'mtu 1400' ||
	    rw_fail "the tap kept its old MTU"
	host_ifconfig A wan5 destroy || rw_fail "destroy"
	! ip -n "$NS_RA" link show dev wan5 >/dev/null 2>&1 ||
	    rw_fail "the tap is still there"
	host_kstat A --json if_l2tp | python3 -m json.tool >/dev/null ||
	    rw_fail "kstat --json is not JSON"
	rw_finish A
}

rw_case socket_junk "junk and stalled clients on the control socket disturb nobody"
socket_junk_body()
{
	rw_begin
	[ "$(r_driver A)" = host ] || rw_skip "needs driver host at site A"
	topo_two_sites 4
	topo_static_neighbours
	tun_defaults
	r_both_up
	tr_ping
	host_ifconfig A l2tp0 > before || rw_fail "ifconfig"
	rw_spawn junk "$NS_RA" python3 "$RW_LIB/junk.py" "$(host_sock A)" 6
	sleep 1
	rw_ping "$NS_CA" "$RW_LAN4_B" 20 || rw_fail "ping beside the junk"
	host_ifconfig A -l > out || rw_fail "ifconfig beside the junk"
	grep -qw l2tp0 out || rw_fail "-l says: $(cat out)"
	wait "$(rw_pid junk)" || rw_fail "the junk client itself failed"
	host_ifconfig A l2tp0 > after || rw_fail "ifconfig after the junk"
	diff before after >&2 || rw_fail "the configuration changed"
	tr_ping
	rw_finish A B
}

rw_case socket_permissions "the control socket has the mode that was asked for"
socket_permissions_body()
{
	one_kernel
	rw_need setpriv
	case $(ls -l "$(host_sock A)") in
	srw-------*) ;;
	*) rw_fail "mode: $(ls -l "$(host_sock A)")" ;;
	esac
	chmod 755 "$RW_STATE"
	! setpriv --reuid 65534 --clear-groups timeout 5 "$(rw_bin)/ifconfig" \
	    -K "unix:$(host_sock A)" l2tp0 create 2>err || rw_fail "anyone may create"
	rw_finish A
}

rw_case unprivileged "it runs as nobody with CAP_NET_ADMIN and CAP_NET_RAW"
unprivileged_body()
{
	rw_begin
	[ "$(r_driver A)" = host ] || rw_skip "needs driver host at site A"
	rw_need setpriv
	dir=$(mktemp -d /tmp/rwXXXXXX)
	chmod 755 "$dir"
	cp "$(rw_bin)/hostkern" "$dir/"
	printf '%s\n' "$dir" > dir
	topo_two_sites 4
	tun_defaults
	TUN_ENCAP=ip
	mkdir "$dir/run"
	chown 65534 "$dir/run"
	# Some systems keep /dev/net/tun for root: there it gets a stand-in for all,
	# seen only in the mount namespace that "ip netns exec" makes.
	mknod -m 666 "$dir/tun" c 10 200 || rw_skip "no device node can be made here"
	# The kernel lives where nobody may write; the library finds it there.
	host_sock() { printf '%s/run/%s.sock\n' "$dir" "$1"; }
	for s in A B; do
		cat > "$dir/$s.toml" <<-TOML
		socket = "$(host_sock $s)"
		mode = "0600"
		modules = ["if_l2tp"]
		TOML
		# shellcheck disable=SC2016 # for the inner shell
		rw_spawn "hk$s" "$(ns_of r $s)" sh -c '
			mount --bind "$0" /dev/net/tun && exec "$@"' \
		    "$dir/tun" setpriv --reuid 65534 --regid 65534 \
		    --clear-groups --inh-caps=-all,+net_admin,+net_raw \
		    --ambient-caps=-all,+net_admin,+net_raw \
		    --bounding-set=-all,+net_admin,+net_raw \
		    "$dir/hostkern" -f "$dir/$s.toml" -s "$(host_sock $s)"
		rw_until 10 host_ifconfig $s -l ||
		    rw_fail "hostkern does not answer as nobody"
		r_l2tp_up $s || rw_fail "set-up as nobody"
	done
	ps -o uid= -p "$(rw_pid hkA)" | grep -qw 65534 || rw_fail "it is not nobody"
	tr_ping
	rw_finish A B
	rm -rf "$dir"
}
unprivileged_cleanup()
{
	RW_STATE=$PWD/state
	rw_cleanup
	[ ! -s dir ] || rm -rf "$(cat dir)"
}

rw_case configured "interfaces from the configuration file, and SIGHUP"
configured_body()
{
	rw_begin
	[ "$(r_driver A)" = host ] || rw_skip "needs driver host at site A"
	topo_two_sites 4
	tun_defaults
	TUN_ENCAP=ip
	for s in A B; do
		cat > "$RW_STATE/hk$s.toml" <<-TOML
		socket = "$(host_sock $s)"
		mode = "0600"
		modules = ["if_l2tp"]
		ifconfig = [
		    "l2tp0 create",
		    "l2tp0 tunnel $(r_tunnel_args $s)",
		    "l2tp0 session $(tun_get SID $s) $(tun_get SID "$(other $s)")",
		    "l2tp0 up",
		]
		TOML
		rw_spawn "hk$s" "$(ns_of r $s)" "$(rw_bin)/hostkern" \
		    -f "$RW_STATE/hk$s.toml" -s "$(host_sock $s)"
		rw_until 10 host_ifconfig $s l2tp0 || rw_fail "site $s: no l2tp0"
		r_port $s l2tp0
	done
	tr_ping
	# A reload leaves what is as it was, and traffic with it.
	kill -HUP "$(rw_pid hkA)"
	sleep 0.5
	rw_alive "$(rw_pid hkA)" || rw_fail "SIGHUP ended it"
	tr_ping
	rw_finish A B
}

atf_init_test_cases()
{
	rw_add_cases
}
