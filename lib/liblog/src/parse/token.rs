// SPDX-License-Identifier: BSD-2-Clause
//! Pieces that both grammars have.

use crate::pri::Pri;

/// The longest string of a header that is kept; a record has a byte for its length.
pub const FIELD_MAX: usize = 255;

/// A priority at the start of a packet.
pub enum Found<'a> {
    /// It, and what follows.
    Pri(Pri, &'a [u8]),
    /// A `<`, and then none.
    Bad,
    /// None.
    None,
}

/// Finds `<191>`. With a zero before other digits it is none: `<00>` is the example that RFC 3164
/// (4.3.3) has of one that cannot be read, and RFC 5424 (6.2.1) forbids it too.
pub fn pri(packet: &[u8]) -> Found<'_> {
    let Some(rest) = packet.strip_prefix(b"<") else {
        return Found::None;
    };
    let digits = rest
        .iter()
        .take(4)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let Some((number, [b'>', rest @ ..])) = rest.split_at_checked(digits) else {
        return Found::Bad;
    };
    if !(1..=3).contains(&digits) || digits > 1 && number.starts_with(b"0") {
        return Found::Bad;
    }
    let value = number
        .iter()
        .fold(0, |sum, d| sum * 10 + u16::from(d - b'0'));
    Pri::from_value(value).map_or(Found::Bad, |pri| Found::Pri(pri, rest))
}

/// Whether all of it is printable ASCII without spaces.
pub fn printable(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_graphic)
}

/// The text up to a space, and what follows the space; `None` without a space.
pub fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', bytes)?;
    let (word, rest) = bytes.split_at_checked(at)?;
    Some((word, rest.get(1..)?))
}

/// Without new-lines and NULs at the end.
pub fn trimmed(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = match bytes {
            [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n' | 0] => rest,
            _ => return bytes,
        }
    }
}
