#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# syslogctl(8), and what it changes in syslogd.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

sl_case reads "rings as one log, and every filter" ctl
sl_case as_json "JSON" ctl
sl_case several "a message that is in several rings" ctl
sl_case follows "follows two rings, also over a restart" ctl
sl_case cursors "goes on where it was" ctl
sl_case changes "resize and clear" ctl
sl_case says "errors, rights, and their statuses" ctl
sl_case throttled "sources that are held back" ctl
sl_case repeated "the same message again and again" ctl
sl_case tables "tables for people" ctl

atf_init_test_cases()
{
	rw_add_cases
}
