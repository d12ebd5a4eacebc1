// SPDX-License-Identifier: BSD-2-Clause
//! From a rule and the anchors around it to ranges that a tree can split and a record that is
//! tested.

use crate::key::Key;
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
#[derive(Clone, Copy)]
pub struct Flat<A> {
    pub rec: Rec<A>,
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

/// What a match asks of each dimension, the rest as flags.
struct Parts<A> {
    ranges: Ranges<A>,
    flags: u16,
    src: (A, A),
    dst: (A, A),
}

/// An address: its range for the tree, the one for the record and flags; `None`: matches nothing.
fn address<A: Key>(m: &AddrMatch, not: u16, table: u16, table_not: u16) -> ((A, A), (A, A), u16) {
    let any = full(SRC);
    // What holds nothing, in a record.
    let never = (A::MAX, A::ZERO);
    match (m.addr, m.not) {
        (Addr::Any, false) => (any, any, 0),
        (Addr::Any, true) => (never, never, 0),
        (Addr::Table(_), n) => (any, any, if n { table | table_not } else { table }),
        (Addr::Range(lo, hi), n) => {
            let range = if lo > hi || lo > A::MAX.wide() {
                never
            } else {
                (A::cut(lo), A::cut(hi.min(A::MAX.wide())))
            };
            if n {
                (any, range, not)
            } else {
                (range, range, 0)
            }
        }
    }
}

fn ports<A: Key>(dim: usize, p: &Ports, not: u16) -> ((A, A), u16) {
    if p.not {
        (full(dim), not)
    } else {
        ((A::from(p.lo), A::from(p.hi)), 0)
    }
}

impl<A: Key> Parts<A> {
    fn new(m: &Match) -> Self {
        let (tree_src, src, src_flags) = address(&m.src, SRC_NOT, SRC_TABLE, SRC_TABLE_NOT);
        let (tree_dst, dst, dst_flags) = address(&m.dst, DST_NOT, DST_TABLE, DST_TABLE_NOT);
        let (sport, sport_flags) = ports(SPORT, &m.sport, SPORT_NOT);
        let (dport, dport_flags) = ports(DPORT, &m.dport, DPORT_NOT);
        let mut flags = src_flags | dst_flags | sport_flags | dport_flags;
        let proto = m.proto.map_or(full(PROTO), |p| (A::from(p), A::from(p)));
        let mark = if m.mark.1 == u32::MAX {
            (A::from(m.mark.0), A::from(m.mark.0))
        } else {
            full(MARK)
        };
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
        Parts {
            ranges: [tree_src, tree_dst, sport, dport, proto, mark],
            flags,
            src,
            dst,
        }
    }

    fn rec(&self, m: &Match) -> Rec<A> {
        let table = |a: Addr| if let Addr::Table(t) = a { t } else { 0 };
        Rec {
            src: self.src,
            dst: self.dst,
            mark: m.mark,
            sport: (m.sport.lo, m.sport.hi),
            dport: (m.dport.lo, m.dport.hi),
            src_table: table(m.src.addr),
            dst_table: table(m.dst.addr),
            ifaces: 0,
            guard: u16::MAX,
            flags: self.flags,
            tcp_flags: m.tcp_flags,
            icmp: m.icmp,
            proto: m.proto.map_or((0, u8::MAX), |p| (p, p)),
            dscp: m.dscp,
            frags: m.frags,
        }
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
pub fn guard<A: Key>(m: &Match) -> Rec<A> {
    let mut rec = Parts::new(m).rec(m);
    // The caller is asked about rules.
    rec.flags &= !MAYBE;
    rec
}

/// A rule with the anchors around it, for one family; `None` when it cannot match there.
pub fn flatten<A: Key>(rule: &Rule, anchors: &[Anchor]) -> Option<Flat<A>> {
    let m = &rule.when;
    let other_family = |m: &Match| m.af.is_some_and(|af| af != A::AF);
    if other_family(m) {
        return None;
    }
    let own = Parts::<A>::new(m);
    let mut flat = Flat {
        rec: own.rec(m),
        ranges: own.ranges,
        bounded: 0,
        ifaces: m.ifaces,
        dirs: dirs(m),
    };
    let mut at = rule.anchor;
    while let Some(anchor) = at.and_then(|a| anchors.get(usize::from(a))) {
        if other_family(&anchor.when) {
            return None;
        }
        let around = Parts::<A>::new(&anchor.when);
        flat.dirs &= dirs(&anchor.when);
        flat.ifaces = flat.ifaces.and(anchor.when.ifaces);
        let flags = around.flags & !MAYBE;
        let mut narrows = 0u16;
        for (dim, (have, more)) in flat.ranges.iter_mut().zip(&around.ranges).enumerate() {
            if *more != full(dim) {
                narrows |= 1 << dim;
            }
            *have = (have.0.max(more.0), have.1.min(more.1));
        }
        // The NOT flags of a record stand at its dimensions' bits.
        let twice = narrows & own.flags & 0xf != 0 || narrows & 1 << MARK != 0 && part_of_mark(m);
        if flags & NOT_RANGES != 0 || twice {
            flat.rec.flags |= GUARD;
        }
        flat.rec.flags |= flags & TRANSPORT;
        at = anchor.parent;
    }
    if flat.rec.flags & GUARD != 0 {
        flat.rec.guard = rule.anchor.unwrap_or(u16::MAX);
    }
    merge(&mut flat);
    let holds = flat.ranges.iter().all(|(lo, hi)| lo <= hi);
    (holds && flat.dirs != 0 && flat.ifaces != IfSet::NONE).then_some(flat)
}

/// Puts the ranges that anchors have narrowed into the record, and notes which are not full.
fn merge<A: Key>(flat: &mut Flat<A>) {
    let port = |(lo, hi): (A, A)| (narrow(lo), narrow(hi));
    let [src, dst, sport, dport, proto, mark] = flat.ranges;
    let rec = &mut flat.rec;
    if rec.flags & SRC_NOT == 0 {
        rec.src = src;
    }
    if rec.flags & DST_NOT == 0 {
        rec.dst = dst;
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
