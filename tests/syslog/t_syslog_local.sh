#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# syslogd's local socket: who writes to it, and what becomes of that.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

sl_case logger_bsd "logger(1) as it comes" local
sl_case logger_ietf "logger(1) with structured data" local
sl_case python_handler "Python's SysLogHandler" local
sl_case any_bytes "NULs, bytes that are no UTF-8, format strings, half a message" local
sl_case long_ones "messages of up to 64 KB" local
sl_case burst "a million messages in a burst, each accounted for" local
sl_case budget "no byte over budget, no memory that grows" local
sl_case examples "the configurations that come with it" local

atf_init_test_cases()
{
	rw_add_cases
}
