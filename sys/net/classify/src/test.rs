// SPDX-License-Identifier: BSD-2-Clause
//! One rule against one packet, condition by condition: what the compiled rules must agree with,
//! and what tells people why a rule did not match.

use crate::fields::Fields;
use crate::fields::Frag;
use crate::fields::ICMP;
use crate::fields::ICMPV6;
use crate::fields::TCP;
use crate::rule::Addr;
use crate::rule::AddrMatch;
use crate::rule::Icmp;
use crate::rule::Match;
use crate::rule::Ports;
use crate::tables::Tables;

/// One thing that a rule asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The direction.
    Dir,
    /// The interface.
    Interface,
    /// The address family.
    Family,
    /// The protocol.
    Proto,
    /// The source address.
    Source,
    /// The destination address.
    Destination,
    /// The source port.
    SourcePort,
    /// The destination port.
    DestinationPort,
    /// The TCP flags.
    TcpFlags,
    /// The ICMP type or code.
    Icmp,
    /// The code point.
    Dscp,
    /// Whole or fragment, or that a later fragment does not have what the rule asks for.
    Fragment,
    /// The mark.
    Mark,
}

impl Condition {
    /// Its name in the words of pf.conf(5).
    pub const fn name(self) -> &'static str {
        match self {
            Condition::Dir => "direction",
            Condition::Interface => "interface",
            Condition::Family => "address family",
            Condition::Proto => "protocol",
            Condition::Source => "source address",
            Condition::Destination => "destination address",
            Condition::SourcePort => "source port",
            Condition::DestinationPort => "destination port",
            Condition::TcpFlags => "flags",
            Condition::Icmp => "icmp-type",
            Condition::Dscp => "dscp",
            Condition::Fragment => "fragment",
            Condition::Mark => "mark",
        }
    }
}

impl Ports {
    #[inline]
    pub(crate) fn has(&self, port: u16) -> bool {
        (self.lo <= port && port <= self.hi) != self.not
    }
}

impl Icmp {
    #[inline]
    pub(crate) fn is(self, f: &Fields) -> bool {
        (f.proto == ICMP || f.proto == ICMPV6)
            && f.icmp_type == self.kind
            && self.code.is_none_or(|code| code == f.icmp_code)
    }
}

impl AddrMatch {
    fn has(&self, f: &Fields, addr: u128, tables: &impl Tables) -> bool {
        let found = match self.addr {
            Addr::Any => true,
            Addr::Range(lo, hi) => lo <= addr && addr <= hi,
            Addr::Table(table) => tables.contains(table, f.af, addr),
        };
        found != self.not
    }
}

impl Match {
    /// Whether it asks for something that only a transport header has.
    pub(crate) fn needs_transport(&self) -> bool {
        self.sport != Ports::ANY
            || self.dport != Ports::ANY
            || self.tcp_flags.1 != 0
            || self.icmp.is_some()
    }

    /// The first condition that the packet does not meet; `None`: it matches.
    pub fn miss(&self, f: &Fields, tables: &impl Tables) -> Option<Condition> {
        let flags_meet = f.proto != TCP || f.tcp_flags & self.tcp_flags.1 == self.tcp_flags.0;
        let has_transport = f.frag != Frag::Later || !self.needs_transport();
        let meets = [
            (Condition::Dir, self.dir.is_none_or(|d| d == f.dir)),
            (Condition::Interface, self.ifaces.has(f.iface)),
            (Condition::Family, self.af.is_none_or(|af| af == f.af)),
            (Condition::Proto, self.proto.is_none_or(|p| p == f.proto)),
            (Condition::Source, self.src.has(f, f.src, tables)),
            (Condition::Destination, self.dst.has(f, f.dst, tables)),
            (Condition::SourcePort, self.sport.has(f.sport)),
            (Condition::DestinationPort, self.dport.has(f.dport)),
            (Condition::TcpFlags, flags_meet),
            (Condition::Icmp, self.icmp.is_none_or(|i| i.is(f))),
            (Condition::Dscp, self.dscp.is_none_or(|d| d == f.dscp)),
            (
                Condition::Fragment,
                has_transport && self.frags & f.frag as u8 != 0,
            ),
            (Condition::Mark, f.mark & self.mark.1 == self.mark.0),
        ];
        meets.iter().find(|(_, met)| !met).map(|(what, _)| *what)
    }
}
