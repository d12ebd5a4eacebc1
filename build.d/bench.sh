# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ./build.sh bench: criterion; with --speed also end to end, between namespaces; with --nat
# only that of NAT.

rw_bench()
{
	if [ "${1:-}" = --nat ]; then
		shift
		rw_build
		rw_setup demo_nat
		rw_say "end to end: iipf and nftables masquerade, in one run"
		ROPEWALK_BIN=$RW_TARGET/release rw_run sh tests/bench/nat.sh "$@"
		return
	fi
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
