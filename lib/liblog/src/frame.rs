// SPDX-License-Identifier: BSD-2-Clause
//! Messages in a stream (RFC 6587): counted, `11 <13>message`, or each up to a new-line or a NUL.
//! Which of them it is shows at the start of each. What is too long is cut, the rest passed over.

use crate::buf::Buf;

/// Digits of a count, at most.
const DIGITS: usize = 9;

/// What a read should have room for.
const READ: usize = 4096;

/// A message of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// It, without what ends it.
    pub bytes: &'a [u8],
    /// It was longer, or the stream ended in it.
    pub cut: bool,
    /// It came with a count.
    pub counted: bool,
}

/// What the next byte is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// The start of a message.
    None,
    /// A message that was cut, up to its end.
    Line,
    /// A message that was cut, so many bytes of it.
    Counted(u64),
}

/// What stands at the start of the bytes.
enum Start {
    /// Not enough to tell.
    Unknown,
    /// A message up to a new-line.
    Line,
    /// A count, and how many bytes it takes with its space.
    Counted(u64, usize),
}

/// Takes a stream in, gives messages out. Its memory is allocated at the start.
#[derive(Debug)]
pub struct Framer {
    bytes: Box<[u8]>,
    max: usize,
    start: usize,
    end: usize,
    /// No new-line is among so many bytes from `start` on.
    seen: usize,
    rest: Rest,
    skipped: u64,
}

impl Framer {
    /// For messages of up to `max` bytes, at least one.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let max = max.max(1);
        Framer {
            bytes: vec![0; max.saturating_add(READ)].into_boxed_slice(),
            max,
            start: 0,
            end: 0,
            seen: 0,
            rest: Rest::None,
            skipped: 0,
        }
    }

    /// Where to read into; never empty once [`Framer::next`] said that there is no more.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes were read into [`Framer::space`].
    pub fn filled(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.bytes.len());
    }

    /// Bytes of messages that were passed over.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Bytes that are waiting for the rest of their message.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.end - self.start
    }

    fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn take(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
        self.seen = 0;
    }

    /// Passes over what belongs to a message that was cut; whether all of it is there.
    fn skip(&mut self) -> bool {
        let waiting = self.waiting();
        let (n, done) = match self.rest {
            Rest::None => return true,
            Rest::Line => match memchr::memchr2(b'\n', 0, waiting) {
                Some(at) => (at, true),
                None => (waiting.len(), false),
            },
            Rest::Counted(left) => {
                let n = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(waiting.len());
                (n, n as u64 == left)
            }
        };
        self.skipped += n as u64;
        match self.rest {
            Rest::Counted(left) => self.rest = Rest::Counted(left - n as u64),
            // The end is no part of the message.
            _ => self.take(usize::from(done)),
        }
        self.take(n);
        if done {
            self.rest = Rest::None;
        }
        done
    }

    /// The next message that is complete.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it gives is borrowed from it"
    )]
    pub fn next(&mut self) -> Option<Frame<'_>> {
        loop {
            if !self.skip() {
                return None;
            }
            let (at, len, cut, counted) = match start(self.waiting()) {
                Start::Unknown => return None,
                Start::Counted(count, digits) => self.counted(count, digits)?,
                Start::Line => self.line()?,
            };
            if len == 0 {
                continue;
            }
            let bytes = self
                .bytes
                .get(at..at.saturating_add(len))
                .unwrap_or_default();
            return Some(Frame {
                bytes,
                cut,
                counted,
            });
        }
    }

    /// Takes a counted message: where it is, its length, whether it is cut, and `true`.
    fn counted(&mut self, count: u64, digits: usize) -> Option<(usize, usize, bool, bool)> {
        let len = usize::try_from(count).unwrap_or(usize::MAX).min(self.max);
        if self.pending() - digits < len {
            return None;
        }
        let at = self.start + digits;
        self.take(digits + len);
        let left = count - len as u64;
        if left > 0 {
            self.rest = Rest::Counted(left);
        }
        Some((at, len, left > 0, true))
    }

    /// Takes a message up to a new-line: the same, and `false`.
    fn line(&mut self) -> Option<(usize, usize, bool, bool)> {
        let (at, max) = (self.start, self.max);
        let waiting = self.waiting();
        let fresh = waiting.get(self.seen..).unwrap_or_default();
        let found = memchr::memchr2(b'\n', 0, fresh).map(|n| self.seen + n);
        match found {
            Some(len) if len <= max => {
                let carriage = waiting.get(..len).and_then(<[u8]>::last) == Some(&b'\r');
                self.take(len + 1);
                Some((at, len - usize::from(carriage), false, false))
            }
            None if waiting.len() <= max => {
                self.seen = waiting.len();
                None
            }
            _ => {
                self.take(max);
                self.rest = Rest::Line;
                Some((at, max, true, false))
            }
        }
    }

    /// The stream has ended: the message that it ended in, if any. A line counts as whole.
    pub fn finish(&mut self) -> Option<Frame<'_>> {
        if !self.skip() {
            return None;
        }
        let (digits, counted) = match start(self.waiting()) {
            Start::Counted(_, digits) => (digits, true),
            _ => (0, false),
        };
        let at = self.start + digits;
        self.take(usize::MAX);
        let bytes = self.bytes.get(at..self.end).filter(|b| !b.is_empty())?;
        Some(Frame {
            bytes: bytes.get(..self.max).unwrap_or(bytes),
            cut: counted,
            counted,
        })
    }
}

/// A count has no leading zero, and a space behind it.
fn start(bytes: &[u8]) -> Start {
    match bytes.first() {
        None => return Start::Unknown,
        Some(b'1'..=b'9') => {}
        Some(_) => return Start::Line,
    }
    let digits = bytes
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .take(DIGITS + 1)
        .count();
    match bytes.get(digits) {
        _ if digits > DIGITS => Start::Line,
        None => Start::Unknown,
        Some(b' ') => {
            let count = bytes.iter().take(digits);
            let count = count.fold(0, |sum, d| sum * 10 + u64::from(d - b'0'));
            Start::Counted(count, digits + 1)
        }
        Some(_) => Start::Line,
    }
}

/// Appends a message with its count, or nothing; whether there was room.
pub fn write_counted(message: &[u8], out: &mut Buf) -> bool {
    let at = out.len();
    if out.number(message.len() as u64) && out.byte(b' ') && out.push(message) {
        return true;
    }
    out.truncate(at);
    false
}

/// Appends a message and a new-line, or nothing; whether there was room. New-lines and NULs in the
/// message become spaces: a reader would take what follows for another message.
pub fn write_line(message: &[u8], out: &mut Buf) -> bool {
    if out.room() <= message.len() {
        return false;
    }
    let mut rest = message;
    while let Some(at) = memchr::memchr2(b'\n', 0, rest) {
        out.push(rest.get(..at).unwrap_or_default());
        out.byte(b' ');
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    out.push(rest) && out.byte(b'\n')
}
