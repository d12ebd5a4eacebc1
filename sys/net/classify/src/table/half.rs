// SPDX-License-Identifier: BSD-2-Clause
//! The entries of one family: a flat hash of (address, length), read without locks.
//!
//! *Locking*: readers \[E\] in a section, writers \[L\] under the table's mutex. A slot never changes
//! its key: an entry that is taken out leaves it behind, and the array is rebuilt when keys fill
//! 5/8 of it. Keys are apart from what only a hit needs, so a miss costs one line in most cases.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use kern::cx::MaySleep;
use kern::errno::Result;
use kern::mem::KVec;

use crate::fields::Af;
use crate::table::prefix::Entry;
use crate::table::prefix::Prefix;

/// In a key's first word: the slot has one.
const USED: u64 = 1;
/// The entry is there; else it was.
const LIVE: u64 = 2;
/// It says `!`.
const NOT: u64 = 4;
/// It has a time to end.
const EXPIRES: u64 = 8;
const FLAGS: u64 = 0xff;

/// In `since`: the entry was marked.
const OLD: u32 = 1 << 31;

/// Slots of a small table.
const MIN_SLOTS: usize = 16;

/// A key: the length and, for IPv4, the address in the first word; an IPv6 address in the others.
pub type Key<const W: usize> = [u64; W];

/// Mixes keys; made once a table, so that the order of hashes lasts.
#[derive(Clone, Copy)]
pub struct Mixer {
    pub seed: u64,
    /// Odd.
    pub factor: u64,
}

/// Hashes have 63 bits, so that with a family's bit they make a cursor.
pub const HASH_BITS: u32 = 63;
const HASH: u64 = (1 << HASH_BITS) - 1;

impl Mixer {
    /// For IPv4 no two keys have the same hash; for IPv6 two of a million do once in 10^7 tables.
    #[inline]
    fn hash<const W: usize>(&self, key: &Key<W>) -> u64 {
        const LAST: u64 = 0x9fb2_1c65_1e98_df25;
        let mut h = self.seed;
        if let [word] = key.as_slice() {
            // Each step can be undone in 63 bits, and the upper 8 of the turned word are 0.
            h = (h ^ word.rotate_right(8)) & HASH;
            h = h.wrapping_mul(self.factor) & HASH;
            h ^= h >> 32;
            h = h.wrapping_mul(LAST) & HASH;
            return h ^ h >> 29;
        }
        for word in key {
            h = (h ^ word).wrapping_mul(self.factor);
            h ^= h >> 32;
        }
        h = h.wrapping_mul(LAST);
        (h ^ h >> 29) >> 1
    }
}

/// The key of a prefix.
#[inline]
pub fn key<const W: usize>(addr: u128, len: u8) -> Key<W> {
    let mut key = [0; W];
    let (low, high) = ((addr & u128::from(u64::MAX)) as u64, (addr >> 64) as u64);
    match key.as_mut_slice() {
        [first] => *first = low << 32 | u64::from(len) << 8,
        [first, a, b] => {
            *first = u64::from(len) << 8;
            *a = high;
            *b = low;
        }
        _ => {}
    }
    key
}

/// What a slot holds besides its key.
#[derive(Default)]
pub struct Counts {
    pub packets: AtomicU64,
    pub bytes: AtomicU64,
}

/// What a look-up found in one family.
pub struct Found<'s> {
    pub not: bool,
    pub bits: u8,
    pub counts: Option<&'s Counts>,
}

/// The entries of one family.
pub struct Half<const W: usize> {
    slots: KVec<[AtomicU64; W]>,
    expires: KVec<AtomicU32>,
    /// When an entry came, or its counts were cleared, and [`OLD`]; the writers'.
    since: KVec<AtomicU32>,
    /// Empty when entries do not count.
    counts: KVec<Counts>,
    /// A bit for each length that entries have.
    lengths: [AtomicU64; 3],
    mixer: Mixer,
    /// Slots minus 1, of a power of two of them.
    mask: usize,
    /// From a hash to its slot.
    shift: u32,
}

/// How many there are, by length; the writers', under the mutex.
pub struct Tally {
    /// Entries.
    pub live: usize,
    /// Slots with a key.
    pub used: usize,
    /// Entries with a time to end.
    pub expiring: usize,
    /// Entries of each length.
    by_length: KVec<u32>,
}

impl Tally {
    /// For prefixes of up to `bits` bits.
    pub fn new<C: MaySleep>(cx: &mut C, bits: usize) -> Result<Self> {
        Ok(Tally {
            live: 0,
            used: 0,
            expiring: 0,
            by_length: KVec::from_fn(cx, bits + 1, |_| 0)?,
        })
    }

