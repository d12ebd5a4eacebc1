// SPDX-License-Identifier: BSD-2-Clause
//! Names of protocols, services, ICMP types and codes, DSCPs, timeouts and limits.

use crate::ast::Family;
use iipf_abi::{
    IIPF_ALG_FTP, IIPF_ALG_PPTP, IIPF_ALG_TFTP, IIPF_LIMIT_FORWARDS, IIPF_LIMIT_FRAGS,
    IIPF_LIMIT_MAPPINGS, IIPF_LIMIT_RULES, IIPF_LIMIT_SRC_NODES, IIPF_LIMIT_STATES,
    IIPF_LIMIT_TABLE_ENTRIES, IIPF_LIMIT_TABLES, IIPF_TM_ADAPTIVE_END, IIPF_TM_ADAPTIVE_START,
    IIPF_TM_ESP, IIPF_TM_FRAG, IIPF_TM_GRE, IIPF_TM_ICMP_FIRST, IIPF_TM_ICMP_REPLY,
    IIPF_TM_INTERVAL, IIPF_TM_MAPPING, IIPF_TM_OTHER_FIRST, IIPF_TM_OTHER_MULTIPLE,
    IIPF_TM_OTHER_SINGLE, IIPF_TM_SRC_TRACK, IIPF_TM_TCP_CLOSED, IIPF_TM_TCP_CLOSING,
    IIPF_TM_TCP_ESTABLISHED, IIPF_TM_TCP_FINWAIT, IIPF_TM_TCP_FIRST, IIPF_TM_TCP_OPENING,
    IIPF_TM_UDP_FIRST, IIPF_TM_UDP_MULTIPLE, IIPF_TM_UDP_SINGLE,
};

/// Names and numbers.
pub(crate) type Names<T> = &'static [(&'static str, T)];

/// The number of a name.
pub(crate) fn number<T: Copy>(names: Names<T>, name: &str) -> Option<T> {
    names.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
}

/// The first name of a number.
pub(crate) fn name_of<T: Copy + PartialEq>(names: Names<T>, v: T) -> Option<&'static str> {
    names.iter().find(|(_, n)| *n == v).map(|(n, _)| *n)
}

/// All names, for hints.
pub(crate) fn all<T>(names: Names<T>) -> impl Iterator<Item = &'static str> {
    names.iter().map(|(n, _)| *n)
}

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMP6: u8 = 58;

