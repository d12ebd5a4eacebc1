#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Shows that the comparison of headers sees what it is for: plants one fault a time in
# a copy of our own, and expects it to be named; and sound headers to pass.

set -eu
RW_TOP=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/structs.XXXXXX")
trap 'rm -rf "$work"' EXIT
RW_TARGET=$work
export RW_TARGET
for part in common system setup kmod structs; do
	# shellcheck source=/dev/null
	. "$RW_TOP/build.d/$part.sh"
done

passed=0
failed=0

if ! (rw_zig_libc && rw_tool clang && rw_tool llvm-cxxfilt) >"$work/log" 2>&1; then
	echo "skipped: planted_structs: $(tail -n 1 "$work/log")"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi

verdict() {
	if [ "$2" -eq 0 ]; then
		echo "ok: $1"
		passed=$((passed + 1))
	else
		echo "FAILED: $1"
		sed 's/^/    /' "$work/log"
		failed=$((failed + 1))
	fi
}

# plant HEADER SED: the stub header, changed, goes before all others
plant() {
	rm -rf "$work/wrong"
	mkdir -p "$work/wrong/$(dirname "$1")"
	sed "$2" "$RW_TOP/sys/netbsd/include/stub/$1" >"$work/wrong/$1"
	if cmp -s "$work/wrong/$1" "$RW_TOP/sys/netbsd/include/stub/$1"; then
		echo "FAILED: nothing is planted in $1"
		exit 1
	fi
}

# compared: what the comparison with the planted headers says, in log; its status
compared() {
	{
		STRUCTS_CPPFLAGS="-I$work/wrong" rw_structs_probe netbsd "$work/planted" "" &&
		    rw_structs_compare netbsd "$work/ours/structs.s" "$work/planted/structs.s"
	} >"$work/log" 2>&1
}

# passes NAME, sees NAME WORDS
passes() {
	status=0
	compared || status=1
	verdict "$1" $status
}

sees() {
	status=1
	compared || ! grep -q "^WRONG $2:" "$work/log" || status=0
	verdict "$1" $status
}

rw_structs_probe netbsd "$work/ours" ""
mkdir "$work/wrong"
passes same_headers
plant sys/timevar.h 's/^void	nanouptime/int	nanouptime/'
sees wrong_result 'proto nanouptime'
plant sys/timevar.h 's/(struct timespec/(const struct timespec/'
sees wrong_argument 'proto nanouptime'
plant sys/cpu.h 's/u_int	maxcpus/u_long	maxcpus/'
sees wrong_variable 'proto maxcpus'
plant sys/kauth.h 's/uint64_t kauth_action_t/uint32_t kauth_action_t/'
sees wrong_typedef 'type kauth_action_t'
plant sys/kauth.h 's/SETPRIV = 20/SETPRIV = 21/'
sees wrong_number 'flag KAUTH_REQ_NETWORK_INTERFACE_SETPRIV'
plant sys/workqueue.h 's/wk_dummy;/wk_dummy[2];/'
sees wrong_size 'kern sizeof(struct work)'

# The same in another release is none of our business; a flag still is.
RW_NETBSD_VERSION=1099001200
export RW_NETBSD_VERSION
passes size_of_another_release
status=0
grep -q '^differs between releases: sizeof(struct work):' "$work/log" || status=1
verdict difference_is_told $status
plant sys/cprng.h 's/65536/524288/'
sees wrong_number_in_another_release 'flag CPRNG_MAX_LEN'

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
