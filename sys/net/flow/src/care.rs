// SPDX-License-Identifier: BSD-2-Clause
//! What the worker does for a [`Table`]: expiry, reuse of entries, growth.
//!
//! *Contexts*: thread. *Locking*: one run at a time, under `care`; packets go on meanwhile.
//!
//! # Why a resize loses nothing
//!
//! 1. The new index is published beside the old one, and `active` says FILLING: who inserts or
//!    unlinks from now on, does so in both. Readers use the old one.
//! 2. An epoch wait: inserts that began before are done, so their entries are LIVE.
//! 3. The walk: each LIVE entry is put into the new index, under the spins of its keys. An entry
//!    that becomes LIVE behind the walk was inserted after the wait, in both. One that is unlinked
//!    before its turn is not LIVE under its spins any more; one that is unlinked after it was put
//!    there by someone who sees FILLING: the spins order the two. No entry begins a new life
//!    meanwhile but from a free list, by an insert in both, since `care` keeps reclaim away.
//! 4. `active` names the new index: it has all that the old one has. A second epoch wait: nobody
//!    uses the old one any more, and it goes.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering;

use kern::cx::MayDrain;
use kern::epoch;
use kern::epoch::Section;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KBox;
use kern::mem::KVec;
use kern::misc;
use kern::passive::Passive;
use kern::passive::Value;
use kern::spin::Spin;
use kern::sync::Mutex;

use crate::hash::Seed;
use crate::index::Index;
use crate::index::slot;
use crate::slab::CHUNK;
use crate::slab::Id;
use crate::slab::LIFE;
use crate::slab::LIVE;
use crate::slab::MOST;
use crate::slab::QUEUED;
use crate::slab::SHARDS;
use crate::slab::Side;
use crate::slab::Slab;
use crate::slab::TWO;
use crate::table::CURRENT;
use crate::table::Care;
use crate::table::FILLING;
use crate::table::Hit;
use crate::table::LOCKS;
use crate::table::Rest;
use crate::table::Table;
use crate::wheel::Head;
use crate::wheel::List;
use crate::wheel::Next;
use crate::wheel::SLOTS;
use crate::wheel::Wheel;

/// Entries to a section: sections are short.
const BATCH: u32 = 64;
/// Entries kept ready: a quarter of those in use, but no fewer and no more than these.
const RESERVE: (u32, u32) = (4 * CHUNK, 64 * CHUNK);
/// Up to here looking through the whole wheel costs nothing worth mentioning.
const SMALL: u32 = 4 * CHUNK;

/// What the worker does with entries whose time has come.
pub trait Expire<const N: usize, T> {
    /// The wheel came to this entry: when it was to, or later, or earlier where that was more than
    /// 63 seconds off. Runs in a section.
    fn due(&mut self, s: &Section<'_>, hit: Hit<'_, N, T>) -> Next;

    /// `due` said `Unlink`, and nobody else had unlinked the entry: release what it holds.
    fn gone(&mut self, s: &Section<'_>, hit: Hit<'_, N, T>);
}

/// What the worker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Entries that the wheel came to.
    pub visited: u32,
    /// Entries that it unlinked.
    pub unlinked: u32,
    /// Entries given back for reuse.
    pub freed: u32,
}

/// The spins of keys. Of an entry's two the one at the lower address is taken first.
fn spins<C: MayDrain>(cx: &mut C) -> Result<KVec<Spin<()>>> {
    let mut spins = KVec::with_capacity(cx, LOCKS)?;
    for _ in 0..LOCKS {
        let spin = Spin::new(cx, ())?;
        spins.push(cx, spin)?;
    }
    let addr = |spin: &Spin<()>| core::ptr::from_ref::<()>(&*spin.lock()).addr();
    kern::sort::by_key(&mut spins, addr);
    Ok(spins)
}

/// Seconds of the monotonic clock.
pub fn seconds() -> u32 {
    (misc::uptime_ns() / 1_000_000_000) as u32
}