pub(crate) const PROTOCOLS: Names<u8> = &[
    ("icmp", ICMP),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", TCP),
    ("udp", UDP),
    ("ipv6", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", ICMP6),
    ("ipv6-icmp", ICMP6),
    ("ospf", 89),
    ("etherip", 97),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("carp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

/// What a CPE's rules name; /etc/services is asked for others.
pub(crate) const SERVICES: Names<u16> = &[
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("http", 80),
    ("www", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("auth", 113),
    ("ident", 113),
    ("ntp", 123),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap", 143),
    ("snmp", 161),
    ("snmptrap", 162),
    ("bgp", 179),
    ("ldap", 389),
    ("https", 443),
    ("microsoft-ds", 445),
    ("submissions", 465),
    ("isakmp", 500),
    ("syslog", 514),
    ("dhcpv6-client", 546),
    ("dhcpv6-server", 547),
    ("rtsp", 554),
    ("submission", 587),
    ("ldaps", 636),
    ("domain-s", 853),
    ("imaps", 993),
    ("pop3s", 995),
    ("openvpn", 1194),
    ("l2tp", 1701),
    ("pptp", 1723),
    ("ssdp", 1900),
    ("nfs", 2049),
    ("stun", 3478),
    ("rdp", 3389),
    ("ipsec-nat-t", 4500),
    ("sip", 5060),
    ("sip-tls", 5061),
    ("mdns", 5353),
    ("x11", 6000),
    ("wireguard", 51820),
];

pub(crate) const ICMP_TYPES: Names<u8> = &[
    ("echorep", 0),
    ("unreach", 3),
    ("squench", 4),
    ("redir", 5),
    ("althost", 6),
    ("echoreq", 8),
    ("routeradv", 9),
    ("routersol", 10),
    ("timex", 11),
    ("paramprob", 12),
    ("timereq", 13),
    ("timerep", 14),
    ("inforeq", 15),
    ("inforep", 16),
    ("maskreq", 17),
    ("maskrep", 18),
];

pub(crate) const ICMP6_TYPES: Names<u8> = &[
    ("unreach", 1),
    ("toobig", 2),
    ("timex", 3),
    ("paramprob", 4),
    ("echoreq", 128),
    ("echorep", 129),
    ("groupqry", 130),
    ("listqry", 130),
    ("grouprep", 131),
    ("listenrep", 131),
    ("groupterm", 132),
    ("listendone", 132),
    ("routersol", 133),
    ("routeradv", 134),
    ("neighbrsol", 135),
    ("neighbradv", 136),
    ("redir", 137),
    ("routrrenum", 138),
    ("niqry", 139),
    ("nirep", 140),
    ("mldv2rep", 143),
];

/// Codes with the type that they belong to.
const ICMP_CODES: &[(&str, u8, u8)] = &[
    ("net-unr", 3, 0),
    ("host-unr", 3, 1),
    ("proto-unr", 3, 2),
    ("port-unr", 3, 3),
    ("needfrag", 3, 4),
    ("srcfail", 3, 5),
    ("net-unk", 3, 6),
    ("host-unk", 3, 7),
    ("isolate", 3, 8),
    ("net-prohib", 3, 9),
    ("host-prohib", 3, 10),
    ("net-tos", 3, 11),
    ("host-tos", 3, 12),
    ("filter-prohib", 3, 13),
    ("host-preced", 3, 14),
    ("cutoff-preced", 3, 15),
    ("redir-net", 5, 0),
    ("redir-host", 5, 1),
    ("redir-tos-net", 5, 2),
    ("redir-tos-host", 5, 3),
    ("transit", 11, 0),
    ("reassemb", 11, 1),
    ("badhead", 12, 0),
    ("optmiss", 12, 1),
    ("badlen", 12, 2),
];

const ICMP6_CODES: &[(&str, u8, u8)] = &[
    ("noroute-unr", 1, 0),
    ("admin-unr", 1, 1),
    ("beyond-unr", 1, 2),
    ("addr-unr", 1, 3),
    ("port-unr", 1, 4),
    ("transit", 3, 0),
    ("reassemb", 3, 1),
    ("badhead", 4, 0),
    ("nxthdr", 4, 1),
];

/// Types of a family.
pub(crate) fn icmp_types(af: Family) -> Names<u8> {
    match af {
        Family::V4 => ICMP_TYPES,
        Family::V6 => ICMP6_TYPES,
    }
}

fn icmp_codes(af: Family) -> &'static [(&'static str, u8, u8)] {
    match af {
        Family::V4 => ICMP_CODES,
        Family::V6 => ICMP6_CODES,
    }
}

/// A code by its name.
pub(crate) fn icmp_code(af: Family, kind: u8, name: &str) -> Option<u8> {
    let mut codes = icmp_codes(af).iter();
    codes
        .find(|(n, k, _)| *n == name && *k == kind)
        .map(|(_, _, code)| *code)
}

/// The name of a code.
pub(crate) fn icmp_code_name(af: Family, kind: u8, code: u8) -> Option<&'static str> {
    let mut codes = icmp_codes(af).iter();
    codes
        .find(|(_, k, c)| *k == kind && *c == code)
        .map(|(n, _, _)| *n)
}

pub(crate) const DSCPS: Names<u8> = &[
    ("ef", 46),
    ("va", 44),
    ("le", 1),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("critical", 40),
    ("inetcontrol", 48),
    ("netcontrol", 56),
    // Of the old octet: 0x10, 0x08, 0x04.
    ("lowdelay", 4),
    ("throughput", 2),
    ("reliability", 1),
];

pub(crate) const TIMEOUTS: Names<usize> = &[
    ("tcp.first", IIPF_TM_TCP_FIRST),
    ("tcp.opening", IIPF_TM_TCP_OPENING),
    ("tcp.established", IIPF_TM_TCP_ESTABLISHED),
    ("tcp.closing", IIPF_TM_TCP_CLOSING),
    ("tcp.finwait", IIPF_TM_TCP_FINWAIT),
    ("tcp.closed", IIPF_TM_TCP_CLOSED),
    ("udp.first", IIPF_TM_UDP_FIRST),
    ("udp.single", IIPF_TM_UDP_SINGLE),
    ("udp.multiple", IIPF_TM_UDP_MULTIPLE),
    ("icmp.first", IIPF_TM_ICMP_FIRST),
    ("icmp.reply", IIPF_TM_ICMP_REPLY),
    ("other.first", IIPF_TM_OTHER_FIRST),
    ("other.single", IIPF_TM_OTHER_SINGLE),
    ("other.multiple", IIPF_TM_OTHER_MULTIPLE),
    ("gre", IIPF_TM_GRE),
    ("esp", IIPF_TM_ESP),
    ("frag", IIPF_TM_FRAG),
    ("src.track", IIPF_TM_SRC_TRACK),
    ("nat.mapping", IIPF_TM_MAPPING),
    ("adaptive.start", IIPF_TM_ADAPTIVE_START),
    ("adaptive.end", IIPF_TM_ADAPTIVE_END),
    ("interval", IIPF_TM_INTERVAL),
    // pf's word for what follows an ICMP error.
    ("icmp.error", IIPF_TM_ICMP_REPLY),
];

/// The name of a timeout's number.
#[must_use]
pub fn timeout_name(i: usize) -> Option<&'static str> {
    name_of(TIMEOUTS, i)
}

