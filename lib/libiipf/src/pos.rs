// SPDX-License-Identifier: BSD-2-Clause
//! Places in files, and what is said about them.

use std::fmt;
use std::rc::Rc;

/// A place: file, line and column, both from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    /// As it was named.
    pub file: Rc<str>,
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

impl Pos {
    /// No place in a file; not shown.
    #[must_use]
    pub fn none() -> Pos {
        Pos {
            file: Rc::from(""),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_ref(), self.line) {
            ("", _) => f.write_str("-"),
            (file, 0) => f.write_str(file),
            (file, line) => write!(f, "{file}:{line}:{}", self.column),
        }
    }
}

/// What is wrong at a place, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub pos: Pos,
    /// What is wrong.
    pub what: String,
    /// What may help; "".
    pub hint: String,
}

impl Fault {
    /// Without a hint.
    #[must_use]
    pub fn new(pos: &Pos, what: impl Into<String>) -> Fault {
        Fault {
            pos: pos.clone(),
            what: what.into(),
            hint: String::new(),
        }
    }

    /// With one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pos.file.is_empty() {
            write!(f, "{}: ", self.pos)?;
        }
        f.write_str(&self.what)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// A `Result` with a [`Fault`].
pub type Result<T = (), E = Fault> = std::result::Result<T, E>;

/// The one of `words` that is meant by a mistyped `word`, as a hint; else "".
pub(crate) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    let best = words
        .into_iter()
        .map(|w| (distance(word, w), w))
        .min_by_key(|(d, _)| *d);
    match best {
        Some((d, w)) if d > 0 && d <= 2 && d < w.len().min(word.len()) => {
            format!("did you mean '{w}'?")
        }
        _ => String::new(),
    }
}

/// Letters to add, take away or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_offered_and_a_far_one_is_not() {
        assert_eq!(nearest("quik", ["quick", "log"]), "did you mean 'quick'?");
        assert_eq!(nearest("zebra", ["quick", "log"]), "");
        assert_eq!(nearest("", ["in"]), "");
    }
}
