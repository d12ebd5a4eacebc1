// SPDX-License-Identifier: BSD-2-Clause
//! What a ring is asked and what it answers.

use std::fmt;

use crate::msg::Clocks;
use crate::msg::Msg;

/// The smallest ring, in bytes: all fields of a header fit.
pub const MIN_SIZE: usize = 4096;

/// The bytes of a ring: memory, or a mapped file.
pub trait Region: AsRef<[u8]> + AsMut<[u8]> {}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Region for T {}

/// The region has fewer bytes than a ring needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall;

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a ring needs at least {MIN_SIZE} bytes")
    }
}

impl std::error::Error for TooSmall {}

/// A region whose size can change while it is in use.
pub trait Resizable: Region {
    /// Makes sure that it can have so many bytes, as `set_size` will give it; nothing changes.
    ///
    /// # Errors
    /// Why it cannot.
    fn reserve(&mut self, size: usize) -> Result<(), NotResized>;

    /// Gives it a size for which `reserve` was called. The first bytes stay, new ones are 0, and
    /// those that it has no more are given back.
    fn set_size(&mut self, size: usize);
}

impl Resizable for Vec<u8> {
    fn reserve(&mut self, size: usize) -> Result<(), NotResized> {
        let more = size.saturating_sub(self.len());
        self.try_reserve_exact(more)
            .map_err(|_| NotResized::NoMemory)
    }

    fn set_size(&mut self, size: usize) {
        self.resize(size, 0);
        self.shrink_to_fit();
    }
}

/// Why a ring has still the size that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotResized {
    /// No ring has so few bytes.
    TooSmall,
    /// The system has no memory for it.
    NoMemory,
    /// Its region is one whose size does not change.
    Fixed,
}

impl fmt::Display for NotResized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotResized::TooSmall => TooSmall.fmt(f),
            NotResized::NoMemory => f.write_str("the system has no memory for that"),
            NotResized::Fixed => f.write_str("a ring whose size does not change"),
        }
    }
}

impl std::error::Error for NotResized {}

/// Why there is no ring in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// No ring has so few bytes.
    TooSmall,
    /// It is something else, or its first bytes are damaged.
    NotARing,
    /// A ring of another version.
    Version(u32),
    /// A ring of another size.
    Size(u64),
    /// A ring whose state is damaged, and no record is left.
    State,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::TooSmall => TooSmall.fmt(f),
            Bad::NotARing => f.write_str("not a ring"),
            Bad::Version(version) => write!(f, "a ring of version {version}"),
            Bad::Size(size) => write!(f, "a ring of {size} bytes"),
            Bad::State => f.write_str("a ring with nothing readable in it"),
        }
    }
}

impl std::error::Error for Bad {}

/// What recovery found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How many records there are.
    pub records: u64,
    /// How many there had been that are gone.
    pub lost: u64,
    /// The ring had been finished: nothing can be missing.
    pub clean: bool,
    /// The state was damaged: counters began anew and the last sequence numbers may have been used
    /// for other records, so the ring needs another number, `Ring::set_boot`.
    pub state_lost: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its sequence number.
    pub seq: u64,
    /// How many old records went for it.
    pub dropped: u64,
    /// It was too large for the ring, and cut.
    pub cut: bool,
}

/// Figures of a ring. What was pushed was dropped, or cleared, or is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records that are there.
    pub records: u64,
    /// Bytes that they take.
    pub used: u64,
    /// Bytes of the region: the budget.
    pub total: u64,
    /// Records since the ring began.
    pub pushed: u64,
    /// Of these, dropped for newer ones, by a resize or by damage.
    pub dropped: u64,
    /// Of these, cleared.
    pub cleared: u64,
    /// Of those pushed, cut because they were larger than the ring.
    pub cut: u64,
}

/// Where a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The next record to be read.
    pub(super) seq: u64,
    /// Where it is, if it is not the oldest.
    pub(super) at: u64,
    /// What the offset is good for.
    pub(super) layout: u64,
}

impl Cursor {
    /// The sequence number of the record to be read next.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }
}

/// A record in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number: one more than that of the record before it.
    pub seq: u64,
    /// When it came.
    pub at: Clocks,
    /// The message.
    pub msg: Msg<'a>,
    /// It was larger than the ring.
    pub cut: bool,
}

/// What a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The record at the cursor.
    Record(Record<'a>),
    /// So many records are gone, and the next one is this.
    Lost {
        /// How many.
        n: u64,
        /// Where the cursor now is.
        next: u64,
    },
    /// All was read.
    End,
}
