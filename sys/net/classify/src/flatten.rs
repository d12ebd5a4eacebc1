// SPDX-License-Identifier: BSD-2-Clause
//! From a rule and the anchors around it to ranges that a tree can split and a record that is
//! tested.

use crate::key::Key;
use crate::rec::Addrs;
use crate::rec::DIMS;
use crate::rec::DPORT;
use crate::rec::DPORT_NOT;
use crate::rec::DST;
use crate::rec::DST_NOT;
use crate::rec::DST_TABLE;
use crate::rec::DST_TABLE_NOT;
use crate::rec::EXTRA;
use crate::rec::GUARD;
use crate::rec::MARK;
use crate::rec::MAYBE;
use crate::rec::NOT_RANGES;
use crate::rec::PROTO;
use crate::rec::Rec;
use crate::rec::SPORT;
use crate::rec::SPORT_NOT;
use crate::rec::SRC;
use crate::rec::SRC_NOT;
use crate::rec::SRC_TABLE;
use crate::rec::SRC_TABLE_NOT;
use crate::rec::TRANSPORT;
use crate::rule::Addr;
use crate::rule::AddrMatch;
use crate::rule::Anchor;
use crate::rule::IfSet;
use crate::rule::Match;
use crate::rule::Ports;
use crate::rule::Rule;

/// The ranges of a rule, one a dimension.
pub type Ranges<A> = [(A, A); DIMS];

/// A rule for one family.
pub struct Flat<A> {
    pub addrs: Addrs<A>,
    pub rec: Rec,
    pub ranges: Ranges<A>,
    /// Bits of the dimensions that have not the full range.
    pub bounded: u8,
    pub ifaces: IfSet,
    /// Bits of the directions.
    pub dirs: u8,
}

/// The full range of a dimension.
pub fn full<A: Key>(dim: usize) -> (A, A) {
    let max = match dim {
        SRC | DST => A::MAX,
        SPORT | DPORT => A::from(u16::MAX),
        PROTO => A::from(u8::MAX),
        _ => A::from(u32::MAX),
    };
    (A::ZERO, max)
}

/// The addresses that are named, negated or not.
fn named<A: Key>(m: &AddrMatch) -> (A, A) {
    // What holds nothing, in a record.
    let never = (A::MAX, A::ZERO);
    match m.addr {
        Addr::Any if m.not => never,
        Addr::Any | Addr::Table(_) => full(SRC),
        Addr::Range(lo, hi) if lo > hi || lo > A::MAX.wide() => never,
        Addr::Range(lo, hi) => (A::cut(lo), A::cut(hi.min(A::MAX.wide()))),
    }
}

/// Those that a tree can be asked for.
fn address<A: Key>(m: &AddrMatch) -> (A, A) {
    match m.addr {
        Addr::Range(..) if m.not => full(SRC),
        _ => named(m),
    }
}

fn ports<A: Key>(dim: usize, p: &Ports) -> (A, A) {
    if p.not {
        full(dim)
    } else {
        (A::from(p.lo), A::from(p.hi))
    }
}

/// What a match asks of each dimension, but for what [`flags`] say.
#[inline(never)]
fn ranges<A: Key>(m: &Match) -> Ranges<A> {
    let mark = if m.mark.1 == u32::MAX {
        (A::from(m.mark.0), A::from(m.mark.0))
    } else {
        full(MARK)
    };
    [
        address(&m.src),
        address(&m.dst),
        ports(SPORT, &m.sport),
        ports(DPORT, &m.dport),
        m.proto.map_or(full(PROTO), |p| (A::from(p), A::from(p))),
        mark,
    ]
}

/// What ranges do not say.
fn flags(m: &Match) -> u16 {
    let address = |m: &AddrMatch, not, table, table_not| match (m.addr, m.not) {
        (Addr::Range(..), true) => not,
        (Addr::Table(_), false) => table,
        (Addr::Table(_), true) => table | table_not,
        _ => 0,
    };
    let mut flags = address(&m.src, SRC_NOT, SRC_TABLE, SRC_TABLE_NOT)
        | address(&m.dst, DST_NOT, DST_TABLE, DST_TABLE_NOT);
    if m.sport.not {
        flags |= SPORT_NOT;
    }
    if m.dport.not {
        flags |= DPORT_NOT;
    }
    if m.needs_transport() {
        flags |= TRANSPORT;
    }
    let extra = m.tcp_flags != (0, 0) || m.icmp.is_some() || m.dscp.is_some();
    if extra || m.frags & 7 != 7 || part_of_mark(m) {
        flags |= EXTRA;
    }
    if m.maybe {
        flags |= MAYBE;
    }
    flags
}

fn addrs<A: Key>(m: &Match) -> Addrs<A> {
    Addrs {
        src: named(&m.src),
        dst: named(&m.dst),
    }
}

