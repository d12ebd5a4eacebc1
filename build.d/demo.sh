# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ./build.sh demo: two sites joined by a pseudowire, in network namespaces.

# rw_demo ARG...: in a process of its own, which cleans up after itself.
rw_demo()
{
	ROPEWALK_BIN=$RW_TARGET/release sh "$RW_TOP/tests/demo/demo.sh" "$@"
}
