#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# syslogd over UDP and TCP: who sends to it, and to whom it sends.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

sl_case logger_udp "logger(1) over UDP, IPv4 and IPv6" net
sl_case logger_tcp "logger(1) over TCP, both framings" net
sl_case tcp_mixed "both framings on one connection, in pieces, and junk" net
sl_case udp_flood "datagrams faster than they are taken: each is accounted for" net
sl_case many_connections "more connections than there should be" net
for way in udp tcp octets; do
	sl_case "from_rsyslog_$way" "rsyslog sends by $way" net
	sl_case "from_syslog_ng_$way" "syslog-ng sends by $way" net
	sl_case "to_rsyslog_$way" "rsyslog receives by $way" net
	sl_case "to_syslog_ng_$way" "syslog-ng receives by $way" net
done
sl_case dissected "tshark reads what is sent" net
sl_case rfc5424_set "published sets of RFC 5424 messages (SYSLOG_RFC5424_SET)" rfc5424_set

atf_init_test_cases()
{
	rw_add_cases
}
