// SPDX-License-Identifier: BSD-2-Clause
//! Free lists for packets and clusters: a shelf for each thread, and a depot between them.
//!
//! *Contexts*: any. *Locking*: the depot's mutex, taken once in [`BATCH`] operations at most.
//!
//! A thread that frees what another one allocates (the reader of one door feeds the writer of
//! another) fills its shelf, and the depot carries the surplus back; so once warm, nobody calls
//! the allocator. With `ROPEWALK_NO_POOL` in the environment nothing is kept, so that
//! AddressSanitizer sees each use after free.

use std::cell::RefCell;
use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock};

/// Sorts of things kept: packet headers, and the cluster classes from 1 on.
pub const SORTS: usize = 5;
/// The sort of packet headers.
pub const PACKETS: usize = 0;

/// How many of each sort a shelf holds.
const SHELF: [usize; SORTS] = [512, 512, 512, 64, 32];
/// The depot holds this many shelves.
const DEPOT_SHELVES: usize = 4;
/// Part of a shelf that moves to or from the depot at once.
const BATCH: usize = 2;

/// A free thing: nobody refers to it, so it may change threads.
struct Free(NonNull<u8>);

// SAFETY: whoever holds a Free is the only one with access to it.
unsafe impl Send for Free {}

static DEPOT: [Mutex<Vec<Free>>; SORTS] = [const { Mutex::new(Vec::new()) }; SORTS];

fn enabled() -> bool {
    static ENABLED: OnceLock<bool> = OnceLock::new();
    *ENABLED.get_or_init(|| std::env::var_os("ROPEWALK_NO_POOL").is_none())
}

struct Shelves([Vec<Free>; SORTS]);

impl Drop for Shelves {
    fn drop(&mut self) {
        for (sort, shelf) in self.0.iter_mut().enumerate() {
            let mut depot = DEPOT[sort].lock().unwrap_or_else(|e| e.into_inner());
            depot.append(shelf);
        }
    }
}

thread_local! {
    static SHELVES: RefCell<Shelves> = RefCell::new(Shelves(SHELF.map(Vec::with_capacity)));
}

#[cold]
fn refill(sort: usize, shelf: &mut Vec<Free>) -> Option<NonNull<u8>> {
    let mut depot = DEPOT[sort].lock().unwrap_or_else(|e| e.into_inner());
    let rest = depot.len().saturating_sub(SHELF[sort] / BATCH);
    shelf.extend(depot.drain(rest..));
    shelf.pop().map(|free| free.0)
}

/// A free thing of `sort`, if one is kept.
pub fn take(sort: usize) -> Option<NonNull<u8>> {
    let from_shelf = |shelves: &RefCell<Shelves>| {
        let shelf = &mut shelves.borrow_mut().0[sort];
        match shelf.pop() {
            Some(free) => Some(free.0),
            None => refill(sort, shelf),
        }
    };
    SHELVES.try_with(from_shelf).unwrap_or(None)
}

/// Keep `free` for a later [`take`]; false: there is no room, the caller frees it.
pub fn give(sort: usize, free: NonNull<u8>) -> bool {
    if !enabled() {
        return false;
    }
    let to_shelf = |shelves: &RefCell<Shelves>| {
        let shelf = &mut shelves.borrow_mut().0[sort];
        if shelf.len() >= SHELF[sort] {
            surplus(sort, shelf)?;
        }
        shelf.push(Free(free));
        Some(())
    };
    matches!(SHELVES.try_with(to_shelf), Ok(Some(())))
}

#[cold]
fn surplus(sort: usize, shelf: &mut Vec<Free>) -> Option<()> {
    let mut depot = DEPOT[sort].lock().unwrap_or_else(|e| e.into_inner());
    if depot.len() >= SHELF[sort] * DEPOT_SHELVES {
        return None;
    }
    depot.extend(shelf.drain(SHELF[sort] - SHELF[sort] / BATCH..));
    Some(())
}