#[inline(never)]
fn rec(m: &Match) -> Rec {
    let table = |a: Addr| if let Addr::Table(t) = a { t } else { 0 };
    Rec {
        mark: m.mark,
        sport: (m.sport.lo, m.sport.hi),
        dport: (m.dport.lo, m.dport.hi),
        src_table: table(m.src.addr),
        dst_table: table(m.dst.addr),
        ifaces: 0,
        guard: u16::MAX,
        flags: flags(m),
        tcp_flags: m.tcp_flags,
        icmp: m.icmp,
        proto: m.proto.map_or((0, u8::MAX), |p| (p, p)),
        dscp: m.dscp,
        frags: m.frags,
    }
}

/// Whether it asks for some bits of the mark only, which is no range.
fn part_of_mark(m: &Match) -> bool {
    m.mark.1 != u32::MAX && m.mark != (0, 0)
}

fn dirs(m: &Match) -> u8 {
    m.dir.map_or(3, |d| 1 << d as u8)
}

/// The record of an anchor, for what its rules' ranges cannot say.
pub fn guard<A: Key>(m: &Match) -> (Addrs<A>, Rec) {
    let mut rec = rec(m);
    // The caller is asked about rules.
    rec.flags &= !MAYBE;
    (addrs(m), rec)
}

impl<A: Key> Flat<A> {
    /// A rule, for one family.
    #[inline(never)]
    pub fn of(rule: &Rule) -> Self {
        let m = &rule.when;
        Flat {
            addrs: addrs(m),
            rec: rec(m),
            ranges: ranges(m),
            bounded: 0,
            ifaces: m.ifaces,
            dirs: dirs(m),
        }
    }

    /// Adds the anchors around it; false when it cannot match in this family.
    #[inline(never)]
    pub fn put_in(&mut self, rule: &Rule, anchors: &[Anchor]) -> bool {
        let other_family = |m: &Match| m.af.is_some_and(|af| af != A::AF);
        if other_family(&rule.when) {
            return false;
        }
        let own = self.rec.flags;
        let mut at = rule.anchor;
        while let Some(anchor) = at.and_then(|a| anchors.get(usize::from(a))) {
            if other_family(&anchor.when) {
                return false;
            }
            around(self, &rule.when, own, &anchor.when);
            at = anchor.parent;
        }
        if self.rec.flags & GUARD != 0 {
            self.rec.guard = rule.anchor.unwrap_or(u16::MAX);
        }
        merge(self);
        let holds = self.ranges.iter().all(|(lo, hi)| lo <= hi);
        holds && self.dirs != 0 && self.ifaces != IfSet::NONE
    }
}

/// Adds what an anchor asks to what rule `m` does, whose own flags are `own`.
fn around<A: Key>(flat: &mut Flat<A>, m: &Match, own: u16, anchor: &Match) {
    flat.dirs &= dirs(anchor);
    flat.ifaces = flat.ifaces.and(anchor.ifaces);
    let flags = flags(anchor) & !MAYBE;
    let mut narrows = 0u16;
    let more = ranges(anchor);
    for (dim, (have, more)) in flat.ranges.iter_mut().zip(&more).enumerate() {
        if *more != full(dim) {
            narrows |= 1 << dim;
        }
        *have = (have.0.max(more.0), have.1.min(more.1));
    }
    // The NOT flags of a record stand at its dimensions' bits.
    let twice = narrows & own & 0xf != 0 || narrows & 1 << MARK != 0 && part_of_mark(m);
    if flags & NOT_RANGES != 0 || twice {
        flat.rec.flags |= GUARD;
    }
    flat.rec.flags |= flags & TRANSPORT;
}

/// Puts the ranges that anchors have narrowed into the record, and notes which are not full.
fn merge<A: Key>(flat: &mut Flat<A>) {
    let port = |(lo, hi): (A, A)| (narrow(lo), narrow(hi));
    let [src, dst, sport, dport, proto, mark] = flat.ranges;
    let rec = &mut flat.rec;
    if rec.flags & SRC_NOT == 0 {
        flat.addrs.src = src;
    }
    if rec.flags & DST_NOT == 0 {
        flat.addrs.dst = dst;
    }
    if rec.flags & SPORT_NOT == 0 {
        rec.sport = port(sport);
    }
    if rec.flags & DPORT_NOT == 0 {
        rec.dport = port(dport);
    }
    rec.proto = (narrow8(proto.0), narrow8(proto.1));
    for (dim, range) in flat.ranges.iter().enumerate() {
        if *range != full(dim) {
            flat.bounded |= 1 << dim;
        }
    }
    // Only exact marks are ranges of their own. Part of one, with an anchor's, has a guard.
    if mark != full(MARK) && (rec.mark.1 == u32::MAX || rec.mark == (0, 0)) {
        rec.mark = (u32::try_from(mark.0.wide()).unwrap_or(0), u32::MAX);
    }
}

fn narrow<A: Key>(a: A) -> u16 {
    u16::try_from(a.wide()).unwrap_or(u16::MAX)
}

fn narrow8<A: Key>(a: A) -> u8 {
    u8::try_from(a.wide()).unwrap_or(u8::MAX)
}
