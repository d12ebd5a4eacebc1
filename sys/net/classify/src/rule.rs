// SPDX-License-Identifier: BSD-2-Clause
//! Rules: what each asks of a packet, and what it means that it matches.

use crate::fields::Af;
use crate::fields::Dir;

/// A set of interface slots, which the owner of the rules gives out: 0 to 254 for interfaces and
/// groups of them that rules tell apart, 255 for all that no rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IfSet([u64; 4]);

impl IfSet {
    /// Every interface.
    pub const ANY: IfSet = IfSet([u64::MAX; 4]);
    /// None.
    pub const NONE: IfSet = IfSet([0; 4]);

    /// Just `slot`.
    pub const fn one(slot: u8) -> Self {
        Self::NONE.with(slot)
    }

    /// These and `slot`.
    #[must_use]
    pub const fn with(self, slot: u8) -> Self {
        let [a, b, c, d] = self.0;
        let bit = 1 << (slot & 63);
        IfSet(match slot >> 6 {
            0 => [a | bit, b, c, d],
            1 => [a, b | bit, c, d],
            2 => [a, b, c | bit, d],
            _ => [a, b, c, d | bit],
        })
    }

    /// All others: `on ! em0`.
    #[must_use]
    pub const fn not(self) -> Self {
        let [a, b, c, d] = self.0;
        IfSet([!a, !b, !c, !d])
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        IfSet([a & e, b & f, c & g, d & h])
    }

    /// Whether `slot` is in it.
    #[inline]
    pub const fn has(&self, slot: u8) -> bool {
        let [a, b, c, d] = self.0;
        let word = match slot >> 6 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        };
        word >> (slot & 63) & 1 != 0
    }
}

/// An address, as a rule has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addr {
    /// Any.
    Any,
    /// From the first to the second, both included; a prefix is one.
    Range(u128, u128),
    /// What a table has, by the table's number.
    Table(u16),
}

impl Addr {
    /// The addresses of a prefix; bits behind it do not count. A prefix that is longer than its
    /// family's addresses is taken for one address.
    pub const fn prefix(af: Af, addr: u128, len: u8) -> Self {
        let bits: u32 = match af {
            Af::V4 => 32,
            Af::V6 => 128,
        };
        let host = bits.saturating_sub(len as u32);
        let mask = match 1u128.checked_shl(host) {
            Some(over) => over.wrapping_sub(1),
            None => u128::MAX,
        };
        Addr::Range(addr & !mask, addr | mask)
    }
}

/// An address of a rule, or all but it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddrMatch {
    /// Which.
    pub addr: Addr,
    /// All others: `from ! 10.0.0.0/8`. `! any` matches nothing.
    pub not: bool,
}

impl AddrMatch {
    /// Any address.
    pub const ANY: AddrMatch = AddrMatch {
        addr: Addr::Any,
        not: false,
    };
}

/// Ports of a rule, both ends included, or all but them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Lowest.
    pub lo: u16,
    /// Highest.
    pub hi: u16,
    /// All others.
    pub not: bool,
}

impl Ports {
    /// Any port, or none at all: the only `Ports` that matches a later fragment.
    pub const ANY: Ports = Ports {
        lo: 0,
        hi: u16::MAX,
        not: false,
    };

    /// One port.
    pub const fn one(port: u16) -> Self {
        Ports {
            lo: port,
            hi: port,
            not: false,
        }
    }
}

/// ICMP type and code of a rule. Matches ICMP and ICMPv6 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code, where it matters.
    pub code: Option<u8>,
}

/// What a rule asks of a packet; all of it must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Source address. A range or `None` family with it is the caller's to make sense of: without
    /// `af` an address range is compared with the addresses of both families.
    pub src: AddrMatch,
    /// Destination address.
    pub dst: AddrMatch,
    /// Interfaces.
    pub ifaces: IfSet,
    /// Value and mask of the packet's mark.
    pub mark: (u32, u32),
    /// Source ports. Give a protocol with them.
    pub sport: Ports,
    /// Destination ports.
    pub dport: Ports,
    /// TCP flags: those of the second set, of which exactly those of the first are set. TCP only:
    /// other protocols match, as with pf.
    pub tcp_flags: (u8, u8),
    /// ICMP type and code.
    pub icmp: Option<Icmp>,
    /// Direction.
    pub dir: Option<Dir>,
    /// Address family.
    pub af: Option<Af>,
    /// Protocol.
    pub proto: Option<u8>,
    /// Differentiated services code point.
    pub dscp: Option<u8>,
    /// The kinds of [`Frag`](crate::Frag) that match, or-ed.
    pub frags: u8,
    /// The caller has conditions of its own (a probability, a limit) and may turn this rule down
    /// in [`Classifier::first_where`](crate::Classifier::first_where).
    pub maybe: bool,
}

impl Match {
    /// What matches every packet.
    pub const ANY: Match = Match {
        src: AddrMatch::ANY,
        dst: AddrMatch::ANY,
        ifaces: IfSet::ANY,
        mark: (0, 0),
        sport: Ports::ANY,
        dport: Ports::ANY,
        tcp_flags: (0, 0),
        icmp: None,
        dir: None,
        af: None,
        proto: None,
        dscp: None,
        frags: 7,
        maybe: false,
    };
}

/// What it means that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It decides unless a later one does.
    Last,
    /// It decides, at once.
    Quick,
    /// It decides nothing and is reported on the way: `match`.
    Note,
}

/// One rule. Its number is its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it asks.
    pub when: Match,
    /// What a match means.
    pub kind: Kind,
    /// The innermost anchor that it stands in, by its place in the list of anchors.
    pub anchor: Option<u16>,
}

/// An anchor: rules under conditions of their own. The rules of an anchor and of those within it
/// stand together in the list of rules; an anchor that is called twice is two anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// What a packet must have to get into it.
    pub when: Match,
    /// When a rule in it has matched, nothing behind the anchor is looked at.
    pub quick: bool,
    /// The anchor around it; stands before it in the list of anchors.
    pub parent: Option<u16>,
}
