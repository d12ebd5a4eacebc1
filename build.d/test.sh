# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ./build.sh test: every suite, its counts, and one closing line.

RW_SUITES="lint unit loom asan tsan fuzz bigendian gates kmod structs userland"
RW_SUITES="$RW_SUITES system kernels bench"

rw_suite_lint()
{
	rw_step "lint" rw_lint
	rw_counted "lint: its own tests" sh build.d/lint_test.sh
}

rw_suite_unit()
{
	rw_counted "unit and module tests" \
	    cargo test --locked --workspace --exclude bench -- --show-output
}

rw_suite_loom()
{
	rw_counted "loom: the passive reference tracker" rw_loom psref
}

rw_suite_asan()
{
	rw_counted "AddressSanitizer" rw_asan psref host kern flow classify if_l2tp iipf
}

rw_suite_tsan()
{
	rw_counted "ThreadSanitizer: the passive reference tracker" rw_tsan psref
	rw_counted "ThreadSanitizer: the table of flows" rw_tsan_stress flow
}

# Each libFuzzer target runs for a short time from its corpus; what it finds is a failure, and
# becomes a file under fuzz/regress, which the unit tests replay.
rw_suite_fuzz()
{
	rw_have rustup && rustup run nightly rustc --version >/dev/null 2>&1 || {
		rw_skip "fuzz: libFuzzer targets of wire, if_l2tp, iipf, liblog, corelog and both grammars" "needs a nightly toolchain by rustup"
		return 0
	}
	rw_fuzz_crate sys/net/wire rewrite alg
	rw_fuzz_crate modules/if_l2tp header packet ioctl
	rw_fuzz_crate modules/iipf packet ioctl
	rw_fuzz_crate lib/libiipf ruleset
	rw_fuzz_crate lib/liblog parse ring packed frame request
	rw_fuzz_crate usr.sbin/corelog core
	rw_fuzz_crate usr.sbin/syslogd conf
}

# rw_fuzz_crate FOLDER TARGET ...: those under FOLDER/fuzz.
rw_fuzz_crate()
{
	fuzz_crate=$1
	shift
	rw_step "fuzz: building the targets of $fuzz_crate" rw_fuzz_build "$fuzz_crate"
	for fuzz_target in "$@"; do
		rw_step "fuzz: $fuzz_target, ${FUZZ_SECONDS:-10} s" \
		    rw_fuzz_run "$fuzz_crate" "$fuzz_target"
	done
}

rw_fuzz_build()
{
	# What cargo-fuzz sets: coverage counters for libFuzzer, and AddressSanitizer.
	RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
	    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
	    -Cllvm-args=-sanitizer-coverage-pc-table -Zsanitizer=address --cfg fuzzing
	    -Ccodegen-units=1" \
	    rw_run rustup run nightly cargo build --release --locked --bins \
	    --manifest-path "$1/fuzz/Cargo.toml" \
	    --target x86_64-unknown-linux-gnu --target-dir "$RW_TARGET/fuzz"
}

rw_fuzz_run()
{
	fuzz_work=$(mktemp -d "${TMPDIR:-/tmp}/ropewalk-fuzz.XXXXXX")
	status=0
	ROPEWALK_NO_POOL=1 rw_run "$RW_TARGET/fuzz/x86_64-unknown-linux-gnu/release/$2" \
	    -max_total_time="${FUZZ_SECONDS:-10}" -rss_limit_mb=4096 -print_final_stats=1 \
	    -artifact_prefix="$fuzz_work/" "$fuzz_work" "$1/fuzz/corpus/$2" \
	    >"$fuzz_work.log" 2>&1 || status=$?
	grep -E 'stat::number_of_executed_units|SUMMARY|ERROR' "$fuzz_work.log" || :
	if [ "$status" -ne 0 ]; then
		tail -n 60 "$fuzz_work.log"
	fi
	rm -rf "$fuzz_work" "$fuzz_work.log"
	return "$status"
}

# Wire code must not assume a byte order: its tests on a big-endian machine under qemu-user.
rw_suite_bigendian()
{
	triple=s390x-unknown-linux-gnu
	rw_have rustup && rw_have qemu-s390x && rw_have s390x-linux-gnu-gcc &&
	    [ -d "$(rustc --print target-libdir --target $triple)" ] || {
		rw_skip "bigendian: wire on $triple" \
		    "needs qemu-user, s390x-linux-gnu-gcc and the $triple standard library"
		return 0
	}
	rw_counted "wire on a big-endian machine" \
	    env CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc \
	    CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER="qemu-s390x -L /usr/s390x-linux-gnu" \
	    cargo test --locked -p wire --target $triple
}

rw_suite_gates()
{
	rw_counted "object gates: planted faults" sh sys/kmod/gates_test.sh
}

rw_suite_kmod()
{
	for os in netbsd freebsd; do
		if rw_is_bsd && [ -z "$(rw_sysdir "$os")" ]; then
			rw_skip "kmod: if_l2tp and iipf for $os" "needs the kernel sources of $os in SYSDIR"
			continue
		fi
		rw_step "kmod: if_l2tp and iipf for $os, through the gates" rw_kmod "$os"
	done
}

