// SPDX-License-Identifier: BSD-2-Clause
//! Compiles the rules of one family.
//!
//! A kernel's stack is small, and optimisers like to put all that one caller calls into one frame:
//! hence the steps that are not to be inlined, and what is large in memory of its own.

use kern::cx::MaySleep;
use kern::mem::KBox;
use kern::mem::KVec;

use crate::build::Builder;
use crate::classes::Classes;
use crate::error::Refused;
use crate::flatten::Flat;
use crate::flatten::Ranges;
use crate::flatten::guard;
use crate::key::Key;
use crate::program::Program;
use crate::rec::GUARD;
use crate::rec::IFACE;
use crate::rec::NOT_RANGES;
use crate::rec::Rec;
use crate::rule::Anchor;
use crate::rule::IfSet;
use crate::rule::Rule;
use crate::search::trim;
use crate::sweep::Rules;
use crate::sweep::TESTED;
use crate::tree::Branch;
use crate::tree::NOTHING;

/// A rule that is in more classes than this is in the tree that all share, if too many are.
const OWN: usize = 4;
/// Too many: this many times the rules.
const COPIES: usize = 8;

/// Where a rule's trees are.
#[derive(Clone, Copy)]
struct Place {
    ifaces: IfSet,
    /// Bits of the directions.
    dirs: u8,
    /// In the tree that all classes share.
    shared: bool,
}

/// What of the rules only those who compile look at, by rank.
struct Parts<A> {
    ranges: KVec<Ranges<A>>,
    bounded: KVec<u8>,
    places: KVec<Place>,
}

/// What is compiled.
pub struct Source<'r> {
    pub rules: &'r [Rule],
    pub anchors: &'r [Anchor],
    /// The numbers of those that count, best first.
    pub order: &'r [u32],
    /// Every match can be found, not only the first.
    pub all: bool,
    pub most_bytes: usize,
}

impl Source<'_> {
    /// Compiles; `None` where no rule can match.
    #[inline(never)]
    pub fn program<A: Key, C: MaySleep>(
        &self,
        cx: &mut C,
    ) -> Result<Option<KBox<Program<A>>>, Refused> {
        let mut program = KBox::new(cx, Program::EMPTY)?;
        let mut parts = Parts {
            ranges: KVec::new(),
            bounded: KVec::new(),
            places: KVec::new(),
        };
        for &number in self.order {
            self.add(cx, number, &mut program, &mut parts)?;
        }
        if program.recs.is_empty() {
            return Ok(None);
        }
        let classes = self.classes(cx, &mut program, &mut parts)?;
        self.trees(cx, &parts, &classes, &mut program)?;
        self.guards(cx, &mut program)?;
        trim(cx, &mut program.addrs)?;
        trim(cx, &mut program.recs)?;
        trim(cx, &mut program.numbers)?;
        trim(cx, &mut program.sets)?;
        program.forest.trim(cx)?;
        Ok(Some(program))
    }

    /// Adds a rule.
    #[inline(never)]
    fn add<A: Key, C: MaySleep>(
        &self,
        cx: &mut C,
        number: u32,
        program: &mut Program<A>,
        parts: &mut Parts<A>,
    ) -> Result<(), Refused> {
        let Some(rule) = self.rules.get(number as usize) else {
            return Ok(());
        };
        let mut flat = Flat::<A>::of(rule);
        if !flat.put_in(rule, self.anchors) {
            return Ok(());
        }
        let tested = flat.rec.flags & NOT_RANGES != 0;
        let tested = if tested { TESTED } else { 0 };
        let place = Place {
            ifaces: flat.ifaces,
            dirs: flat.dirs,
            shared: false,
        };
        program.numbers.push(cx, number)?;
        program.addrs.push(cx, flat.addrs)?;
        program.recs.push(cx, flat.rec)?;
        parts.ranges.push(cx, flat.ranges)?;
        parts.bounded.push(cx, flat.bounded | tested)?;
        parts.places.push(cx, place)?;
        Ok(())
    }

    /// The classes of interfaces, and which rules they share.
    #[inline(never)]
    fn classes<A: Key, C: MaySleep>(
        &self,
        cx: &mut C,
        program: &mut Program<A>,
        parts: &mut Parts<A>,
    ) -> Result<Classes, Refused> {
        let mut sets = KVec::with_capacity(cx, parts.places.len())?;
        for place in parts.places.iter() {
            sets.push(cx, place.ifaces)?;
        }
        let classes = Classes::of(cx, &mut sets)?;
        if parts.share(&classes, &sets, &mut program.recs) {
            program.sets = sets;
        }
        Ok(classes)
    }

    /// The anchors that are tested.
    #[inline(never)]
    fn guards<A: Key, C: MaySleep>(
        &self,
        cx: &mut C,
        program: &mut Program<A>,
    ) -> Result<(), Refused> {
        if program.recs.iter().any(|rec| rec.flags & GUARD != 0) {
            program.guards = KVec::with_capacity(cx, self.anchors.len())?;
            for anchor in self.anchors {
                let (addrs, rec) = guard(&anchor.when);
                program.guards.push(cx, (addrs, rec, anchor.parent))?;
            }
        }
        Ok(())
    }

    /// The trees of each class of interfaces.
    #[inline(never)]
    fn trees<A: Key, C: MaySleep>(
        &self,
        cx: &mut C,
        parts: &Parts<A>,
        classes: &Classes,
        program: &mut Program<A>,
    ) -> Result<(), Refused> {
        let of = Rules {
            ranges: &parts.ranges,
            bounded: &parts.bounded,
            all: self.all,
        };
        let mut builder = Builder::new(cx, of, &mut program.forest, self.most_bytes)?;
        let mut made = Made::new(cx, parts.places.len())?;
        let places = &parts.places;
        program.shared = made.pair(cx, &mut builder, places, |p| p.shared)?;
        let mut roots = KVec::with_capacity(cx, classes.slots().len())?;
        for &slot in classes.slots() {
            let wanted = |p: &Place| !p.shared && p.ifaces.has(slot);
            let pair = made.pair(cx, &mut builder, places, wanted)?;
            roots.push(cx, pair)?;
        }
        program.roots = classes.by_slot(cx, &roots)?;
        Ok(())
    }
}

