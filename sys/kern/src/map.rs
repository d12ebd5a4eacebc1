// SPDX-License-Identifier: BSD-2-Clause
//! `EpochMap`: a growing hash map from u32 that is read without locks, in a section.
//!
//! One flat array of 16-byte slots, linear probing, at most half full: a look-up touches one cache
//! line in nearly every case, whether the map holds 1 entry or 65,535. C kernels have 64 fixed
//! buckets of lists here.
//!
//! *Locking*: readers \[E\] in a section; writers \[L\] under the map's own mutex, a leaf lock. A slot
//! never changes its key: an entry that is removed leaves the key behind with a null pointer, and
//! the array is rebuilt when keys fill half of it. So a reader who has matched a key gets either
//! that key's value or nothing.

use core::num::NonZeroU32;
use core::ptr;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering;

use crate::cx::Cx;
use crate::cx::MayDrain;
use crate::cx::MaySleep;
use crate::epoch;
use crate::epoch::Section;
use crate::errno::Errno;
use crate::errno::Result;
use crate::mem::KArc;
use crate::mem::KBox;
use crate::mem::KVec;
use crate::misc;
use crate::sync::Mutex;

/// Slots of an empty map: one 256-byte array.
const MIN_SLOTS: usize = 16;

struct Slot<T> {
    /// 0: never used. Written once, after `value`.
    key: AtomicU32,
    /// A count of a `KArc<T>`, or null: removed.
    value: AtomicPtr<T>,
}

struct Table<T> {
    slots: KVec<Slot<T>>,
    /// Slots minus 1; the number of slots is a power of two.
    mask: u32,
}

/// What writers keep, under the mutex.
struct Writer {
    /// Entries.
    live: usize,
    /// Slots with a key: entries and what removed ones left behind.
    used: usize,
}

/// A map from a non-zero u32 to shared values.
pub struct EpochMap<T> {
    /// [E] readers, [L] writers
    table: AtomicPtr<Table<T>>,
    /// [L]
    writer: Mutex<Writer>,
    /// [I] an odd multiplier
    seed: u32,
}

impl<T> Table<T> {
    fn new<C: Cx>(cx: &mut C, slots: usize) -> Result<KBox<Self>> {
        let mask = u32::try_from(slots)
            .map_err(|_| Errno::ENOMEM)?
            .wrapping_sub(1);
        let slots = KVec::from_fn(cx, slots, |_| Slot {
            key: AtomicU32::new(0),
            value: AtomicPtr::new(ptr::null_mut()),
        })?;
        KBox::new(cx, Table { slots, mask })
    }

    /// The slot that holds `key`, or else, for a writer, the first one without a key. What a reader
    /// saw without a key may have another one by now: it has found nothing.
    #[inline]
    fn probe(&self, seed: u32, key: u32, writer: bool) -> Option<&Slot<T>> {
        // Multiplicative hashing: the high bits are the good ones, so they are folded down.
        let h = key.wrapping_mul(seed);
        let mut i = (h >> 16) ^ h;
        // Half of the slots have no key, so this ends; the bound is for the compiler and the paranoid.
        for _ in 0..self.slots.len() {
            let slot = self.slots.get((i & self.mask) as usize)?;
            let found = slot.key.load(Ordering::Acquire);
            if found == key {
                return Some(slot);
            }
            if found == 0 {
                return writer.then_some(slot);
            }
            i = i.wrapping_add(1);
        }
        None
    }
}

