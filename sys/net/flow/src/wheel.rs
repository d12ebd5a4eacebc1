// SPDX-License-Identifier: BSD-2-Clause
//! A timer wheel: 64 slots of one second, lists of entries linked through themselves.
//!
//! The wheel knows entries by number; where their link is, [`Links`] says. An entry that is on the
//! wheel is on one list of it; to take one out is to wait until its slot comes round, at most 63
//! seconds. So an entry that lives for hours is looked at once a minute, which costs next to
//! nothing, and a flow that moves needs no change here: who looks compares the time of its last
//! packet.
//!
//! *Contexts*: [`Wheel::push`] any, many at once; [`Wheel::take`] one worker.
//! *Locking*: none. A list is only pushed to or taken whole, so there is no ABA.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering;

/// Slots; a power of two.
pub const SLOTS: u32 = 64;
/// The furthest that an entry can be put away, in seconds.
pub const FURTHEST: u32 = SLOTS - 1;

/// What becomes of an entry that the wheel looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look again in so many seconds (1 to 63; more is looked at earlier).
    In(u32),
    /// It is over: unlink it.
    Unlink,
}

/// Where entries have their link.
pub trait Links {
    /// The link of entry `index`. It holds the number of another entry plus 1, or 0.
    fn link(&self, index: u32) -> Option<&AtomicU32>;
}

/// A list of entries: the first one's number plus 1, or 0.
#[derive(Debug, Default)]
pub struct Head(AtomicU32);

impl Head {
    /// Puts an entry in front. The caller alone holds it, and it is on no other list.
    pub fn push(&self, links: &impl Links, index: u32) {
        let Some(link) = links.link(index) else {
            return;
        };
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            link.store(seen, Ordering::Relaxed);
            let new = index.wrapping_add(1);
            // Release: who takes the list sees the links, and what was done to the entry before.
            match self
                .0
                .compare_exchange_weak(seen, new, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes all of it.
    pub fn take(&self) -> List {
        List(self.0.swap(0, Ordering::Acquire))
    }
}

/// A list that somebody took.
#[derive(Debug, Default)]
pub struct List(u32);

impl List {
    /// Takes the first entry off. Its link is free for use then.
    pub fn pop(&mut self, links: &impl Links) -> Option<u32> {
        let index = self.0.checked_sub(1)?;
        self.0 = links
            .link(index)
            .map_or(0, |link| link.load(Ordering::Relaxed));
        Some(index)
    }

    /// Puts an entry in front, which the caller alone holds.
    pub fn push(&mut self, links: &impl Links, index: u32) {
        if let Some(link) = links.link(index) {
            link.store(self.0, Ordering::Relaxed);
            self.0 = index.wrapping_add(1);
        }
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

/// The wheel.
#[derive(Debug)]
pub struct Wheel {
    slots: [Head; SLOTS as usize],
    /// The second up to which slots were taken.
    last: AtomicU32,
}

impl Wheel {
    /// Empty; its time is `now`.
    pub const fn new(now: u32) -> Self {
        Wheel {
            slots: [const { Head(AtomicU32::new(0)) }; SLOTS as usize],
            last: AtomicU32::new(now),
        }
    }

    /// The second up to which slots were taken.
    pub fn last(&self) -> u32 {
        self.last.load(Ordering::Relaxed)
    }

    fn slot(&self, at: u32) -> &Head {
        // SLOTS of them, so the first one is never used instead.
        let [first, ..] = &self.slots;
        self.slots.get((at % SLOTS) as usize).unwrap_or(first)
    }

    /// Puts an entry, which the caller alone holds, away for `secs` seconds from `now`.
    ///
    /// At least until the second after the next that the worker takes: it may be taking the next
    /// one right now, and what comes late to a slot waits a whole turn.
    pub fn push(&self, links: &impl Links, index: u32, now: u32, secs: u32) {
        let last = self.last();
        // A clock that is far off, or a worker that has not run for long, must not matter.
        let ahead = now.wrapping_sub(last);
        let ahead = if ahead < FURTHEST { ahead } else { 0 };
        let secs = ahead.saturating_add(secs).clamp(2, FURTHEST);
        self.slot(last.wrapping_add(secs)).push(links, index);
    }

    /// Puts an entry away again, from the worker, which takes nothing meanwhile.
    pub fn again(&self, links: &impl Links, index: u32, secs: u32) {
        let at = self.last().wrapping_add(secs.clamp(1, FURTHEST));
        self.slot(at).push(links, index);
    }

    /// The list of the next second up to `now`, if it is over; the caller takes them until there
    /// is none.
    pub fn take(&self, now: u32) -> Option<List> {
        let last = self.last();
        let behind = now.wrapping_sub(last);
        if behind == 0 || behind > u32::MAX / 2 {
            return None;
        }
        // After a long sleep one turn is all of them.
        let next = if behind > SLOTS {
            now.wrapping_sub(SLOTS).wrapping_add(1)
        } else {
            last.wrapping_add(1)
        };
        self.last.store(next, Ordering::Relaxed);
        Some(self.slot(next).take())
    }

    /// The list of slot `n`, of all that are not due, and where to push what stays.
    pub(crate) fn sweep(&self, n: u32) -> (List, &Head) {
        let head = self.slot(n);
        (head.take(), head)
    }
}
