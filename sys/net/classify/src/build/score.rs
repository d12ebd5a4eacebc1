// SPDX-License-Identifier: BSD-2-Clause
//! By which dimension a list is split, and what it leaves behind.

use kern::cx::MaySleep;
use kern::mem::KVec;

use crate::error::Refused;
use crate::key::Key;
use crate::rec::DIMS;
use crate::sweep::Rules;
use crate::sweep::Sweeper;

/// A node's children may have this many times its rules together, and some.
const COPIES: u64 = 8;
const SOME: u64 = 64;
/// Where that is exceeded, the rules that stay have this many times their number.
const COPIES_KEPT: u64 = 4;

/// How good it is to split a list by a dimension.
#[derive(Clone, Copy)]
pub struct Score {
    pub dim: usize,
    /// Least is best: roughly twice the log of the work that is left.
    cost: u64,
    /// Rules in more intervals than this go to the wild child.
    pub widest: u32,
    /// How many those are.
    pub wide: u64,
}

/// The rules, and what tries splits of them.
pub struct Scorer<'r, A> {
    pub rules: Rules<'r, A>,
    pub sweeper: Sweeper<A>,
    sorted: KVec<u32>,
}

impl<'r, A: Key> Scorer<'r, A> {
    pub fn new<C: MaySleep>(cx: &mut C, rules: Rules<'r, A>) -> Result<Self, Refused> {
        let n = rules.ranges.len();
        Ok(Scorer {
            rules,
            sweeper: Sweeper::new(cx, n)?,
            sorted: KVec::new(),
        })
    }

    /// The dimension to split by; `None` when none helps.
    #[inline(never)]
    pub fn best_split<C: MaySleep>(
        &mut self,
        cx: &mut C,
        list: &[u32],
        resolved: u8,
    ) -> Result<Option<Score>, Refused> {
        let mut best: Option<Score> = None;
        for dim in 0..DIMS {
            if resolved >> dim & 1 != 0 {
                continue;
            }
            let cares = |rank: &&u32| self.rules.bounded(**rank) >> dim & 1 != 0;
            let bounded = list.iter().filter(cares).count();
            if bounded == 0 {
                continue;
            }
            let wild = (list.len() - bounded) as u64;
            // Even if its children were empty it would be no better.
            if best.is_some_and(|b| b.cost <= log(wild)) {
                continue;
            }
            let score = self.score(cx, list, dim, resolved, wild)?;
            if score.is_some_and(|s| best.is_none_or(|b| s.cost < b.cost)) {
                best = score;
            }
        }
        Ok(best)
    }

    fn score<C: MaySleep>(
        &mut self,
        cx: &mut C,
        list: &[u32],
        dim: usize,
        resolved: u8,
        wild: u64,
    ) -> Result<Option<Score>, Refused> {
        let n = list.len() as u64;
        let most = n * COPIES + SOME;
        let (mut widest, mut wide) = (u32::MAX, 0);
        // Twice at most: with all, then without those that cover too much.
        loop {
            let (mut sum, mut squares) = (0u64, 0u64);
            let mut recent = [0u64; 4];
            self.sweeper
                .sweep(cx, &self.rules, list, dim, resolved, |_, _, ranks| {
                    let hash = hash(ranks);
                    if !recent.contains(&hash) {
                        let len = ranks.len() as u64;
                        sum += len;
                        squares += len * len;
                    }
                    let [a, b, c, _] = recent;
                    recent = [hash, a, b, c];
                    Ok(sum <= most)
                })?;
            if sum <= most {
                self.forget_wide(list.len());
                let each = squares.checked_div(sum).unwrap_or(0);
                let score = Score {
                    dim,
                    cost: log(each) + log(wild + wide),
                    widest,
                    wide,
                };
                return Ok((sum != 0).then_some(score));
            }
            if widest != u32::MAX {
                self.forget_wide(list.len());
                return Ok(None);
            }
            let cares = |rank: u32| self.rules.bounded(rank) >> dim & 1 != 0;
            self.sorted.truncate(0);
            for (place, &rank) in list.iter().enumerate() {
                if cares(rank) {
                    let cover = self.sweeper.cover.get(place).copied().unwrap_or(0);
                    self.sorted.push(cx, cover)?;
                }
            }
            kern::sort::by_key(&mut self.sorted, |&cover| cover);
            let mut room = n * COPIES_KEPT;
            widest = 0;
            for &cover in self.sorted.iter() {
                match room.checked_sub(u64::from(cover)) {
                    Some(left) => room = left,
                    None => break,
                }
                widest = cover;
            }
            wide = self.mark_wide(list, dim, widest);
        }
    }

    /// Marks the rules that cover more than `widest` intervals, by the counts of the last sweep;
    /// how many.
    pub fn mark_wide(&mut self, list: &[u32], dim: usize, widest: u32) -> u64 {
        let mut marked = 0;
        for (place, &rank) in list.iter().enumerate() {
            let cover = self.sweeper.cover.get(place).copied().unwrap_or(0);
            if self.rules.bounded(rank) >> dim & 1 != 0 && cover > widest {
                marked += 1;
                if let Some(wide) = self.sweeper.wide.get_mut(place) {
                    *wide = true;
                }
            }
        }
        marked
    }

    pub fn forget_wide(&mut self, n: usize) {
        for wide in self.sweeper.wide.iter_mut().take(n) {
            *wide = false;
        }
    }
}

/// 16 times the binary logarithm, roughly.
fn log(n: u64) -> u64 {
    let n = n + 1;
    let whole = u64::from(63u32.saturating_sub(n.leading_zeros()));
    let rest = if whole >= 4 {
        n >> (whole - 4)
    } else {
        n << (4 - whole)
    };
    whole * 16 + (rest & 15)
}

pub fn hash(ranks: &[u32]) -> u64 {
    ranks.iter().fold(0x9e37_79b9_7f4a_7c15, |h, r| {
        (h ^ u64::from(*r))
            .wrapping_mul(0xff51_afd7_ed55_8ccd)
            .rotate_left(29)
    })
}
