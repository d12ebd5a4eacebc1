// SPDX-License-Identifier: BSD-2-Clause
//! Both clocks.

use nix::time::ClockId;
use nix::time::clock_gettime;

fn nanoseconds(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |t| {
        let (seconds, rest): (i64, i64) = (t.tv_sec(), t.tv_nsec());
        seconds.saturating_mul(1_000_000_000).saturating_add(rest)
    })
}

/// Nanoseconds since 1970, UTC; jumps when somebody sets the clock.
#[must_use]
pub fn wall() -> i64 {
    nanoseconds(ClockId::CLOCK_REALTIME)
}

/// Nanoseconds since some moment not after the start of the system; never goes back.
#[must_use]
pub fn mono() -> u64 {
    u64::try_from(nanoseconds(ClockId::CLOCK_MONOTONIC)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_go() {
        assert!(wall() > 1_500_000_000 * 1_000_000_000);
        let before = mono();
        assert!(before > 0 && mono() >= before);
    }
}
