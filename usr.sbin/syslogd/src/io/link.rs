// SPDX-License-Identifier: BSD-2-Clause
//! When an output is opened, and opened again: a state machine without a clock or a die of its
//! own.

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// The first pause after a failure.
const FIRST: u64 = SECOND;
/// No pause is longer.
const LONGEST: u64 = 60 * SECOND;
/// An open that is not answered for so long has failed.
const PATIENCE: u64 = 90 * SECOND;
/// What was open for so long begins with the first pause again.
const STEADY: u64 = 30 * SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Closed, not to be opened before that time.
    Closed { until: u64 },
    /// Asked for at that time.
    Opening { since: u64 },
    /// Open since that time.
    Open { since: u64 },
}

/// An output's way to the world.
#[derive(Clone, Debug)]
pub struct Link {
    state: State,
    pause: u64,
    failures: u64,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Nothing.
    Nothing,
    /// Ask for it to be opened.
    Open,
}

impl Link {
    /// Closed, to be opened at once.
    #[must_use]
    pub fn new() -> Link {
        Link {
            state: State::Closed { until: 0 },
            pause: FIRST,
            failures: 0,
        }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether it was asked for and is not open yet.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening { .. })
    }

    /// How often it failed in a row.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// What to do at `now`, nanoseconds of a clock that never goes back, if there is something to
    /// be written (`wanted`). `random` is any number.
    pub fn step(&mut self, now: u64, wanted: bool, random: u64) -> Todo {
        match self.state {
            State::Closed { until } if wanted && now >= until => {
                self.state = State::Opening { since: now };
                Todo::Open
            }
            State::Opening { since } if now.saturating_sub(since) >= PATIENCE => {
                self.failed(now, random);
                Todo::Nothing
            }
            _ => Todo::Nothing,
        }
    }

    /// It was opened.
    pub fn opened(&mut self, now: u64) {
        self.state = State::Open { since: now };
    }

    /// It could not be opened, or was lost: the next pause is twice as long, and as much as a
    /// quarter longer or shorter, so that not all that lost one host come back at one moment.
    pub fn failed(&mut self, now: u64, random: u64) {
        if let State::Open { since } = self.state
            && now.saturating_sub(since) >= STEADY
        {
            self.pause = FIRST;
            self.failures = 0;
        }
        let quarter = self.pause / 4;
        let pause = self.pause - quarter + random % (2 * quarter + 1);
        self.state = State::Closed {
            until: now.saturating_add(pause),
        };
        self.pause = self.pause.saturating_mul(2).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
    }

    /// When `step` has something to do, if nothing else happens.
    #[must_use]
    pub fn next(&self, wanted: bool) -> Option<u64> {
        match self.state {
            State::Closed { until } if wanted => Some(until),
            State::Opening { since } => Some(since.saturating_add(PATIENCE)),
            _ => None,
        }
    }
}

impl Default for Link {
    fn default() -> Link {
        Link::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_host_that_is_dead_for_an_hour() {
        let mut link = Link::new();
        let mut now = 5 * SECOND;
        let mut opens = Vec::new();
        let end = now + 3600 * SECOND;
        while now < end {
            if link.step(now, true, 7) == Todo::Open {
                opens.push(now);
                now += 3 * SECOND;
                link.failed(
                    now,
                    (opens.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                );
            }
            now = link.next(true).expect("there is always a next time");
        }
        // 1, 2, 4 ... 60 seconds and then one a minute or so, not a storm and not a silence.
        assert!((55..=75).contains(&opens.len()), "{}", opens.len());
        let longest = opens.windows(2).map(|w| w[1] - w[0]).max().expect("some");
        assert!(longest <= 78 * SECOND, "{longest}");
        assert!(opens[1] - opens[0] <= 3 * SECOND + FIRST + FIRST / 4);
        // It comes back: at once open, and after a while the first pause is a short one again.
        assert_eq!(link.step(now, true, 0), Todo::Open);
        link.opened(now);
        assert!(link.is_open());
        assert_eq!(link.next(true), None);
        now += 100 * SECOND;
        link.failed(now, 0);
        assert!(link.next(true).expect("again") <= now + FIRST);
    }

    #[test]
    fn nothing_is_opened_that_nobody_wants() {
        let mut link = Link::new();
        assert_eq!(link.step(0, false, 0), Todo::Nothing);
        assert_eq!(link.next(false), None);
        assert_eq!(link.step(0, true, 0), Todo::Open);
        assert_eq!(link.step(1, true, 0), Todo::Nothing);
        assert_eq!(link.step(PATIENCE, true, 0), Todo::Nothing);
        assert_eq!(link.failures(), 1);
        assert!(link.next(true).expect("a time") > PATIENCE);
    }

    proptest! {
        #[test]
        fn pauses_are_within_bounds(randoms in proptest::collection::vec(any::<u64>(), 1..40)) {
            let mut link = Link::new();
            let mut now = 0;
            for random in randoms {
                prop_assert_eq!(link.step(now, true, random), Todo::Open);
                link.failed(now, random);
                let next = link.next(true).expect("a time");
                prop_assert!(next >= now + FIRST * 3 / 4 && next <= now + LONGEST * 5 / 4);
                now = next;
            }
        }
    }
}
