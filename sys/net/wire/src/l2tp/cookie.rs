// SPDX-License-Identifier: BSD-2-Clause
//! The cookie of a session (RFC 3931, 4.1 and 8.2): what a blind attacker has to guess.

use core::fmt;
use core::hint::black_box;

/// Bytes in a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieLen {
    /// No cookie.
    #[default]
    Zero,
    /// 32 bits.
    Four,
    /// 64 bits, which RFC 3931 (8.2) recommends.
    Eight,
}

impl CookieLen {
    /// The length for a number of bytes, if a cookie can have it.
    pub const fn new(bytes: u32) -> Option<CookieLen> {
        match bytes {
            0 => Some(CookieLen::Zero),
            4 => Some(CookieLen::Four),
            8 => Some(CookieLen::Eight),
            _ => None,
        }
    }

    /// Bytes on the wire.
    pub const fn bytes(self) -> usize {
        match self {
            CookieLen::Zero => 0,
            CookieLen::Four => 4,
            CookieLen::Eight => 8,
        }
    }
}

/// A cookie that one end expects and the other sends.
///
/// Not `Copy`, so that copies of the secret are made where one can see it; not `PartialEq` and
/// never printed, so that [`Cookie::matches`] is the only way to compare.
#[derive(Clone, Default)]
pub struct Cookie {
    len: CookieLen,
    /// The value as a number; the first byte on the wire is the most significant one.
    value: u64,
}

impl Cookie {
    /// No cookie.
    pub const NONE: Cookie = Cookie {
        len: CookieLen::Zero,
        value: 0,
    };

    /// The cookie with these bytes on the wire, if there are 0, 4 or 8 of them.
    pub const fn from_bytes(bytes: &[u8]) -> Option<Cookie> {
        let (len, value) = match bytes {
            [] => (CookieLen::Zero, 0),
            &[a, b, c, d] => (CookieLen::Four, u32::from_be_bytes([a, b, c, d]) as u64),
            &[a, b, c, d, e, f, g, h] => (
                CookieLen::Eight,
                u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            ),
            _ => return None,
        };
        Some(Cookie { len, value })
    }

    /// The cookie with this value, most significant byte first on the wire, if it fits `len`.
    pub const fn from_value(len: CookieLen, value: u64) -> Option<Cookie> {
        let fits = match len {
            CookieLen::Zero => value == 0,
            CookieLen::Four => value <= u32::MAX as u64,
            CookieLen::Eight => true,
        };
        if fits {
            Some(Cookie { len, value })
        } else {
            None
        }
    }

    /// Bytes in the cookie. Not a secret.
    pub const fn len(&self) -> CookieLen {
        self.len
    }

    /// Whether there is no cookie.
    pub const fn is_empty(&self) -> bool {
        matches!(self.len, CookieLen::Zero)
    }

    /// The value, for an operator who asks for the configuration.
    pub const fn value(&self) -> u64 {
        self.value
    }

    /// Whether `wire`, as it was received, is this cookie. `false` if its length is another.
    ///
    /// The time depends on the length only. The bits that differ are collected by one
    /// exclusive-or of whole words, and `black_box` keeps the compiler from turning the test
    /// into one that ends at the first difference.
    #[inline]
    pub fn matches(&self, wire: &[u8]) -> bool {
        match (self.len, Cookie::from_bytes(wire)) {
            (
                CookieLen::Zero,
                Some(Cookie {
                    len: CookieLen::Zero,
                    ..
                }),
            ) => true,
            (
                CookieLen::Four,
                Some(Cookie {
                    len: CookieLen::Four,
                    value,
                }),
            )
            | (
                CookieLen::Eight,
                Some(Cookie {
                    len: CookieLen::Eight,
                    value,
                }),
            ) => {
                let differ = self.value ^ value;
                // One word of 32 bits, for machines that would compare 64 in two steps.
                black_box((differ | differ >> 32) as u32) == 0
            }
            _ => false,
        }
    }

