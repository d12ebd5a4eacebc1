#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Shows that each gate shuts: plants one fault a gate into small objects and
# expects it, and its message, to fail; and expects sound objects to pass.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/../../build.d/common.sh"
# shellcheck source=/dev/null
. "$here/../../build.d/system.sh"
LLVM_SUFFIX=$(rw_llvm_suffix) || LLVM_SUFFIX=
export LLVM_SUFFIX

passed=0
failed=0
skipped=0

for tool in clang llvm-nm llvm-readobj llvm-objdump llvm-cxxfilt python3; do
	name=$tool$LLVM_SUFFIX
	[ "$tool" != python3 ] || name=$( (rw_python) 2>/dev/null) || name=python3
	if ! command -v "$name" >/dev/null 2>&1; then
		for t in undefined relocations instructions exports panics frames plt32; do
			echo "skipped: gate_$t: $name is not here (./build.sh setup)"
			skipped=$((skipped + 1))
		done
		echo "$passed passed, $failed failed, $skipped skipped"
		exit 0
	fi
done

python=$(rw_python)
work=$(mktemp -d "${TMPDIR:-/tmp}/gates.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

flags='--target=x86_64-unknown-freebsd15.0 -O2 -ffreestanding -fno-pic -mcmodel=kernel
 -mno-red-zone -fno-asynchronous-unwind-tables -fno-stack-protector -fno-optimize-sibling-calls
 -fstack-size-section'
kernel='-mno-mmx -mno-sse -mno-avx -msoft-float'

# cc OUT [FLAG...] <source
cc() {
	out=$1
	shift
	# shellcheck disable=SC2086 # lists of flags
	"clang$LLVM_SUFFIX" $flags "$@" -x c -c - -o "$out"
}

ok() {
	echo "ok: $1"
	passed=$((passed + 1))
}

not_ok() {
	echo "FAILED: $1"
	sed 's/^/    /' log
	failed=$((failed + 1))
}

# opens NAME GATE ARG...: the gate lets it pass
opens() {
	name=$1
	shift
	if "$python" "$here/gates.py" "$@" >log 2>&1; then ok "$name"; else not_ok "$name"; fi
}

# shuts NAME WORDS GATE ARG...: the gate fails with its own message, which has WORDS
shuts() {
	name=$1
	words=$2
	shift 2
	if "$python" "$here/gates.py" "$@" >log 2>&1; then
		not_ok "$name"
	elif grep -q "gate \`$1' is shut" log && grep -q -- "$words" log; then
		ok "$name"
	else
		not_ok "$name"
	fi
}

# What a sound module looks like.
# shellcheck disable=SC2086
cc good.o $kernel <<'EOF'
void printf(const char *, ...);
static int state;
int entry(int x);
int entry(int x) { state += x; printf("%d\n", state); return state; }
EOF
echo printf >list

# shellcheck disable=SC2086
cc strange.o $kernel <<'EOF'
void printf(const char *, ...);
int no_such_function(void);
int entry(int x);
int entry(int x) { printf("%d\n", x); return no_such_function(); }
EOF
cc sse.o <<'EOF'
double entry(double x);
double entry(double x) { return x * 1.5; }
EOF
cc avx.o -mavx2 <<'EOF'
typedef int v8 __attribute__((vector_size(32)));
void entry(v8 *a);
void entry(v8 *a) { *a += *a; }
EOF
cc x87.o <<'EOF'
long double entry(long double *x);
long double entry(long double *x) { return *x + 1; }
EOF
cc mmx.o <<'EOF'
void entry(void);
void entry(void) { __asm volatile("paddb %mm0, %mm1"); }
EOF
# shellcheck disable=SC2086
cc got.o $kernel -fpic -fno-plt -mcmodel=small <<'EOF'
void printf(const char *, ...);
void entry(void);
void entry(void) { printf("got\n"); }
EOF
# shellcheck disable=SC2086
cc big.o $kernel <<'EOF'
void use(char *);
void entry(void);
void entry(void) { char room[2048]; use(room); }
EOF
# shellcheck disable=SC2086
cc bare.o $kernel -fno-stack-size-section <<'EOF'
int entry(int x);
int entry(int x) { return x; }
EOF
# shellcheck disable=SC2086
cc two.o $kernel <<'EOF'
void printf(const char *, ...);
void entry(void);
void second(void);
void entry(void) { printf("1\n"); }
void second(void) { printf("2\n"); }
EOF
# A call to core::panicking::panic, by its mangled name.
# shellcheck disable=SC2086
cc panics.o $kernel <<'EOF'
void boom(void) __asm("_ZN4core9panicking5panic17h0123456789abcdefE");
void sound(void);
void entry(int x);
void entry(int x) { if (x) boom(); sound(); }
EOF
# As it looks after the link with core: the callee is local, and in a section of its
# own, which the relocation names; in the newer mangling.
# shellcheck disable=SC2086
cc linked.o $kernel <<'EOF'
#define	PANIC	"_RNvNtCsa2ypfrqSQLg_4core9panicking18panic_bounds_check"
static void boom(void) __asm(PANIC)
    __attribute__((noinline, used, section(".text.unlikely." PANIC)));
void halt(void);
static void boom(void) { halt(); }
void entry(int x);
void entry(int x) { if (x) boom(); }
EOF
# Panic code that nothing calls: the gate has gone blind.
# shellcheck disable=SC2086
cc blind.o $kernel <<'EOF'
void boom(void) __asm("_RNvNtCsa2ypfrqSQLg_4core9panicking18panic_bounds_check");
void halt(void);
void boom(void) { halt(); }
EOF
printf '# nothing may panic\n' >golden.none
printf 'entry\n' >golden.entry
printf 'entry\nlong_gone\n' >golden.more

opens undefined_good undefined good.o list
shuts undefined_unlisted no_such_function undefined strange.o list
opens relocations_good relocations good.o freebsd
shuts relocations_gotpcrel GOTPCREL relocations got.o freebsd
shuts relocations_plt32_netbsd PLT32 relocations good.o netbsd
opens instructions_good instructions good.o
shuts instructions_sse mulsd instructions sse.o
shuts instructions_avx ymm instructions avx.o
shuts instructions_x87 fld instructions x87.o
shuts instructions_mmx mm1 instructions mmx.o
opens exports_good exports good.o entry
shuts exports_second second exports two.o entry
shuts exports_none nothing exports panics.o other
shuts exports_any "shall export nothing" exports good.o -
opens panics_listed panics panics.o golden.entry
opens panics_fewer panics panics.o golden.more
shuts panics_new entry panics panics.o golden.none
shuts panics_linked entry panics linked.o golden.none
opens panics_linked_listed panics linked.o golden.entry
shuts panics_blind panic_bounds_check panics blind.o golden.none
opens frames_good frames 1024 good.o panics.o
shuts frames_big entry frames 1024 good.o big.o
shuts frames_unknown bare.o frames 1024 good.o bare.o

# The rewriting that NetBSD's linker wants makes the object one that it takes.
cp good.o rewritten.o
"$python" "$here/plt32.py" rewritten.o >log
opens plt32_rewritten relocations rewritten.o netbsd

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