impl<const N: usize, T: Default + Send + Sync> Table<N, T> {
    /// An empty table for up to `max` entries (no more than [`MOST`]), with the first of them ready.
    /// In a box: it is too large for a kernel's stack.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MayDrain>(cx: &mut C, name: &'static str, max: u32) -> Result<KBox<Self>> {
        let table = Self::bare(cx, name, max)?;
        let mut care = table.care.lock(cx);
        let result = table.provide(cx, &mut care);
        drop(care);
        result.map(|()| table)
    }

    /// Without any entries. Apart, for its frame is large.
    #[inline(never)]
    fn bare<C: MayDrain>(cx: &mut C, name: &'static str, max: u32) -> Result<KBox<Self>> {
        let locks = spins(cx)?;
        let index = Index::new(cx, 0)?;
        let index_bytes = index.bytes();
        let care = Care {
            chunks: 0,
            surplus: List::default(),
            index_bytes,
        };
        let table = Table {
            active: AtomicU32::new(0),
            used: AtomicU32::new(0),
            seed: Seed::random(),
            indexes: [Passive::new(Value::new(cx, index)?), Passive::empty()],
            slab: Slab::new(cx)?,
            locks,
            rest: Rest {
                limbo: Head::default(),
                in_limbo: AtomicU32::new(0),
                zombies: AtomicU32::new(0),
                supply: AtomicU32::new(0),
                max: AtomicU32::new(max.min(MOST)),
                want: AtomicU32::new(0),
                bytes: AtomicUsize::new(0),
            },
            wheel: Wheel::new(seconds()),
            care: Mutex::new(cx, name, care)?,
        };
        KBox::new(cx, table)
    }

    /// Runs the wheel up to `now`, in seconds of `uptime_ns`. The worker's.
    pub fn expire<C: MayDrain>(&self, cx: &mut C, now: u32, e: &mut impl Expire<N, T>) -> Done {
        let _care = self.care.lock(cx);
        let mut done = Done::default();
        while let Some(mut list) = self.wheel.take(now) {
            while !list.is_empty() {
                epoch::read(cx, |s| {
                    for _ in 0..BATCH {
                        // What is on the list is QUEUED, so nobody but us touches its link, also
                        // between two sections.
                        let Some(index) = list.pop(&self.slab) else {
                            return;
                        };
                        self.visit(s, index, e, &mut done);
                    }
                });
            }
        }
        done
    }

    fn visit(&self, s: &Section<'_>, index: u32, e: &mut impl Expire<N, T>, done: &mut Done) {
        let Some(entry) = self.slab.entry(index) else {
            return;
        };
        done.visited = done.visited.wrapping_add(1);
        let state = entry.state.load(Ordering::Acquire);
        if state & LIVE == 0 {
            self.bury(index);
            return;
        }
        let hit = Hit {
            entry,
            side: Side::A,
            id: Id::of(index, state),
        };
        match e.due(s, hit) {
            Next::In(secs) => self.wheel.again(&self.slab, index, secs),
            Next::Unlink => {
                // It leaves the entry to us in any case: it is QUEUED.
                if self.unlink(s, hit.id) {
                    done.unlinked = done.unlinked.wrapping_add(1);
                    e.gone(s, hit);
                }
                self.bury(index);
            }
        }
    }

    /// Passes on a dead entry that was taken off the wheel.
    fn bury(&self, index: u32) {
        if let Some(entry) = self.slab.entry(index) {
            entry.state.fetch_and(!QUEUED, Ordering::AcqRel);
            self.rest.zombies.fetch_sub(1, Ordering::Relaxed);
            self.to_limbo(index);
        }
    }

    /// Takes the dead off the wheel before their time.
    fn sweep<C: MayDrain>(&self, cx: &mut C) {
        for n in 0..SLOTS {
            let (mut list, head) = self.wheel.sweep(n);
            while !list.is_empty() {
                epoch::read(cx, |_| {
                    for _ in 0..BATCH {
                        let Some(index) = list.pop(&self.slab) else {
                            return;
                        };
                        let state = self.slab.entry(index).map(|e| &e.state);
                        match state.map(|s| s.load(Ordering::Acquire) & LIVE) {
                            Some(LIVE) => head.push(&self.slab, index),
                            _ => self.bury(index),
                        }
                    }
                });
            }
        }
    }

    /// Waits for the sections, gives dead entries back, and makes more ahead of need. The worker's:
    /// after `expire`, and when [`Table::wants_reclaim`] says so.
    pub fn reclaim<C: MayDrain>(&self, cx: &mut C) -> Done {
        let mut care = self.care.lock(cx);
        self.rest.want.store(0, Ordering::Relaxed);
        let zombies = self.zombies();
        let supply = self.rest.supply.load(Ordering::Relaxed);
        if zombies != 0 && (supply <= SMALL || zombies >= supply / 16) {
            self.sweep(cx);
        }
        let freed = self.free(cx, &mut care);
        // Without memory now there may be some at the next tick.
        let _ = self.provide(cx, &mut care);
        Done {
            freed,
            ..Done::default()
        }
    }

    /// Sets how many entries there may be; what lives, stays.
    pub fn set_max<C: MayDrain>(&self, cx: &mut C, max: u32) {
        let mut care = self.care.lock(cx);
        self.rest.max.store(max.min(MOST), Ordering::Relaxed);
        while self.rest.supply.load(Ordering::Relaxed) > self.max() {
            let Some(index) = self.slab.pop(0) else {
                break;
            };
            care.surplus.push(&self.slab, index);
            self.rest.supply.fetch_sub(1, Ordering::Relaxed);
        }
        let _ = self.provide(cx, &mut care);
    }

    /// Empties limbo.
    fn free<C: MayDrain>(&self, cx: &mut C, care: &mut Care) -> u32 {
        let mut list = self.rest.limbo.take();
        if list.is_empty() {
            return 0;
        }
        // All of these were dead before: no section that begins after this has seen them.
        epoch::wait(cx);
        let mut freed = 0u32;
        while let Some(index) = list.pop(&self.slab) {
            let Some(entry) = self.slab.entry(index) else {
                break;
            };
            let state = entry.state.load(Ordering::Relaxed) / LIFE * LIFE;
            entry
                .state
                .store(state.wrapping_add(LIFE), Ordering::Relaxed);
            freed = freed.wrapping_add(1);
            if self.rest.supply.load(Ordering::Relaxed) > self.max() {
                care.surplus.push(&self.slab, index);
                self.rest.supply.fetch_sub(1, Ordering::Relaxed);
            } else {
                self.deal(freed, index);
            }
        }
        self.rest.in_limbo.fetch_sub(freed, Ordering::Relaxed);
        freed
    }

    /// Gives a free entry to one shard after the other.
    fn deal(&self, turn: u32, index: u32) {
        self.slab.push(u64::from(turn) << 60, index);
    }

    /// Makes entries ready, ahead of need, and room for their keys before that.
    fn provide<C: MayDrain>(&self, cx: &mut C, care: &mut Care) -> Result {
        let live = self.len();
        let busy = live.saturating_add(self.dead());
        let reserve = (live / 4).clamp(RESERVE.0, RESERVE.1);
        let target = busy.saturating_add(reserve).min(self.max());
        let mut supply = self.rest.supply.load(Ordering::Relaxed);
        let mut result = Ok(());
        while supply < target {
            if let Some(index) = care.surplus.pop(&self.slab) {
                self.deal(supply, index);
                supply = supply.wrapping_add(1);
                self.rest.supply.store(supply, Ordering::Relaxed);
                continue;
            }
            result = self.grow(cx, care);
            if result.is_err() {
                break;
            }
        }
        // Half of what is ready, shared out: then it is time to come again, if that helps.
        let share = supply.saturating_sub(busy) / (2 * SHARDS as u32);
        for shard in self.slab.shards() {
            let live = shard.live.load(Ordering::Relaxed);
            let alarm = if supply < self.max() {
                live.saturating_add(share)
            } else {
                u32::MAX
            };
            shard.alarm.store(alarm, Ordering::Relaxed);
        }
        let bytes = Slab::<N, T>::bytes(care.chunks)
            .saturating_add(care.index_bytes)
            .saturating_add(LOCKS * 2 * size_of::<[u64; 8]>())
            .saturating_add(size_of::<Self>());
        self.rest.bytes.store(bytes, Ordering::Relaxed);
        result
    }

    /// One chunk more, as surplus.
    fn grow<C: MayDrain>(&self, cx: &mut C, care: &mut Care) -> Result {
        let entries = care.chunks.saturating_add(1).saturating_mul(CHUNK);
        self.make_room(cx, care, entries as usize * 2)?;
        self.slab.grow(cx, care.chunks)?;
        let first = care.chunks.saturating_mul(CHUNK);
        for index in (first..first.saturating_add(CHUNK)).rev() {
            care.surplus.push(&self.slab, index);
        }
        care.chunks = care.chunks.wrapping_add(1);
        Ok(())
    }

    /// An index for so many keys; see above.
    fn make_room<C: MayDrain>(&self, cx: &mut C, care: &mut Care, keys: usize) -> Result {
        let old = self.active.load(Ordering::Relaxed) & CURRENT;
        let new = old ^ CURRENT;
        if epoch::read(cx, |s| self.index(s, old).is_some_and(|i| i.suits(keys))) {
            return Ok(());
        }
        let index = Index::new(cx, keys)?;
        let bytes = index.bytes();
        let index = Value::new(cx, index)?;
        let [zero, one] = &self.indexes;
        let (from, to) = if old == 0 { (zero, one) } else { (one, zero) };
        drop(to.replace(cx, Some(index)));
        self.active.store(old | FILLING, Ordering::Release);
        epoch::wait(cx);
        let filled = self.fill(cx, new, care.chunks.saturating_mul(CHUNK));
        let (active, unused) = if filled { (new, from) } else { (old, to) };
        self.active.store(active, Ordering::Release);
        epoch::wait(cx);
        drop(unused.replace(cx, None));
        if !filled {
            return Err(Errno::ENOMEM);
        }
        care.index_bytes = bytes;
        Ok(())
    }

    /// The walk; whether everything found its place.
    fn fill<C: MayDrain>(&self, cx: &mut C, to: u32, entries: u32) -> bool {
        (0..entries).step_by(BATCH as usize).all(|first| {
            let batch = first..first.saturating_add(BATCH).min(entries);
            epoch::read(cx, |s| {
                self.index(s, to)
                    .is_some_and(|to| batch.into_iter().all(|n| self.copy(to, n)))
            })
        })
    }

    fn copy(&self, to: &Index, n: u32) -> bool {
        let Some(entry) = self.slab.entry(n) else {
            return true;
        };
        let state = entry.state.load(Ordering::Acquire);
        if state & LIVE == 0 {
            return true;
        }
        let ha = self.seed.hash(&entry.key(Side::A));
        let hb = (state & TWO != 0).then(|| self.seed.hash(&entry.key(Side::B)));
        let Some(_held) = self.lock(ha, hb) else {
            return false;
        };
        if entry.state.load(Ordering::Relaxed) & LIVE == 0 {
            return true;
        }
        let keys = [Some((ha, Side::A)), hb.map(|h| (h, Side::B))];
        keys.into_iter().flatten().all(|(hash, side)| {
            let slot = slot(hash, n, side);
            to.contains(hash, slot) || to.place(hash, slot)
        })
    }
}
