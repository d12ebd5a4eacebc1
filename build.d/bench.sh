# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ./build.sh bench: criterion; with --speed also end to end, between namespaces.

rw_bench()
{
	speed=no
	if [ "${1:-}" = --speed ]; then
		speed=yes
		shift
	fi
	rw_say "criterion: see target/criterion for the reports"
	rw_run cargo bench --locked -p bench --benches -- "$@"
	if [ $speed = yes ]; then
		rw_build
		rw_run cargo build --release --locked -p bench --bins
		rw_say "end to end: if_l2tp, two QEMU hubs and a plain copy, in one run"
		rw_run sh tests/topo/speed.sh
	fi
}
