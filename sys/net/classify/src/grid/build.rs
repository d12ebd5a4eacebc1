// SPDX-License-Identifier: BSD-2-Clause
//! Makes grids.

use kern::cx::MaySleep;
use kern::errno::Result;
use kern::mem::KVec;

use crate::flatten::full;
use crate::grid::ALL;
use crate::grid::Axis;
use crate::grid::Grid;
use crate::grid::Grids;
use crate::grid::NONE;
use crate::grid::PAGE;
use crate::grid::Page;
use crate::key::Key;
use crate::rec::DIMS;
use crate::search::Buckets;
use crate::search::trim;
use crate::sweep::Rules;
use crate::sweep::Sweeper;

/// A dimension is worth its look-up when one in this many rules has a range there.
const CARE: usize = 8;

/// What a grid is made of.
#[derive(Clone, Copy)]
pub struct Source<'r, A> {
    pub rules: &'r Rules<'r, A>,
    /// Ranks, best first.
    pub list: &'r [u32],
    /// Bits of the dimensions that are split above.
    pub resolved: u8,
}

impl<A: Key> Source<'_, A> {
    /// Bits of the dimensions of a grid, and the bytes that it takes at most.
    pub fn plan(&self) -> (u8, usize) {
        let n = self.list.len();
        let row = n.div_ceil(PAGE).saturating_mul(size_of::<u32>());
        // Its key, what finds it, and the page in which it differs from the one before.
        let interval = row + size_of::<A>() + 4 * size_of::<u32>() + size_of::<Page>();
        let mut bytes = size_of_val(self.list);
        let mut dims = 0;
        for dim in 0..DIMS {
            let bounded = self.list.iter().filter(|r| self.bounded(**r, dim)).count();
            if self.resolved >> dim & 1 == 0 && bounded.saturating_mul(CARE) >= n {
                dims |= 1 << dim;
                bytes = bytes.saturating_add((2 * bounded + 2).saturating_mul(interval));
            }
        }
        (dims, bytes)
    }

    fn bounded(&self, rank: u32, dim: usize) -> bool {
        self.rules.bounded(rank) >> dim & 1 != 0
    }
}

/// The set of the interval that is being made.
struct Set {
    pages: KVec<Page>,
    /// Their numbers, those that are up to date.
    row: KVec<u32>,
    /// Pages that have changed.
    changed: KVec<u32>,
}

/// In a row that is being made: the page has changed.
const CHANGED: u32 = u32::MAX;

impl Set {
    fn new<C: MaySleep>(cx: &mut C, width: usize) -> Result<Self> {
        Ok(Set {
            pages: KVec::from_fn(cx, width, |_| [0; 8])?,
            row: KVec::from_fn(cx, width, |_| NONE)?,
            changed: KVec::with_capacity(cx, width)?,
        })
    }

    fn change<C: MaySleep>(&mut self, cx: &mut C, place: u32, on: bool) -> Result {
        let (page, word, bit) = (place >> 9, place >> 6 & 7, place & 63);
        let words = self.pages.get_mut(page as usize);
        if let Some(word) = words.and_then(|w| w.get_mut(word as usize)) {
            *word = *word & !(1 << bit) | u64::from(on) << bit;
        }
        if let Some(number) = self.row.get_mut(page as usize)
            && *number != CHANGED
        {
            *number = CHANGED;
            self.changed.push(cx, page)?;
        }
        Ok(())
    }

    /// Appends its row, and the pages that are new.
    fn write<C: MaySleep, A>(&mut self, cx: &mut C, to: &mut Grids<A>) -> Result {
        while let Some(page) = self.changed.pop() {
            let Some(words) = self.pages.get(page as usize) else {
                continue;
            };
            let number = if words.iter().all(|w| *w == 0) {
                NONE
            } else if words.iter().all(|w| *w == u64::MAX) {
                ALL
            } else {
                to.pages.push(cx, *words)?;
                number(to.pages.len()) - 1
            };
            if let Some(slot) = self.row.get_mut(page as usize) {
                *slot = number;
            }
        }
        for &number in self.row.iter() {
            to.rows.push(cx, number)?;
        }
        to.firsts.push(cx, self.first())
    }

