// SPDX-License-Identifier: BSD-2-Clause
//! The text of one line, read and written.

use super::{Found, Kind, MAX_LINE, Match, Side};
use crate::bytes::plus;
use crate::error::Short;
use crate::packet::Af;
use core::net::{Ipv4Addr, Ipv6Addr};

/// Room that is enough for what [`emit`] writes.
pub const MAX_TEXT: usize = 64;

/// What a line starts with, for each side.
const CLIENT: [(&[u8], Kind); 2] = [(b"PORT ", Kind::Port), (b"EPRT ", Kind::Eprt)];
const SERVER: [(&[u8], Kind); 2] = [(b"227 ", Kind::Pasv), (b"229 ", Kind::Epsv)];

/// What the line at the front of `b` is: `b` begins with a line's first byte.
pub fn line(side: Side, b: &[u8]) -> Match {
    let starts = match side {
        Side::Client => &CLIENT,
        Side::Server => &SERVER,
    };
    let begins = |(start, _): &&(&[u8], Kind)| {
        let n = start.len().min(b.len());
        let (a, b) = (start.get(..n), b.get(..n));
        a.zip(b).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let Some(&(start, kind)) = starts.iter().find(begins) else {
        return Match::No;
    };
    let Some(end) = b.iter().take(MAX_LINE).position(|&c| c == b'\n') else {
        return if b.len() < MAX_LINE {
            Match::NeedMore
        } else {
            Match::Bad
        };
    };
    let line = b.get(..end).unwrap_or(&[]);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut text = Text {
        line,
        at: start.len().min(line.len()),
    };
    let found = match kind {
        Kind::Port => {
            text.spaces();
            text.numbers(kind).filter(|_| text.at_end())
        }
        Kind::Eprt => {
            text.spaces();
            text.extended().filter(|_| text.at_end())
        }
        Kind::Pasv => {
            text.skip_to_numbers();
            text.numbers(kind)
        }
        Kind::Epsv => text.short(),
    };
    match found {
        Some(found) if found.port != 0 => Match::Found(found),
        _ => Match::Bad,
    }
}

/// A line without its end, and how far it has been read.
struct Text<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    fn next(&mut self) -> Option<u8> {
        let c = self.line.get(self.at).copied()?;
        self.at = plus(self.at, 1);
        Some(c)
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at = plus(self.at, 1);
        }
    }

    /// Whether there is nothing left but spaces.
    fn at_end(&self) -> bool {
        let rest = self.line.get(self.at..).unwrap_or(&[]);
        rest.iter().all(|&c| c == b' ')
    }

    /// To what follows the first parenthesis, or else to the first digit (RFC 1123, 4.1.2.6).
    fn skip_to_numbers(&mut self) {
        let rest = self.line.get(self.at..).unwrap_or(&[]);
        let open = rest.iter().position(|&c| c == b'(').map(|n| plus(n, 1));
        let digit = || rest.iter().position(u8::is_ascii_digit);
        self.at = plus(self.at, open.or_else(digit).unwrap_or(rest.len()));
    }

    /// A decimal number of one to `digits` digits, at most `max`.
    fn number(&mut self, digits: usize, max: u32) -> Option<u32> {
        let mut value = 0u32;
        let mut n = 0usize;
        while let Some(c) = self.peek().filter(u8::is_ascii_digit) {
            // Five digits at most: far from overflow.
            let digit = u32::from(c.wrapping_sub(b'0'));
            value = value.wrapping_mul(10).wrapping_add(digit);
            (n, self.at) = (plus(n, 1), plus(self.at, 1));
            if n > digits {
                return None;
            }
        }
        (n > 0 && value <= max).then_some(value)
    }

    fn since(&self, kind: Kind, addr: Option<(Af, u128)>, port: u32, at: usize) -> Option<Found> {
        Some(Found {
            kind,
            addr,
            port: u16::try_from(port).ok()?,
            at,
            len: self.at.checked_sub(at)?,
        })
    }

    /// `h1,h2,h3,h4,p1,p2`.
    fn numbers(&mut self, kind: Kind) -> Option<Found> {
        let from = self.at;
        let mut six = [0u8; 6];
        for (n, place) in six.iter_mut().enumerate() {
            if n > 0 && self.next()? != b',' {
                return None;
            }
            *place = u8::try_from(self.number(3, 255)?).ok()?;
        }
        // A seventh number makes it something else.
        if self.peek() == Some(b',') {
            return None;
        }
        let [a, b, c, d, high, low] = six;
        let addr = u32::from_be_bytes([a, b, c, d]);
        let port = u16::from_be_bytes([high, low]);
        self.since(kind, Some((Af::V4, addr.into())), port.into(), from)
    }

    /// A delimiter: any printing character that cannot be part of what it delimits.
    fn delimiter(&mut self) -> Option<u8> {
        let c = self.next()?;
        let part = c.is_ascii_hexdigit() || matches!(c, b'.' | b':' | b'%');
        (c.is_ascii_graphic() && !part).then_some(c)
    }

    /// `|af|address|port|`.
    fn extended(&mut self) -> Option<Found> {
        let from = self.at;
        let d = self.delimiter()?;
        let af = match self.number(1, 2)? {
            1 => Af::V4,
            2 => Af::V6,
            _ => return None,
        };
        (self.next()? == d).then_some(())?;
        let text = self.until(d)?;
        let addr = match af {
            Af::V4 => u128::from(u32::from(text.parse::<Ipv4Addr>().ok()?)),
            Af::V6 => u128::from(text.parse::<Ipv6Addr>().ok()?),
        };
        let port = self.number(5, 65_535)?;
        (self.next()? == d).then_some(())?;
        self.since(Kind::Eprt, Some((af, addr)), port, from)
    }

    /// What stands before the next `d`; reads over that too.
    fn until(&mut self, d: u8) -> Option<&'a str> {
        let rest = self.line.get(self.at..)?;
        let n = rest.iter().position(|&c| c == d)?;
        self.at = plus(self.at, plus(n, 1));
        core::str::from_utf8(rest.get(..n)?).ok()
    }

    /// `(|||port|)`, of which the port is the text to replace.
    fn short(&mut self) -> Option<Found> {
        self.until(b'(')?;
        let d = self.delimiter()?;
        (self.next()? == d && self.next()? == d).then_some(())?;
        let from = self.at;
        let port = self.number(5, 65_535)?;
        let found = self.since(Kind::Epsv, None, port, from)?;
        (self.next()? == d && self.next()? == b')').then_some(found)
    }
}

