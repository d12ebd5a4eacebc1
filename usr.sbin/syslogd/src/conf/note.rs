// SPDX-License-Identifier: BSD-2-Clause
//! Places in files, and what is said about them.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;

/// A place: file, line and column, both from 1; the column counts bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// As it was named.
    pub file: String,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// What is wrong at a place, and what may help: an error, or a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What may help; "".
    pub hint: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if self.hint.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.hint)
    }
}

/// What is wrong at an offset of a logical line; it becomes a [`Note`] when the place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Offset in the line.
    pub at: usize,
    /// What is wrong.
    pub what: String,
    /// What may help; "".
    pub hint: String,
}

impl Fault {
    /// With a hint.
    pub fn new(at: usize, what: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault {
            at,
            what: what.into(),
            hint: hint.into(),
        }
    }
}
