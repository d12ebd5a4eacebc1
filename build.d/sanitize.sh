# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The concurrency checks: rw_loom, rw_asan and rw_tsan run the tests of the packages named to them.
# Each says what it runs and fails when a test or the tool does; where the toolchain lacks
# something, it prints "skipped: NAME: WHY" and a closing line that counts it.
#
#   loom   explores every interleaving of the tests under cfg(loom); stable Rust.
#   asan   the nightly toolchain; std need not be instrumented.
#   tsan   the nightly toolchain with rust-src: std is built with it too, or its locks would
#          look like races.

RW_SAN_TARGET=${RW_SAN_TARGET:-x86_64-unknown-linux-gnu}

rw_san_say()
{
	printf '  + %s\n' "$*"
	env "$@"
}

rw_san_skip()
{
	printf 'skipped: %s: %s\n' "$1" "$2"
	echo "0 passed, 0 failed, 1 skipped"
}

# rw_san_packages PACKAGE ...: "-p PACKAGE" for each.
rw_san_packages()
{
	for package in "$@"; do
		printf ' -p %s' "$package"
	done
}

# Whether the nightly toolchain has the runtime of a sanitizer: address as asan, thread as tsan.
rw_san_has()
{
	lib=$(rustc +nightly --print target-libdir --target "$RW_SAN_TARGET" 2>/dev/null) || return 1
	set -- "$lib"/librustc*_rt."$1".a
	[ -e "$1" ]
}

rw_loom()
{
	# shellcheck disable=SC2046
	rw_san_say RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${RW_TARGET:-target}/loom" \
	    cargo test --locked --release --tests $(rw_san_packages "$@")
}

rw_asan()
{
	rw_san_has asan || {
		rw_san_skip asan "needs a nightly toolchain with AddressSanitizer for $RW_SAN_TARGET"
		return 0
	}
	# shellcheck disable=SC2046
	rw_san_say RUSTFLAGS="-Zsanitizer=address" \
	    LSAN_OPTIONS="suppressions=$RW_TOP/build.d/lsan.supp:print_suppressions=0" CARGO_TARGET_DIR="${RW_TARGET:-target}/asan" \
	    cargo +nightly test --locked --target "$RW_SAN_TARGET" --tests $(rw_san_packages "$@")
}

rw_tsan()
{
	rw_san_has tsan || {
		rw_san_skip tsan "needs a nightly toolchain with ThreadSanitizer for $RW_SAN_TARGET"
		return 0
	}
	[ -e "$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ] || {
		rw_san_skip tsan "needs rust-src: rustup component add rust-src --toolchain nightly"
		return 0
	}
	# shellcheck disable=SC2046,SC2086
	rw_san_say RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR="${RW_TARGET:-target}/tsan" \
	    cargo +nightly test --locked -Zbuild-std --target "$RW_SAN_TARGET" \
	    ${san_tests:---tests} $(rw_san_packages "$@")
}

# Only the tests named stress: what has much else to test, and no threads in it.
rw_tsan_stress()
(
	san_tests="--test stress"
	rw_tsan "$@"
)