/// Writes what is to stand in the place of a [`Found`]'s text, for this address and port, and
/// returns its length, at most [`MAX_TEXT`]. [`Kind::Port`] and [`Kind::Pasv`] can say IPv4 only;
/// of [`Kind::Epsv`] the address does not count.
///
/// # Errors
/// [`Short`]: no room, or an address that the kind cannot say.
pub fn emit(kind: Kind, af: Af, addr: u128, port: u16, out: &mut [u8]) -> Result<usize, Short> {
    let mut w = Writer { out, at: 0 };
    let [a, b, c, d] = (addr as u32).to_be_bytes();
    match (kind, af) {
        (Kind::Port | Kind::Pasv, Af::V4) => {
            let [high, low] = port.to_be_bytes();
            w.decimal(a.into())?;
            for n in [b, c, d, high, low] {
                w.byte(b',')?;
                w.decimal(n.into())?;
            }
        }
        (Kind::Port | Kind::Pasv, Af::V6) => return Err(Short),
        (Kind::Eprt, Af::V4) => {
            w.bytes(b"|1|")?;
            w.decimal(a.into())?;
            for n in [b, c, d] {
                w.byte(b'.')?;
                w.decimal(n.into())?;
            }
        }
        (Kind::Eprt, Af::V6) => {
            w.bytes(b"|2|")?;
            for (n, &pair) in addr.to_be_bytes().as_chunks::<2>().0.iter().enumerate() {
                if n > 0 {
                    w.byte(b':')?;
                }
                w.hex(u16::from_be_bytes(pair))?;
            }
        }
        (Kind::Epsv, _) => w.decimal(port)?,
    }
    if kind == Kind::Eprt {
        w.byte(b'|')?;
        w.decimal(port)?;
        w.byte(b'|')?;
    }
    Ok(w.at)
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn byte(&mut self, c: u8) -> Result<(), Short> {
        *self.out.get_mut(self.at).ok_or(Short)? = c;
        self.at = plus(self.at, 1);
        Ok(())
    }

    fn bytes(&mut self, text: &[u8]) -> Result<(), Short> {
        text.iter().try_for_each(|&c| self.byte(c))
    }

    fn decimal(&mut self, n: u16) -> Result<(), Short> {
        let mut rest = n;
        let mut begun = false;
        for unit in [10_000u16, 1_000, 100, 10, 1] {
            let mut digit = b'0';
            while rest >= unit {
                (rest, digit) = (rest.wrapping_sub(unit), digit.wrapping_add(1));
            }
            begun |= digit != b'0' || unit == 1;
            if begun {
                self.byte(digit)?;
            }
        }
        Ok(())
    }

    fn hex(&mut self, n: u16) -> Result<(), Short> {
        let mut begun = false;
        for shift in [12, 8, 4, 0] {
            let digit = (n >> shift & 0xf) as u8;
            begun |= digit != 0 || shift == 0;
            if begun {
                let base = if digit < 10 { b'0' } else { b'a' - 10 };
                self.byte(base.wrapping_add(digit))?;
            }
        }
        Ok(())
    }
}
