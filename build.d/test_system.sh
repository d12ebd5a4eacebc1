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

# rw_test_kernels [NAME ...]: the L2TP cases with such routers, or some of them.
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
	case " $* " in
	*" nat+nft "*)
		(
			# shellcheck disable=SC2031 # its own value is meant
			export RW_WHERE=nat+nft RW_NAT_DRIVER=nft
			rw_counted "kernels: nat+nft" rw_test_system nat
		)
		;;
	esac
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
