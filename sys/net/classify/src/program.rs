// SPDX-License-Identifier: BSD-2-Clause
//! The compiled rules of one family: records by rank, and a tree for each direction and class of
//! interfaces.

use kern::cx::MaySleep;
use kern::mem::KVec;

use crate::build::Builder;
use crate::build::exact;
use crate::classes::Classes;
use crate::error::Refused;
use crate::fields::Fields;
use crate::fields::Frag;
use crate::flatten::Flat;
use crate::flatten::Ranges;
use crate::flatten::flatten;
use crate::flatten::guard;
use crate::key::Key;
use crate::rec::GUARD;
use crate::rec::IFACE;
use crate::rec::MAYBE;
use crate::rec::NOT_RANGES;
use crate::rec::Point;
use crate::rec::Rec;
use crate::rec::TRANSPORT_DIMS;
use crate::rule::Anchor;
use crate::rule::IfSet;
use crate::rule::Rule;
use crate::sweep::Rules;
use crate::sweep::TESTED;
use crate::tables::Tables;
use crate::tree::Branch;
use crate::tree::Forest;
use crate::tree::NOTHING;

/// A rule that is in more classes than this is in the tree that all share, if too many are.
const OWN: usize = 4;
/// Too many: this many times the rules.
const COPIES: usize = 8;

/// The rules of one family, in an order of which the first match decides.
pub struct Program<A> {
    recs: KVec<Rec<A>>,
    /// Numbers of the rules, by rank.
    numbers: KVec<u32>,
    /// Anchors whose conditions are not all in the rules' ranges; by number, with their parents.
    guards: KVec<(Rec<A>, Option<u16>)>,
    sets: KVec<IfSet>,
    forest: Forest<A>,
    /// By class, then direction.
    roots: KVec<[Branch; 2]>,
    /// Of rules in many classes.
    shared: [Branch; 2],
}

/// The rules of a family while they are compiled.
struct Parts<A> {
    flats: KVec<Flat<A>>,
    numbers: KVec<u32>,
    guarded: bool,
}

fn parts<A: Key, C: MaySleep>(
    cx: &mut C,
    rules: &[Rule],
    anchors: &[Anchor],
    order: &[u32],
) -> Result<Parts<A>, Refused> {
    let mut parts = Parts {
        flats: KVec::new(),
        numbers: KVec::new(),
        guarded: false,
    };
    for &number in order {
        let Some(rule) = rules.get(number as usize) else {
            continue;
        };
        if let Some(flat) = flatten::<A>(rule, anchors) {
            parts.guarded |= flat.rec.flags & GUARD != 0;
            parts.flats.push(cx, flat)?;
            parts.numbers.push(cx, number)?;
        }
    }
    Ok(parts)
}

