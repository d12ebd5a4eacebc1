// SPDX-License-Identifier: BSD-2-Clause
//! `AddrTable`: a set of prefixes that is changed one at a time while it is read.
//!
//! Each family has a flat hash of its own, which is there from the first entry on. A look-up tries
//! the lengths that entries have, longest first.
//!
//! *Contexts*: `lookup` and `contains` anywhere within a section; all else in thread context.
//! *Locking*: readers \[E\]; writers \[L\] the table's mutex, which is held while they wait for
//! readers: readers do not take it.

mod half;
mod prefix;

use core::sync::atomic::Ordering;

use kern::cx::MayDrain;
use kern::cx::MaySleep;
use kern::epoch::Section;
use kern::errno::Errno;
use kern::errno::Result;
use kern::misc;
use kern::passive::Passive;
use kern::passive::Value;
use kern::sync::Mutex;

use crate::fields::Af;
use half::Counts;
use half::HASH_BITS;
use half::Half;
use half::Mixer;
use half::Tally;
pub use prefix::Entry;
pub use prefix::Prefix;

/// Seconds of uptime.
fn seconds() -> u32 {
    (misc::uptime_ns() / 1_000_000_000) as u32
}

/// Most entries of any table.
const MOST: u32 = 1 << 24;

/// How a table is to be.
#[derive(Clone, Copy, Debug)]
pub struct TableConfig {
    /// Most entries, up to 16,777,216.
    pub max: u32,
    /// Whether each entry counts packets and bytes.
    pub counters: bool,
}

/// What a look-up found.
pub struct Hit<'s> {
    /// The entry says that the address is not in the table.
    pub not: bool,
    /// The length of the prefix.
    pub bits: u8,
    counts: Option<&'s Counts>,
}