/// The name of a limit's number.
#[must_use]
pub fn limit_name(i: usize) -> Option<&'static str> {
    name_of(LIMITS, i)
}

/// The name of a protocol's number.
#[must_use]
pub fn protocol_name(proto: u8) -> String {
    name_of(PROTOCOLS, proto).map_or_else(|| proto.to_string(), str::to_owned)
}

/// The number of a protocol's name, or the number that it is.
#[must_use]
pub fn protocol(word: &str) -> Option<u8> {
    number(PROTOCOLS, word).or_else(|| word.parse().ok())
}

/// The port of a service's name, or the number that it is.
#[must_use]
pub fn service(word: &str) -> Option<u16> {
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.parse().ok();
    }
    number(SERVICES, word).or_else(|| {
        let text = std::fs::read_to_string("/etc/services").ok()?;
        text.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let name = words.next()?;
            let port = words.next()?.split('/').next()?.parse().ok()?;
            (name == word || words.any(|alias| alias == word)).then_some(port)
        })
    })
}

pub(crate) const LIMITS: Names<usize> = &[
    ("states", IIPF_LIMIT_STATES),
    ("src-nodes", IIPF_LIMIT_SRC_NODES),
    ("frags", IIPF_LIMIT_FRAGS),
    ("tables", IIPF_LIMIT_TABLES),
    ("table-entries", IIPF_LIMIT_TABLE_ENTRIES),
    ("mappings", IIPF_LIMIT_MAPPINGS),
    ("forwards", IIPF_LIMIT_FORWARDS),
    ("rules", IIPF_LIMIT_RULES),
];

pub(crate) const ALGS: Names<u32> = &[
    ("ftp", IIPF_ALG_FTP),
    ("tftp", IIPF_ALG_TFTP),
    ("pptp", IIPF_ALG_PPTP),
];

/// TCP flags by their letter, from the lowest bit on.
pub(crate) const TCP_FLAGS: &str = "FSRPAUEW";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_is_the_one_shown() {
        assert_eq!(name_of(PROTOCOLS, ICMP6), Some("icmp6"));
        assert_eq!(timeout_name(IIPF_TM_ICMP_REPLY), Some("icmp.reply"));
        assert_eq!(icmp_code(Family::V4, 3, "port-unr"), Some(3));
        assert_eq!(icmp_code(Family::V6, 1, "port-unr"), Some(4));
        assert_eq!(icmp_code(Family::V4, 11, "port-unr"), None);
    }
}