impl<A: Key> Parts<A> {
    /// Where rules are in so many classes that the trees of each would be too many: says which are
    /// shared, and has their sets tested. Whether there are any.
    fn share(&mut self, classes: &Classes, sets: &[IfSet], recs: &mut [Rec]) -> bool {
        let spread = |p: &Place| classes.spread(&p.ifaces);
        let all: usize = self.places.iter().map(spread).sum();
        if all <= self.places.len().saturating_mul(COPIES) {
            return false;
        }
        let of = self.places.iter_mut().zip(recs);
        for ((place, rec), bounded) in of.zip(self.bounded.iter_mut()) {
            place.shared = classes.spread(&place.ifaces) > OWN;
            if place.shared && place.ifaces != IfSet::ANY {
                rec.flags |= IFACE;
                let at = sets.binary_search(&place.ifaces).unwrap_or(0);
                rec.ifaces = u16::try_from(at).unwrap_or(0);
                *bounded |= TESTED;
            }
        }
        true
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

    /// The trees of the rules that `wanted` picks, for each direction.
    #[inline(never)]
    fn pair<A: Key, C: MaySleep>(
        &mut self,
        cx: &mut C,
        builder: &mut Builder<'_, A>,
        places: &[Place],
        wanted: impl Fn(&Place) -> bool,
    ) -> Result<[Branch; 2], Refused> {
        let mut pair = [NOTHING; 2];
        for (dir, root) in pair.iter_mut().enumerate() {
            self.list.truncate(0);
            for (rank, place) in (0u32..).zip(places) {
                if place.dirs >> dir & 1 != 0 && wanted(place) {
                    self.list.push(cx, rank)?;
                }
            }
            if self.list.is_empty() {
                continue;
            }
            // Most rules name no direction, so both have the same.
            if *self.list != *self.last {
                self.root = builder.tree(cx, &self.list)?;
                core::mem::swap(&mut self.list, &mut self.last);
            }
            *root = self.root;
        }
        Ok(pair)
    }
}
