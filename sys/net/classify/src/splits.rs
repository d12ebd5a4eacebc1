// SPDX-License-Identifier: BSD-2-Clause
//! Splits that were made: the trees of classes of interfaces differ in few rules, so most of what
//! is below a split can be that of an earlier tree.

use kern::cx::MaySleep;
use kern::errno::Result;
use kern::mem::KVec;

/// Shorter lists are not worth it.
const SHORT: usize = 32;
/// Most splits that are kept.
const MOST: usize = 256;
/// Ranks that are kept: this many times the rules.
const RANKS: usize = 16;

/// What a split is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub hash: u64,
    pub dim: usize,
    pub resolved: u8,
}

struct Kept {
    split: Split,
    from: usize,
    end: usize,
    depth: u8,
    node: u32,
}

/// The splits.
pub struct Splits {
    kept: KVec<Kept>,
    /// Their lists.
    ranks: KVec<u32>,
    most: usize,
}

impl Splits {
    /// For `n` rules.
    pub const fn new(n: usize) -> Self {
        Splits {
            kept: KVec::new(),
            ranks: KVec::new(),
            most: n.saturating_mul(RANKS),
        }
    }

    /// The node of the same split of the same list. It was made at `depth` or deeper: nothing below
    /// may be farther from the root than it is allowed.
    pub fn find(&self, split: &Split, list: &[u32], depth: u8) -> Option<u32> {
        let same = |k: &&Kept| {
            k.split == *split && k.depth >= depth && self.ranks.get(k.from..k.end) == Some(list)
        };
        self.kept.iter().find(same).map(|k| k.node)
    }

    /// Keeps a split, if it is worth it.
    pub fn keep<C: MaySleep>(
        &mut self,
        cx: &mut C,
        split: &Split,
        list: &[u32],
        depth: u8,
        node: u32,
    ) -> Result {
        let from = self.ranks.len();
        let end = from + list.len();
        if list.len() < SHORT || self.kept.len() >= MOST || end > self.most {
            return Ok(());
        }
        for &rank in list {
            self.ranks.push(cx, rank)?;
        }
        let kept = Kept {
            split: *split,
            from,
            end,
            depth,
            node,
        };
        self.kept.push(cx, kept)
    }
}
