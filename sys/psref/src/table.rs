// SPDX-License-Identifier: BSD-2-Clause
//! The table of references held: who uses what, one cache-line-aligned slot for each CPU.
//!
//! *Contexts*: [`Table::acquire`] and [`Table::release`] any, [`Table::drain`] thread.
//! *Locking*: none.
//!
//! # Algorithm
//!
//! An entry is null, or it is the address of the target that one reader uses. A reader claims a
//! null entry of its CPU's slot (or, when that is full, of one of the next few), keeps the entry's
//! [`Place`] on its stack, and stores null there when it is done. The CPU number is only a hint
//! which line is likely in our cache: a reader may be preempted or migrate at any point, since
//! claiming is a compare-and-swap and releasing names the entry. When no entry is free the
//! reference is counted in the target itself: slower, never refused.
//!
//! A drainer passes once over all entries and waits at each one that names its target, then waits
//! for the target's count to be zero.
//!
//! # Why it is right
//!
//! Given (from `kpi_sync.h`): references to `t` are taken only within a read section that saw `t`
//! published, each is released once, and `t` was unpublished and `kpi_epoch_wait` returned before
//! the drain. Every claim for `t` thus *happens before* the drain, through the end of its section.
//!
//! 1. *None is missed.* Let a claim have put `t` into entry `e`. It happens before the drainer's
//!    load of `e`, so that load returns `t` or something later in `e`'s modification order; the
//!    next thing there is the holder's null, since nobody else writes an entry that is not null.
//!    So the drainer passes `e` only when the holder has released.
//! 2. *None appears behind the drainer's back.* No claim for `t` is left to be made: once `e` was
//!    seen without `t` it stays so, and one pass is enough. (A reference copied from another one,
//!    outside a section, would break this; so there is no such call.)
//! 3. *What readers did is visible.* The release stores null with Release. The drainer's Acquire
//!    load may return a later value instead: other readers' claims and releases of `e`. A claim
//!    is a read-modify-write, hence continues the release sequence of the null it replaced; and it
//!    is Acquire, hence what went before that null also goes before the claimer's own release.
//!    By induction everything the holder did happens before the drainer goes on. For the count:
//!    all its writes are read-modify-writes, so the zero that the drainer reads is in the release
//!    sequence of every release.
//! 4. *The target is not touched after it may be gone.* Storing null, or the decrement, is the
//!    release's last access; there is no look at the target afterwards and no one to wake. So a
//!    drainer that has to wait polls: it finds out one pause too late at worst, and never hangs.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use core::ptr;

/// How many slots a reader tries, its own first, before it counts in the target.
const PROBES: usize = 4;

/// A drainer's first pause in microseconds; each further one doubles up to [`LAST_PAUSE`].
const FIRST_PAUSE: u32 = 50;
/// A drainer's longest pause in microseconds.
const LAST_PAUSE: u32 = 10_000;

/// What [`Target::state`] holds between init and drain: "psref" and not a likely stray value.
const LIVE: u64 = 0x6665_7273_705f_7277;
const DRAINING: u64 = LIVE + 1;
const DEAD: u64 = !LIVE;

/// What is referenced: sits in the room of `struct kpi_psref_target`.
///
/// Made of atomics only, so that a `&Target` may outlive its memory by the return of the release
/// that let the memory go (no access happens through it then).
#[repr(C)]
#[derive(Debug)]
pub struct Target {
    /// For detecting misuse; the algorithm does not need it.
    state: AtomicU64,
    /// References that found no entry.
    spilled: AtomicU64,
}

impl Target {
    /// A target that nobody references.
    pub fn new() -> Self {
        Self {
            state: AtomicU64::new(LIVE),
            spilled: AtomicU64::new(0),
        }
    }

