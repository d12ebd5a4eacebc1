// SPDX-License-Identifier: BSD-2-Clause
//! A breath between looks at the network while datagrams stream in.
//!
//! Who takes each datagram as soon as it comes is woken for each, which costs both ends more than the
//! message does. So after a round with nothing but datagrams, and many in its time, the worker lets
//! some come together, as network cards do with interrupts; the socket's buffer holds far more.

use std::time::Duration;

/// How long it is: what a reader that follows waits longer, at most. NetBSD's clock has no such short
/// times, a sleep there is of 10 ms.
const BREATH: Option<Duration> = if cfg!(target_os = "netbsd") {
    None
} else {
    Some(Duration::from_micros(200))
};

/// Fewer than one in that many nanoseconds (20,000 a second) are taken as they come.
const SPARSE: u64 = 50_000;

/// Says when to take one.
#[derive(Default)]
pub(super) struct Pace {
    /// When there were datagrams last.
    last: u64,
}

impl Pace {
    /// After a look at `now` that found `datagrams` of the network; `others`: so did other things.
    pub fn breath(&mut self, now: u64, datagrams: u64, others: bool) -> Option<Duration> {
        if datagrams == 0 {
            return None;
        }
        let time = now.saturating_sub(self.last);
        self.last = now;
        let dense = time <= datagrams.saturating_mul(SPARSE);
        BREATH.filter(|_| dense && !others)
    }
}

#[cfg(all(test, not(target_os = "netbsd")))]
mod tests {
    use super::*;

    #[test]
    fn only_a_stream_of_datagrams_is_let_gather() {
        let mut pace = Pace::default();
        let second = 1_000_000_000;
        assert_eq!(
            pace.breath(second, 5, false),
            None,
            "the first after a while"
        );
        assert_eq!(
            pace.breath(second + 60_000, 1, false),
            None,
            "17,000 a second"
        );
        let later = second + 100_000;
        assert_eq!(pace.breath(later, 1, false), BREATH, "25,000 a second");
        // Their number grows with the breath, and it goes on.
        assert_eq!(pace.breath(later + 250_000, 6, false), BREATH);
        assert_eq!(pace.breath(later + 500_000, 6, true), None, "others wait");
        assert_eq!(pace.breath(later + 600_000, 0, false), None, "nothing came");
        assert_eq!(pace.breath(later + 900_000, 1, false), None, "it is over");
    }
}
