// SPDX-License-Identifier: BSD-2-Clause
//! Grids: where rules overlap so much that no tree takes them apart.
//!
//! Each dimension of a grid is cut into intervals, and each interval has the set of the rules that
//! cover it, as bits in the order of rank. What a packet's intervals have in common are the rules
//! that it meets, best first. Sets are rows of pages; neighbours share all pages but those in which
//! they differ, so that ten thousand ranges within one another take a few hundred bytes each.

mod build;

pub use build::Source;
use kern::mem::KVec;

use crate::key::Key;
use crate::rec::DIMS;
use crate::rec::Point;
use crate::rec::RANK;
use crate::rec::SURE;
use crate::search::Buckets;
use crate::search::Index;

/// A cache line of a set.
type Page = [u64; 8];
/// Rules of a page.
const PAGE: usize = 512;
/// The page without rules, which is not looked at.
const NONE: u32 = 0;
/// The page of rules that are all in it.
const ALL: u32 = 1;

/// One dimension of a grid.
#[derive(Clone, Copy)]
struct Axis<A> {
    buckets: Buckets<A>,
    /// Where its keys start.
    keys: u32,
    /// How many there are.
    n: u32,
    /// Where its rows start: one for each key, and before them that of the rules which do not care,
    /// for packets that have no such dimension.
    rows: u32,
    /// Where the first places of its rows start.
    firsts: u32,
    dim: u8,
}

/// One grid.
#[derive(Clone, Copy)]
struct Grid {
    /// The best rank in it.
    best: u32,
    /// Where its entries start.
    entries: u32,
    /// Rules.
    n: u32,
    /// Where its axes start.
    axes: u32,
    /// How many there are.
    dims: u32,
}

/// The grids of all trees of one family.
pub struct Grids<A> {
    grids: KVec<Grid>,
    axes: KVec<Axis<A>>,
    /// First keys of intervals; an axis' stand together, and the first is 0.
    keys: KVec<A>,
    index: Index<A>,
    /// Numbers of pages; as many a row as the grid has.
    rows: KVec<u32>,
    /// The first place of each row's set.
    firsts: KVec<u32>,
    pages: KVec<Page>,
    /// As in a tree's lists.
    entries: KVec<u32>,
}

impl<A: Key> Grids<A> {
    /// None.
    pub const fn new() -> Self {
        Grids {
            grids: KVec::new(),
            axes: KVec::new(),
            keys: KVec::new(),
            index: Index::new(),
            rows: KVec::new(),
            firsts: KVec::new(),
            pages: KVec::new(),
            entries: KVec::new(),
        }
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        size_of_val::<[_]>(&self.grids)
            + size_of_val::<[_]>(&self.axes)
            + size_of_val::<[_]>(&self.keys)
            + size_of_val::<[_]>(&self.index.entries)
            + size_of_val::<[_]>(&self.index.deeper)
            + size_of_val::<[_]>(&self.rows)
            + size_of_val::<[_]>(&self.firsts)
            + size_of_val::<[_]>(&self.pages)
            + size_of_val::<[_]>(&self.entries)
    }

    /// As [`Forest::search`](crate::tree::Forest::search), in one grid; `best` where it has no
    /// better rank.
    #[inline(never)]
    pub fn search(
        &self,
        grid: u32,
        point: &Point<A>,
        present: u8,
        floor: u32,
        best: u32,
        meets: &mut impl FnMut(u32) -> bool,
    ) -> u32 {
        let grid = self.grids.get(grid as usize).filter(|g| g.best < best);
        let Some(grid) = grid else { return best };
        let entries = part(&self.entries, grid.entries, grid.n as usize);
        let axes = part(&self.axes, grid.axes, grid.dims as usize);
        let mut at = [0; DIMS];
        let mut first = 0;
        for (row, axis) in at.iter_mut().zip(axes) {
            *row = self.row(axis, point, present);
            let from = self.firsts.get(axis.firsts as usize + *row).copied();
            first = first.max(from.unwrap_or(u32::MAX));
        }
        // No rule is in all sets before the last of them starts; where ranges lie within one
        // another, the one with which it starts mostly is.
        let Some(entry) = entries.get(first as usize) else {
            return best;
        };
        let rank = entry & RANK;
        if rank >= best {
            return best;
        }
        if rank >= floor && meets(rank) {
            return rank;
        }
        let floor = floor.max(rank + 1);
        let width = entries.len().div_ceil(PAGE);
        let mut rows: [&[u32]; DIMS] = [&[]; DIMS];
        for ((row, at), axis) in rows.iter_mut().zip(at).zip(axes) {
            *row = part(&self.rows, axis.rows, (at + 1) * width)
                .get(at * width..)
                .unwrap_or_default();
        }
        let rows = rows.get(..axes.len()).unwrap_or_default();
        for (page, entries) in entries.chunks(PAGE).enumerate() {
            if entries.last().is_some_and(|e| e & RANK < floor) {
                continue;
            }
            if rows.iter().any(|row| row.get(page) == Some(&NONE)) {
                continue;
            }
            let mut set = [u64::MAX; 8];
            for row in rows {
                let with = row.get(page).copied().unwrap_or(NONE);
                if with != ALL
                    && let Some(with) = self.pages.get(with as usize)
                {
                    for (word, with) in set.iter_mut().zip(with) {
                        *word &= with;
                    }
                }
            }
            for (mut word, entries) in set.into_iter().zip(entries.chunks(64)) {
                while let Some(entry) = entries.get(word.trailing_zeros() as usize) {
                    let rank = entry & RANK;
                    if rank >= best {
                        return best;
                    }
                    if rank >= floor && (entry & SURE != 0 || meets(*entry)) {
                        return rank;
                    }
                    word &= word.wrapping_sub(1);
                }
            }
        }
        best
    }

    /// The number of a packet's row.
    #[inline]
    fn row(&self, axis: &Axis<A>, point: &Point<A>, present: u8) -> usize {
        let dim = usize::from(axis.dim & 7);
        match point.get(dim) {
            Some(&x) if present >> dim & 1 != 0 => {
                let keys = part(&self.keys, axis.keys, axis.n as usize);
                1 + self.index.find(&axis.buckets, keys, x) as usize
            }
            _ => 0,
        }
    }
}

/// `n` values of a list.
#[inline]
fn part<T>(of: &[T], from: u32, n: usize) -> &[T] {
    let from = from as usize;
    of.get(from..from + n).unwrap_or_default()
}
