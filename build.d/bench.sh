# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ./build.sh bench: criterion; with --speed also end to end, between namespaces; with --nat
# only that of NAT; with --syslog only that of syslogd.

# What sends numbered messages: for the benchmark, the demo and the cases of syslogd.
rw_logblast()
{
	rw_run cargo build --release --locked -p bench --bin logblast
}

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
	if [ "${1:-}" = --syslog ]; then
		shift
		rw_build
		rw_logblast
		rw_setup syslog
		rw_say "syslogd, rsyslogd and busybox syslogd, in one run"
		ROPEWALK_BIN=$RW_TARGET/release rw_run sh tests/bench/syslog.sh "$@"
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
