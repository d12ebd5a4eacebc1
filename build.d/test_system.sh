# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The system suite: tests/ under kyua, on topologies and against real peers; and the
# same cases in real kernels.

# rw_test_system [FILTER ...]: runs kyua; prints each case, names each skipped one
# with its reason, and ends with "N passed, N failed, N skipped". RW_WHERE, if set,
# stands before the names.
rw_test_system()
{
	for prog in kyua atf-sh; do
		if ! rw_have "$prog"; then
			printf 'skipped: system: program %s is not installed\n' "$prog"
			printf '0 passed, 0 failed, 1 skipped\n'
			return 0
		fi
	done
	work=$(mktemp -d "${TMPDIR:-/tmp}/ropewalk-kyua.XXXXXX")
	status=0
	# Cases have namespaces of their own and mostly wait: two at a time.
	ROPEWALK_TARGET=$RW_TARGET ROPEWALK_BIN=$RW_TARGET/release kyua -v parallelism=2 --logfile="$work/log" \
	    test -k "$RW_TOP/tests/Kyuafile" --results-file="$work/results.db" "$@" ||
	    status=$?
	kyua --logfile="$work/log" report --results-file="$work/results.db" \
	    --verbose --results-filter=broken,failed >"$work/bad" 2>&1 || :
	kyua --logfile="$work/log" report --results-file="$work/results.db" \
	    --results-filter=passed,skipped,xfail,broken,failed >"$work/all" 2>&1 || :
	if [ "$status" -ne 0 ]; then
		cat "$work/bad"
	fi
	# "program:case  ->  verdict[: reason]  [seconds]"; each case once.
	awk -v status="$status" -v where="${RW_WHERE:+$RW_WHERE }" '
	/^[^ ]+:[^ ]+  ->  / && !($1 in seen) {
		seen[$1] = 1
		verdict = $3
		sub(/:$/, "", verdict)
		if (verdict == "passed" || verdict == "expected_failure") passed++
		else if (verdict == "skipped") {
			skipped++
			why = $0
			sub(/^.*  ->  skipped: /, "", why)
			sub(/  \[[0-9.]+s\]$/, "", why)
			print "skipped: " where $1 ": " why
		} else {
			failed++
			print "test " where $1 " ... FAILED"
		}
	}
	END {
		if (status != 0 && !failed) failed = 1
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit failed > 0
	}' "$work/all" || status=1
	rm -rf "$work"
	return "$status"
}

# What runs in other kernels: name, router at site A, router at site B, then the test programs.
RW_KERNELS='
rump            rump        host         atf/t_l2tp.sh atf/t_l2tp_cookie.sh atf/t_l2tp_drops.sh
rump+native     rump        rump_native  atf/t_l2tp.sh atf/t_l2tp_cookie.sh
vm-netbsd       vm_netbsd   host         atf/t_module.sh atf/t_l2tp.sh atf/t_l2tp_cookie.sh atf/t_l2tp_drops.sh
vm-freebsd      vm_freebsd  host         atf/t_module.sh atf/t_l2tp.sh atf/t_l2tp_cookie.sh atf/t_l2tp_drops.sh
'

# iipf: name, NAT driver, the cases. A rump kernel starts in a second and runs them all. A virtual
# machine boots for each, so there it is those that go through each way that the module has into
# that kernel: both hooks and families, what it keeps and sends on (fragments, resets, errors), its
# device, timers, tables under change, the packets that the stack makes (sizes, errors, forwarded and
# its own), sums left to cards; and coming and going. NetBSD's stack is that of the rump kernel: fewer.
RW_NAT_KERNELS='
nat+rump        rump        nat
nat+vm-netbsd   vm_netbsd   nat/t_iipf_module.sh @both
nat+vm-freebsd  vm_freebsd  nat/t_iipf_module.sh @both @more
'
RW_NAT_BOTH='t_filter:replies t_filter:rules t_filter:reload t_filter:reload_busy t_filter:kill
 t_filter:table t_filter:npf_rules t_nat_map:mapping_udp t_nat_map:mapping_tcp
 t_nat_map:filtering_port t_nat_map:filtering_endpoint t_nat_map:hairpin_udp t_nat_map:hairpin_forward
 t_nat_map:mapping_reload t_nat_map:timeout_udp t_nat_icmp:query t_nat_icmp:errors_in_udp
 t_nat_icmp:errors_out t_nat_icmp:errors6 t_nat_icmp:size_df_set t_nat_icmp:size_df_clear
 t_nat_icmp:traceroute t_nat_icmp:ping_tools t_nat_frag:order t_nat_frag:order6 t_nat_frag:overlap
 t_nat_frag:overlap6 t_nat_frag:replay_garbage t_nat_alg:ftp_port t_nat_alg:ftp_epsv
 t_nat_alg:ftp_server_pasv t_nat_forward:forward_tcp t_nat_forward:forward_live
 t_nat_forward:napt66 t_nat_tcp:exchange t_nat_tcp:unsolicited_syn t_nat_tcp:stream_offload
 t_iipf:trace_live t_iipf:restart t_iipf:stale t_iipf:json'
