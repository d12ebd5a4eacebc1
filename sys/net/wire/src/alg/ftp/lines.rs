// SPDX-License-Identifier: BSD-2-Clause
//! Lines of a stream that comes in segments.

use super::{Found, MAX_LINE, Match, Side, line};
use crate::bytes::{copy, plus};

/// One direction of a control connection: what it has seen of an unfinished line.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    side: Side,
    /// The unfinished line.
    line: [u8; MAX_LINE],
    len: usize,
    /// The line is nothing of interest: on to the next.
    skip: bool,
}

/// What [`Lines::push`] has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The segment is used up; nothing in it, or what is unfinished need not wait.
    Done,
    /// The segment is used up, and its last `held` bytes, with what came before them, may become an
    /// endpoint: they should not pass before it is known.
    NeedMore {
        /// Bytes at the end of the segment.
        held: usize,
    },
    /// A line with an endpoint.
    Found {
        /// The endpoint; its offsets count from the line's first byte.
        found: Found,
        /// Where the line starts in the segment; negative if it began in an earlier one.
        line_at: i32,
        /// How much of the segment is used up: go on with the rest.
        used: usize,
    },
    /// A malformed line.
    Bad {
        /// How much of the segment is used up.
        used: usize,
    },
}

impl Lines {
    /// A direction at the start of a line.
    pub const fn new(side: Side) -> Lines {
        Lines {
            side,
            line: [0; MAX_LINE],
            len: 0,
            skip: false,
        }
    }

    /// Reads on, to the end of the segment or of the next line of interest.
    ///
    /// After [`Step::NeedMore`] there are two ways: hold the segment and feed the next, or drop it,
    /// go back to a copy made before, and wait until the sender repeats it with what follows.
    pub fn push(&mut self, segment: &[u8]) -> Step {
        let mut at = 0;
        while let Some(rest) = segment.get(at..).filter(|rest| !rest.is_empty()) {
            let end = rest.iter().position(|&c| c == b'\n').map(|n| plus(n, 1));
            if self.skip {
                let Some(n) = end else { return Step::Done };
                at = plus(at, n);
                self.skip = false;
                continue;
            }
            let carried = self.len;
            let n = self.take(rest, end.unwrap_or(rest.len()));
            let whole = end == Some(n);
            let (line_at, used) = (offset(at, carried), plus(at, n));
            let found = line(self.side, self.line.get(..self.len).unwrap_or(&[]));
            if found == Match::NeedMore {
                return Step::NeedMore { held: n };
            }
            self.len = 0;
            self.skip = !whole;
            at = used;
            match found {
                Match::Found(found) => {
                    return Step::Found {
                        found,
                        line_at,
                        used,
                    };
                }
                Match::Bad => return Step::Bad { used },
                Match::No | Match::NeedMore => {}
            }
        }
        Step::Done
    }

    /// Puts up to `n` bytes of `from` behind the line; how many there was room for.
    fn take(&mut self, from: &[u8], n: usize) -> usize {
        let room = self.line.get_mut(self.len..).unwrap_or(&mut []);
        let n = n.min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..n), from.get(..n)) {
            copy(to, from);
        }
        self.len = plus(self.len, n);
        n
    }
}

/// Where a line starts of which `carried` bytes came before the segment.
fn offset(at: usize, carried: usize) -> i32 {
    let at = i32::try_from(at).unwrap_or(i32::MAX);
    at.saturating_sub(i32::try_from(carried).unwrap_or(0))
}
