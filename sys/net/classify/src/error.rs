// SPDX-License-Identifier: BSD-2-Clause
//! Why a list of rules is refused.

use core::fmt;

use kern::errno::Errno;

/// Why no classifier was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// More rules than 65,535.
    Rules,
    /// More anchors than 65,535, or an anchor that is not in the list or not behind its parent.
    Anchors,
    /// Anchors within anchors more than 64 deep.
    Depth,
    /// The rules of an anchor do not stand together; the number of the first one astray.
    Scattered(u32),
    /// The compiled rules need more than [`Limits::bytes`](crate::Limits::bytes).
    Bytes,
    /// No memory.
    NoMemory,
}

impl Refused {
    /// A sentence for people.
    pub const fn why(self) -> &'static str {
        match self {
            Refused::Rules => "too many rules: the limit is 65535 rules",
            Refused::Anchors => "anchors: unknown, misplaced, or more than 65535",
            Refused::Depth => "anchors are nested deeper than 64",
            Refused::Scattered(_) => "the rules of an anchor do not stand together",
            Refused::Bytes => "too complex: the compiled rules exceed the memory limit",
            Refused::NoMemory => "no memory",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}

impl From<Errno> for Refused {
    /// Nothing but memory is asked of the kernel here.
    fn from(_: Errno) -> Self {
        Refused::NoMemory
    }
}

impl From<Refused> for Errno {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Rules | Refused::Depth | Refused::Bytes => Errno::ERANGE,
            Refused::Anchors | Refused::Scattered(_) => Errno::EINVAL,
            Refused::NoMemory => Errno::ENOMEM,
        }
    }
}
