#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Lint's own tests: copies the tree, plants one fault after another, and shows that exactly the
# check meant for it fails, and names the place. Ends with "N passed, N failed, N skipped".
#
# clippy and rustdoc are not ours to test, and take minutes; they are left out.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/ropewalk-lint.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
passed=0
failed=0
skipped=0

# shellcheck source=build.d/lint.sh
. "$top/build.d/lint.sh"

# Faults in shell and man pages are looked for where such are planted: shellcheck takes its time.
source_checks="$RW_LINT_SOURCE fmt"
all_checks="$RW_LINT_SOURCE fmt shell man"
checks=$all_checks

pass()
{
	passed=$((passed + 1))
	printf 'ok      %s\n' "$1"
}

fail()
{
	failed=$((failed + 1))
	printf 'FAILED  %s: %s\n' "$1" "$2"
	sed 's/^/        /' "$work/said"
}

# Runs $checks in the copy; leaves what they said in $work/said, prints who failed.
failing()
{
	# shellcheck disable=SC2086
	(cd "$work/tree" && rw_lint $checks) >"$work/said" 2>&1 || :
	awk '/^FAIL/ { sub(":", "", $2); printf "%s ", $2 }' "$work/said"
}

# Adds lines at the end of a file of the copy.
plant()
{
	cat >>"$work/tree/$1"
}

# Changes a file of the copy with sed; that nothing changed would be a test that cannot fail.
change()
{
	sed "$1" "$work/tree/$2" >"$work/changed"
	if cmp -s "$work/changed" "$work/tree/$2"; then
		echo "lint_test: the fault was not planted in $2: $1" >&2
		exit 1
	fi
	cat "$work/changed" >"$work/tree/$2"
}

# expect NAME CHECK TEXT: after a fault was planted; mends it by copying the tree anew.
expect()
{
	got=$(failing)
	if [ "$got" != "$2 " ]; then
		fail "$1" "wanted $2 to fail, got: ${got:-none}"
	elif ! grep -Fq -- "$3" "$work/said"; then
		fail "$1" "$2 does not say '$3'"
	else
		pass "$1"
	fi
	fresh
}

# With a tool missing its check skips itself, and so does the test of it.
expect_tool()
{
	if rw_lint_have "$1"; then
		shift
		expect "$@"
	else
		skipped=$((skipped + 1))
		printf 'skipped: %s: %s is not installed\n' "$2" "$1"
		fresh
	fi
}

fresh()
{
	rm -rf "$work/tree"
	mkdir "$work/tree"
	(cd "$top" && tar -cf - --exclude=./target --exclude='./target-*' --exclude=./.git \
	    --exclude=./.cache .) | (cd "$work/tree" && tar -xf -)
}

contracts_faults()
{
	change '/^ \* kpi_mbuf_len:/,/host:/{/ sleeps:/d;}' sys/kpi/kpi_mbuf.h
	expect "a contract key removed" contracts \
	    "kpi_mbuf_len: key \`sleeps' is missing before \`locks'"

	change '/^ \* kpi_mbuf_len:/,/host:/s/ctx: any/ctx: interrupt/' sys/kpi/kpi_mbuf.h
	expect "a context that does not exist" contracts \
	    "kpi_mbuf_len: ctx is one of thread, softint, any"

	change 's/^ \* kpi_mbuf_len: .*/ * The length./' sys/kpi/kpi_mbuf.h
	expect "a block without its name" contracts "begin the block with \`kpi_mbuf_len:"

	change 's/^uint32_t kpi_mbuf_len(.*//' sys/kpi/kpi_mbuf.h
	rm -f "$work/none"
	for file in "$work"/tree/sys/netbsd/*.c "$work"/tree/sys/freebsd/*.c; do
		sed 's/^kpi_mbuf_len(/impl_mbuf_len(/' "$file" >"$work/none"
		cat "$work/none" >"$file"
	done
	sed 's/fn kpi_mbuf_len/fn impl_mbuf_len/' "$work/tree/sys/host/src/kpi/mbuf.rs" >"$work/none"
	cat "$work/none" >"$work/tree/sys/host/src/kpi/mbuf.rs"
	expect "a block without its function" contracts "a contract block without its function below"

	change 's/^void	 kpi_epoch_wait(void);/void	 kpi_epoch_wait(void);\
\
uint32_t kpi_epoch_count(void);/' sys/kpi/kpi_sync.h
	for file in sys/netbsd/kpi_sync.c sys/freebsd/kpi_sync.c; do
		printf '\nuint32_t\nkpi_epoch_count(void)\n{\n\n\treturn 0;\n}\n' | plant $file
	done
	printf '\npub extern "C" fn kpi_epoch_count() -> u32 {\n    0\n}\n' |
	    plant sys/host/src/kpi/sync.rs
	expect "a function without a block" contracts "kpi_epoch_count has no contract block"

	awk 'BEGIN { for (i = 0; i < 200; i++) print "/* */" }' | plant sys/kpi/kpi_mem.h
	expect "too long a header" contracts "lines of headers, at most 1500"
}

