// SPDX-License-Identifier: BSD-2-Clause
//! Flows by one or two keys: found without a lock, from 1 to 16 million of them.
//!
//! *Contexts*: [`Table::get`], [`insert`](Table::insert), [`unlink`](Table::unlink),
//! [`arm`](Table::arm): any, in a read section. [`crate::care`] has what the worker does: expiry,
//! reuse of memory, growth.
//!
//! *Locking*:
//! - entries, slots: \[E\] readers in a section, no lock. Who inserts or unlinks holds the spins of
//!   the entry's keys (256 of them, by hash; of two the one at the lower address first).
//! - `active`, `indexes`: \[E\] readers; the worker, under `care`.
//! - order: `care` → spins. A spin is a leaf, and `init` of an insert runs under it.
//!
//! # What a reader sees
//!
//! *An entry that a reader has found is that flow's until the section ends.* It was LIVE and had
//! the reader's key. Keys and value are overwritten only by an inserter that got the entry from a
//! free list; it got there from limbo, after an epoch wait that began when the entry was dead
//! already. A section that saw it LIVE was open then, and the wait is for its end.
//!
//! *Nor does a reader take one flow's entry for another's.* The slot that it followed may be old,
//! and the entry behind it free, dead, or a new flow's. It is used only if it is LIVE, and then
//! its keys are whole: they were written before LIVE was set with Release, and are not written again
//! while a section lasts that saw it. So equal keys mean the right flow, whatever the slot meant.
//!
//! *Of two CPUs that insert the same key one fails.* Both hold the spin of that key while they look
//! for it and until their entry is LIVE, so the second one looks after the first is done. It looks
//! in every index that the first may have written to: each reads `active` with the spin held, so
//! their views are in the order of their turns, and along the steps of a resize (old; old and new;
//! new) two views that follow each other share an index which the first one filled; where they do
//! not (old, then new) there lies an epoch wait and the walk between them, which has copied it.
//!
//! *A resize loses nothing*: see [`crate::care`].
//!
//! C counterpart: npf's connection database, pf's state keys (a tree or hash under a lock).

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering;

use kern::epoch::Section;
use kern::mem::KVec;
use kern::passive::Passive;
use kern::spin::Guard;
use kern::spin::Spin;
use kern::sync::Mutex;

use crate::hash::Seed;
use crate::index::Index;
use crate::index::slot;
use crate::slab::Entry;
use crate::slab::Id;
use crate::slab::LIFE;
use crate::slab::LIVE;
use crate::slab::QUEUED;
use crate::slab::Side;
use crate::slab::Slab;
use crate::slab::TWO;
use crate::wheel::Head;
use crate::wheel::List;
use crate::wheel::Wheel;

/// In `active`: which index readers use.
pub(crate) const CURRENT: u32 = 1;
/// In `active`: the other index is being filled, so writers write to both.
pub(crate) const FILLING: u32 = 2;
/// Spins.
pub(crate) const LOCKS: usize = 256;
/// So many dead entries are worth a wait.
const WORTH: u32 = 4096;

/// Flows by one or two keys of `N` words each.
#[repr(C)]
pub struct Table<const N: usize, T> {
    pub(crate) active: AtomicU32,
    /// 1 from the first insert on.
    pub(crate) used: AtomicU32,
    pub(crate) seed: Seed,
    pub(crate) indexes: [Passive<Index>; 2],
    pub(crate) slab: Slab<N, T>,
    pub(crate) locks: KVec<Spin<()>>,
    pub(crate) rest: Rest,
    pub(crate) wheel: Wheel,
    /// The worker's; see [`crate::care`].
    pub(crate) care: Mutex<Care>,
}

/// What is written when flows end, apart from what every look-up reads.
#[repr(align(64))]
pub(crate) struct Rest {
    /// Dead, off the wheel, maybe still read.
    pub limbo: Head,
    pub in_limbo: AtomicU32,
    /// Dead, still on the wheel.
    pub zombies: AtomicU32,
    /// Entries that are neither surplus nor without a chunk.
    pub supply: AtomicU32,
    pub max: AtomicU32,
    /// Whether the worker should come.
    pub want: AtomicU32,
    pub bytes: AtomicUsize,
}

