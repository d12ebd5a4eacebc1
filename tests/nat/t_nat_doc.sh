#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# docs/RFC-NAT.md says which test shows what: none is missing.

atf_test_case rfc_table
rfc_table_head()
{
	atf_set descr "every MUST has a test, every test named there is one"
	atf_set require.progs "python3 atf-sh"
}
rfc_table_body()
{
	dir=$(cd "$(atf_get_srcdir)" && pwd -P)
	PYTHONDONTWRITEBYTECODE=1 python3 "$dir/rfc_table.py" "$dir/../../docs/RFC-NAT.md" "$dir" >out ||
	    atf_fail "$(head -n 5 out)"
	cat out
}

atf_init_test_cases()
{
	atf_add_test_case rfc_table
}
