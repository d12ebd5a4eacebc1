// SPDX-License-Identifier: BSD-2-Clause
//! What every part of one kernel has in common, and which kernel a thread is in.
//!
//! *Contexts*: any. *Locking*: none.
//!
//! Doors keep an `Arc<Home>` and [`Home::enter`] it before they call into a module, so that the
//! `kpi_*` functions the module calls find their kernel.

use std::any::Any;
use std::cell::Cell;
use std::ptr;
use std::sync::{Arc, OnceLock, Weak};

use crate::clock::{Clock, ClockKind};
use crate::event::Events;
use crate::ledger::{Faults, Ledger};
use crate::misc::{Log, Random};

/// See the module's text.
#[derive(Debug)]
pub struct Home {
    /// The kernel's name, for messages.
    pub name: String,
    /// What it has handed out.
    pub ledger: &'static Ledger,
    /// Its time.
    pub clock: Clock,
    /// Its log.
    pub log: Log,
    /// Its randomness.
    pub random: Random,
    /// Its routing socket's news.
    pub events: Events,
    /// The kernel itself, which lies above this file: set once when it is built.
    pub(crate) kernel: OnceLock<Weak<dyn Any + Send + Sync>>,
}

thread_local! {
    static CURRENT: Cell<*const Home> = const { Cell::new(ptr::null()) };
}

/// Restores the kernel that the thread was in before, also when a test panics.
struct Restore {
    home: *const Home,
    ledger: &'static Ledger,
}

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.home);
        Ledger::set_current(self.ledger);
    }
}

impl Home {
    /// Run `f` in this kernel; nests.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _restore = Restore {
            home: CURRENT.replace(ptr::from_ref(self)),
            ledger: Ledger::set_current(self.ledger),
        };
        f()
    }

    /// Give `f` the kernel that this thread is in, if any.
    pub fn with_current<R>(f: impl FnOnce(Option<&Home>) -> R) -> R {
        // SAFETY: null, or borrowed by an enter that lasts until f has returned.
        f(unsafe { CURRENT.get().as_ref() })
    }

    /// Whether this thread is in this kernel.
    pub fn is_current(&self) -> bool {
        ptr::eq(CURRENT.get(), self)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.ledger.close();
    }
}

/// Builds the common part of a kernel.
pub(crate) fn new(name: &str, clock: ClockKind, seed: u64, faults: &Faults) -> Arc<Home> {
    Arc::new(Home {
        name: name.to_owned(),
        ledger: Ledger::open(faults),
        clock: Clock::new(clock),
        log: Log::new(name),
        random: Random::new(seed),
        events: Events::default(),
        kernel: OnceLock::new(),
    })
}

/// A home outside of any kernel, for unit tests of what lies below the kernel.
#[cfg(test)]
pub(crate) fn for_test(clock: ClockKind) -> Arc<Home> {
    new("test", clock, 1, &Faults::default())
}
