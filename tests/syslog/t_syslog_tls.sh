#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# syslogd over TLS (RFC 5425).

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

sl_case s_client "openssl: versions, certificates of clients, strangers" tls
sl_case verify_off "nobody is asked for a certificate" tls
sl_case from_rsyslog_tls "rsyslog sends" tls
sl_case from_syslog_ng_tls "syslog-ng sends" tls
sl_case to_rsyslog_tls "rsyslog receives" tls
sl_case to_syslog_ng_tls "syslog-ng receives" tls
sl_case to_impostor "a server with a certificate of nobody's gets nothing" tls

atf_init_test_cases()
{
	rw_add_cases
}
