// SPDX-License-Identifier: BSD-2-Clause
//! The compiled rules.

use kern::cx::MaySleep;
use kern::mem::KVec;

use crate::error::Refused;
use crate::fields::Af;
use crate::fields::Fields;
use crate::order::order;
use crate::program::Program;
use crate::rule::Anchor;
use crate::rule::Rule;
use crate::tables::Tables;

/// What a classifier may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of compiled rules. While they are compiled about twice as much is in use.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: 256 << 20 }
    }
}

/// Rules, compiled.
pub struct Classifier {
    v4: Program<u32>,
    v6: Program<u128>,
    notes_v4: Program<u32>,
    notes_v6: Program<u128>,
    /// For each rule the number of the first one that is not looked at once it has decided.
    stops: KVec<u32>,
    any_notes: bool,
}

impl Classifier {
    /// Compiles `rules`, which stand in the order of evaluation.
    ///
    /// # Errors
    /// Which limit they exceed; see [`Refused`].
    pub fn build<C: MaySleep>(
        cx: &mut C,
        rules: &[Rule],
        anchors: &[Anchor],
        limits: &Limits,
    ) -> Result<Self, Refused> {
        let order = order(cx, rules, anchors)?;
        let (deciding, notes, most) = (&order.deciding, &order.notes, limits.bytes);
        let built = Classifier {
            v4: Program::build(cx, rules, anchors, deciding, false, most)?,
            v6: Program::build(cx, rules, anchors, deciding, false, most)?,
            notes_v4: Program::build(cx, rules, anchors, notes, true, most)?,
            notes_v6: Program::build(cx, rules, anchors, notes, true, most)?,
            any_notes: !notes.is_empty(),
            stops: order.stops,
        };
        if built.bytes() > limits.bytes {
            return Err(Refused::Bytes);
        }
        Ok(built)
    }

    /// The number of the rule that decides about the packet; `None`: no rule matches.
    #[inline]
    pub fn first(&self, f: &Fields, tables: &impl Tables) -> Option<u32> {
        self.first_where(f, tables, |_| true)
    }

    /// As [`first`](Self::first), but where a rule with [`Match::maybe`](crate::Match::maybe) would
    /// decide, `accept` is asked with its number, and false means that it does not match.
    ///
    /// `accept` may be asked about rules that then do not decide, since a better one does.
    #[inline]
    pub fn first_where(
        &self,
        f: &Fields,
        tables: &impl Tables,
        accept: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let found = match f.af {
            Af::V4 => self.v4.find(f, tables, 0, accept),
            Af::V6 => self.v6.find(f, tables, 0, accept),
        };
        found.map(|(number, _)| number)
    }

    /// Calls `each` with the number of every `match` rule that matches, in order, up to where
    /// evaluation stopped because rule `decided` did (`None`: to the end). A rule with
    /// [`Match::maybe`](crate::Match::maybe) is reported: the caller knows what it asks.
    #[inline]
    pub fn each(
        &self,
        f: &Fields,
        tables: &impl Tables,
        decided: Option<u32>,
        mut each: impl FnMut(u32),
    ) {
        if !self.any_notes {
            return;
        }
        let stop = decided.and_then(|n| self.stops.get(n as usize));
        let stop = stop.copied().unwrap_or(u32::MAX);
        let mut floor = 0;
        loop {
            let found = match f.af {
                Af::V4 => self.notes_v4.find(f, tables, floor, |_| true),
                Af::V6 => self.notes_v6.find(f, tables, floor, |_| true),
            };
            match found {
                Some((number, rank)) if number < stop => {
                    each(number);
                    floor = rank + 1;
                }
                _ => return,
            }
        }
    }

    /// The number of rules.
    pub fn len(&self) -> usize {
        self.stops.len()
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the compiled rules take.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.v4.bytes()
            + self.v6.bytes()
            + self.notes_v4.bytes()
            + self.notes_v6.bytes()
            + size_of_val::<[_]>(&self.stops)
    }
}
