// SPDX-License-Identifier: BSD-2-Clause
//! A rule as the packet path tests it: the addresses, and the rest of it.
//!
//! They are apart since most trees split by address first: then only the rest is looked at.

use crate::fields::Fields;
use crate::fields::Frag;
use crate::fields::TCP;
use crate::key::Key;
use crate::rule::Icmp;
use crate::tables::Tables;

/// The dimensions that trees split on.
pub const SRC: usize = 0;
pub const DST: usize = 1;
pub const SPORT: usize = 2;
pub const DPORT: usize = 3;
pub const PROTO: usize = 4;
pub const MARK: usize = 5;
pub const DIMS: usize = 6;

/// What a tree is asked about: the values of the dimensions, and two that make indexing simple.
pub type Point<A> = [A; 8];

/// Bits of the dimensions that a later fragment does not have.
pub const TRANSPORT_DIMS: u8 = 1 << SPORT | 1 << DPORT;

pub const SRC_NOT: u16 = 1;
pub const DST_NOT: u16 = 1 << 1;
pub const SPORT_NOT: u16 = 1 << 2;
pub const DPORT_NOT: u16 = 1 << 3;
pub const SRC_TABLE: u16 = 1 << 4;
pub const SRC_TABLE_NOT: u16 = 1 << 5;
pub const DST_TABLE: u16 = 1 << 6;
pub const DST_TABLE_NOT: u16 = 1 << 7;
/// Later fragments do not match.
pub const TRANSPORT: u16 = 1 << 8;
/// Flags, ICMP, code point, fragment or part of the mark matter.
pub const EXTRA: u16 = 1 << 9;
/// The set of interfaces is to be looked at: the tree is not of one class of them.
pub const IFACE: u16 = 1 << 10;
/// The anchors around are to be tested.
pub const GUARD: u16 = 1 << 11;
/// The caller is to be asked.
pub const MAYBE: u16 = 1 << 12;
/// What does not follow from a rule's ranges.
pub const NOT_RANGES: u16 = !TRANSPORT;
/// What is tested behind the ranges.
const BEHIND: u16 = !(SRC_NOT | DST_NOT | SPORT_NOT | DPORT_NOT | MAYBE);

/// The addresses of a rule.
#[derive(Clone, Copy)]
pub struct Addrs<A> {
    pub src: (A, A),
    pub dst: (A, A),
}

/// The rest of a rule.
#[derive(Clone, Copy)]
pub struct Rec {
    pub mark: (u32, u32),
    pub sport: (u16, u16),
    pub dport: (u16, u16),
    pub src_table: u16,
    pub dst_table: u16,
    /// Its set of interfaces, by its place in the list of sets.
    pub ifaces: u16,
    /// The innermost anchor.
    pub guard: u16,
    pub flags: u16,
    pub tcp_flags: (u8, u8),
    pub icmp: Option<Icmp>,
    pub proto: (u8, u8),
    pub dscp: Option<u8>,
    pub frags: u8,
}

#[inline]
fn within<T: PartialOrd>(range: &(T, T), value: &T) -> bool {
    range.0 <= *value && *value <= range.1
}

impl<A: Key> Addrs<A> {
    /// Whether the packet meets them; `flags` are the rule's.
    #[inline]
    pub fn meet(&self, flags: u16, point: &Point<A>) -> bool {
        let [src, dst, ..] = point;
        within(&self.src, src) != (flags & SRC_NOT != 0)
            && within(&self.dst, dst) != (flags & DST_NOT != 0)
    }
}

impl Rec {
    /// Whether the packet meets all but the ranges of addresses, the set of interfaces, the guards
    /// and the caller.
    #[inline]
    pub fn meets(&self, f: &Fields, tables: &impl Tables) -> bool {
        let flags = self.flags;
        within(&self.dport, &f.dport) != (flags & DPORT_NOT != 0)
            && within(&self.sport, &f.sport) != (flags & SPORT_NOT != 0)
            && within(&self.proto, &f.proto)
            && f.mark & self.mark.1 == self.mark.0
            && (flags & BEHIND == 0 || self.meets_rest(f, tables))
    }

    fn meets_rest(&self, f: &Fields, tables: &impl Tables) -> bool {
        let flags = self.flags;
        if flags & TRANSPORT != 0 && f.frag == Frag::Later {
            return false;
        }
        if flags & EXTRA != 0 {
            let met = (f.proto != TCP || f.tcp_flags & self.tcp_flags.1 == self.tcp_flags.0)
                && self.icmp.is_none_or(|i| i.is(f))
                && self.dscp.is_none_or(|d| d == f.dscp)
                && self.frags & f.frag as u8 != 0;
            if !met {
                return false;
            }
        }
        // Last, since it costs most.
        let has = |table: u16, addr: u128, not: u16| {
            tables.contains(table, f.af, addr) != (flags & not != 0)
        };
        (flags & SRC_TABLE == 0 || has(self.src_table, f.src, SRC_TABLE_NOT))
            && (flags & DST_TABLE == 0 || has(self.dst_table, f.dst, DST_TABLE_NOT))
    }
}

/// An entry is a rank in these bits.
pub const RANK: u32 = MET - 1;
/// With this bit, whoever comes here has met all that the rule asks.
pub const SURE: u32 = 1 << 29;
/// With this one, all ranges of addresses.
pub const MET: u32 = 1 << 28;