impl Hit<'_> {
    /// Counts a packet of `bytes` bytes for the entry.
    #[inline]
    pub fn count(&self, bytes: u64) {
        if let Some(counts) = self.counts {
            counts.packets.fetch_add(1, Ordering::Relaxed);
            counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// Why an entry was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// As many entries as [`TableConfig::max`].
    Full,
    /// No memory; the table is as it was.
    NoMemory,
}

impl From<AddError> for Errno {
    fn from(why: AddError) -> Self {
        match why {
            AddError::Full => Errno::ENOSPC,
            AddError::NoMemory => Errno::ENOMEM,
        }
    }
}

/// What writers keep.
struct Writer {
    v4: Tally,
    v6: Tally,
    /// The family and slot where the next sweep goes on.
    swept: (Af, usize),
}

/// A set of prefixes of both families.
pub struct AddrTable {
    config: TableConfig,
    /// [E] readers, [L] writers
    v4: Passive<Half<1>>,
    /// [E] readers, [L] writers
    v6: Passive<Half<3>>,
    /// [L]
    writer: Mutex<Writer>,
    /// [I]
    mixer: Mixer,
}

impl AddrTable {
    /// An empty table.
    ///
    /// # Errors
    /// ENOMEM; EINVAL when it is to have more entries than a table may.
    pub fn new<C: MaySleep>(cx: &mut C, config: TableConfig) -> Result<Self> {
        if config.max > MOST {
            return Err(Errno::EINVAL);
        }
        let mut random = [0; 16];
        misc::random(&mut random);
        let random = u128::from_ne_bytes(random);
        let writer = Writer {
            v4: Tally::new(cx, 32)?,
            v6: Tally::new(cx, 128)?,
            swept: (Af::V4, 0),
        };
        Ok(AddrTable {
            config,
            v4: Passive::empty(),
            v6: Passive::empty(),
            writer: Mutex::new(cx, "addrtable", writer)?,
            mixer: Mixer {
                seed: (random >> 64) as u64,
                // A good multiplier, some of whose bits are random.
                factor: 0x9e37_79b9_7f4a_7c15 ^ (random as u64 & 0x00f0_f0f0_f0f0_f0f0),
            },
        })
    }

    /// The entry with the longest prefix that has the address and has not expired at `now`.
    #[inline]
    pub fn lookup<'s>(
        &'s self,
        s: &'s Section<'_>,
        af: Af,
        addr: u128,
        now: u32,
    ) -> Option<Hit<'s>> {
        let found = match af {
            Af::V4 => self.v4.peek(s)?.longest(addr, now),
            Af::V6 => self.v6.peek(s)?.longest(addr, now),
        }?;
        Some(Hit {
            not: found.not,
            bits: found.bits,
            counts: found.counts,
        })
    }

    /// Whether the address is in the table: found, and the entry does not say `!`.
    #[inline]
    pub fn contains(&self, s: &Section<'_>, af: Af, addr: u128, now: u32) -> bool {
        self.lookup(s, af, addr, now).is_some_and(|hit| !hit.not)
    }

    /// Adds an entry, or changes `not` and `expires` of the one that is there. True when it is new.
    ///
    /// # Errors
    /// As [`AddError`] says; the table is as it was.
    pub fn add<C: MayDrain>(
        &self,
        cx: &mut C,
        prefix: Prefix,
        not: bool,
        expires: u32,
    ) -> Result<bool, AddError> {
        let mut w = self.writer.lock(cx);
        let full = w.v4.live + w.v6.live >= self.config.max as usize;
        let make = |cx: &mut C, tally: &mut Tally| match prefix.af() {
            Af::V4 => self.add_to(cx, &self.v4, tally, full, &prefix, not, expires),
            Af::V6 => self.add_to(cx, &self.v6, tally, full, &prefix, not, expires),
        };
        match prefix.af() {
            Af::V4 => make(cx, &mut w.v4),
            Af::V6 => make(cx, &mut w.v6),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the entry's parts and where it goes"
    )]
    fn add_to<C: MayDrain, const W: usize>(
        &self,
        cx: &mut C,
        half: &Passive<Half<W>>,
        tally: &mut Tally,
        full: bool,
        prefix: &Prefix,
        not: bool,
        expires: u32,
    ) -> Result<bool, AddError> {
        let now = half.with(cx, |h, _| (h.has(prefix), h.slots()));
        let (has, slots) = now.unwrap_or((false, 0));
        if !has {
            if full {
                return Err(AddError::Full);
            }
            if let Some(slots) = tally.wants(slots) {
                self.rebuild(cx, half, tally, slots)
                    .map_err(|_| AddError::NoMemory)?;
            }
        }
        half.with(cx, |h, _| h.put(tally, prefix, not, expires, seconds()));
        Ok(!has)
    }

    /// Publishes a copy with `slots` slots and without what was left behind.
    fn rebuild<C: MayDrain, const W: usize>(
        &self,
        cx: &mut C,
        half: &Passive<Half<W>>,
        tally: &mut Tally,
        slots: usize,
    ) -> Result {
        let new = Half::new(cx, slots, self.config.counters, self.mixer)?;
        let new = Value::new(cx, new)?;
        half.with(cx, |old, _| new.copy(tally, old));
        let old = half.replace(cx, Some(new));
        // What was counted until now, was counted there.
        if let Some(old) = old {
            half.with(cx, |new, _| new.add_counts(&old));
        }
        Ok(())
    }

    /// Takes an entry out; false when it is not there.
    pub fn remove<C: MaySleep>(&self, cx: &mut C, prefix: Prefix) -> bool {
        let mut w = self.writer.lock(cx);
        let taken = match prefix.af() {
            Af::V4 => self.v4.with(cx, |h, _| h.take(&mut w.v4, &prefix)),
            Af::V6 => self.v6.with(cx, |h, _| h.take(&mut w.v6, &prefix)),
        };
        taken.unwrap_or(false)
    }

    /// The entry of exactly this prefix, expired or not.
    pub fn get<C: MaySleep>(&self, cx: &mut C, prefix: Prefix) -> Option<Entry> {
        match prefix.af() {
            Af::V4 => self.v4.with(cx, |h, _| h.get(&prefix))?,
            Af::V6 => self.v6.with(cx, |h, _| h.get(&prefix))?,
        }
    }

    /// Up to `max` entries from `cursor` on (0 to start) to `f`; what to go on with, or `None` after
    /// the last. Whatever comes and goes meanwhile, what stays is listed once.
    pub fn list<C: MaySleep>(
        &self,
        cx: &mut C,
        cursor: u64,
        max: usize,
        mut f: impl FnMut(&Entry),
    ) -> Option<u64> {
        // Nobody may rebuild it under us.
        let _w = self.writer.lock(cx);
        let v6 = 1 << HASH_BITS;
        let (mut left, mut from) = (max, cursor);
        if cursor & v6 == 0 {
            let mut counted = |e: &Entry| {
                left -= 1;
                f(e);
            };
            let next = self.v4.with(cx, |h, _| h.list(cursor, max, &mut counted));
            if let Some(Some(next)) = next {
                return Some(next);
            }
            from = v6;
        }
        let next = self.v6.with(cx, |h, _| h.list(from, left, &mut f));
        next.flatten().map(|next| next | v6)
    }

    /// Takes out what has expired at `now` among the next `max` places, and goes on from there the
    /// next time; how many. Costs nothing while no entry has a time to end.
    pub fn sweep<C: MaySleep>(&self, cx: &mut C, now: u32, max: u32) -> u32 {
        let mut w = self.writer.lock(cx);
        let Writer { v4, v6, swept } = &mut *w;
        if v4.expiring == 0 && v6.expiring == 0 {
            return 0;
        }
        let mut left = max as usize;
        let mut taken = 0;
        // Once around at most.
        for _ in 0..2 {
            let (af, from) = *swept;
            let done = match af {
                Af::V4 => self.v4.with(cx, |h, _| {
                    let here = h.slots().saturating_sub(from);
                    (h.sweep(v4, now, from, left), here)
                }),
                Af::V6 => self.v6.with(cx, |h, _| {
                    let here = h.slots().saturating_sub(from);
                    (h.sweep(v6, now, from, left), here)
                }),
            };
            let (n, here) = done.unwrap_or((0, 0));
            taken += n;
            if here > left {
                *swept = (af, from + left);
                break;
            }
            left -= here;
            *swept = match af {
                Af::V4 => (Af::V6, 0),
                Af::V6 => (Af::V4, 0),
            };
        }
        taken
    }

    /// Sets all counters to 0.
    pub fn zero<C: MaySleep>(&self, cx: &mut C) {
        let _w = self.writer.lock(cx);
        let now = seconds();
        self.v4.with(cx, |h, _| h.zero(now));
        self.v6.with(cx, |h, _| h.zero(now));
    }

    /// Sets the counters of one entry to 0; false when it is not there.
    pub fn zero_one<C: MaySleep>(&self, cx: &mut C, prefix: Prefix) -> bool {
        let _w = self.writer.lock(cx);
        let now = seconds();
        let done = match prefix.af() {
            Af::V4 => self.v4.with(cx, |h, _| h.zero_one(&prefix, now)),
            Af::V6 => self.v6.with(cx, |h, _| h.zero_one(&prefix, now)),
        };
        done.unwrap_or(false)
    }

    /// Marks all entries as old, until they are added again. With [`AddrTable::take_if`] a whole
    /// replacement in steps, during which what stays is there all the time.
    pub fn mark<C: MaySleep>(&self, cx: &mut C) {
        let _w = self.writer.lock(cx);
        self.v4.with(cx, |h, _| h.mark_all());
        self.v6.with(cx, |h, _| h.mark_all());
    }

    /// Takes out the entries that `which` picks; how many.
    pub fn take_if<C: MaySleep>(&self, cx: &mut C, mut which: impl FnMut(&Entry) -> bool) -> usize {
        let mut w = self.writer.lock(cx);
        let Writer { v4, v6, .. } = &mut *w;
        let one = self.v4.with(cx, |h, _| h.take_if(v4, &mut which));
        let two = self.v6.with(cx, |h, _| h.take_if(v6, &mut which));
        one.unwrap_or(0) + two.unwrap_or(0)
    }

    /// Takes all entries out and gives their memory back; how many there were.
    pub fn clear<C: MayDrain>(&self, cx: &mut C) -> usize {
        let mut w = self.writer.lock(cx);
        let n = w.v4.live + w.v6.live;
        w.v4.clear();
        w.v6.clear();
        drop(self.v4.replace(cx, None));
        drop(self.v6.replace(cx, None));
        n
    }

    /// The number of entries, expired ones included until they are swept.
    pub fn len<C: MaySleep>(&self, cx: &mut C) -> usize {
        let w = self.writer.lock(cx);
        w.v4.live + w.v6.live
    }

    /// Whether there are none.
    pub fn is_empty<C: MaySleep>(&self, cx: &mut C) -> bool {
        self.len(cx) == 0
    }

    /// Most entries.
    pub fn max(&self) -> u32 {
        self.config.max
    }

    /// Bytes that the table takes.
    pub fn bytes<C: MaySleep>(&self, cx: &mut C) -> usize {
        let v4 = self.v4.with(cx, |h, _| h.bytes());
        let v6 = self.v6.with(cx, |h, _| h.bytes());
        size_of::<Self>() + v4.unwrap_or(0) + v6.unwrap_or(0)
    }
}
