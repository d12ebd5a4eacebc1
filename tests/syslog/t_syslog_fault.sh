#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# syslogd when things go wrong.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

sl_case kill_random "killed at random moments: rings are whole" fault
sl_case restart "ended and started: what keep= says" fault
sl_case damaged "ring files that are damaged" fault
sl_case disk_full "a full disk, and room again" fault
sl_case remote_back "a remote host that dies and comes back" fault
sl_case stalled_reader "a reader that stalls" fault
sl_case rude_readers "requests that are none, readers that go" fault

atf_init_test_cases()
{
	rw_add_cases
}
