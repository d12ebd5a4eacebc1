// SPDX-License-Identifier: BSD-2-Clause
//! The compiled rules.

use kern::cx::MaySleep;
use kern::mem::KBox;
use kern::mem::KVec;

use crate::compile::Source;
use crate::error::Refused;
use crate::fields::Af;
use crate::fields::Fields;
use crate::key::Key;
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

/// Rules, compiled; there is no program where no rule can match.
pub struct Classifier {
    v4: Option<KBox<Program<u32>>>,
    v6: Option<KBox<Program<u128>>>,
    notes_v4: Option<KBox<Program<u32>>>,
    notes_v6: Option<KBox<Program<u128>>>,
    /// For each rule the number of the first one that is not looked at once it has decided.
    stops: KVec<u32>,
}

impl Classifier {
    /// Compiles `rules`, which stand in the order of evaluation.
    ///
    /// # Errors
    /// Which limit they exceed; see [`Refused`].
    #[inline(never)]
    pub fn build<C: MaySleep>(
        cx: &mut C,
        rules: &[Rule],
        anchors: &[Anchor],
        limits: &Limits,
    ) -> Result<Self, Refused> {
        let order = order(cx, rules, anchors)?;
        let source = |order, all| Source {
            rules,
            anchors,
            order,
            all,
            most_bytes: limits.bytes,
        };
        let (deciding, notes) = (source(&order.deciding, false), source(&order.notes, true));
        let built = Classifier {
            v4: deciding.program(cx)?,
            v6: deciding.program(cx)?,
            notes_v4: notes.program(cx)?,
            notes_v6: notes.program(cx)?,
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
            Af::V4 => self.v4.as_ref()?.find(f, tables, 0, accept),
            Af::V6 => self.v6.as_ref()?.find(f, tables, 0, accept),
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
        each: impl FnMut(u32),
    ) {
        let stop = decided.and_then(|n| self.stops.get(n as usize));
        let stop = stop.copied().unwrap_or(u32::MAX);
        match (f.af, &self.notes_v4, &self.notes_v6) {
            (Af::V4, Some(notes), _) => notes.each(f, tables, stop, each),
            (Af::V6, _, Some(notes)) => notes.each(f, tables, stop, each),
            _ => {}
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
        fn of<A: Key>(program: &Option<KBox<Program<A>>>) -> usize {
            program.as_ref().map_or(0, |p| p.bytes())
        }
        size_of::<Self>()
            + of(&self.v4)
            + of(&self.v6)
            + of(&self.notes_v4)
            + of(&self.notes_v6)
            + size_of_val::<[_]>(&self.stops)
    }
}
