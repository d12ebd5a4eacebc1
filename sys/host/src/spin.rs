// SPDX-License-Identifier: BSD-2-Clause
//! The lock that the packet path may take, which reports what it must not be held over.
//!
//! *Contexts*: any. *Locking*: this is it.

use std::cell::{Cell, UnsafeCell};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard};

use kpi_sys::kpi_spin;

use crate::die::die;
use crate::ledger::{Kind, Ledger};

/// What stands in the room of `struct kpi_spin`.
pub struct Spin {
    mutex: Mutex<()>,
    /// Written by who holds the mutex only.
    guard: UnsafeCell<Option<MutexGuard<'static, ()>>>,
    /// The holder's [`ME`]; null: nobody.
    owner: AtomicPtr<Cell<u32>>,
    ledger: &'static Ledger,
}

const _: () = assert!(size_of::<Spin>() <= size_of::<kpi_spin>());
const _: () = assert!(align_of::<Spin>() <= align_of::<kpi_spin>());

thread_local! {
    /// How many spins this thread holds; its address stands for the thread.
    static ME: Cell<u32> = const { Cell::new(0) };
}

fn me() -> *mut Cell<u32> {
    ME.with(|me| ptr::from_ref(me).cast_mut())
}

/// How many spins this thread holds.
pub fn held() -> u32 {
    ME.get()
}

/// Dies where this thread holds a spin: `what` may take its time.
pub fn must_not_be_held(what: &str) {
    if held() != 0 {
        die(&format!("spin: {what} while one is held"));
    }
}

impl Spin {
    /// A lock that nobody holds, counted by the current ledger.
    pub fn new() -> Spin {
        let ledger = Ledger::current();
        ledger.born(Kind::Spin);
        Spin {
            mutex: Mutex::new(()),
            guard: UnsafeCell::new(None),
            owner: AtomicPtr::new(ptr::null_mut()),
            ledger,
        }
    }

    /// Lock; waits while another thread holds it.
    ///
    /// # Safety
    ///
    /// It stays where it is until it is left and dropped.
    pub unsafe fn enter(&self) {
        let me = me();
        if self.owner.load(Ordering::Relaxed) == me {
            die("spin: entered by the thread that holds it");
        }
        let guard = self.mutex.lock().unwrap_or_else(|e| e.into_inner());
        // SAFETY: the guard goes in exit, before the mutex does: by the caller's word.
        let guard =
            unsafe { std::mem::transmute::<MutexGuard<'_, ()>, MutexGuard<'static, ()>>(guard) };
        // SAFETY: we hold the mutex.
        unsafe { *self.guard.get() = Some(guard) };
        self.owner.store(me, Ordering::Relaxed);
        ME.set(ME.get() + 1);
    }

    /// Unlock what this thread locked.
    pub fn exit(&self) {
        if self.owner.load(Ordering::Relaxed) != me() {
            die("spin: left by a thread that does not hold it");
        }
        self.owner.store(ptr::null_mut(), Ordering::Relaxed);
        ME.set(ME.get() - 1);
        // SAFETY: we hold the mutex.
        let guard = unsafe { (*self.guard.get()).take() };
        drop(guard);
    }
}

impl Default for Spin {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        self.ledger.died(Kind::Spin);
        if !self.owner.get_mut().is_null() && !std::thread::panicking() {
            die("spin: destroyed while it is held");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shared(Spin, UnsafeCell<u32>);

    // SAFETY: the test touches the number with the lock held only.
    unsafe impl Sync for Shared {}

    #[test]
    fn excludes() {
        let shared = Shared(Spin::new(), UnsafeCell::new(0));
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    let shared = &shared;
                    for _ in 0..2000 {
                        // SAFETY: it does not move in the scope.
                        unsafe { shared.0.enter() };
                        // SAFETY: the lock is held.
                        unsafe { *shared.1.get() += 1 };
                        shared.0.exit();
                    }
                });
            }
        });
        assert_eq!(shared.1.into_inner(), 8000);
        assert_eq!(held(), 0);
    }

    #[test]
    #[should_panic(expected = "entered by the thread that holds it")]
    fn recursion_is_reported() {
        let spin = Box::new(Spin::new());
        // SAFETY: in its box.
        unsafe { spin.enter() };
        // SAFETY: as above.
        unsafe { spin.enter() };
    }

    #[test]
    #[should_panic(expected = "does not hold it")]
    fn a_strangers_exit_is_reported() {
        Spin::new().exit();
    }
}