    /// There are none any more.
    pub fn clear(&mut self) {
        (self.live, self.used, self.expiring) = (0, 0, 0);
        self.by_length.fill(0);
    }

    /// Slots for one more entry, when those there do not do: a quarter to a half of them in use.
    pub fn wants(&self, slots: usize) -> Option<usize> {
        let short = (self.used + 1) * 8 > slots * 5;
        short.then(|| ((self.live + 1) * 2).next_power_of_two().max(MIN_SLOTS))
    }
}

impl<const W: usize> Half<W> {
    pub const AF: Af = if W == 1 { Af::V4 } else { Af::V6 };

    /// Empty, with `slots` slots, a power of two.
    pub fn new<C: MaySleep>(
        cx: &mut C,
        slots: usize,
        counters: bool,
        mixer: Mixer,
    ) -> Result<Self> {
        let counting = if counters { slots } else { 0 };
        Ok(Half {
            slots: KVec::from_fn(cx, slots, |_| [const { AtomicU64::new(0) }; W])?,
            expires: KVec::from_fn(cx, slots, |_| AtomicU32::new(0))?,
            since: KVec::from_fn(cx, slots, |_| AtomicU32::new(0))?,
            counts: KVec::from_fn(cx, counting, |_| Counts::default())?,
            lengths: [const { AtomicU64::new(0) }; 3],
            mixer,
            mask: slots.wrapping_sub(1),
            shift: HASH_BITS - slots.trailing_zeros(),
        })
    }

    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val::<[_]>(&self.slots)
            + size_of_val::<[_]>(&self.expires)
            + size_of_val::<[_]>(&self.since)
            + size_of_val::<[_]>(&self.counts)
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize & self.mask
    }

    /// The slot of a key and its first word, or else, for who writes, the first free one and 0.
    #[inline]
    fn probe(&self, key: &Key<W>) -> Option<(usize, u64)> {
        let mut i = self.home(self.mixer.hash(key));
        for _ in 0..self.slots.len() {
            let slot = self.slots.get(i)?;
            let (mut first, mut same) = (0, true);
            for (n, (word, want)) in slot.iter().zip(key).enumerate() {
                if n == 0 {
                    first = word.load(Ordering::Acquire);
                    same = first & !FLAGS == *want;
                } else {
                    same &= word.load(Ordering::Relaxed) == *want;
                }
            }
            if first == 0 || same {
                return Some((i, first));
            }
            i = i.wrapping_add(1) & self.mask;
        }
        None
    }

    fn expires(&self, at: usize, first: u64) -> u32 {
        if first & EXPIRES == 0 {
            return 0;
        }
        self.expires
            .get(at)
            .map_or(0, |e| e.load(Ordering::Relaxed))
    }

    /// The entry with the longest prefix of `addr`, leaving out those that end at or before `now`.
    #[inline]
    pub fn longest(&self, addr: u128, now: u32) -> Option<Found<'_>> {
        for (n, word) in self.lengths.iter().enumerate().rev() {
            if W == 1 && n != 0 {
                continue;
            }
            let mut lengths = word.load(Ordering::Acquire);
            while lengths != 0 {
                let bit = lengths.ilog2();
                lengths ^= 1 << bit;
                let bits = bit as u8 | (n as u8) << 6;
                let prefix = Prefix::cut(Self::AF, addr, bits);
                let Some((at, first)) = self.probe(&key(prefix.addr(), bits)) else {
                    continue;
                };
                if first & LIVE == 0 {
                    continue;
                }
                let expires = self.expires(at, first);
                if expires != 0 && expires <= now {
                    continue;
                }
                return Some(Found {
                    not: first & NOT != 0,
                    bits,
                    counts: self.counts.get(at),
                });
            }
        }
        None
    }

    /// Whether the entry is there.
    pub fn has(&self, prefix: &Prefix) -> bool {
        let found = self.probe(&key(prefix.addr(), prefix.bits()));
        found.is_some_and(|(_, first)| first & LIVE != 0)
    }

    /// Puts an entry in, or changes the one that is there, which then is no longer marked. There
    /// must be room.
    pub fn put(&self, tally: &mut Tally, prefix: &Prefix, not: bool, expires: u32, now: u32) {
        let key = key::<W>(prefix.addr(), prefix.bits());
        let Some((at, was)) = self.probe(&key) else {
            return;
        };
        if was & LIVE != 0 {
            tally.expiring -= usize::from(was & EXPIRES != 0);
            if let Some(since) = self.since.get(at) {
                since.fetch_and(!OLD, Ordering::Relaxed);
            }
        } else {
            if let Some(since) = self.since.get(at) {
                since.store(now & !OLD, Ordering::Relaxed);
            }
            if let Some(counts) = self.counts.get(at) {
                counts.packets.store(0, Ordering::Relaxed);
                counts.bytes.store(0, Ordering::Relaxed);
            }
            tally.live += 1;
            tally.used += usize::from(was == 0);
            self.more(tally, prefix.bits());
        }
        tally.expiring += usize::from(expires != 0);
        if let Some(e) = self.expires.get(at) {
            e.store(expires, Ordering::Relaxed);
        }
        let mut flags = USED | LIVE;
        if not {
            flags |= NOT;
        }
        if expires != 0 {
            flags |= EXPIRES;
        }
        let Some([first, rest @ ..]) = self.slots.get(at).map(|s| s.as_slice()) else {
            return;
        };
        let [key, key_rest @ ..] = key.as_slice() else {
            return;
        };
        for (word, value) in rest.iter().zip(key_rest) {
            word.store(*value, Ordering::Relaxed);
        }
        // Last: who reads it sees the rest.
        first.store(key | flags, Ordering::Release);
    }

    fn more(&self, tally: &mut Tally, bits: u8) {
        if let Some(n) = tally.by_length.get_mut(usize::from(bits)) {
            *n += 1;
        }
        if let Some(word) = self.lengths.get(usize::from(bits >> 6)) {
            word.fetch_or(1 << (bits & 63), Ordering::Release);
        }
    }

    fn fewer(&self, tally: &mut Tally, bits: u8) {
        let Some(n) = tally.by_length.get_mut(usize::from(bits)) else {
            return;
        };
        *n = n.saturating_sub(1);
        if *n == 0
            && let Some(word) = self.lengths.get(usize::from(bits >> 6))
        {
            word.fetch_and(!(1 << (bits & 63)), Ordering::Release);
        }
    }

    /// Takes an entry out.
    pub fn take(&self, tally: &mut Tally, prefix: &Prefix) -> bool {
        match self.probe(&key(prefix.addr(), prefix.bits())) {
            Some((at, was)) => self.take_at(tally, at, was),
            None => false,
        }
    }

    fn take_at(&self, tally: &mut Tally, at: usize, was: u64) -> bool {
        let Some(first) = self.slots.get(at).and_then(|s| s.first()) else {
            return false;
        };
        if was & LIVE == 0 {
            return false;
        }
        first.store(was & !FLAGS | USED, Ordering::Release);
        tally.live -= 1;
        tally.expiring -= usize::from(was & EXPIRES != 0);
        self.fewer(tally, (was >> 8) as u8);
        true
    }

    /// The entry in a slot.
    pub fn entry(&self, at: usize) -> Option<Entry> {
        let slot = self.slots.get(at)?.as_slice();
        let first = slot.first()?.load(Ordering::Acquire);
        if first & LIVE == 0 {
            return None;
        }
        let addr = match slot {
            [_, a, b] => {
                u128::from(a.load(Ordering::Relaxed)) << 64 | u128::from(b.load(Ordering::Relaxed))
            }
            _ => u128::from(first >> 32),
        };
        let counts = self.counts.get(at);
        let since = self.since.get(at).map_or(0, |s| s.load(Ordering::Relaxed));
        Some(Entry {
            prefix: Prefix::cut(Self::AF, addr, (first >> 8) as u8),
            not: first & NOT != 0,
            since: since & !OLD,
            old: since & OLD != 0,
            expires: self.expires(at, first),
            packets: counts.map_or(0, |c| c.packets.load(Ordering::Relaxed)),
            bytes: counts.map_or(0, |c| c.bytes.load(Ordering::Relaxed)),
        })
    }

    /// The entry of exactly this prefix.
    pub fn get(&self, prefix: &Prefix) -> Option<Entry> {
        let (at, _) = self.probe(&key(prefix.addr(), prefix.bits()))?;
        self.entry(at)
    }

    /// Takes out what has ended among `n` slots from `from` on; how many.
    pub fn sweep(&self, tally: &mut Tally, now: u32, from: usize, n: usize) -> u32 {
        let mut taken = 0;
        for at in (from..self.slots.len()).take(n) {
            let first = self.slots.get(at).and_then(|s| s.first());
            let first = first.map_or(0, |f| f.load(Ordering::Relaxed));
            let expires = self.expires(at, first);
            if first & LIVE != 0 && expires != 0 && expires <= now {
                taken += u32::from(self.take_at(tally, at, first));
            }
        }
        taken
    }

    /// Puts what is in `old` into this one, without counts.
    pub fn copy(&self, tally: &mut Tally, old: &Self) {
        tally.clear();
        for at in 0..old.slots() {
            if let Some(e) = old.entry(at) {
                self.put(tally, &e.prefix, e.not, e.expires, e.since);
                if e.old {
                    self.mark(&e.prefix);
                }
            }
        }
    }

    /// Adds the counts of `old`, which nobody changes any more.
    pub fn add_counts(&self, old: &Self) {
        for at in 0..old.counts.len() {
            let Some(e) = old.entry(at).filter(|e| e.packets != 0) else {
                continue;
            };
            let to = self.probe(&key(e.prefix.addr(), e.prefix.bits()));
            if let Some(counts) = to.and_then(|(at, _)| self.counts.get(at)) {
                counts.packets.fetch_add(e.packets, Ordering::Relaxed);
                counts.bytes.fetch_add(e.bytes, Ordering::Relaxed);
            }
        }
    }

    fn mark(&self, prefix: &Prefix) {
        let at = self.probe(&key(prefix.addr(), prefix.bits()));
        if let Some(since) = at.and_then(|(at, _)| self.since.get(at)) {
            since.fetch_or(OLD, Ordering::Relaxed);
        }
    }

    /// Marks all entries.
    pub fn mark_all(&self) {
        for since in self.since.iter() {
            since.fetch_or(OLD, Ordering::Relaxed);
        }
    }

    /// Takes out the entries that `which` picks; how many.
    pub fn take_if(&self, tally: &mut Tally, mut which: impl FnMut(&Entry) -> bool) -> usize {
        let mut taken = 0usize;
        for at in 0..self.slots() {
            let Some(first) = self.slots.get(at).and_then(|s| s.first()) else {
                break;
            };
            let was = first.load(Ordering::Relaxed);
            if was & LIVE != 0 && self.entry(at).is_some_and(|e| which(&e)) {
                taken += usize::from(self.take_at(tally, at, was));
            }
        }
        taken
    }

    fn zero_at(&self, at: usize, now: u32) {
        if let Some(since) = self.since.get(at) {
            let old = since.load(Ordering::Relaxed) & OLD;
            since.store(now & !OLD | old, Ordering::Relaxed);
        }
        if let Some(counts) = self.counts.get(at) {
            counts.packets.store(0, Ordering::Relaxed);
            counts.bytes.store(0, Ordering::Relaxed);
        }
    }

    /// Sets all counters to 0; their time begins anew.
    pub fn zero(&self, now: u32) {
        (0..self.slots()).for_each(|at| self.zero_at(at, now));
    }

    /// The same of one entry; false when it is not there.
    pub fn zero_one(&self, prefix: &Prefix, now: u32) -> bool {
        let found = self.probe(&key(prefix.addr(), prefix.bits()));
        let Some((at, _)) = found.filter(|(_, first)| first & LIVE != 0) else {
            return false;
        };
        self.zero_at(at, now);
        true
    }

    /// Calls `f` with up to `max` entries in the order of their hashes, from hash `from` on; the
    /// hash to go on with, or `None` after the last.
    ///
    /// The order is that of the slots, but for entries that were pushed behind others: so the
    /// slots from a home to the next free one have all that belong to that home.
    pub fn list(&self, from: u64, max: usize, mut f: impl FnMut(&Entry)) -> Option<u64> {
        let mut next = from & HASH;
        let mut left = max;
        for home in self.home(next)..self.slots() {
            while let Some((hash, entry)) = self.lowest(home, next) {
                if left == 0 {
                    return Some(hash);
                }
                f(&entry);
                left -= 1;
                next = hash + 1;
            }
        }
        None
    }

    /// The entry with the lowest hash from `from` on among those of a home.
    fn lowest(&self, home: usize, from: u64) -> Option<(u64, Entry)> {
        let mut best: Option<(u64, Entry)> = None;
        let mut at = home;
        for _ in 0..self.slots() {
            let first = self.slots.get(at)?.first()?.load(Ordering::Acquire);
            if first == 0 {
                break;
            }
            if let Some(entry) = self.entry(at) {
                let p = &entry.prefix;
                let hash = self.mixer.hash(&key::<W>(p.addr(), p.bits()));
                if self.home(hash) == home
                    && hash >= from
                    && best.as_ref().is_none_or(|(b, _)| hash < *b)
                {
                    best = Some((hash, entry));
                }
            }
            at = at.wrapping_add(1) & self.mask;
        }
        best
    }
}
