// SPDX-License-Identifier: BSD-2-Clause
//! What a parser is told, and what it says beside the message.

use crate::msg::Msg;
use crate::pri::Pri;

/// Where a packet came from: what stands for that which it lacks.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    /// If it has no priority.
    pub pri: Pri,
    /// If it has no host.
    pub host: &'a [u8],
    /// From the local socket: RFC 3164 messages have no host there, and nobody but the kernel
    /// logs as the kernel.
    pub local: bool,
    /// From the kernel: another grammar.
    pub kernel: bool,
}

/// By which grammar a message was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 3164: at least a time stamp or a tag was found.
    Bsd,
    /// RFC 5424.
    Ietf,
    /// Neither: all behind the priority is the text. Also kernel messages.
    Bare,
}

/// What is wrong with a message: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flaws(u16);

impl Flaws {
    /// It has no priority.
    pub const NO_PRI: Flaws = Flaws(1 << 0);
    /// It begins like a priority, but there is no such one: part of the text.
    pub const BAD_PRI: Flaws = Flaws(1 << 1);
    /// No time stamp where RFC 3164 has one.
    pub const NO_TIME: Flaws = Flaws(1 << 2);
    /// There is no such time, or it does not look like one.
    pub const BAD_TIME: Flaws = Flaws(1 << 3);
    /// The time is more than a day away from ours; it is kept.
    pub const SKEWED: Flaws = Flaws(1 << 4);
    /// It says that it is of RFC 5424, but its header is not.
    pub const BAD_HEADER: Flaws = Flaws(1 << 5);
    /// Malformed structured data; it is part of the text.
    pub const BAD_SD: Flaws = Flaws(1 << 6);
    /// A field, or the fraction of a second, is longer than RFC 5424 allows.
    pub const LONG: Flaws = Flaws(1 << 7);
    /// No text.
    pub const EMPTY: Flaws = Flaws(1 << 8);
    /// It was cut before it came to us. For receivers: the parser cannot know.
    pub const CUT: Flaws = Flaws(1 << 9);

    /// How many there are.
    pub const COUNT: usize = 10;
    /// Their names, by bit.
    pub const NAMES: [&'static str; Flaws::COUNT] = [
        "no-pri",
        "bad-pri",
        "no-time",
        "bad-time",
        "skewed",
        "bad-header",
        "bad-sd",
        "long",
        "empty",
        "cut",
    ];

    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Flaws(0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are in it.
    #[must_use]
    pub const fn contains(self, other: Flaws) -> bool {
        self.0 & other.0 == other.0
    }

    /// Puts in those of `other`.
    pub const fn insert(&mut self, other: Flaws) {
        self.0 |= other.0;
    }

    /// The numbers of those that it has, indices of [`Flaws::NAMES`].
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Flaws::COUNT).filter(move |&n| self.0 >> n & 1 != 0)
    }
}

/// A message, and how it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The message.
    pub msg: Msg<'a>,
    /// The grammar.
    pub form: Form,
    /// What is wrong with it.
    pub flaws: Flaws,
}
