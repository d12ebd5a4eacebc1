// SPDX-License-Identifier: BSD-2-Clause
//! One dimension, swept from its lowest value to its highest: which rules cover each interval.

use kern::cx::MaySleep;
use kern::errno::Result;
use kern::mem::KVec;

use crate::flatten::Ranges;
use crate::flatten::full;
use crate::key::Key;
use crate::rec::DST;
use crate::rec::MET;
use crate::rec::SRC;
use crate::rec::SURE;

/// What the builder knows of the rules, by rank.
pub struct Rules<'r, A> {
    pub ranges: &'r [Ranges<A>],
    /// Bits of the dimensions whose range is not full, and [`TESTED`].
    pub bounded: &'r [u8],
    /// Every match is asked for, not only the best: no rule hides those behind it.
    pub all: bool,
}

/// Among the bits of a rule's bounded dimensions: the ranges are not all that it asks.
pub const TESTED: u8 = 1 << 7;

impl<A: Key> Rules<'_, A> {
    pub fn bounded(&self, rank: u32) -> u8 {
        self.bounded.get(rank as usize).copied().unwrap_or(TESTED)
    }

    pub fn range(&self, rank: u32, dim: usize) -> (A, A) {
        let ranges = self.ranges.get(rank as usize);
        ranges
            .and_then(|r| r.get(dim))
            .copied()
            .unwrap_or(full(dim))
    }

    /// Whether the rule has all it asks where the dimensions of `resolved` are split.
    fn sure(&self, rank: u32, resolved: u8) -> bool {
        self.bounded(rank) & !resolved == 0
    }

    /// The rule as an entry of a tree that splits the dimensions of `resolved` above it.
    pub fn entry(&self, rank: u32, resolved: u8) -> u32 {
        let left = self.bounded(rank) & !resolved;
        if left == 0 {
            rank | SURE
        } else if left & (1 << SRC | 1 << DST) == 0 {
            rank | MET
        } else {
            rank
        }
    }

    /// Whether rules of worse rank need not be looked at there.
    pub fn hides(&self, rank: u32, resolved: u8) -> bool {
        !self.all && self.sure(rank, resolved)
    }
}

/// A set of places in a list, lowest first.
struct Places {
    /// A bit a place.
    words: KVec<u64>,
    /// A bit a word.
    groups: KVec<u64>,
}

impl Places {
    fn change(&mut self, place: u32, on: bool) {
        let (word, group) = (place >> 6, place >> 12);
        let Some(w) = self.words.get_mut(word as usize) else {
            return;
        };
        *w = *w & !(1 << (place & 63)) | u64::from(on) << (place & 63);
        let any = u64::from(*w != 0);
        if let Some(g) = self.groups.get_mut(group as usize) {
            *g = *g & !(1 << (word & 63)) | any << (word & 63);
        }
    }

    /// Calls `f` with each place, lowest first, until it says false.
    fn each(&self, mut f: impl FnMut(u32) -> bool) {
        for (g, &group) in (0u32..).zip(self.groups.iter()) {
            let mut group = group;
            while group != 0 {
                let w = g << 6 | group.trailing_zeros();
                group &= group - 1;
                let mut word = self.words.get(w as usize).copied().unwrap_or(0);
                while word != 0 {
                    if !f(w << 6 | word.trailing_zeros()) {
                        return;
                    }
                    word &= word - 1;
                }
            }
        }
    }
}

/// Where ranges start and end in one dimension.
pub struct Edges<A> {
    /// First value and place of each range, sorted.
    starts: KVec<(A, u32)>,
    /// Last value and place of each range, sorted.
    ends: KVec<(A, u32)>,
    /// The next of `starts`.
    start: usize,
    /// The next of `ends`.
    end: usize,
}

impl<A: Key> Edges<A> {
    /// Those of `list`, but for rules with the full range and those marked in `wide`.
    fn of<C: MaySleep>(
        &mut self,
        cx: &mut C,
        rules: &Rules<'_, A>,
        list: &[u32],
        dim: usize,
        wide: &[bool],
    ) -> Result {
        self.starts.truncate(0);
        self.ends.truncate(0);
        (self.start, self.end) = (0, 0);
        for (place, &rank) in (0u32..).zip(list) {
            let wide = wide.get(place as usize).copied().unwrap_or(false);
            if rules.bounded(rank) >> dim & 1 != 0 && !wide {
                let (lo, hi) = rules.range(rank, dim);
                self.starts.push(cx, (lo, place))?;
                self.ends.push(cx, (hi, place))?;
            }
        }
        kern::sort::by_key(&mut self.starts, |&start| start);
        kern::sort::by_key(&mut self.ends, |&end| end);
        Ok(())
    }

