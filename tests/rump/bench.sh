#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# bench.sh [-r ROUNDS] [ARG of rumpbench ...]: our if_l2tp beside NetBSD's own, each in a rump kernel
# of one virtual CPU, in turn; the median of the rounds, and the ratio.
set -eu

rounds=5
if [ "${1:-}" = -r ]; then
	rounds=$2
	shift 2
fi
dir=${ROPEWALK_TARGET:-${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}}/rump
for prog in rumpbench rumpbench-native; do
	[ -x "$dir/$prog" ] || {
		echo "$dir/$prog is not built: RUMP_PREFIX=... ./build.sh rump" >&2
		exit 1
	}
done
results=$(mktemp "${TMPDIR:-/tmp}/rumpbench.XXXXXX")
trap 'rm -f "$results"' EXIT
round=1
while [ "$round" -le "$rounds" ]; do
	for prog in rumpbench rumpbench-native; do
		echo "round $round of $rounds: $prog" >&2
		RUMP_NCPU=1 RUMP_VERBOSE=0 timeout 300 "$dir/$prog" "$@" |
			sed -n "s/^\(encap\|decap\) /$prog &/p" | tee -a "$results" >&2
	done
	round=$((round + 1))
done
sort -k1,1 -k2,2r -k3,3n -k4,4n "$results" | awk '
	function flush() { if (n) median[key] = v[int((n + 1) / 2)]; n = 0 }
	{
		k = $1 " " $2 " " $3
		if (k != key) { flush(); key = k }
		v[++n] = $4
		if ($1 == "rumpbench") { rows[$2 " " $3] = 1 }
	}
	END {
		flush()
		printf "%-7s %9s %14s %14s %7s\n", "way", "sessions", "ours kpkt/s", "NetBSD kpkt/s", "ratio"
		for (i = 1; i <= 2; i++) {
			way = i == 1 ? "encap" : "decap"
			m = split("1 64 1000 10000", at, " ")
			for (j = 1; j <= m; j++) {
				row = way " " at[j]
				if (!(row in rows)) continue
				a = median["rumpbench " row]; b = median["rumpbench-native " row]
				printf "%-7s %9d %14d %14d %7.2f\n", way, at[j], a, b, b ? a / b : 0
			}
		}
	}'
