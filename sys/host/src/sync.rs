// SPDX-License-Identifier: BSD-2-Clause
//! The mutex of thread context, which knows its owner and reports misuse.
//!
//! *Contexts*: thread. *Locking*: this is it.

use std::sync::{Condvar, Mutex as StdMutex, MutexGuard};
use std::thread::ThreadId;

use crate::die::die;
use crate::epoch;
use crate::ledger::{Kind, Ledger};
use crate::spin;

/// Lock a std mutex; a panic elsewhere does not poison ours, whose data is whole at each step.
pub(crate) fn lock<T>(mutex: &StdMutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Wait on a condition; see [`lock`].
pub(crate) fn wait<'a, T>(cond: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    cond.wait(guard).unwrap_or_else(|e| e.into_inner())
}

/// What `struct kpi_mutex` is on the host.
#[derive(Debug)]
pub struct Mutex {
    name: String,
    owner: StdMutex<Option<ThreadId>>,
    freed: Condvar,
    ledger: &'static Ledger,
}

impl Mutex {
    /// A mutex that nobody holds, counted by the current ledger.
    pub fn new(name: String) -> Mutex {
        let ledger = Ledger::current();
        ledger.born(Kind::Mutex);
        Mutex {
            name,
            owner: StdMutex::new(None),
            freed: Condvar::new(),
            ledger,
        }
    }

    /// Lock; waits while another thread holds it.
    pub fn enter(&self) {
        let me = std::thread::current().id();
        if epoch::READ.depth() != 0 {
            die(&format!(
                "mutex {}: entered within a read section",
                self.name
            ));
        }
        if spin::held() != 0 {
            die(&format!(
                "mutex {}: entered while a spin is held",
                self.name
            ));
        }
        let mut owner = lock(&self.owner);
        if *owner == Some(me) {
            drop(owner);
            die(&format!(
                "mutex {}: entered by the thread that holds it",
                self.name
            ));
        }
        while owner.is_some() {
            owner = wait(&self.freed, owner);
        }
        *owner = Some(me);
    }

    /// Unlock what this thread locked.
    pub fn exit(&self) {
        let mut owner = lock(&self.owner);
        if *owner != Some(std::thread::current().id()) {
            drop(owner);
            die(&format!(
                "mutex {}: left by a thread that does not hold it",
                self.name
            ));
        }
        *owner = None;
        self.freed.notify_one();
    }
}

impl Drop for Mutex {
    fn drop(&mut self) {
        self.ledger.died(Kind::Mutex);
        if lock(&self.owner).is_some() && !std::thread::panicking() {
            die(&format!("mutex {}: destroyed while it is held", self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn excludes() {
        let m = Arc::new((Mutex::new("t".into()), StdMutex::new(0u32)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let m = Arc::clone(&m);
                std::thread::spawn(move || {
                    for _ in 0..500 {
                        m.0.enter();
                        // try_lock fails if the mutex lets two in.
                        *m.1.try_lock().expect("only one is in") += 1;
                        m.0.exit();
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|t| t.join().expect("no panic"));
        assert_eq!(*lock(&m.1), 2000);
    }

    #[test]
    #[should_panic(expected = "mutex t: entered by the thread that holds it")]
    fn recursion_is_reported() {
        let m = Mutex::new("t".into());
        m.enter();
        m.enter();
    }

    #[test]
    #[should_panic(expected = "does not hold it")]
    fn a_strangers_exit_is_reported() {
        Mutex::new("t".into()).exit();
    }

    #[test]
    #[should_panic(expected = "within a read section")]
    fn sleeping_in_a_read_section_is_reported() {
        let m = Mutex::new("t".into());
        let _section = epoch::READ.enter();
        m.enter();
    }

    #[test]
    #[should_panic(expected = "entered while a spin is held")]
    fn sleeping_with_a_spin_held_is_reported() {
        let spin = Box::new(spin::Spin::new());
        // SAFETY: in its box.
        unsafe { spin.enter() };
        let _held = std::mem::ManuallyDrop::new(spin);
        Mutex::new("t".into()).enter();
    }

    #[test]
    #[should_panic(expected = "destroyed while it is held")]
    fn destroying_a_held_one_is_reported() {
        let m = Mutex::new("t".into());
        m.enter();
    }
}