    /// Calls `change` with the places whose ranges start at `at`, and then with those that have
    /// ended before it; where the next interval starts.
    pub fn step(
        &mut self,
        at: A,
        top: A,
        mut change: impl FnMut(u32, bool) -> Result,
    ) -> Result<Option<A>> {
        while let Some(&(_, place)) = self.starts.get(self.start).filter(|s| s.0 <= at) {
            change(place, true)?;
            self.start += 1;
        }
        while let Some(&(_, place)) = self.ends.get(self.end).filter(|e| e.0 < at) {
            change(place, false)?;
            self.end += 1;
        }
        let start = self.starts.get(self.start).map(|s| s.0);
        let end = self.ends.get(self.end).filter(|e| e.0 < top);
        let end = end.map(|e| e.0.succ());
        Ok(match (start, end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        })
    }
}

/// Memory that sweeps share.
pub struct Sweeper<A> {
    active: Places,
    edges: Edges<A>,
    /// Intervals that each place covers: its first one, then their number.
    pub cover: KVec<u32>,
    /// Places that are to be left out.
    pub wide: KVec<bool>,
    /// The ranks of one interval.
    out: KVec<u32>,
}

impl<A: Key> Sweeper<A> {
    /// For lists of up to `n` rules.
    pub fn new<C: MaySleep>(cx: &mut C, n: usize) -> Result<Self> {
        Ok(Sweeper {
            active: Places {
                words: KVec::from_fn(cx, n / 64 + 1, |_| 0)?,
                groups: KVec::from_fn(cx, n / 4096 + 1, |_| 0)?,
            },
            edges: Edges {
                starts: KVec::with_capacity(cx, n)?,
                ends: KVec::with_capacity(cx, n)?,
                start: 0,
                end: 0,
            },
            cover: KVec::from_fn(cx, n, |_| 0)?,
            wide: KVec::from_fn(cx, n, |_| false)?,
            out: KVec::with_capacity(cx, n)?,
        })
    }

    /// The edges of all ranges of `list` in `dim`.
    pub fn edges<C: MaySleep>(
        &mut self,
        cx: &mut C,
        rules: &Rules<'_, A>,
        list: &[u32],
        dim: usize,
    ) -> Result<&mut Edges<A>> {
        self.edges.of(cx, rules, list, dim, &[])?;
        Ok(&mut self.edges)
    }

    /// Sweeps `list` in `dim`: `emit` gets each interval's first value and the ranks that cover
    /// it, best first, up to one that hides the rest. Rules with the full range and those marked
    /// in `wide` are left out. Once `emit` says false it is not called any more; the number of
    /// intervals, and how many each rule covers, is counted to the end.
    pub fn sweep<C: MaySleep>(
        &mut self,
        cx: &mut C,
        rules: &Rules<'_, A>,
        list: &[u32],
        dim: usize,
        resolved: u8,
        mut emit: impl FnMut(&mut C, A, &[u32]) -> Result<bool>,
    ) -> Result<u32> {
        let Sweeper {
            active,
            edges,
            cover,
            wide,
            out,
        } = self;
        edges.of(cx, rules, list, dim, wide)?;
        let (_, top) = full::<A>(dim);
        let here = resolved | 1 << dim;
        let (mut next, mut intervals, mut wanted) = (Some(A::ZERO), 0u32, true);
        while let Some(at) = next {
            next = edges.step(at, top, |place, on| {
                active.change(place, on);
                if let Some(cover) = cover.get_mut(place as usize) {
                    *cover = if on {
                        intervals
                    } else {
                        intervals.wrapping_sub(*cover)
                    };
                }
                Ok(())
            })?;
            if wanted {
                out.truncate(0);
                let mut failed = Ok(());
                active.each(|place| {
                    let rank = list.get(place as usize).copied().unwrap_or(0);
                    failed = out.push(cx, rank);
                    failed.is_ok() && !rules.hides(rank, here)
                });
                failed?;
                wanted = emit(cx, at, out)?;
            }
            intervals += 1;
        }
        for &(_, place) in edges.ends.get(edges.end..).unwrap_or_default() {
            active.change(place, false);
            if let Some(cover) = cover.get_mut(place as usize) {
                *cover = intervals.wrapping_sub(*cover);
            }
        }
        Ok(intervals)
    }
}
