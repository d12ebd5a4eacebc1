# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What the other parts of build.sh share: saying, running, counting.

rw_say()
{
	printf '==> %s\n' "$*"
}

rw_die()
{
	printf 'build.sh: %s\n' "$*" >&2
	exit 1
}

# Says a command, then runs it.
rw_run()
{
	printf '  + %s\n' "$*"
	"$@"
}

rw_have()
{
	command -v "$1" >/dev/null 2>&1
}

# The counts of a test run live in files, since suites run in subshells.
rw_count_start()
{
	RW_COUNTS=$(mktemp -d "${TMPDIR:-/tmp}/ropewalk-counts.XXXXXX")
	export RW_COUNTS
	: >"$RW_COUNTS/passed"
	: >"$RW_COUNTS/failed"
	: >"$RW_COUNTS/skipped"
}

# rw_count passed|failed|skipped N [NAME: WHY]
rw_count()
{
	echo "$2" >>"$RW_COUNTS/$1"
	[ $# -lt 3 ] || echo "$3" >>"$RW_COUNTS/$1.names"
}

rw_sum()
{
	awk '{ n += $1 } END { print n + 0 }' "$RW_COUNTS/$1"
}

# Skips one test by name.
rw_skip()
{
	printf 'skipped: %s: %s\n' "$1" "$2"
	rw_count skipped 1 "$1: $2"
}

# A step that is one test: its name, then the command.
rw_step()
{
	name=$1
	shift
	rw_say "$name"
	if "$@"; then
		rw_count passed 1
	else
		printf 'FAILED: %s\n' "$name"
		rw_count failed 1 "$name"
	fi
}

# Runs a command that prints libtest's or our own closing lines, shows it, and counts them. A test
# that had to skip itself prints "skipped: NAME: WHY".
# rw_counted NAME COMMAND ...
rw_counted()
{
	name=$1
	shift
	log=$RW_COUNTS/log.$(echo "$name" | tr -c 'a-z0-9\n' '_')
	rw_say "$name"
	printf '  + %s\n' "$*"
	status=0
	"$@" >"$log" 2>&1 || status=$?
	awk -v counts="$RW_COUNTS" -v name="$name" -v status="$status" '
	/^test result:/ { libtest = 1; passed += $4; failed += $6; skipped += $8 }
	/^[0-9]+ passed, [0-9]+ failed/ {
		passed += $1; failed += $3; if ($6 ~ /^skipped/) skipped += $5
	}
	/^skipped: / {
		line = $0; sub(/^skipped: /, "", line)
		if (!(line in seen)) { seen[line] = 1; print line >>(counts "/skipped.names"); own++ }
	}
	/^test .* \.\.\. ignored/ { line = $0; sub(/^test /, "", line); print name ": " line >>(counts "/skipped.names") }
	/^test .* \.\.\. FAILED/ { line = $2; print name ": " line >>(counts "/failed.names") }
	END {
		# libtest counts a test that skipped itself as passed; the others count it themselves.
		if (libtest) { passed -= own; skipped += own }
		if (status != 0 && failed == 0) {
			failed = 1
			print name ": exit status " status >>(counts "/failed.names")
		}
		print passed + 0 >>(counts "/passed"); print failed + 0 >>(counts "/failed")
		print skipped + 0 >>(counts "/skipped")
		printf "    %d passed, %d failed, %d skipped [%s]\n", passed, failed, skipped, name
	}' "$log"
	if [ "$status" -ne 0 ]; then
		printf -- '---- %s failed (status %s); its last lines:\n' "$name" "$status"
		tail -n 150 "$log"
		printf -- '----\n'
	fi
}

# cargo with what the workspace's tests need around it.
rw_cargo_env()
{
	[ -z "${LIBCLANG_PATH:-}" ] || return 0
	for dir in /usr/lib/llvm-22/lib /usr/lib/llvm-*/lib; do
		for lib in "$dir"/libclang*.so*; do
			if [ -e "$lib" ]; then
				LIBCLANG_PATH=$dir
				export LIBCLANG_PATH
				return 0
			fi
		done
	done
}

# What is built and installed: on the BSDs no host kernel, modules are loaded there.
rw_programs()
{
	programs='corelog ifconfig iipfctl kstat syslogctl syslogd'
	if rw_is_bsd; then echo "$programs"; else echo "hostkern $programs"; fi
}

rw_build()
{
	programs=$(rw_programs)
	rw_say "$programs (release)"
	# shellcheck disable=SC2046,SC2086 # lists of names
	rw_run cargo build --release --locked $(printf -- '-p %s ' $programs)
}

rw_install()
{
	prefix=${DESTDIR:-}${PREFIX:-/usr/local}
	rw_say "installing under $prefix"
	programs=$(rw_programs)
	for tool in $programs; do
		rw_run install -d "$prefix/libexec/ropewalk" "$prefix/sbin" "$prefix/share/man/man8"
		# Not over the system's own ifconfig: that one stays first in PATH.
		rw_run install -m 755 "$RW_TARGET/release/$tool" "$prefix/libexec/ropewalk/$tool"
	done
	for tool in $programs; do
		[ "$tool" != ifconfig ] || continue
		rw_run ln -sf "${PREFIX:-/usr/local}/libexec/ropewalk/$tool" "$prefix/sbin/$tool"
	done
	for page in usr.sbin/*/*.[1-9] modules/*/*.[1-9]; do
		dir=$prefix/share/man/man${page##*.}
		rw_run install -d "$dir"
		rw_run install -m 644 "$page" "$dir/"
	done
}