coverage_faults()
{
	change 's/^kpi_uptime_ns(/uptime_ns(/' sys/freebsd/kpi_misc.c
	expect "a function that FreeBSD lacks" coverage "kpi_uptime_ns: define it for freebsd"

	change 's/fn kpi_psref_release/fn psref_release/' sys/psref/src/capi.rs
	got=$(failing)
	if [ "$got" = "coverage " ] &&
	    grep -q 'kpi_psref_release: define it for freebsd' "$work/said" &&
	    grep -q 'kpi_psref_release: define it for host' "$work/said"; then
		pass "a function of the shared tracker"
	else
		fail "a function of the shared tracker" "got: $got"
	fi
	fresh
}

arrows_faults()
{
	change 's/^\[dependencies\]/[dependencies]\
host.workspace = true/' modules/if_l2tp/Cargo.toml
	expect "a module on the host kernel" arrows "modules/if_l2tp may not depend on sys/host"

	mkdir -p "$work/tree/modules/other/src"
	change 's/^name = "if_l2tp"/name = "other"/' modules/if_l2tp/Cargo.toml
	mv "$work/tree/modules/if_l2tp/Cargo.toml" "$work/tree/modules/other/Cargo.toml"
	cp "$top/modules/if_l2tp/Cargo.toml" "$work/tree/modules/if_l2tp/Cargo.toml"
	change 's/^\[dependencies\]/[dependencies]\
if_l2tp.workspace = true/' modules/other/Cargo.toml
	printf '%s\n' '// SPDX-License-Identifier: BSD-2-Clause' '//! Other.' '#![no_std]' \
	    '#![forbid(unsafe_code)]' | plant modules/other/src/lib.rs
	expect "a module on another module" arrows "use its abi, or move what both need"

	change 's/^\[dependencies\]/[dependencies]\
kern.workspace = true/' sys/net/wire/Cargo.toml
	expect "wire on kern" arrows "sys/net/wire may not depend on sys/kern"

	change 's/^\[dependencies\]/[dependencies]\
if_l2tp.workspace = true/' lib/libkctl/Cargo.toml
	expect "a library on a module" arrows "lib/libkctl may not depend on modules/if_l2tp"

	change 's/^kern\.workspace = true/kern = { workspace = true, features = ["testing"] }/' \
	    modules/if_l2tp/Cargo.toml
	expect "a feature in a kernel object" arrows "no feature of our own crates"

	change 's/^\[dependencies\]/[dependencies]\
spin = { version = "0.9", default-features = false }/' sys/kern/Cargo.toml
	expect "a crate off the allow-list" kernel-deps "sys/kern/Cargo.toml"
}

