// SPDX-License-Identifier: BSD-2-Clause
//! The search trees, and the search.
//!
//! A node splits one dimension into intervals. An interval's child has the rules that cover it;
//! rules that do not care, or that would be in too many children, are in the node's `wild` child.
//! So a search goes on in two children, and leaves out the one whose best rule is worse than what
//! it has found. Where that would not take rules apart, they are in a [grid](crate::grid).

use kern::cx::MaySleep;
use kern::errno::Result;
use kern::mem::KVec;

use crate::grid::Grids;
use crate::key::Key;
use crate::rec::Point;
use crate::rec::RANK;
use crate::rec::SURE;
use crate::search::Buckets;
use crate::search::Index;
use crate::search::trim;

/// Where a branch goes: a kind in the upper two bits, the rest by kind.
pub type Branch = u32;

const KIND: u32 = 3 << 30;
/// No rules; with a payload, one more than a grid's number.
pub const NOTHING: Branch = 0;
/// A node's number.
pub const NODE: Branch = 1 << 30;
/// Where a list starts: its length, then entries in order.
pub const LIST: Branch = 2 << 30;
/// An entry.
pub const ONE: Branch = 3 << 30;

/// Nodes on the longest way.
pub const MAX_DEPTH: u8 = 24;
/// Each node on the way may leave its wild child for later; two roots.
const STACK: usize = MAX_DEPTH as usize + 2;

/// One split.
#[derive(Clone, Copy)]
pub struct Node<A> {
    pub buckets: Buckets<A>,
    /// Where its keys and children start.
    pub at: u32,
    /// How many there are.
    pub n: u32,
    /// The best rank under it.
    pub best: u32,
    pub wild: Branch,
    /// The best rank under `wild`.
    pub wild_best: u32,
    pub dim: u8,
}

/// The nodes of all trees of one family.
pub struct Forest<A> {
    pub nodes: KVec<Node<A>>,
    /// First keys of intervals; a node's stand together, and the first is 0.
    pub keys: KVec<A>,
    /// A branch for each key.
    pub kids: KVec<Branch>,
    pub lists: KVec<u32>,
    pub index: Index<A>,
    pub grids: Grids<A>,
}

impl<A: Key> Forest<A> {
    pub const fn new() -> Self {
        Forest {
            nodes: KVec::new(),
            keys: KVec::new(),
            kids: KVec::new(),
            lists: KVec::new(),
            index: Index::new(),
            grids: Grids::new(),
        }
    }

    /// Gives back the room to grow.
    pub fn trim<C: MaySleep>(&mut self, cx: &mut C) -> Result {
        trim(cx, &mut self.nodes)?;
        trim(cx, &mut self.keys)?;
        trim(cx, &mut self.kids)?;
        trim(cx, &mut self.lists)?;
        trim(cx, &mut self.index.entries)?;
        trim(cx, &mut self.index.deeper)?;
        self.grids.trim(cx)
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        size_of_val::<[_]>(&self.nodes)
            + size_of_val::<[_]>(&self.keys)
            + size_of_val::<[_]>(&self.kids)
            + size_of_val::<[_]>(&self.lists)
            + size_of_val::<[_]>(&self.index.entries)
            + size_of_val::<[_]>(&self.index.deeper)
            + self.grids.bytes()
    }

    /// The lowest rank from `floor` on in any of `roots` whose rule `meets`, which gets entries and
    /// is not asked about those that are sure. `present` has the bits of the dimensions that the packet has.
    #[inline]
    pub fn search(
        &self,
        roots: [Branch; 2],
        point: &Point<A>,
        present: u8,
        floor: u32,
        mut meets: impl FnMut(u32) -> bool,
    ) -> u32 {
        let mut best = u32::MAX;
        let mut later = [NOTHING; STACK];
        let [mut branch, other] = roots;
        let mut depth = 0;
        if other != NOTHING {
            if let Some(slot) = later.first_mut() {
                *slot = other;
            }
            depth = 1;
        }
        loop {
            let payload = branch & !KIND;
            match branch & KIND {
                NODE => {
                    if let Some(node) = self.nodes.get(payload as usize)
                        && node.best < best
                    {
                        if node.wild_best < best {
                            if let Some(slot) = later.get_mut(depth) {
                                *slot = node.wild;
                            }
                            depth += 1;
                        }
                        branch = self.child(node, point, present);
                        continue;
                    }
                }
                LIST => {
                    let at = payload as usize;
                    let n = self.lists.get(at).copied().unwrap_or(0) as usize;
                    let list = self.lists.get(at + 1..at + 1 + n).unwrap_or_default();
                    for &entry in list {
                        let rank = entry & RANK;
                        if rank >= best {
                            break;
                        }
                        if rank >= floor && (entry & SURE != 0 || meets(entry)) {
                            best = rank;
                            break;
                        }
                    }
                }
                ONE => {
                    let rank = payload & RANK;
                    if rank < best && rank >= floor && (payload & SURE != 0 || meets(payload)) {
                        best = rank;
                    }
                }
                _ => {
                    if let Some(grid) = payload.checked_sub(1) {
                        let meets = &mut meets;
                        best = self.grids.search(grid, point, present, floor, best, meets);
                    }
                }
            }
            let Some(next) = depth.checked_sub(1) else {
                return best;
            };
            depth = next;
            branch = later.get(depth).copied().unwrap_or(NOTHING);
        }
    }

    #[inline]
    fn child(&self, node: &Node<A>, point: &Point<A>, present: u8) -> Branch {
        let dim = usize::from(node.dim & 7);
        if present >> dim & 1 == 0 {
            return NOTHING;
        }
        let Some(&x) = point.get(dim) else {
            return NOTHING;
        };
        let at = node.at as usize;
        let keys = self.keys.get(at..at + node.n as usize).unwrap_or_default();
        let i = self.index.find(&node.buckets, keys, x);
        self.kids.get(at + i as usize).copied().unwrap_or(NOTHING)
    }
}
