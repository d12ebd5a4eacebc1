// SPDX-License-Identifier: BSD-2-Clause
//! Builds the trees.
//!
//! A list of rules is split by the dimension that leaves the least to look at. What would be
//! copied into too many intervals goes to the wild child, and where that is most of the list, or
//! the depth runs out, it becomes a grid. Where memory runs out a list stays a list: the answer is
//! the same, found more slowly.

mod score;

use kern::cx::MaySleep;
use kern::mem::KVec;

use crate::error::Refused;
use crate::grid::Source;
use crate::key::Key;
use crate::rec::SURE;
use crate::splits::Split;
use crate::splits::Splits;
use crate::sweep::Rules;
use crate::tree::Branch;
use crate::tree::Forest;
use crate::tree::LIST;
use crate::tree::MAX_DEPTH;
use crate::tree::NODE;
use crate::tree::NOTHING;
use crate::tree::Node;
use crate::tree::ONE;
use score::Score;
use score::Scorer;
use score::hash;

/// Lists up to this long are scanned.
const FEW: usize = 4;
/// Lists in the making and made: this many times the rules, and some.
const LISTS: usize = 64;
const LISTS_SOME: usize = 1 << 16;

/// From so many rules on, a grid is better than a split that leaves one in `WIDE` of them behind.
const GRID: usize = 32;
const WIDE: u64 = 2;
/// Grids may take this many bytes for each rule, and this many in all.
const GRIDS: usize = 4 << 10;
const GRIDS_MOST: usize = 64 << 20;

/// Where a branch is to be written.
#[derive(Clone, Copy)]
enum Slot {
    Root,
    Wild(u32),
    Kid(u32),
}

/// A list that is to become a branch.
#[derive(Clone, Copy)]
struct Job {
    from: usize,
    end: usize,
    slot: Slot,
    resolved: u8,
    depth: u8,
}

/// The work of building one family's trees.
pub struct Builder<'r, A> {
    by: Scorer<'r, A>,
    forest: &'r mut Forest<A>,
    /// Lists of the jobs, those of the newest on top.
    pool: KVec<u32>,
    jobs: KVec<Job>,
    /// Children that are like an earlier one: theirs and that one's place.
    same: KVec<(u32, u32)>,
    splits: Splits,
    /// The list of a split, without what it leaves behind.
    kept: KVec<u32>,
    /// Ranks that have been put into lists.
    listed: usize,
    most_listed: usize,
    most_bytes: usize,
    /// What grids may take yet.
    grid_bytes: usize,
}

fn number(n: usize) -> Result<u32, Refused> {
    u32::try_from(n)
        .ok()
        .filter(|n| *n < SURE)
        .ok_or(Refused::Bytes)
}

impl<'r, A: Key> Builder<'r, A> {
    pub fn new<C: MaySleep>(
        cx: &mut C,
        rules: Rules<'r, A>,
        forest: &'r mut Forest<A>,
        most_bytes: usize,
    ) -> Result<Self, Refused> {
        let n = rules.ranges.len();
        Ok(Builder {
            by: Scorer::new(cx, rules)?,
            forest,
            pool: KVec::new(),
            jobs: KVec::new(),
            same: KVec::new(),
            splits: Splits::new(n),
            kept: KVec::new(),
            listed: 0,
            most_listed: n.saturating_mul(LISTS).saturating_add(LISTS_SOME),
            most_bytes,
            grid_bytes: n.saturating_mul(GRIDS).min(GRIDS_MOST),
        })
    }