source_faults()
{
	change '/^#!\[forbid(unsafe_code)\]/d' sys/net/wire/src/lib.rs
	expect "unsafe not forbidden" unsafe "sys/net/wire/src/lib.rs:1: add #![forbid(unsafe_code)]"

	change '0,/SAFETY: the caller gives us the room/s/SAFETY: the caller/the caller/' \
	    sys/psref/src/capi.rs
	expect "an unsafe block without SAFETY" safety "sys/psref/src/capi.rs"

	printf '\n#[cfg(target_os = "netbsd")]\nconst HERE: u32 = 1;\n' | plant modules/if_l2tp/src/lib.rs
	expect "a cfg on the kernel" cfg "no cfg(target_os) here"

	printf '\n#[cfg(all(test, feature = "fast"))]\nconst HERE: u32 = 1;\n' |
	    plant sys/psref/src/table.rs
	expect "a cfg on a feature" cfg "no cfg(feature) here"

	printf '\nstatic mut COUNT: u32 = 1;\n' | plant sys/net/wire/src/lib.rs
	expect "static mut" cfg "no static mut"

	awk 'BEGIN { for (i = 0; i < 601; i++) print "// line" }' | plant sys/abi/src/long.rs
	expect "a file of 601 lines" sizes "sys/abi/src/long.rs:600: 601 lines"

	printf '\nmod ring_a;\nmod ring_b;\nmod ring_c;\n' | plant sys/abi/src/lib.rs
	printf 'use crate::ring_b::B;\n\npub struct A(pub B);\n' | plant sys/abi/src/ring_a.rs
	printf 'use crate::ring_c::{self};\n\npub struct B(pub ring_c::C);\n' |
	    plant sys/abi/src/ring_b.rs
	printf 'pub struct C;\n\npub fn size() -> usize {\n    size_of::<super::ring_a::A>()\n}\n' |
	    plant sys/abi/src/ring_c.rs
	expect "a circle of three files" circles \
	    "ring_a.rs:1 -> crate::ring_b, ring_b.rs:1 -> crate::ring_c, ring_c.rs:4 -> crate::ring_a"

	word=$(printf 'FIX%s' ME)
	printf '\n// %s: later\n' "$word" | plant sys/abi/src/lib.rs
	expect "an unfinished marker" words "sys/abi/src/lib.rs"
}

# What must not be taken for a fault.
# shellcheck disable=SC2016
innocents()
{
	printf '\nmod pair_a;\nmod pair_b;\n' | plant sys/abi/src/lib.rs
	{
		printf '/* unsafe { static mut */\nuse crate::pair_b::B;\n\npub struct A(pub B);\n\n'
		printf '#[cfg(test)]\nmod tests {\n    use super::A;\n}\n'
	} | sed '1d' | plant sys/abi/src/pair_a.rs
	{
		printf '/// As crate::pair_a says; no `unsafe { }` here.\npub struct B;\n\n'
		printf '#[cfg(test)]\nmod tests {\n    use crate::pair_a::A;\n}\n'
	} | plant sys/abi/src/pair_b.rs
	printf '\n/// Not `cfg(feature = "x")`, no static mut.\n#[cfg(test)]\nmod tests {}\n' |
	    plant sys/net/wire/src/l2tp_note.rs
	got=$(failing)
	if [ -z "$got" ]; then
		pass "comments, tests and doc links are no faults"
	else
		fail "comments, tests and doc links are no faults" "got: $got"
	fi
	fresh
}

tool_faults()
{
	printf '\npub   const  LOOSE : u32=1;\n' | plant sys/abi/src/lib.rs
	expect "a file not formatted" fmt "cargo fmt --all"

	# shellcheck disable=SC2016
	printf '#!/bin/sh\nrm $1\n' | plant build.d/loose.sh
	expect_tool shellcheck "an unquoted word" shell "loose.sh:2"

	printf '.Xq nothing\n' | plant modules/if_l2tp/if_l2tp.4
	expect_tool mandoc "an unknown macro" man "if_l2tp.4"
}

fresh
found=$(failing)
if [ -z "$found" ]; then
	pass "the tree as it is"
	checks=$source_checks
	contracts_faults
	coverage_faults
	arrows_faults
	source_faults
	innocents
	checks=$all_checks
	tool_faults
else
	fail "the tree as it is" "mend this first, the faults were not planted: $found"
fi
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
