#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# corelog: what crashed, from its core.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

sl_case agrees "frames of cores, as gdb finds them" crash
sl_case to_syslogd "a core becomes a record of syslogd's, and is gone" crash
sl_case damage "cores that are damaged" crash
sl_case uml "the pipe of a kernel of our own" crash

atf_init_test_cases()
{
	rw_add_cases
}