    /// The tree of the rules of `list`, best first.
    pub fn tree<C: MaySleep>(&mut self, cx: &mut C, list: &[u32]) -> Result<Branch, Refused> {
        let mut root = NOTHING;
        self.pool.truncate(0);
        self.listed = 0;
        for &rank in list {
            self.pool.push(cx, rank)?;
            if self.by.rules.hides(rank, 0) {
                break;
            }
        }
        let job = Job {
            from: 0,
            end: self.pool.len(),
            slot: Slot::Root,
            resolved: 0,
            depth: 0,
        };
        self.jobs.push(cx, job)?;
        while let Some(job) = self.jobs.pop() {
            // Whatever stands above belonged to branches that are done.
            self.pool.truncate(job.end);
            let branch = self.branch(cx, &job)?;
            match job.slot {
                Slot::Root => root = branch,
                Slot::Wild(node) => {
                    if let Some(node) = self.forest.nodes.get_mut(node as usize) {
                        node.wild = branch;
                    }
                }
                Slot::Kid(at) => {
                    if let Some(kid) = self.forest.kids.get_mut(at as usize) {
                        *kid = branch;
                    }
                }
            }
            if self.forest.bytes() > self.most_bytes {
                return Err(Refused::Bytes);
            }
        }
        for &(to, from) in self.same.iter() {
            let branch = self.forest.kids.get(from as usize).copied();
            if let (Some(kid), Some(branch)) = (self.forest.kids.get_mut(to as usize), branch) {
                *kid = branch;
            }
        }
        self.same.truncate(0);
        Ok(root)
    }

    fn branch<C: MaySleep>(&mut self, cx: &mut C, job: &Job) -> Result<Branch, Refused> {
        let n = job.end - job.from;
        if n <= FEW {
            return self.leaf(cx, job);
        }
        // The list is worked on while the pool grows.
        let mut list = KVec::with_capacity(cx, n)?;
        for &rank in self.pool.get(job.from..job.end).unwrap_or_default() {
            list.push(cx, rank)?;
        }
        let score = if job.depth < MAX_DEPTH && self.listed < self.most_listed {
            self.by.best_split(cx, &list, job.resolved)?
        } else {
            None
        };
        let poor = score.is_none_or(|s| s.wide.saturating_mul(WIDE) > n as u64);
        if poor
            && n >= GRID
            && let Some(grid) = self.grid(cx, &list, job.resolved)?
        {
            return Ok(grid);
        }
        match score {
            Some(score) => self.split(cx, &list, job, &score),
            None => self.leaf(cx, job),
        }
    }

    /// A grid of the rules, if it helps and there is memory for it.
    #[inline(never)]
    fn grid<C: MaySleep>(
        &mut self,
        cx: &mut C,
        list: &[u32],
        resolved: u8,
    ) -> Result<Option<Branch>, Refused> {
        let of = Source {
            rules: &self.by.rules,
            list,
            resolved,
        };
        let (dims, bytes) = of.plan();
        let Some(left) = self.grid_bytes.checked_sub(bytes) else {
            return Ok(None);
        };
        if dims == 0 {
            return Ok(None);
        }
        self.grid_bytes = left;
        let grids = &mut self.forest.grids;
        let grid = grids.build(cx, &mut self.by.sweeper, &of, dims)?;
        Ok(Some(NOTHING | (number(grid as usize)? + 1)))
    }

    fn leaf<C: MaySleep>(&mut self, cx: &mut C, job: &Job) -> Result<Branch, Refused> {
        let list = self.pool.get(job.from..job.end).unwrap_or_default();
        match list {
            [] => Ok(NOTHING),
            [rank] => Ok(ONE | self.by.rules.entry(*rank, job.resolved)),
            _ => {
                let lists = &mut self.forest.lists;
                let at = number(lists.len())?;
                lists.push(cx, number(list.len())?)?;
                for &rank in list {
                    lists.push(cx, self.by.rules.entry(rank, job.resolved))?;
                }
                Ok(LIST | at)
            }
        }
    }

