// SPDX-License-Identifier: BSD-2-Clause
//! Clusters: buffers that several packets share by counting references.
//!
//! *Contexts*: any. *Locking*: none; whoever holds the only reference may write.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::die::die;
use crate::ledger::Ledger;
use crate::pool;

/// Bytes that freed memory is filled with.
pub const POISON: u8 = 0xdf;

/// Room of the pooled classes; the last takes a 64 KB read with headers. Class n is pool sort n + 1.
const CLASSES: [u32; pool::SORTS - 1] = [512, 2304, 10_240, 66_560];
/// A cluster made to measure, not pooled.
const ODD: u8 = u8::MAX;
/// Nobody asks for more in earnest.
const MOST: usize = 1 << 24;

/// Stands before the bytes; its size keeps these aligned to 64.
#[repr(C, align(64))]
struct Head {
    refs: AtomicU32,
    room: u32,
    class: u8,
    /// The bytes were filled with [`POISON`] when it was freed.
    poisoned: AtomicBool,
}

const HEAD: usize = size_of::<Head>();

/// One reference to a cluster.
#[derive(Debug)]
pub struct Cluster(NonNull<Head>);

// SAFETY: the count is atomic; bytes are written only through a sole reference.
unsafe impl Send for Cluster {}
// SAFETY: as above, `&Cluster` gives read access only.
unsafe impl Sync for Cluster {}

fn layout(room: u32) -> Layout {
    let size = HEAD + room as usize;
    Layout::from_size_align(size, align_of::<Head>()).expect("room is at most MOST, well in range")
}

impl Cluster {
    /// A cluster with room for `room` bytes or more, their contents unspecified; `None` without
    /// memory.
    pub fn alloc(room: usize) -> Option<Cluster> {
        let class = CLASSES.iter().position(|c| room <= *c as usize);
        if let Some(class) = class
            && let Some(free) = pool::take(class + 1)
        {
            let cluster = Cluster(free.cast());
            cluster.head().refs.store(1, Ordering::Relaxed);
            if cluster.head().poisoned.load(Ordering::Relaxed) {
                cluster.check_poison();
            }
            return Some(cluster);
        }
        let (room, class) = match class {
            Some(class) => (CLASSES[class], class as u8),
            None if room <= MOST => (room as u32, ODD),
            None => return None,
        };
        // SAFETY: the size is not zero.
        let raw = unsafe { alloc(layout(room)) };
        let head = NonNull::new(raw)?.cast::<Head>();
        let new = Head {
            refs: AtomicU32::new(1),
            room,
            class,
            poisoned: AtomicBool::new(false),
        };
        // SAFETY: fresh memory with a Head's alignment and room for one.
        unsafe { head.write(new) };
        Some(Cluster(head))
    }

    fn head(&self) -> &Head {
        // SAFETY: a Cluster's head lives as long as any reference to it.
        unsafe { self.0.as_ref() }
    }

    /// How many bytes it has.
    pub fn room(&self) -> usize {
        self.head().room as usize
    }

    /// Whether nobody else refers to it.
    pub fn is_sole(&self) -> bool {
        // Acquire: what others did with the bytes goes before what we write.
        self.head().refs.load(Ordering::Acquire) == 1
    }

    pub(crate) fn data(&self) -> *mut u8 {
        // SAFETY: the bytes begin right behind the head, in the same allocation.
        unsafe { self.0.as_ptr().cast::<u8>().add(HEAD) }
    }

    /// All bytes, those that nobody has written yet included, for a read(2) to fill; `None` when
    /// it is shared.
    pub fn bytes_mut(&mut self) -> Option<&mut [std::mem::MaybeUninit<u8>]> {
        if !self.is_sole() {
            return None;
        }
        // SAFETY: ours alone for the borrow, `room` bytes, and MaybeUninit needs no contents.
        Some(unsafe { std::slice::from_raw_parts_mut(self.data().cast(), self.room()) })
    }

    fn check_poison(&self) {
        // SAFETY: it was filled with POISON when it was freed, hence all of it is initialized.
        let bytes = unsafe { std::slice::from_raw_parts(self.data(), self.room()) };
        if let Some(at) = bytes.iter().position(|b| *b != POISON) {
            die(&format!(
                "mbuf: byte {at} of a cluster was written after the cluster was freed"
            ));
        }
    }
}

impl Clone for Cluster {
    fn clone(&self) -> Cluster {
        self.head().refs.fetch_add(1, Ordering::Relaxed);
        Cluster(self.0)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The sole holder needs no locked instruction: nobody else could change the count.
        if !self.is_sole() && self.head().refs.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let room = self.head().room;
        let checks = Ledger::current().checks();
        if checks {
            // SAFETY: no one refers to the bytes any more; there are `room` of them.
            unsafe { self.data().write_bytes(POISON, room as usize) };
        }
        self.head().poisoned.store(checks, Ordering::Relaxed);
        let class = self.head().class;
        if class != ODD && pool::give(class as usize + 1, self.0.cast()) {
            return;
        }
        // SAFETY: allocated with this layout, and the last reference is gone.
        unsafe { dealloc(self.0.as_ptr().cast(), layout(room)) };
    }
}