RW_NAT_MORE='t_filter:table_prefix t_filter:npf_nat t_filter:punch_udp t_filter:scan_syn t_filter:syn_flood
 t_nat_map:mapping_conflict t_nat_map:port_preservation t_nat_map:port_blocks t_nat_map:pooling_paired
 t_nat_map:session_cap_told t_nat_icmp:query6 t_nat_icmp:errors_in_tcp t_nat_icmp:hairpin_error
 t_nat_icmp:pmtu_out t_nat_icmp:pmtu_in t_nat_frag:interleaved t_nat_frag:tiny t_nat_frag:flood
 t_nat_frag:atomic t_nat_frag:replay_overlapping t_nat_frag:replay_six t_nat_forward:forward_udp
 t_nat_forward:static_both_ways t_nat_forward:policy_except t_nat_forward:ipv6_open
 t_nat_forward:nptv6 t_nat_tcp:simultaneous_open t_nat_tcp:window t_nat_tcp:rst_exact
 t_nat_tcp:connections t_nat_tcp:stream t_iipf:difference t_iipf:trace'

# syslogd, with its worker, sockets, files and signals those of that kernel: name, guest, the cases.
RW_SYSLOG_KERNELS='
syslog+vm-netbsd   vm_netbsd   syslog/t_syslog_guest.sh
syslog+vm-freebsd  vm_freebsd  syslog/t_syslog_guest.sh
'

# rw_nat_filters WORD...: the lists in place of their names, as kyua wants cases.
rw_nat_filters()
{
	for word; do
		case $word in
		@both) list=$RW_NAT_BOTH ;;
		@more) list=$RW_NAT_MORE ;;
		*)
			printf '%s\n' "$word"
			continue
			;;
		esac
		for nat_case in $list; do
			printf 'nat/%s.sh:%s\n' "${nat_case%%:*}" "${nat_case#*:}"
		done
	done
}

# rw_test_kernels [NAME ...]: the cases with such routers, or some of them.
rw_test_kernels()
{
	printf '%s' "$RW_KERNELS" | while read -r name a b programs; do
		[ -n "$name" ] || continue
		case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
		# shellcheck disable=SC2030 # meant for this round
		export RW_WHERE="$name" R_DRIVER_A="$a" R_DRIVER_B="$b"
		# shellcheck disable=SC2086 # a list
		rw_counted "kernels: $name" rw_test_system $programs
	done
	# The peer of iipf in the same cases, when it is asked for.
	case " $* " in *" nat+nft "*) peer='nat+nft nft nat' ;; *) peer= ;; esac
	printf '%s%s\n' "$RW_NAT_KERNELS" "$peer" | while read -r name driver cases; do
		[ -n "$name" ] || continue
		case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
		# shellcheck disable=SC2030,SC2031 # its own value is meant
		export RW_WHERE="$name" RW_NAT_DRIVER="$driver"
		# shellcheck disable=SC2046,SC2086 # lists
		rw_counted "kernels: $name" rw_test_system $(rw_nat_filters $cases)
	done
	printf '%s' "$RW_SYSLOG_KERNELS" | while read -r name guest cases; do
		[ -n "$name" ] || continue
		case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
		# shellcheck disable=SC2031 # its own value is meant
		export RW_WHERE="$name" SL_GUEST="$guest"
		# shellcheck disable=SC2086 # a list
		rw_counted "kernels: $name" rw_test_system $cases
	done
	case " ${*:-local} " in *" local "*) rw_counted "kernels: local" rw_test_local ;; esac
}

# On a BSD: the module and the tools that were built there, in its own kernel.
rw_test_local()
{
	local_dir=$RW_TARGET/local
	mkdir -p "$local_dir"
	for file in "$RW_TARGET"/kmod/*/if_l2tp.k* "$RW_TARGET/release/ifconfig" \
	    "$RW_TARGET/release/kstat"; do
		[ ! -e "$file" ] || cp "$file" "$local_dir/"
	done
	sh tests/local/l2tp.sh "$local_dir"
}
