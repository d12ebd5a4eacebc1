#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# bench-nat.sh [-r ROUNDS] [-n "RULES ..."] [ARG of rumpbench-* ...]: iipf beside NetBSD's own npf, each
# in a rump kernel of one virtual CPU, in turn; the medians of the rounds, in ns of the processor for
# a packet, and the ratio. npf has the code of its rules compiled and, in a run of its own,
# interpreted; the ratio is to whichever of these is faster.
set -eu

rounds=5
rules='10 1000 10000'
while :; do
	case ${1:-} in
	-r) rounds=$2 ;;
	-n) rules=$2 ;;
	*) break ;;
	esac
	shift 2
done
target=${ROPEWALK_TARGET:-${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}}
iipfctl=${ROPEWALK_BIN:-$target/release}/iipfctl
for prog in "$target/rump/rumpbench-iipf" "$target/rump/rumpbench-npf" "$iipfctl"; do
	[ -x "$prog" ] || {
		echo "bench-nat: skipped: $prog is not built: ./build.sh build; RUMP_PREFIX=... ./build.sh rump" >&2
		exit 77
	}
done
results=$(mktemp "${TMPDIR:-/tmp}/rumpbench.XXXXXX")
trap 'rm -f "$results"' EXIT

# one NAME RULES PROG ARG...: its figures, with that name before them.
one()
{
	name=$1
	n=$2
	shift 2
	RUMP_NCPU=1 RUMP_VERBOSE=0 timeout 300 "$@" "$n" 2>"$results.err" >"$results.out" || {
		cat "$results.err" "$results.out" >&2
		rm -f "$results.err" "$results.out"
		exit 1
	}
	# A kernel without a compiler for such code interprets it.
	if [ "$name" = compiled ] && ! grep -q 'code is compiled' "$results.err"; then
		echo "round $round: no compiler for npf's rules (librumpnet_bpfjit.a, librumpkern_sljit.a)" >&2
	else
		sed -n "s/^\(any\|last\|established\|napt\|new\) [0-9]* [0-9]*$/$name &/p" "$results.out" |
			tee -a "$results" >&2
	fi
	rm -f "$results.err" "$results.out"
}

round=1
while [ "$round" -le "$rounds" ]; do
	for n in $rules; do
		echo "round $round of $rounds: $n rules" >&2
		one iipf "$n" "$target/rump/rumpbench-iipf" -c "$iipfctl" "$@"
		one compiled "$n" "$target/rump/rumpbench-npf" "$@"
		one interpreted "$n" "$target/rump/rumpbench-npf" -i "$@"
	done
	round=$((round + 1))
done
sort -k1,1 -k2,2 -k3,3n -k4,4n "$results" | awk -v rules="$rules" '
	function flush() { if (n) median[key] = v[int((n + 1) / 2)]; n = 0 }
	function show(x) { return x ? sprintf("%d", x) : "-" }
	{
		k = $1 " " $2 " " $3
		if (k != key) { flush(); key = k }
		v[++n] = $4
	}
	END {
		flush()
		printf "%-12s %7s %9s %13s %16s %7s\n", \
		    "case", "rules", "iipf ns", "npf ns (JIT)", "npf ns (no JIT)", "ratio"
		ways = split("any last new established napt", way, " ")
		m = split(rules, at, " ")
		for (i = 1; i <= ways; i++)
			for (j = 1; j <= m; j++) {
				row = way[i] " " at[j]
				a = median["iipf " row]
				c = median["compiled " row]
				b = median["interpreted " row]
				if (c && c < b) best = c; else best = b
				printf "%-12s %7d %9s %13s %16s %7.2f\n", way[i], at[j], show(a), show(c), show(b), a ? best / a : 0
			}
	}'
