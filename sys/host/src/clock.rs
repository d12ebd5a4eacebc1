// SPDX-License-Identifier: BSD-2-Clause
//! Time: the OS's monotonic clock, or one that tests move by hand.
//!
//! *Contexts*: any. *Locking*: none.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Which clock a kernel has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockKind {
    /// The OS's.
    #[default]
    Real,
    /// Stands still until it is advanced.
    Virtual,
}

/// A kernel's clock; counts from 1 s, so that 0 never is a valid time.
#[derive(Debug)]
pub enum Clock {
    /// The OS's.
    Real,
    /// Nanoseconds.
    Virtual(AtomicU64),
}

const START: u64 = 1_000_000_000;

/// Nanoseconds of the OS's monotonic clock since the process first asked, plus a second.
pub fn real_ns() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    START + BEGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

impl Clock {
    /// A clock of this kind.
    pub fn new(kind: ClockKind) -> Clock {
        match kind {
            ClockKind::Real => Clock::Real,
            ClockKind::Virtual => Clock::Virtual(AtomicU64::new(START)),
        }
    }

    /// Monotonic nanoseconds.
    pub fn now(&self) -> u64 {
        match self {
            Clock::Real => real_ns(),
            Clock::Virtual(ns) => ns.load(Ordering::Acquire),
        }
    }

    /// Whether tests move it.
    pub fn is_virtual(&self) -> bool {
        matches!(self, Clock::Virtual(_))
    }

    /// Move a virtual clock forward to `ns`; it never goes back, and a real one does not care.
    pub fn set(&self, ns: u64) {
        if let Clock::Virtual(now) = self {
            now.fetch_max(ns, Ordering::AcqRel);
        }
    }
}