    #[inline(never)]
    fn split<C: MaySleep>(
        &mut self,
        cx: &mut C,
        list: &[u32],
        job: &Job,
        score: &Score,
    ) -> Result<Branch, Refused> {
        let dim = score.dim;
        if score.widest != u32::MAX {
            let count = |_: &mut C, _: A, _: &[u32]| Ok(false);
            self.by
                .sweeper
                .sweep(cx, &self.by.rules, list, dim, job.resolved, count)?;
            self.by.mark_wide(list, dim, score.widest);
        }
        let node = number(self.forest.nodes.len())?;
        let at = number(self.forest.keys.len())?;
        let best = list.first().copied().unwrap_or(u32::MAX);
        // The wild child's list lies lowest, so that it is worked on last.
        let wild_from = self.pool.len();
        let (mut wild_best, mut hidden) = (u32::MAX, false);
        self.kept.truncate(0);
        for (place, &rank) in list.iter().enumerate() {
            let wide = self.by.sweeper.wide.get(place).copied().unwrap_or(false);
            if self.by.rules.bounded(rank) >> dim & 1 != 0 && !wide {
                self.kept.push(cx, rank)?;
            } else if !hidden {
                self.pool.push(cx, rank)?;
                wild_best = wild_best.min(rank);
                hidden = self.by.rules.hides(rank, job.resolved);
            }
        }
        if self.pool.len() != wild_from {
            let wild = Job {
                from: wild_from,
                end: self.pool.len(),
                slot: Slot::Wild(node),
                resolved: job.resolved,
                depth: job.depth + 1,
            };
            self.jobs.push(cx, wild)?;
        }
        let split = Split {
            hash: hash(&self.kept),
            dim,
            resolved: job.resolved,
        };
        let like = self.splits.find(&split, &self.kept, job.depth);
        let like = like.and_then(|like| self.forest.nodes.get(like as usize));
        let (buckets, at, n) = if let Some(like) = like {
            (like.buckets, like.at, like.n)
        } else {
            self.splits.keep(cx, &split, &self.kept, job.depth, node)?;
            self.kids(cx, list, job, dim)?;
            let keys = self.forest.keys.get(at as usize..).unwrap_or_default();
            (self.forest.index.build(cx, keys)?, at, number(keys.len())?)
        };
        self.by.forget_wide(list.len());
        let made = Node {
            buckets,
            at,
            n,
            best,
            wild: NOTHING,
            wild_best,
            dim: u8::try_from(dim).unwrap_or(0),
        };
        self.forest.nodes.push(cx, made)?;
        Ok(NODE | node)
    }

    /// Makes the intervals of a node, and jobs for them.
    fn kids<C: MaySleep>(
        &mut self,
        cx: &mut C,
        list: &[u32],
        job: &Job,
        dim: usize,
    ) -> Result<(), Refused> {
        let Builder {
            by: Scorer { rules, sweeper, .. },
            forest,
            pool,
            jobs,
            same,
            listed,
            ..
        } = self;
        let first_job = jobs.len();
        let mut last: Option<u32> = None;
        let mut refused = None;
        sweeper.sweep(cx, rules, list, dim, job.resolved, |cx, start, ranks| {
            // Like one of the last few? Between hosts it is the same again and again.
            let recent = jobs.get(first_job..).unwrap_or_default();
            let like = recent.iter().rev().take(4).find_map(|j| match j.slot {
                Slot::Kid(at) if pool.get(j.from..j.end) == Some(ranks) => Some(at),
                _ => None,
            });
            if like.is_some() && like == last {
                return Ok(true);
            }
            let Ok(at) = number(forest.kids.len()) else {
                refused = Some(Refused::Bytes);
                return Ok(false);
            };
            forest.keys.push(cx, start)?;
            forest.kids.push(cx, NOTHING)?;
            last = Some(at);
            if let Some(like) = like {
                same.push(cx, (at, like))?;
                // What comes next is compared with what this one is like.
                last = Some(like);
                return Ok(true);
            }
            let from = pool.len();
            for &rank in ranks {
                pool.push(cx, rank)?;
            }
            *listed += ranks.len();
            let kid = Job {
                from,
                end: pool.len(),
                slot: Slot::Kid(at),
                resolved: job.resolved | 1 << dim,
                depth: job.depth + 1,
            };
            jobs.push(cx, kid)?;
            Ok(true)
        })?;
        refused.map_or(Ok(()), Err)
    }
}
