# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The system suite: tests/ under kyua, on topologies and against real peers.

# rw_test_system [FILTER ...]: runs kyua; prints each case, names each skipped one
# with its reason, and ends with "N passed, N failed, N skipped".
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
	ROPEWALK_BIN=$RW_TARGET/release kyua -v parallelism=2 --logfile="$work/log" \
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
	awk -v status="$status" '
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
			print "skipped: " $1 ": " why
		} else failed++
	}
	END {
		if (status != 0 && !failed) failed = 1
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit failed > 0
	}' "$work/all" || status=1
	rm -rf "$work"
	return "$status"
}
