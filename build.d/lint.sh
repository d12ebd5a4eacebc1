# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ./build.sh lint: what CONTRIBUTING.md asks, as far as a program can check it. Each check prints
# one line, "ok NAME" or "FAIL NAME", and below a FAIL where it is and what to do. All checks run,
# whatever the earlier ones said. A check whose tool is missing prints "skipped: NAME: WHY".
#
#   rw_lint [CHECK ...]
#
# The checks of source text are Python, in build.d/lint/: contracts coverage arrows kernel-deps
# unsafe safety cfg sizes circles words. The others are tools that are run here.

RW_LINT_SOURCE="contracts coverage arrows kernel-deps unsafe safety cfg sizes circles words"
RW_LINT_TOOLS="fmt shell man clippy doc"

rw_lint_have()
{
	command -v "$1" >/dev/null 2>&1
}

# rw_lint_run NAME WHAT-TO-DO COMMAND ...: one line; the command's output where it fails.
rw_lint_run()
{
	check=$1
	advice=$2
	shift 2
	if out=$("$@" 2>&1); then
		printf 'ok    %s\n' "$check"
		return 0
	fi
	printf 'FAIL  %s: %s\n' "$check" "$advice"
	printf '%s\n' "$out" | sed 's/^/      /'
	return 1
}

# The tree's files by pattern, without what is built.
rw_lint_find()
{
	find . -type d \( -name .git -o -name .cache -o -name target -o -name 'target-*' \) -prune -o \
	    -type f "$@" -print | sort
}

rw_lint_fmt()
{
	rw_lint_run fmt "run: cargo fmt --all" cargo fmt --all --check
}

rw_lint_shell()
{
	rw_lint_have shellcheck || {
		echo "skipped: lint shell: shellcheck is not installed"
		return 0
	}
	# By name, and what says on its first line that it is a shell's.
	# shellcheck disable=SC2016
	list=$({
		rw_lint_find -name '*.sh'
		rw_lint_find -name '*.subr'
		rw_lint_find ! -name '*.*' -size -64k -exec sh -c \
		    'head -n 1 "$1" | grep -Eq "^#! ?/(usr/)?bin/(env )?(sh|atf-sh)"' sh {} \;
	} | sort -u)
	# SC2015: `test && test || die' is what we mean, since die does not return.
	# shellcheck disable=SC2086
	rw_lint_run shell "mend what shellcheck says" shellcheck -x -s sh -e SC2015 -f gcc $list
}

rw_lint_man()
{
	rw_lint_have mandoc || {
		echo "skipped: lint man: mandoc is not installed"
		return 0
	}
	list=$(rw_lint_find -name '*.[1-9]' | grep -E '^\./(modules|usr\.sbin)/' || :)
	[ -n "$list" ] || {
		printf 'FAIL  man: no man page under modules and usr.sbin\n'
		return 1
	}
	# shellcheck disable=SC2086
	rw_lint_run man "mend what mandoc says" mandoc -T lint -W warning $list
}

rw_lint_clippy()
{
	rw_lint_run clippy "mend what clippy says" \
	    cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
}

rw_lint_doc()
{
	rw_lint_run doc "mend what rustdoc says" \
	    env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --workspace --no-deps
}

rw_lint()
{
	status=0
	[ $# -gt 0 ] || {
		# shellcheck disable=SC2086
		set -- $RW_LINT_SOURCE $RW_LINT_TOOLS
	}
	source_checks=
	tools=
	for check in "$@"; do
		case " $RW_LINT_SOURCE " in
		*" $check "*) source_checks="$source_checks $check" && continue ;;
		esac
		case " $RW_LINT_TOOLS " in
		*" $check "*) tools="$tools $check" ;;
		*)
			echo "lint: no check '$check'; there are: $RW_LINT_SOURCE $RW_LINT_TOOLS" >&2
			return 1
			;;
		esac
	done
	if [ -n "$source_checks" ]; then
		# shellcheck disable=SC2086
		PYTHONDONTWRITEBYTECODE=1 python3 build.d/lint/run.py $source_checks || status=1
	fi
	for check in $tools; do
		"rw_lint_$check" || status=1
	done
	return $status
}