    /// Writes the cookie to the front of `out` and returns what follows it.
    #[inline]
    pub(super) fn put<'a>(&self, out: &'a mut [u8]) -> Option<&'a mut [u8]> {
        match self.len {
            CookieLen::Zero => Some(out),
            CookieLen::Four => {
                let (front, rest) = out.split_first_chunk_mut()?;
                *front = (self.value as u32).to_be_bytes();
                Some(rest)
            }
            CookieLen::Eight => {
                let (front, rest) = out.split_first_chunk_mut()?;
                *front = self.value.to_be_bytes();
                Some(rest)
            }
        }
    }

    /// Overwrites the value with zero, to be called before the memory is given back.
    ///
    /// This is best effort: without `unsafe` there is no volatile store, so `black_box` stands in
    /// for a reader of the zero, and copies that the compiler may have made in registers or on the
    /// stack are out of reach. There is no `Drop` for the same reason: it would promise more.
    /// The length stays: a cleared cookie of 8 bytes still wants 8 bytes, and would match
    /// zeros, so the session must be gone from the table by then.
    pub fn clear(&mut self) {
        self.value = 0;
        black_box(&mut self.value);
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookie({} bytes)", self.len.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    const EIGHT: [u8; 8] = [0x8f, 1, 2, 3, 4, 5, 6, 0xf7];

    #[test]
    fn only_three_lengths() {
        for n in 0..=8 {
            let legal = matches!(n, 0 | 4 | 8);
            assert_eq!(Cookie::from_bytes(&EIGHT[..n]).is_some(), legal);
            assert_eq!(
                CookieLen::new(n as u32).map(CookieLen::bytes),
                legal.then_some(n)
            );
        }
        assert!(Cookie::from_bytes(&[0; 9]).is_none() && CookieLen::new(u32::MAX).is_none());
    }

    #[test]
    fn value_is_in_network_order() {
        let four = Cookie::from_value(CookieLen::Four, 0x0102_0304).unwrap();
        assert!(four.matches(&[1, 2, 3, 4]));
        let eight = Cookie::from_value(CookieLen::Eight, 0x8f01_0203_0405_06f7).unwrap();
        assert!(eight.matches(&EIGHT));
        assert_eq!(Cookie::from_bytes(&EIGHT).unwrap().value(), eight.value());
        assert!(Cookie::from_value(CookieLen::Four, 1 << 32).is_none());
        assert!(Cookie::from_value(CookieLen::Zero, 1).is_none());
    }

    #[test]
    fn one_bit_or_one_byte_off_is_no_match() {
        for n in [0, 4, 8] {
            let cookie = Cookie::from_bytes(&EIGHT[..n]).unwrap();
            assert!(cookie.matches(&EIGHT[..n]));
            for bit in 0..n * 8 {
                let mut wrong = EIGHT;
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!cookie.matches(&wrong[..n]), "{n} bytes, bit {bit}");
            }
            for other in (0..=8).filter(|&m| m != n) {
                assert!(
                    !cookie.matches(&EIGHT[..other]),
                    "{n} bytes against {other}"
                );
            }
        }
        // Equal as numbers, not as cookies.
        let four = Cookie::from_value(CookieLen::Four, 7).unwrap();
        assert!(!four.matches(&[0, 0, 0, 0, 0, 0, 0, 7]));
        assert!(!Cookie::NONE.matches(&[0; 4]));
    }

    #[test]
    fn debug_tells_nothing_and_clear_forgets() {
        let mut c = Cookie::from_bytes(&EIGHT).unwrap();
        assert_eq!(format!("{c:?}"), "Cookie(8 bytes)");
        c.clear();
        assert_eq!((c.value(), c.len()), (0, CookieLen::Eight));
    }

    #[test]
    fn put_writes_exactly_the_cookie() {
        for n in [0, 4, 8] {
            let c = Cookie::from_bytes(&EIGHT[..n]).unwrap();
            let mut out = [0xee; 12];
            assert_eq!(c.put(&mut out).unwrap().len(), 12 - n);
            assert_eq!(&out[..n], &EIGHT[..n]);
            assert!(out[n..].iter().all(|&b| b == 0xee));
            for short in 0..n {
                assert!(c.put(&mut out[..short]).is_none());
            }
        }
    }
}
