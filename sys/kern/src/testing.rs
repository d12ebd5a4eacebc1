// SPDX-License-Identifier: BSD-2-Clause
//! Tokens for tests and benchmarks, which are the thread that they run on. Feature `testing`.

use crate::cx::Softint;
use crate::cx::Thread;

/// The token of a test's thread. Use one at a time, outside sections and references.
pub fn token() -> Thread {
    // SAFETY: a test may sleep; that it keeps to the rest is its own affair: it tests that.
    unsafe { Thread::assume() }
}

/// The token of a test that plays the packet path.
pub fn softint() -> Softint {
    // SAFETY: as above.
    unsafe { Softint::assume() }
}
