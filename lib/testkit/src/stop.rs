// SPDX-License-Identifier: BSD-2-Clause
//! Tells threads to end, also when the test that started them panics: else it would wait for them
//! for ever instead of failing.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// What threads look at.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

/// Tells them to end when dropped.
#[derive(Debug)]
pub struct StopGuard<'a>(&'a Stop);

impl Stop {
    /// Go on.
    #[must_use]
    pub const fn new() -> Self {
        Stop(AtomicBool::new(false))
    }

    /// Whether to go on.
    #[must_use]
    pub fn go_on(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// Keep this as long as the threads are to run.
    #[must_use]
    pub const fn guard(&self) -> StopGuard<'_> {
        StopGuard(self)
    }
}

impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
