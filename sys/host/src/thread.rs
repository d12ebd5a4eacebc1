// SPDX-License-Identifier: BSD-2-Clause
//! A small number for each thread: what stands for a CPU on the host.
//!
//! *Contexts*: any. *Locking*: none.
//!
//! The first [`NCPU`] threads alive at a time have a number of their own, so that a slot indexed
//! by it has one writer and needs no locked instruction. Further threads share the last slot.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Threads with a number of their own; also what `kpi_ncpu` answers.
pub const NCPU: usize = 64;
/// Slots of a table indexed by [`slot`]: one for each CPU, and the shared one.
pub const SLOTS: usize = NCPU + 1;

const UNSET: u32 = u32::MAX;

/// Bit n: number n is taken.
static TAKEN: AtomicU64 = AtomicU64::new(0);
/// Deals out numbers from [`NCPU`] to 2 * [`NCPU`] - 1 to threads that share the last slot.
static SHARERS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// Without a destructor, so that reading it is one load.
    static NUMBER: Cell<u32> = const { Cell::new(UNSET) };
    static OWNER: Owner = const { Owner(Cell::new(UNSET)) };
}

/// Gives the thread's number back when the thread ends.
struct Owner(Cell<u32>);

impl Drop for Owner {
    fn drop(&mut self) {
        let number = self.0.get();
        if (number as usize) < NCPU {
            // Destructors that run after this one count in the shared slot.
            NUMBER.set(NCPU as u32);
            // Release: our plain writes to the slot go before those of the number's next owner.
            TAKEN.fetch_and(!(1 << number), Ordering::Release);
        }
    }
}

#[cold]
fn assign() -> u32 {
    let free = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
    let own = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, free);
    let mut number = match own {
        Ok(before) => before.trailing_ones(),
        Err(_) => NCPU as u32 + SHARERS.fetch_add(1, Ordering::Relaxed) % NCPU as u32,
    };
    if OWNER.try_with(|owner| owner.0.set(number)).is_err() && (number as usize) < NCPU {
        // The thread is ending: nobody would give the number back.
        TAKEN.fetch_and(!(1 << number), Ordering::Release);
        number = NCPU as u32;
    }
    NUMBER.set(number);
    number
}

fn number() -> u32 {
    match NUMBER.get() {
        UNSET => assign(),
        number => number,
    }
}

/// This thread's slot, below [`SLOTS`]; below [`NCPU`] no other thread alive has the same.
pub fn slot() -> usize {
    (number() as usize).min(NCPU)
}

/// What stands for the CPU that runs us, below [`NCPU`].
pub fn cpu() -> u32 {
    number() % NCPU as u32
}

/// Counters that each thread adds to in a cache line of its own.
#[derive(Debug)]
pub struct Counters<const N: usize> {
    lines: [Line<N>; SLOTS],
}

/// 128: adjacent lines of 64 bytes are fetched in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Line<const N: usize>([AtomicU64; N]);

impl<const N: usize> Counters<N> {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            lines: [const { Line([const { AtomicU64::new(0) }; N]) }; SLOTS],
        }
    }

    /// Add `n`, which may be negative by wrapping, to counter `which`; out of range is ignored.
    pub fn add(&self, which: usize, n: u64) {
        let slot = slot();
        let Some(cell) = self.lines.get(slot).and_then(|line| line.0.get(which)) else {
            return;
        };
        if slot < NCPU {
            // Ours alone: no locked instruction.
            cell.store(
                cell.load(Ordering::Relaxed).wrapping_add(n),
                Ordering::Relaxed,
            );
        } else {
            cell.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// The sum over all threads of counter `which`.
    pub fn sum(&self, which: usize) -> u64 {
        let cells = self.lines.iter().filter_map(|line| line.0.get(which));
        cells.fold(0, |sum, cell| {
            sum.wrapping_add(cell.load(Ordering::Relaxed))
        })
    }
}

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::{Arc, Barrier};

    #[test]
    fn numbers_are_small_stable_and_distinct() {
        let mine = slot();
        assert_eq!(mine, slot());
        let barrier = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                std::thread::spawn(move || {
                    let slot = slot();
                    barrier.wait();
                    (slot, cpu())
                })
            })
            .collect();
        let got: Vec<_> = threads
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect();
        let own: HashSet<_> = got.iter().map(|g| g.0).filter(|s| *s < NCPU).collect();
        assert_eq!(own.len(), got.iter().filter(|g| g.0 < NCPU).count());
        assert!(!own.contains(&mine));
        assert!(got.iter().all(|g| (g.1 as usize) < NCPU));
    }

    #[test]
    fn counters_lose_nothing_with_more_threads_than_slots() {
        let counters = Arc::new(Counters::<2>::new());
        let threads: Vec<_> = (0..NCPU + 20)
            .map(|_| {
                let counters = Arc::clone(&counters);
                std::thread::spawn(move || (0..1000).for_each(|_| counters.add(1, 3)))
            })
            .collect();
        threads
            .into_iter()
            .for_each(|t| t.join().expect("no panic"));
        assert_eq!(counters.sum(1), 3000 * (NCPU as u64 + 20));
        assert_eq!(counters.sum(0), 0);
        counters.add(7, 1);
    }
}
