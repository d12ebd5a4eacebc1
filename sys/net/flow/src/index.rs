// SPDX-License-Identifier: BSD-2-Clause
//! From key to entry: buckets of 8 slots, one cache line each, two buckets a key.
//!
//! ```text
//! slot   tag:32 | entry number + 1:31 | side:1      0: empty
//! ```
//!
//! The tag is half of the key's hash, so that of the entries that a look-up visits nearly all are
//! right: what is touched is one line here, seldom two, and one of the entry. A key goes to its first
//! bucket as long as that is not crowded, else to the emptier one. The table keeps at most half of
//! the slots in use; then no bucket pair fills (a test fills many).
//!
//! *Locking*: a slot goes from empty to a value and back by compare-and-swap, from any CPU. What
//! makes a key single is not here but in [`crate::table`].

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use kern::cx::MaySleep;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KVec;

use crate::slab::Side;

const SLOTS: usize = 8;
/// From so many used slots on the second bucket is considered.
const CROWDED: u32 = 6;
/// The fewest buckets: two different ones for each key.
const FEWEST: usize = 8;

#[repr(align(64))]
struct Bucket([AtomicU64; SLOTS]);

impl Bucket {
    fn used(&self) -> u32 {
        self.0.iter().fold(0, |n, slot| {
            n.wrapping_add(u32::from(slot.load(Ordering::Relaxed) != 0))
        })
    }

    fn replace(&self, old: u64, new: u64) -> bool {
        self.0.iter().any(|slot| {
            slot.load(Ordering::Relaxed) == old
                && slot
                    .compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
        })
    }

    /// Bit i: slot i has this tag.
    #[inline]
    fn tagged(&self, tag: u64) -> u32 {
        self.0.iter().rev().fold(0, |bits, slot| {
            // Relaxed: slots are loaded again before an entry is looked at.
            bits << 1 | u32::from(slot.load(Ordering::Relaxed) >> 32 == tag)
        })
    }
}

/// One index; a larger one replaces it when the table grows.
pub(crate) struct Index {
    buckets: KVec<Bucket>,
    mask: u32,
}

/// The slot value of an entry's key.
pub(crate) const fn slot(hash: u64, index: u32, side: Side) -> u64 {
    hash & 0xffff_ffff_0000_0000 | (index as u64 + 1) << 1 | side as u64
}

impl Index {
    /// For up to `keys` keys: twice as many slots, at least.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MaySleep>(cx: &mut C, keys: usize) -> Result<Self> {
        let n = Self::buckets_for(keys);
        let mask = u32::try_from(n).map_err(|_| Errno::ENOMEM)?.wrapping_sub(1);
        let empty = |_| Bucket([const { AtomicU64::new(0) }; SLOTS]);
        let buckets = KVec::from_fn(cx, n, empty)?;
        Ok(Index { buckets, mask })
    }

    fn buckets_for(keys: usize) -> usize {
        let slots = keys.saturating_mul(2).max(FEWEST * SLOTS);
        slots.div_ceil(SLOTS).next_power_of_two()
    }

    /// Whether it was made for so many keys.
    pub fn suits(&self, keys: usize) -> bool {
        self.buckets.len() >= Self::buckets_for(keys)
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        self.buckets.len().saturating_mul(size_of::<Bucket>())
    }

    /// The two buckets of a hash.
    #[inline]
    fn pair(&self, hash: u64) -> [u32; 2] {
        let first = hash as u32 & self.mask;
        // Odd, so that the second is another one.
        let apart = ((hash >> 32) as u32).wrapping_mul(0x9e37_79b1) >> 4 | 1;
        [first, (first ^ apart) & self.mask]
    }

    fn bucket(&self, n: u32) -> Option<&Bucket> {
        self.buckets.get(n as usize)
    }

    /// Asks `f` about the entries whose slot has the tag of `hash`, until it says something.
    #[inline]
    pub fn find<R>(&self, hash: u64, mut f: impl FnMut(u32, Side) -> Option<R>) -> Option<R> {
        let tag = hash >> 32;
        for n in self.pair(hash) {
            let bucket = self.bucket(n)?;
            let mut tagged = bucket.tagged(tag);
            while tagged != 0 {
                let i = tagged.trailing_zeros();
                tagged &= tagged.wrapping_sub(1);
                // Acquire: with the slot comes what the inserter wrote before.
                let slot = bucket.0.get(i as usize)?.load(Ordering::Acquire);
                let side = if slot & 1 == 0 { Side::A } else { Side::B };
                let Some(index) = (slot as u32 >> 1).checked_sub(1) else {
                    continue;
                };
                if slot >> 32 == tag
                    && let Some(found) = f(index, side)
                {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Puts a slot into one of the buckets of its hash; false when both are full.
    pub fn place(&self, hash: u64, slot: u64) -> bool {
        let [a, b] = self.pair(hash);
        let (Some(a), Some(b)) = (self.bucket(a), self.bucket(b)) else {
            return false;
        };
        let used = a.used();
        let (best, other) = if used < CROWDED || used <= b.used() {
            (a, b)
        } else {
            (b, a)
        };
        best.replace(0, slot) || other.replace(0, slot)
    }

    /// Takes a slot out.
    pub fn remove(&self, hash: u64, slot: u64) {
        let pair = self.pair(hash);
        let mut buckets = pair.iter().filter_map(|&n| self.bucket(n));
        let _ = buckets.any(|b| b.replace(slot, 0));
    }

    /// Whether a slot is in.
    pub fn contains(&self, hash: u64, slot: u64) -> bool {
        let pair = self.pair(hash);
        let mut buckets = pair.iter().filter_map(|&n| self.bucket(n));
        buckets.any(|b| b.0.iter().any(|s| s.load(Ordering::Relaxed) == slot))
    }
}
