// SPDX-License-Identifier: BSD-2-Clause
//! The compiled rules of one family: records by rank, and a tree for each direction and class of
//! interfaces.

use kern::mem::KVec;

use crate::fields::Fields;
use crate::fields::Frag;
use crate::key::Key;
use crate::rec::Addrs;
use crate::rec::DST_NOT;
use crate::rec::GUARD;
use crate::rec::IFACE;
use crate::rec::MAYBE;
use crate::rec::MET;
use crate::rec::Point;
use crate::rec::RANK;
use crate::rec::Rec;
use crate::rec::SRC_NOT;
use crate::rec::TRANSPORT_DIMS;
use crate::rule::IfSet;
use crate::tables::Tables;
use crate::tree::Branch;
use crate::tree::Forest;
use crate::tree::NOTHING;

/// The rules of one family, in an order of which the first match decides.
pub struct Program<A> {
    pub addrs: KVec<Addrs<A>>,
    pub recs: KVec<Rec>,
    /// Numbers of the rules, by rank.
    pub numbers: KVec<u32>,
    /// Anchors whose conditions are not all in the rules' ranges; by number, with their parents.
    pub guards: KVec<(Addrs<A>, Rec, Option<u16>)>,
    pub sets: KVec<IfSet>,
    pub forest: Forest<A>,
    /// By class, then direction.
    pub roots: KVec<[Branch; 2]>,
    /// Of rules in many classes.
    pub shared: [Branch; 2],
}

impl<A: Key> Program<A> {
    /// No rules.
    pub const EMPTY: Self = Program {
        addrs: KVec::new(),
        recs: KVec::new(),
        numbers: KVec::new(),
        guards: KVec::new(),
        sets: KVec::new(),
        forest: Forest::new(),
        roots: KVec::new(),
        shared: [NOTHING; 2],
    };

    /// The number of the rule of the lowest rank from `floor` on that matches, and that rank.
    #[inline]
    pub fn find(
        &self,
        f: &Fields,
        tables: &impl Tables,
        floor: u32,
        mut accept: impl FnMut(u32) -> bool,
    ) -> Option<(u32, u32)> {
        let dir = usize::from(f.dir as u8 & 1);
        let roots = self.roots.get(usize::from(f.iface));
        let own = roots.and_then(|r| r.get(dir)).copied().unwrap_or(NOTHING);
        let shared = self.shared.get(dir).copied().unwrap_or(NOTHING);
        let point: Point<A> = [
            A::cut(f.src),
            A::cut(f.dst),
            A::from(f.sport),
            A::from(f.dport),
            A::from(f.proto),
            A::from(f.mark),
            A::ZERO,
            A::ZERO,
        ];
        let present = match f.frag {
            Frag::Later => !TRANSPORT_DIMS,
            _ => u8::MAX,
        };
        let rank = self
            .forest
            .search([own, shared], &point, present, floor, |entry| {
                let rank = entry & RANK;
                let Some(rec) = self.recs.get(rank as usize) else {
                    return false;
                };
                // A tree does not know of addresses that are excepted.
                let met = entry & MET != 0 && rec.flags & (SRC_NOT | DST_NOT) == 0;
                (met || self.at(rank, rec, &point))
                    && rec.meets(f, tables)
                    && (rec.flags & (IFACE | GUARD | MAYBE) == 0
                        || self.meets_more(rec, rank, &point, f, tables, &mut accept))
            });
        let number = self.numbers.get(rank as usize)?;
        Some((*number, rank))
    }

    #[inline]
    fn at(&self, rank: u32, rec: &Rec, point: &Point<A>) -> bool {
        let addrs = self.addrs.get(rank as usize);
        addrs.is_some_and(|a| a.meet(rec.flags, point))
    }

    /// Calls `each` with the number of every rule that matches, in order, up to rule `stop`.
    #[inline]
    pub fn each(&self, f: &Fields, tables: &impl Tables, stop: u32, mut each: impl FnMut(u32)) {
        let mut floor = 0;
        while let Some((number, rank)) = self.find(f, tables, floor, |_| true) {
            if number >= stop {
                break;
            }
            each(number);
            floor = rank + 1;
        }
    }

    /// The rare conditions.
    #[inline(never)]
    fn meets_more(
        &self,
        rec: &Rec,
        rank: u32,
        point: &Point<A>,
        f: &Fields,
        tables: &impl Tables,
        accept: &mut impl FnMut(u32) -> bool,
    ) -> bool {
        if rec.flags & IFACE != 0 {
            let set = self.sets.get(usize::from(rec.ifaces));
            if !set.is_some_and(|s| s.has(f.iface)) {
                return false;
            }
        }
        if rec.flags & GUARD != 0 {
            let mut at = Some(rec.guard);
            while let Some(a) = at {
                let Some((addrs, guard, parent)) = self.guards.get(usize::from(a)) else {
                    return false;
                };
                if !addrs.meet(guard.flags, point) || !guard.meets(f, tables) {
                    return false;
                }
                at = *parent;
            }
        }
        rec.flags & MAYBE == 0
            || self
                .numbers
                .get(rank as usize)
                .is_some_and(|number| accept(*number))
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.forest.bytes()
            + size_of_val::<[_]>(&self.addrs)
            + size_of_val::<[_]>(&self.recs)
            + size_of_val::<[_]>(&self.numbers)
            + size_of_val::<[_]>(&self.guards)
            + size_of_val::<[_]>(&self.sets)
            + size_of_val::<[_]>(&self.roots)
    }
}
