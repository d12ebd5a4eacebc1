// SPDX-License-Identifier: BSD-2-Clause
//! Time and randomness.

use kpi_sys as k;

/// Monotonic nanoseconds since some start.
pub fn uptime_ns() -> u64 {
    // SAFETY: no conditions.
    unsafe { k::kpi_uptime_ns() }
}

/// Fills `buf` with strong random bytes.
pub fn random(buf: &mut [u8]) {
    for part in buf.chunks_mut(4096) {
        // At most 4096, so the length fits.
        // SAFETY: part is writable for its length.
        unsafe { k::kpi_random(part.as_mut_ptr(), part.len() as u32) };
    }
}
