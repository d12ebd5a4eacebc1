// SPDX-License-Identifier: BSD-2-Clause
//! Which of many intervals a key lies in.
//!
//! The intervals are their sorted first keys. Buckets of equal width over the span of the keys,
//! about two for each, say where to look; a bucket with many keys has buckets of its own. So a
//! search costs a step or two where keys are spread, and a level more where they are crowded.

use kern::cx::MaySleep;
use kern::errno::Result;
use kern::mem::KVec;

use crate::key::Key;

/// Keys that are searched by halving.
const FEW: u32 = 16;
/// A bucket's entry: a number of a further set of buckets.
const DEEPER: u32 = 1 << 31;
/// A bucket's entry: where its keys start in these bits, how many there are above.
const START_BITS: u32 = 18;

/// Buckets over some keys.
#[derive(Clone, Copy)]
pub struct Buckets<A> {
    /// The first of the keys.
    base: A,
    /// Where the entries are.
    at: u32,
    /// The last bucket's number.
    last: u32,
    /// The interval of what is below `base`.
    below: u32,
    /// log2 of a bucket's width.
    shift: u8,
}

impl<A: Key> Buckets<A> {
    /// For few keys, which need none.
    pub const NONE: Self = Buckets {
        base: A::ZERO,
        at: u32::MAX,
        last: 0,
        below: 0,
        shift: 0,
    };
}

/// The buckets of all nodes of a tree.
pub struct Index<A> {
    pub entries: KVec<u32>,
    pub deeper: KVec<Buckets<A>>,
}

/// The last of `keys` that is not above `x`; the first one is not.
#[inline]
fn halve<A: Key>(keys: &[A], x: A) -> u32 {
    let mut from = 0;
    let mut n = keys.len();
    while n > 1 {
        let half = n / 2;
        if keys.get(from + half).is_some_and(|k| *k <= x) {
            from += half;
        }
        n -= half;
    }
    u32::try_from(from).unwrap_or(0)
}

impl<A: Key> Index<A> {
    /// No buckets.
    pub const fn new() -> Self {
        Index {
            entries: KVec::new(),
            deeper: KVec::new(),
        }
    }

    /// The interval of `x` among those that start at `keys`, of which the first is 0.
    #[inline]
    pub fn find(&self, buckets: &Buckets<A>, keys: &[A], x: A) -> u32 {
        if buckets.at == u32::MAX {
            return halve(keys, x);
        }
        let mut b = buckets;
        // Each turn is over 16 keys or more within one bucket of the turn before: a few.
        loop {
            if x < b.base {
                return b.below;
            }
            let bucket = x.bucket(b.base, b.shift).min(b.last);
            let at = b.at.wrapping_add(bucket) as usize;
            let Some(&entry) = self.entries.get(at) else {
                return 0;
            };
            if entry & DEEPER == 0 {
                let start = entry & ((1 << START_BITS) - 1);
                let more = entry >> START_BITS;
                if more == 0 {
                    return start;
                }
                let range = start as usize..(start + more + 1) as usize;
                return start + keys.get(range).map_or(0, |keys| halve(keys, x));
            }
            match self.deeper.get((entry & !DEEPER) as usize) {
                Some(deeper) => b = deeper,
                None => return 0,
            }
        }
    }

    /// Makes buckets for `keys`.
    pub fn build<C: MaySleep>(&mut self, cx: &mut C, keys: &[A]) -> Result<Buckets<A>> {
        let n = u32::try_from(keys.len()).unwrap_or(0);
        if n <= FEW {
            return Ok(Buckets::NONE);
        }
        // Key 0 is the bottom of the range, and below the buckets.
        let mut first_open = self.deeper.len();
        let top = self.level(cx, keys, 1, n)?;
        while let Some(&open) = self.deeper.get(first_open) {
            // Until it is built, `at` and `last` hold the range of its keys.
            let built = self.level(cx, keys, open.at, open.last)?;
            if let Some(slot) = self.deeper.get_mut(first_open) {
                *slot = built;
            }
            first_open += 1;
        }
        Ok(top)
    }

    /// One set of buckets, over the keys from number `from` up to `end`.
    fn level<C: MaySleep>(
        &mut self,
        cx: &mut C,
        keys: &[A],
        from: u32,
        end: u32,
    ) -> Result<Buckets<A>> {
        let of = keys.get(from as usize..end as usize).unwrap_or_default();
        let (Some(&base), Some(&highest)) = (of.first(), of.last()) else {
            return Ok(Buckets::NONE);
        };
        let most = (end - from).saturating_mul(2);
        let mut shift = 0;
        while highest.bucket(base, shift) >= most {
            shift += 1;
        }
        let last = highest.bucket(base, shift);
        let at = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let mut next = from;
        for bucket in 0..=last {
            // Keys up to `start` lie at or before the bucket's start.
            let low = A::at_bucket(base, shift, bucket);
            while keys.get(next as usize).is_some_and(|k| *k <= low) && next < end {
                next += 1;
            }
            let start = next - 1;
            while next < end
                && keys
                    .get(next as usize)
                    .is_some_and(|k| k.bucket(base, shift) == bucket)
            {
                next += 1;
            }
            let more = next - 1 - start;
            let entry = if more > FEW {
                let deeper = u32::try_from(self.deeper.len()).unwrap_or(0);
                let open = Buckets {
                    base,
                    at: start + 1,
                    last: next,
                    below: 0,
                    shift: 0,
                };
                self.deeper.push(cx, open)?;
                DEEPER | deeper
            } else {
                start | more << START_BITS
            };
            self.entries.push(cx, entry)?;
        }
        Ok(Buckets {
            base,
            at,
            last,
            below: from - 1,
            shift,
        })
    }
}

/// Makes it a copy that has no room to grow.
#[inline(never)]
pub fn trim<T: Copy, C: MaySleep>(cx: &mut C, of: &mut KVec<T>) -> Result {
    let mut to = KVec::with_capacity(cx, of.len())?;
    for x in of.iter() {
        to.push(cx, *x)?;
    }
    *of = to;
    Ok(())
}
