// SPDX-License-Identifier: BSD-2-Clause
//! RFC 5424, behind the priority.

use crate::msg::Msg;
use crate::parse::token::FIELD_MAX;
use crate::parse::token::printable;
use crate::parse::token::word;
use crate::parse::types::Flaws;
use crate::parse::types::From;
use crate::pri::Pri;
use crate::time;

/// The longest name in structured data (RFC 5424, 6).
const NAME_MAX: usize = 32;

/// A field of the header: empty for `-`. `None`: not printable, or far too long.
fn field<'a>(rest: &mut &'a [u8], max: usize, flaws: &mut Flaws) -> Option<&'a [u8]> {
    let (field, after) = word(rest)?;
    if field.is_empty() || field.len() > FIELD_MAX || !printable(field) {
        return None;
    }
    if field.len() > max {
        flaws.insert(Flaws::LONG);
    }
    *rest = after;
    Some(if field == b"-" { b"" } else { field })
}

/// Reads a message from its version on. `None`: it has no such header.
pub fn parse<'a>(pri: Pri, bytes: &'a [u8], from: &From<'a>, flaws: &mut Flaws) -> Option<Msg<'a>> {
    let mut rest = bytes.strip_prefix(b"1 ")?;
    let mut found = Flaws::none();
    let (stamp, after) = word(rest)?;
    let mut sent = None;
    if stamp != b"-" {
        match time::rfc3339(stamp).filter(|read| read.len == stamp.len()) {
            Some(read) => {
                sent = read.time;
                if read.long {
                    found.insert(Flaws::LONG);
                }
            }
            // A field like any other, but one that says nothing.
            None if stamp.is_empty() || !printable(stamp) => return None,
            None => {}
        }
        if sent.is_none() {
            found.insert(Flaws::BAD_TIME);
        }
    }
    rest = after;
    let host = field(&mut rest, 255, &mut found)?;
    let app = field(&mut rest, 48, &mut found)?;
    let procid = field(&mut rest, 128, &mut found)?;
    let msgid = field(&mut rest, 32, &mut found)?;
    let (sd, text) = split_sd(rest).unwrap_or_else(|| {
        found.insert(Flaws::BAD_SD);
        (b"", rest)
    });
    flaws.insert(found);
    Some(Msg {
        pri,
        sent,
        host: if host.is_empty() { from.host } else { host },
        app,
        procid,
        msgid,
        sd,
        text: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
    })
}

/// Structured data (empty for `-`) and the text behind it. `None`: it is malformed.
fn split_sd(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, sd) = match bytes {
        [b'-', ..] => (1, &b""[..]),
        [b'[', ..] => {
            let mut rest = bytes;
            while rest.first() == Some(&b'[') {
                rest = element(rest)?;
            }
            let len = bytes.len() - rest.len();
            (len, bytes.get(..len)?)
        }
        _ => return None,
    };
    match bytes.get(len..)? {
        [] => Some((sd, b"")),
        [b' ', text @ ..] => Some((sd, text)),
        _ => None,
    }
}

/// Takes an element, `[id name="value"]`, from the front.
fn element(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = name(bytes.strip_prefix(b"[")?)?;
    loop {
        rest = match rest {
            [b']', after @ ..] => return Some(after),
            [b' ', after @ ..] => value(name(after)?.strip_prefix(b"=\"")?)?,
            _ => return None,
        };
    }
}

fn name(bytes: &[u8]) -> Option<&[u8]> {
    let len = bytes
        .iter()
        .take(NAME_MAX + 1)
        .take_while(|b| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"'))
        .count();
    if !(1..=NAME_MAX).contains(&len) {
        return None;
    }
    bytes.get(len..)
}

/// Takes a value and its closing quote. A backslash before anything but `"`, `\` and `]` stands
/// for itself (6.3.3).
fn value(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        bytes = bytes.get(memchr::memchr3(b'"', b'\\', b']', bytes)?..)?;
        bytes = match bytes {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'"' | b'\\' | b']', after @ ..] | [b'\\', after @ ..] => after,
            _ => return None,
        };
    }
}

/// Whether these bytes are structured data as RFC 5424 wants it, with nothing behind.
#[must_use]
pub fn is_sd(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'[') && matches!(split_sd(bytes), Some((sd, _)) if sd == bytes)
}
