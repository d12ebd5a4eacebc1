// SPDX-License-Identifier: BSD-2-Clause
//! Names of fixed size, as interface names travel.

use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// At most `N - 1` bytes of text, filled up with NUL.
///
/// Bytes that came from elsewhere need not be a valid name: [`Name::as_str`] says so.
#[derive(Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Name<const N: usize>([u8; N]);

impl<const N: usize> Name<N> {
    /// The empty name.
    pub const EMPTY: Self = Name([0; N]);

    /// `text` as a name; `None` when it is longer than `N - 1` bytes or has a NUL in it.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        if text.len() >= N || text.as_bytes().contains(&0) {
            return None;
        }
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Name(bytes))
    }

    /// The text before the first NUL; `None` when there is no NUL or the text is not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        let end = self.0.iter().position(|&b| b == 0)?;
        core::str::from_utf8(self.0.get(..end)?).ok()
    }

    /// Whether this is the empty name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.first().is_none_or(|&b| b == 0)
    }
}

impl<const N: usize> Default for Name<N> {
    fn default() -> Self {
        Name::EMPTY
    }
}

impl<const N: usize> fmt::Display for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().unwrap_or("?"))
    }
}

impl<const N: usize> fmt::Debug for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_room_for_the_nul() {
        assert_eq!(
            Name::<4>::new("abc").and_then(|n| n.as_str().map(str::len)),
            Some(3)
        );
        assert_eq!(Name::<4>::new("abcd"), None);
        assert_eq!(Name::<4>::new("a\0c"), None);
    }

    #[test]
    fn foreign_bytes_need_not_be_a_name() {
        assert_eq!(Name([b'x'; 4]).as_str(), None);
        assert_eq!(Name([0xff, 0xfe, 0, 0]).as_str(), None);
        assert!(Name([0u8; 4]).is_empty());
    }
}