    /// Its first place.
    fn first(&self) -> u32 {
        let page = self.row.iter().position(|page| *page != NONE);
        let Some(page) = page else { return u32::MAX };
        let words = self.pages.get(page).map_or(&[][..], |p| p.as_slice());
        let places = (number(page) << 9..).step_by(64).zip(words);
        let first = places.into_iter().find(|(_, word)| **word != 0);
        first.map_or(u32::MAX, |(place, word)| place + word.trailing_zeros())
    }
}

/// The number of things, which the limit of bytes keeps far below this.
fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl<A: Key> Grids<A> {
    /// Makes the grid of `of` with the dimensions `dims`; its number.
    #[inline(never)]
    pub fn build<C: MaySleep>(
        &mut self,
        cx: &mut C,
        sweeper: &mut Sweeper<A>,
        of: &Source<'_, A>,
        dims: u8,
    ) -> Result<u32> {
        if self.pages.is_empty() {
            self.pages.push(cx, [0; 8])?;
            self.pages.push(cx, [u64::MAX; 8])?;
        }
        let grid = Grid {
            best: of.list.first().copied().unwrap_or(u32::MAX),
            entries: number(self.entries.len()),
            n: number(of.list.len()),
            axes: number(self.axes.len()),
            dims: dims.count_ones(),
        };
        for &rank in of.list {
            let entry = of.rules.entry(rank, of.resolved | dims);
            self.entries.push(cx, entry)?;
        }
        for dim in 0..DIMS {
            if dims >> dim & 1 != 0 {
                self.axis(cx, sweeper, of, dim)?;
            }
        }
        self.grids.push(cx, grid)?;
        Ok(number(self.grids.len()) - 1)
    }

    #[inline(never)]
    fn axis<C: MaySleep>(
        &mut self,
        cx: &mut C,
        sweeper: &mut Sweeper<A>,
        of: &Source<'_, A>,
        dim: usize,
    ) -> Result {
        let mut axis = Axis {
            buckets: Buckets::NONE,
            keys: number(self.keys.len()),
            n: 0,
            rows: number(self.rows.len()),
            firsts: number(self.firsts.len()),
            dim: u8::try_from(dim).unwrap_or(0),
        };
        let mut set = Set::new(cx, of.list.len().div_ceil(PAGE))?;
        for (place, &rank) in (0u32..).zip(of.list) {
            if !of.bounded(rank, dim) {
                set.change(cx, place, true)?;
            }
        }
        set.write(cx, self)?;
        let edges = sweeper.edges(cx, of.rules, of.list, dim)?;
        let (mut next, (_, top)) = (Some(A::ZERO), full(dim));
        while let Some(at) = next {
            next = edges.step(at, top, |place, on| set.change(cx, place, on))?;
            self.keys.push(cx, at)?;
            set.write(cx, self)?;
        }
        let keys = self.keys.get(axis.keys as usize..).unwrap_or_default();
        axis.n = number(keys.len());
        axis.buckets = self.index.build(cx, keys)?;
        self.axes.push(cx, axis)
    }

    /// Gives back the room to grow.
    pub fn trim<C: MaySleep>(&mut self, cx: &mut C) -> Result {
        trim(cx, &mut self.grids)?;
        trim(cx, &mut self.axes)?;
        trim(cx, &mut self.keys)?;
        trim(cx, &mut self.index.entries)?;
        trim(cx, &mut self.index.deeper)?;
        trim(cx, &mut self.rows)?;
        trim(cx, &mut self.firsts)?;
        trim(cx, &mut self.pages)?;
        trim(cx, &mut self.entries)
    }
}