    /// Whether it was made by [`Target::new`] and no drain has begun.
    pub fn is_live(&self) -> bool {
        self.state.load(Ordering::Relaxed) == LIVE
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a reference is noted: an entry's number, or that the target counts it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(usize);

impl Place {
    /// The reference is in the target's own count.
    pub const SPILLED: Place = Place(usize::MAX);
}

/// One CPU's entries; two lines of 64 bytes, because adjacent lines are fetched in pairs.
#[repr(align(128))]
struct Slot<const ENTRIES: usize> {
    entries: [AtomicPtr<Target>; ENTRIES],
}

/// References held by all threads.
pub struct Table<const SLOTS: usize, const ENTRIES: usize> {
    slots: [Slot<ENTRIES>; SLOTS],
    /// The sum of all targets' counts, for [`Table::held`] only.
    spilled: AtomicUsize,
}

impl<const SLOTS: usize, const ENTRIES: usize> Table<SLOTS, ENTRIES> {
    /// An empty table.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            slots: [const {
                Slot {
                    entries: [const { AtomicPtr::new(ptr::null_mut()) }; ENTRIES],
                }
            }; SLOTS],
            spilled: AtomicUsize::new(0),
        }
    }

    /// An empty table.
    #[cfg(loom)]
    pub fn new() -> Self {
        let entries = |_| AtomicPtr::new(ptr::null_mut());
        Self {
            slots: core::array::from_fn(|_| Slot {
                entries: core::array::from_fn(entries),
            }),
            spilled: AtomicUsize::new(0),
        }
    }

    /// Note a reference to `t`, preferably in the slot of `cpu`.
    ///
    /// To be called within a read section that saw `t` published.
    pub fn acquire(&self, cpu: usize, t: &Target) -> Place {
        for probe in 0..PROBES.min(SLOTS) {
            let number = cpu.wrapping_add(probe) % SLOTS;
            let Some(slot) = self.slots.get(number) else {
                continue;
            };
            for (i, entry) in slot.entries.iter().enumerate() {
                // Look before the swap: a swap that fails takes the line from its holder too.
                if entry.load(Ordering::Relaxed).is_null() && claim(entry, t) {
                    return Place(number * ENTRIES + i);
                }
            }
        }
        self.spilled.fetch_add(1, Ordering::Relaxed);
        t.spilled.fetch_add(1, Ordering::Relaxed);
        Place::SPILLED
    }

    /// Drop the reference to `t` noted at `at`; `t` may be freed by another thread before this
    /// returns.
    pub fn release(&self, at: Place, t: &Target) {
        match self.entry(at) {
            Some(entry) => entry.store(ptr::null_mut(), Ordering::Release),
            None => {
                self.spilled.fetch_sub(1, Ordering::Relaxed);
                t.spilled.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Return when nobody references `t`; `pause` sleeps the given number of microseconds.
    ///
    /// `t` was unpublished before, and all read sections of that time have ended.
    pub fn drain(&self, t: &Target, mut pause: impl FnMut(u32)) {
        t.state.store(DRAINING, Ordering::Relaxed);
        let mut us = FIRST_PAUSE;
        let mut wait = || {
            pause(us);
            us = us.saturating_mul(2).min(LAST_PAUSE);
        };
        for entry in self.entries() {
            while ptr::eq(entry.load(Ordering::Acquire), t) {
                wait();
            }
        }
        while t.spilled.load(Ordering::Acquire) != 0 {
            wait();
        }
        t.state.store(DEAD, Ordering::Relaxed);
    }

    /// How many references are held now; exact only while no other thread takes or drops one.
    pub fn held(&self) -> usize {
        let used = self
            .entries()
            .filter(|e| !e.load(Ordering::Relaxed).is_null())
            .count();
        used + self.spilled.load(Ordering::Relaxed)
    }

    fn entries(&self) -> impl Iterator<Item = &AtomicPtr<Target>> {
        self.slots.iter().flat_map(|slot| slot.entries.iter())
    }

    fn entry(&self, at: Place) -> Option<&AtomicPtr<Target>> {
        self.slots.get(at.0 / ENTRIES)?.entries.get(at.0 % ENTRIES)
    }
}

impl<const SLOTS: usize, const ENTRIES: usize> Default for Table<SLOTS, ENTRIES> {
    fn default() -> Self {
        Self::new()
    }
}

/// Put `t` into a null entry. Acquire: see point 3 of the proof.
fn claim(entry: &AtomicPtr<Target>, t: &Target) -> bool {
    let t = ptr::from_ref(t).cast_mut();
    entry
        .compare_exchange(ptr::null_mut(), t, Ordering::Acquire, Ordering::Relaxed)
        .is_ok()
}
