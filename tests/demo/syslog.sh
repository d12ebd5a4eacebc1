#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Two rings under a burst: what was sent is what the rings have, dropped and lost on the way, by the
# numbers of the messages themselves; a follower; a source that is held back. See syslog.py.
set -eu

DEMO_DIR=$(cd "$(dirname "$0")" && pwd -P)
for word; do
	case $word in
	-h | --help)
		echo "usage: demo syslog [--messages N] [--small SIZE] [--big SIZE]"
		exit 0
		;;
	esac
done
[ "$(id -u)" -eq 0 ] || {
	echo "demo: run as root: it makes namespaces" >&2
	exit 1
}
exec sh "$DEMO_DIR/../lib/syslog_ns.sh" python3 "$DEMO_DIR/syslog.py" "$@"
