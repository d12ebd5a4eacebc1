#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# syslogd beside rsyslogd and busybox's, in one run: messages a second through the local socket and
# UDP, processor time a message, memory, and how soon a follower sees a line. Each daemon has one core,
# the sender another. Rounds alternate their order; medians are told as a table and as JSON.
set -eu

BENCH_DIR=$(cd "$(dirname "$0")" && pwd -P)
case " $* " in
*' -h '* | *' --help '*) exec python3 "$BENCH_DIR/syslog.py" --help ;;
esac
[ "$(id -u)" -eq 0 ] || {
	echo "bench: syslog: run as root: it makes namespaces" >&2
	exit 1
}
exec sh "$BENCH_DIR/../lib/syslog_ns.sh" python3 "$BENCH_DIR/syslog.py" "$@"