impl<A: Key> Program<A> {
    /// Compiles the rules whose numbers are in `order`. With `all`, every match can be found, not
    /// only the first.
    pub fn build<C: MaySleep>(
        cx: &mut C,
        rules: &[Rule],
        anchors: &[Anchor],
        order: &[u32],
        all: bool,
        most_bytes: usize,
    ) -> Result<Self, Refused> {
        let Parts {
            mut flats,
            numbers,
            guarded,
        } = parts::<A, C>(cx, rules, anchors, order)?;
        let mut sets = KVec::with_capacity(cx, flats.len())?;
        for flat in flats.iter() {
            sets.push(cx, flat.ifaces)?;
        }
        let classes = Classes::of(cx, &mut sets)?;
        let spread: usize = flats.iter().map(|f| classes.spread(&f.ifaces)).sum();
        let share = spread > flats.len().saturating_mul(COPIES);
        let is_shared =
            |f: &Flat<A>| share && f.ifaces != IfSet::NONE && classes.spread(&f.ifaces) > OWN;
        for flat in flats.iter_mut() {
            if is_shared(flat) && flat.ifaces != IfSet::ANY {
                flat.rec.flags |= IFACE;
                let at = sets.binary_search(&flat.ifaces).unwrap_or(0);
                flat.rec.ifaces = u16::try_from(at).unwrap_or(0);
            }
        }
        let mut ranges: KVec<Ranges<A>> = KVec::with_capacity(cx, flats.len())?;
        let mut bounded = KVec::with_capacity(cx, flats.len())?;
        for flat in flats.iter() {
            ranges.push(cx, flat.ranges)?;
            let tested = flat.rec.flags & NOT_RANGES != 0;
            bounded.push(cx, flat.bounded | if tested { TESTED } else { 0 })?;
        }
        let of = Rules {
            ranges: &ranges,
            bounded: &bounded,
            all,
        };
        let mut builder = Builder::new(cx, of, most_bytes)?;
        let mut made = Made::new(cx, flats.len())?;
        let mut shared = [NOTHING; 2];
        for (dir, root) in shared.iter_mut().enumerate() {
            *root = made.tree(cx, &mut builder, &flats, |f| {
                f.dirs >> dir & 1 != 0 && is_shared(f)
            })?;
        }
        let mut roots = KVec::with_capacity(cx, classes.slots().len())?;
        for &slot in classes.slots() {
            let mut pair = [NOTHING; 2];
            for (dir, root) in pair.iter_mut().enumerate() {
                *root = made.tree(cx, &mut builder, &flats, |f| {
                    f.dirs >> dir & 1 != 0 && f.ifaces.has(slot) && !is_shared(f)
                })?;
            }
            roots.push(cx, pair)?;
        }
        let forest = builder.finish(cx)?;
        let mut recs = KVec::with_capacity(cx, flats.len())?;
        for flat in flats.iter() {
            recs.push(cx, flat.rec)?;
        }
        let guarding = if guarded { anchors } else { &[] };
        let mut guards = KVec::with_capacity(cx, guarding.len())?;
        for anchor in guarding {
            guards.push(cx, (guard(&anchor.when), anchor.parent))?;
        }
        if !share {
            sets.truncate(0);
        }
        Ok(Program {
            recs,
            numbers: exact(cx, numbers)?,
            guards,
            sets: exact(cx, sets)?,
            forest,
            roots: classes.by_slot(cx, &roots)?,
            shared,
        })
    }

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
            .search([own, shared], &point, present, floor, |rank| {
                let Some(rec) = self.recs.get(rank as usize) else {
                    return false;
                };
                rec.meets(&point, f, tables)
                    && (rec.flags & (IFACE | GUARD | MAYBE) == 0
                        || self.meets_more(rec, rank, &point, f, tables, &mut accept))
            });
        let number = self.numbers.get(rank as usize)?;
        Some((*number, rank))
    }

    /// The rare conditions.
    #[inline(never)]
    fn meets_more(
        &self,
        rec: &Rec<A>,
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
                let Some((guard, parent)) = self.guards.get(usize::from(a)) else {
                    return false;
                };
                if !guard.meets(point, f, tables) {
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
        self.forest.bytes()
            + size_of_val::<[_]>(&self.recs)
            + size_of_val::<[_]>(&self.numbers)
            + size_of_val::<[_]>(&self.guards)
            + size_of_val::<[_]>(&self.sets)
            + size_of_val::<[_]>(&self.roots)
    }
}

/// Trees that were made, so that the same list of rules makes one only.
struct Made {
    list: KVec<u32>,
    last: KVec<u32>,
    root: Branch,
}

impl Made {
    fn new<C: MaySleep>(cx: &mut C, n: usize) -> Result<Self, Refused> {
        Ok(Made {
            list: KVec::with_capacity(cx, n)?,
            last: KVec::with_capacity(cx, n)?,
            root: NOTHING,
        })
    }

    /// The tree of the rules that `wanted` picks.
    fn tree<A: Key, C: MaySleep>(
        &mut self,
        cx: &mut C,
        builder: &mut Builder<'_, A>,
        flats: &[Flat<A>],
        wanted: impl Fn(&Flat<A>) -> bool,
    ) -> Result<Branch, Refused> {
        self.list.truncate(0);
        for (rank, flat) in (0u32..).zip(flats) {
            if wanted(flat) {
                self.list.push(cx, rank)?;
            }
        }
        if self.list.is_empty() {
            return Ok(NOTHING);
        }
        // Most rules name no direction, so both have the same.
        if *self.list != *self.last {
            self.root = builder.tree(cx, &self.list)?;
            core::mem::swap(&mut self.list, &mut self.last);
        }
        Ok(self.root)
    }
}