/// What the worker keeps, under its mutex.
pub(crate) struct Care {
    pub chunks: u32,
    /// Free entries above the maximum.
    pub surplus: List,
    pub index_bytes: usize,
}

/// An entry, for as long as the section lasts.
pub struct Hit<'s, const N: usize, T> {
    /// Derefs to the value.
    pub entry: &'s Entry<N, T>,
    /// The key that it was found by.
    pub side: Side,
    /// Its name.
    pub id: Id,
}

impl<const N: usize, T> Clone for Hit<'_, N, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const N: usize, T> Copy for Hit<'_, N, T> {}

/// Why nothing was inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertError {
    /// As many entries as there may be; those that wait for `reclaim` count.
    Full,
    /// No entry is at hand: `reclaim` makes more, soon.
    NoMemory,
    /// One of the keys is another entry's.
    Taken,
}

/// The spins of an entry's keys, held.
type Held<'t> = (Guard<'t, ()>, Option<Guard<'t, ()>>);

impl<const N: usize, T: Send + Sync> Table<N, T> {
    /// The entry that has `key` as one of its keys.
    #[inline]
    pub fn get<'s>(&'s self, s: &'s Section<'_>, key: &[u64; N]) -> Option<Hit<'s, N, T>> {
        let hash = self.seed.hash(key);
        let current = self.active.load(Ordering::Acquire) & CURRENT;
        self.look(self.index(s, current)?, hash, key)
    }

    #[inline]
    pub(crate) fn index<'s>(&'s self, s: &'s Section<'_>, n: u32) -> Option<&'s Index> {
        let [zero, one] = &self.indexes;
        if n & CURRENT == 0 { zero } else { one }.peek(s)
    }

    /// The index that readers use, and the one that is being filled.
    pub(crate) fn view<'s>(&'s self, s: &'s Section<'_>) -> [Option<&'s Index>; 2] {
        let active = self.active.load(Ordering::Acquire);
        let filling = active & FILLING != 0;
        let other = filling.then(|| self.index(s, active ^ CURRENT)).flatten();
        [self.index(s, active), other]
    }

    #[inline]
    fn look(&self, index: &Index, hash: u64, key: &[u64; N]) -> Option<Hit<'_, N, T>> {
        index.find(hash, |n, side| {
            let entry = self.slab.entry(n)?;
            // Acquire: the keys and the value are those of this life.
            let state = entry.state.load(Ordering::Acquire);
            (state & LIVE != 0 && entry.key(side) == *key).then(|| Hit {
                entry,
                side,
                id: Id::of(n, state),
            })
        })
    }

    /// The spins of one or two hashes.
    pub(crate) fn lock(&self, a: u64, b: Option<u64>) -> Option<Held<'_>> {
        let place = |hash: u64| (hash >> 48) as usize % LOCKS;
        let (a, b) = (place(a), b.map_or(place(a), place));
        let first = self.locks.get(a.min(b))?.lock();
        let second = if a == b {
            None
        } else {
            Some(self.locks.get(a.max(b))?.lock())
        };
        Some((first, second))
    }

    /// Adds an entry with key `a` and, where there is one, `b`. `init` sets all of its value (what it
    /// finds there is the last user's) before anyone sees it, and only if nothing is in the way; it
    /// runs under a spin, and must not use this table.
    ///
    /// # Errors
    /// See [`InsertError`]; nothing has changed.
    pub fn insert<'s>(
        &'s self,
        s: &'s Section<'_>,
        a: &[u64; N],
        b: Option<&[u64; N]>,
        init: impl FnOnce(&T),
    ) -> Result<Hit<'s, N, T>, InsertError> {
        let b = b.filter(|b| *b != a);
        let (ha, hb) = (self.seed.hash(a), b.map(|b| self.seed.hash(b)));
        let index = self.slab.pop(ha).ok_or_else(|| self.short())?;
        let entry = self.slab.entry(index).ok_or(InsertError::NoMemory)?;
        let Some(held) = self.lock(ha, hb) else {
            self.slab.push(ha, index);
            return Err(InsertError::NoMemory);
        };
        let view = self.view(s);
        let keys = [
            Some((ha, a, Side::A)),
            hb.zip(b).map(|(h, b)| (h, b, Side::B)),
        ];
        let pairs = || {
            let indexes = view.iter().flatten();
            indexes.flat_map(|index| keys.iter().flatten().map(move |key| (index, key)))
        };
        if pairs().any(|(index, (hash, key, _))| self.look(index, *hash, key).is_some()) {
            drop(held);
            // No slot has named it since it was free: it may go back at once.
            self.slab.push(ha, index);
            return Err(InsertError::Taken);
        }
        entry.set_keys(a, b.unwrap_or(&[0; N]));
        if !pairs().all(|(index_, (hash, _, side))| index_.place(*hash, slot(*hash, index, *side)))
        {
            pairs().for_each(|(i, (hash, _, side))| i.remove(*hash, slot(*hash, index, *side)));
            drop(held);
            self.to_limbo(index);
            return Err(self.short());
        }
        if self.used.load(Ordering::Relaxed) == 0 {
            // Before the entry is found: who finds it sees this.
            self.used.store(1, Ordering::Release);
        }
        init(entry);
        let two = if b.is_some() { TWO } else { 0 };
        let life = entry.state.load(Ordering::Relaxed) / LIFE * LIFE;
        let state = life | LIVE | two;
        entry.state.store(state, Ordering::Release);
        drop(held);
        if let Some(shard) = self.slab.shard(ha) {
            let live = shard.live.fetch_add(1, Ordering::Relaxed);
            if live >= shard.alarm.load(Ordering::Relaxed) {
                self.call_worker();
            }
        }
        Ok(Hit {
            entry,
            side: Side::A,
            id: Id::of(index, state),
        })
    }

    /// Takes an entry out, so that nobody finds it; true for the one caller who did it, and who
    /// releases what the entry holds. Sections that have it may still read and count in it.
    pub fn unlink(&self, s: &Section<'_>, id: Id) -> bool {
        let Some(entry) = self.slab.entry(id.index) else {
            return false;
        };
        // While it lives its keys stay; if it dies here and now, they stay until the section ends.
        let state = entry.state.load(Ordering::Acquire);
        if !id.lives(state) {
            return false;
        }
        let ha = self.seed.hash(&entry.key(Side::A));
        let hb = (state & TWO != 0).then(|| self.seed.hash(&entry.key(Side::B)));
        let Some(held) = self.lock(ha, hb) else {
            return false;
        };
        // Another unlinker of this life held the same spins. QUEUED changes without them.
        if entry.state.load(Ordering::Relaxed) & LIVE == 0 {
            return false;
        }
        let before = entry.state.fetch_and(!LIVE, Ordering::AcqRel);
        for index in self.view(s).into_iter().flatten() {
            index.remove(ha, slot(ha, id.index, Side::A));
            if let Some(hb) = hb {
                index.remove(hb, slot(hb, id.index, Side::B));
            }
        }
        drop(held);
        if let Some(shard) = self.slab.shard(ha) {
            shard.live.fetch_sub(1, Ordering::Relaxed);
        }
        if before & QUEUED == 0 {
            self.to_limbo(id.index);
        } else {
            self.rest.zombies.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// Passes a dead entry on, which the caller alone holds.
    pub(crate) fn to_limbo(&self, index: u32) {
        let n = self.rest.in_limbo.fetch_add(1, Ordering::Relaxed);
        self.rest.limbo.push(&self.slab, index);
        if n >= WORTH {
            self.call_worker();
        }
    }

    fn call_worker(&self) {
        if self.rest.want.load(Ordering::Relaxed) == 0 {
            self.rest.want.store(1, Ordering::Relaxed);
        }
    }

    /// Entries that are dead and still on the wheel. Of who adds and who takes away the latter may
    /// come first.
    pub(crate) fn zombies(&self) -> u32 {
        (self.rest.zombies.load(Ordering::Relaxed).cast_signed())
            .max(0)
            .cast_unsigned()
    }

    /// Entries that are dead and not given back.
    pub(crate) fn dead(&self) -> u32 {
        let in_limbo = self.rest.in_limbo.load(Ordering::Relaxed);
        in_limbo.saturating_add(self.zombies())
    }

    /// Why there is no entry, and whether the worker can help.
    #[cold]
    fn short(&self) -> InsertError {
        let full = self.rest.supply.load(Ordering::Relaxed) >= self.max();
        if !full || self.dead() != 0 {
            self.call_worker();
        }
        if full {
            InsertError::Full
        } else {
            InsertError::NoMemory
        }
    }

    /// The entry of that name, if it lives.
    #[inline]
    pub fn by_id<'s>(&'s self, _s: &'s Section<'_>, id: Id) -> Option<Hit<'s, N, T>> {
        let entry = self.slab.entry(id.index)?;
        let state = entry.state.load(Ordering::Acquire);
        id.lives(state).then_some(Hit {
            entry,
            side: Side::A,
            id,
        })
    }

    /// The entry at a place, if one lives there: for whoever holds it alive in another way.
    #[inline]
    pub fn at<'s>(&'s self, _s: &'s Section<'_>, index: u32) -> Option<Hit<'s, N, T>> {
        let entry = self.slab.entry(index)?;
        let state = entry.state.load(Ordering::Acquire);
        (state & LIVE != 0).then_some(Hit {
            entry,
            side: Side::A,
            id: Id::of(index, state),
        })
    }

    /// Calls `f` for the living ones of the `n` places from `from` on; where to go on, or None at
    /// the end.
    pub fn walk<'s>(
        &'s self,
        _s: &'s Section<'_>,
        from: u32,
        n: u32,
        mut f: impl FnMut(Hit<'s, N, T>),
    ) -> Option<u32> {
        let end = from.saturating_add(n);
        for index in from..end {
            let entry = self.slab.entry(index)?;
            let state = entry.state.load(Ordering::Acquire);
            if state & LIVE != 0 {
                f(Hit {
                    entry,
                    side: Side::A,
                    id: Id::of(index, state),
                });
            }
        }
        self.slab.entry(end).map(|_| end)
    }

    /// Has the wheel look at an entry in `secs` seconds (at most 63 count). Once an entry, after
    /// inserting; from then on [`Next`](crate::wheel::Next) says when. `now`: seconds of
    /// `uptime_ns`, as for [`Table::expire`].
    pub fn arm(&self, _s: &Section<'_>, id: Id, now: u32, secs: u32) {
        let Some(entry) = self.slab.entry(id.index) else {
            return;
        };
        let orders = (Ordering::AcqRel, Ordering::Acquire);
        let queue = |state| (id.lives(state) && state & QUEUED == 0).then_some(state | QUEUED);
        // From here on whoever unlinks leaves the entry to the worker.
        if entry.state.fetch_update(orders.0, orders.1, queue).is_ok() {
            self.wheel.push(&self.slab, id.index, now, secs);
        }
    }

    /// Whether entries run short and `reclaim` would help: schedule the worker now.
    #[inline]
    pub fn wants_reclaim(&self) -> bool {
        self.rest.want.load(Ordering::Relaxed) != 0
    }

    /// Entries that live.
    pub fn len(&self) -> u32 {
        let live = self.slab.shards().iter();
        live.fold(0, |n, s| n.wrapping_add(s.live.load(Ordering::Relaxed)))
    }

    /// Whether there never was an entry: then there is nothing to look up. One load, where `len` is
    /// many.
    #[inline]
    pub fn is_unused(&self) -> bool {
        self.used.load(Ordering::Relaxed) == 0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries there may be.
    pub fn max(&self) -> u32 {
        self.rest.max.load(Ordering::Relaxed)
    }

    /// Memory that it takes, with all that is kept ready.
    pub fn bytes(&self) -> usize {
        self.rest.bytes.load(Ordering::Relaxed)
    }
}