impl<T: Send + Sync> EpochMap<T> {
    /// An empty map.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MaySleep>(cx: &mut C, name: &'static str) -> Result<Self> {
        let table = Table::<T>::new(cx, MIN_SLOTS)?;
        let writer = Mutex::new(cx, name, Writer { live: 0, used: 0 })?;
        let mut seed = [0; 4];
        misc::random(&mut seed);
        // Fibonacci's multiplier with random high bits stays well mixing for consecutive ids.
        let seed = 0x9e37_79b1 ^ (u32::from_ne_bytes(seed) & 0x00f0_f0f0);
        Ok(EpochMap {
            table: AtomicPtr::new(table.into_raw()),
            writer,
            seed,
        })
    }

    /// The value of `key`, for as long as the section lasts.
    #[inline]
    pub fn get<'s>(&'s self, _s: &'s Section<'_>, key: NonZeroU32) -> Option<&'s T> {
        // SAFETY: a published table stays allocated until the sections that saw it have ended.
        let table = unsafe { self.table.load(Ordering::Acquire).as_ref() }?;
        let value = table
            .probe(self.seed, key.get(), false)?
            .value
            .load(Ordering::Acquire);
        // SAFETY: the map's count of the value is given up only after such sections have ended.
        unsafe { value.as_ref() }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// EEXIST when the key is taken, ENOMEM when the map would have to grow and cannot: the map is
    /// as it was.
    pub fn insert<C: MayDrain>(&self, cx: &mut C, key: NonZeroU32, value: KArc<T>) -> Result {
        let mut w = self.writer.lock(cx);
        let retired = self.make_room(cx, &mut w)?;
        // SAFETY: writers hold the mutex, so the table is ours to keep.
        let table = unsafe { self.table.load(Ordering::Relaxed).as_ref() };
        let slot = table.and_then(|t| t.probe(self.seed, key.get(), true));
        let result = match slot {
            Some(slot) if slot.value.load(Ordering::Relaxed).is_null() => {
                slot.value
                    .store(value.into_raw().cast_mut(), Ordering::Release);
                if slot.key.swap(key.get(), Ordering::Release) == 0 {
                    w.used = w.used.wrapping_add(1);
                }
                w.live = w.live.wrapping_add(1);
                Ok(())
            }
            Some(_) => Err(Errno::EEXIST),
            // Cannot be: half of the slots are free. No early return, the old table must wait.
            None => Err(Errno::ENOMEM),
        };
        drop(w);
        if let Some(old) = retired {
            epoch::wait(cx);
            drop(old);
        }
        result
    }

    /// Takes an entry out, waits for the sections that may look at it, and hands it back.
    pub fn remove<C: MayDrain>(&self, cx: &mut C, key: NonZeroU32) -> Option<KArc<T>> {
        let mut w = self.writer.lock(cx);
        // SAFETY: writers hold the mutex.
        let table = unsafe { self.table.load(Ordering::Relaxed).as_ref() }?;
        let value = table
            .probe(self.seed, key.get(), true)?
            .value
            .swap(ptr::null_mut(), Ordering::AcqRel);
        if value.is_null() {
            return None;
        }
        w.live = w.live.wrapping_sub(1);
        drop(w);
        epoch::wait(cx);
        // SAFETY: the slot's count passes to us, and nobody borrows from it any more.
        Some(unsafe { KArc::from_raw(value) })
    }

    /// The number of entries.
    pub fn len<C: MaySleep>(&self, cx: &mut C) -> usize {
        self.writer.lock(cx).live
    }

    /// Whether there are none.
    pub fn is_empty<C: MaySleep>(&self, cx: &mut C) -> bool {
        self.len(cx) == 0
    }

    /// Publishes a larger (or cleaner) table when half of the slots have a key.
    fn make_room<C: MayDrain>(&self, cx: &mut C, w: &mut Writer) -> Result<Option<KBox<Table<T>>>> {
        let old = self.table.load(Ordering::Relaxed);
        // SAFETY: writers hold the mutex, so the table stays.
        let Some(now) = (unsafe { old.as_ref() }) else {
            return Err(Errno::ENOMEM);
        };
        if w.used.wrapping_add(1) <= now.slots.len() / 2 {
            return Ok(None);
        }
        // A quarter full afterwards, so that rebuilding stays rare also when entries come and go.
        let want = w.live.wrapping_add(1).saturating_mul(4).max(MIN_SLOTS);
        let new = Table::new(cx, want.checked_next_power_of_two().ok_or(Errno::ENOMEM)?)?;
        for slot in now.slots.iter() {
            let value = slot.value.load(Ordering::Relaxed);
            let key = slot.key.load(Ordering::Relaxed);
            if let Some(to) = (!value.is_null())
                .then(|| new.probe(self.seed, key, true))
                .flatten()
            {
                to.value.store(value, Ordering::Relaxed);
                to.key.store(key, Ordering::Relaxed);
            }
        }
        w.used = w.live;
        self.table.store(new.into_raw(), Ordering::Release);
        // SAFETY: `old` came from into_raw and is no longer published; the counts have moved on.
        Ok(ptr::NonNull::new(old).map(|p| unsafe { KBox::from_raw(p) }))
    }
}

impl<T> Drop for EpochMap<T> {
    fn drop(&mut self) {
        let Some(table) = ptr::NonNull::new(*self.table.get_mut()) else {
            return;
        };
        // SAFETY: exclusive access: no section can be looking through this map.
        let table = unsafe { KBox::from_raw(table) };
        for slot in table.slots.iter() {
            let value = slot.value.load(Ordering::Relaxed);
            if !value.is_null() {
                // SAFETY: the slot's count.
                drop(unsafe { KArc::from_raw(value) });
            }
        }
    }
}