rw_suite_structs()
{
	rw_counted "structs: planted faults" sh sys/kmod/structs_test.sh
	rw_suite_structs_of netbsd NETBSD_SYS "${NETBSD_SYS-}"
	rw_suite_structs_of freebsd FREEBSD_SYS "${FREEBSD_SYS-}"
}

# rw_suite_structs_of OS VARIABLE ITS-VALUE
rw_suite_structs_of()
{
	if [ -z "$3" ]; then
		rw_skip "structs: $1 headers against a real tree" "set $2 to a sys/ folder of $1"
		return 0
	fi
	if [ ! -x "$(rw_zig_python)" ]; then
		rw_skip "structs: $1 headers against a real tree" "needs ziglang: setup has it on Linux"
		return 0
	fi
	rw_step "structs: $1 headers against $3" rw_structs "$1" "$3"
}

rw_suite_userland()
{
	for os in netbsd freebsd; do
		if [ ! -x "$(rw_zig_python)" ]; then
			rw_skip "userland: the tools and syslogd for $os" "needs ziglang: setup has it on Linux"
			continue
		fi
		rw_step "userland: the tools and syslogd for $os" rw_userland "$os"
	done
}

rw_suite_system()
{
	rw_build
	rw_logblast
	rw_counted "system: topologies and real peers" rw_test_system
	if [ "$(id -u)" -eq 0 ]; then
		rw_step "demo" rw_demo
		rw_step "demo nat" rw_demo nat
		rw_step "demo syslog" rw_demo syslog
	else
		rw_skip "demo" "needs root"
		rw_skip "demo nat" "needs root"
		rw_skip "demo syslog" "needs root"
	fi
}

# The same cases inside NetBSD and FreeBSD, where the machine has kernels for it.
rw_suite_kernels()
{
	rw_build
	if rw_rump_have; then
		rw_step "kernels: components for rump kernels" rw_rump
	fi
	[ -z "${VM_NETBSD-}" ] || rw_step "kernels: a disk for NetBSD" rw_vm netbsd
	[ -z "${VM_FREEBSD-}" ] || rw_step "kernels: a disk for FreeBSD" rw_vm freebsd
	# shellcheck disable=SC2086 # a list
	rw_test_kernels ${ROPEWALK_KERNELS-}
}

# The benchmarks at least run, and what they assert (no allocation a packet) holds.
rw_suite_bench()
{
	# How fast they are says `build.sh bench'; here each is only built and run.
	rw_step "benchmarks: each once, with their assertions" \
	    env CARGO_PROFILE_BENCH_LTO=off CARGO_PROFILE_BENCH_CODEGEN_UNITS=16 \
	    CARGO_PROFILE_BENCH_DEBUG=0 cargo bench --locked -p bench --benches -- --test
}

# rw_suites SUITE ...: these, one after the other, with the time that each takes.
rw_suites()
{
	for suite in "$@"; do
		began=$(date +%s)
		"rw_suite_$suite"
		printf '    %s: %d s\n' "$suite" $(($(date +%s) - began))
	done
}

rw_test()
{
	start=$(date +%s)
	rw_setup build test
	# On a BSD the kernel's sources may be missing, and what needs them is skipped.
	rw_is_bsd || rw_setup kmod
	rw_cargo_env
	# What is built once has no use for what the next build would reuse.
	[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0
	rw_count_start
	[ $# -gt 0 ] || {
		# shellcheck disable=SC2086
		set -- $RW_SUITES
	}
	for suite in "$@"; do
		case " $RW_SUITES " in
		*" $suite "*) ;;
		*) rw_die "no suite '$suite'; there are: $RW_SUITES" ;;
		esac
	done
	# What has a namespace of its own mostly waits, and the rest mostly compiles: one beside the
	# other, the rest with less of a claim on the processor.
	case " $* " in
	*" system "*)
		rw_say "system: beside the other suites; what it prints comes behind them"
		(rw_suites system) >"$RW_COUNTS/beside" 2>&1 &
		beside=$!
		renice -n 10 -p $$ >/dev/null 2>&1 || :
		# shellcheck disable=SC2046 # a list
		rw_suites $(printf '%s\n' "$@" | grep -vx system)
		wait $beside || rw_count failed 1 "system: ended early"
		cat "$RW_COUNTS/beside"
		;;
	*) rw_suites "$@" ;;
	esac
	rw_test_close "$start"
}

rw_test_close()
{
	for what in skipped failed; do
		[ -s "$RW_COUNTS/$what.names" ] || continue
		printf '\n%s:\n' "$what"
		sort "$RW_COUNTS/$what.names" | sed 's/^/  /'
	done
	failed=$(rw_sum failed)
	printf '\n%d s\n%d passed, %d failed, %d skipped\n' $(($(date +%s) - $1)) \
	    "$(rw_sum passed)" "$failed" "$(rw_sum skipped)"
	rm -rf "$RW_COUNTS"
	[ "$failed" -eq 0 ]
}
