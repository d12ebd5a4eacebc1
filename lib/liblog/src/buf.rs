// SPDX-License-Identifier: BSD-2-Clause
//! A byte buffer that never grows: what does not fit is left out, and it says so.

/// Bytes up to a number fixed at the start. Nothing here allocates but [`Buf::new`].
#[derive(Debug)]
pub struct Buf {
    bytes: Box<[u8]>,
    len: usize,
    cut: bool,
}

impl Buf {
    /// An empty one for `capacity` bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Buf {
            bytes: vec![0; capacity].into_boxed_slice(),
            len: 0,
            cut: false,
        }
    }

    /// How many bytes it can have.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// How many it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many more fit.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.bytes.len() - self.len
    }

    /// Whether something was left out since it was last cleared or truncated.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// What it has.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the first `len` bytes, if it has more.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.cut = false;
    }

    /// Takes the first `n` bytes away, and moves the rest to the front.
    pub fn consume(&mut self, n: usize) {
        let n = n.min(self.len);
        self.bytes.copy_within(n..self.len, 0);
        self.len -= n;
    }

    /// Appends as much as fits; whether that was all.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let n = bytes.len().min(self.room());
        if let (Some(to), Some(from)) = (self.bytes.get_mut(self.len..self.len + n), bytes.get(..n))
        {
            to.copy_from_slice(from);
        }
        self.len += n;
        self.cut |= n < bytes.len();
        n == bytes.len()
    }

    /// Appends a byte.
    pub fn byte(&mut self, byte: u8) -> bool {
        self.push(&[byte])
    }

    /// Appends a number in decimal.
    pub fn number(&mut self, n: u64) -> bool {
        self.digits(n, 1)
    }

    /// Appends a number in decimal, with its sign if it is negative.
    pub fn signed(&mut self, n: i64) -> bool {
        (n >= 0 || self.byte(b'-')) && self.digits(n.unsigned_abs(), 1)
    }

    /// Appends a number in decimal with zeros before it, at least `width` digits, at most 20.
    pub fn digits(&mut self, mut n: u64, width: usize) -> bool {
        let mut text = [b'0'; 20];
        let mut used = 0;
        for digit in text.iter_mut().rev() {
            if n == 0 && used >= width {
                break;
            }
            *digit = b'0' + (n % 10) as u8;
            n /= 10;
            used += 1;
        }
        self.push(text.get(text.len() - used..).unwrap_or_default())
    }
}

impl AsRef<[u8]> for Buf {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut b = Buf::new(8);
        assert!(b.push(b"abc") && b.number(0) && b.digits(7, 2));
        assert_eq!(b.as_bytes(), b"abc007");
        assert!(!b.signed(-123) && b.is_cut());
        assert_eq!(b.as_bytes(), b"abc007-1");
        b.consume(6);
        assert_eq!((b.as_bytes(), b.room()), (&b"-1"[..], 6));
        b.clear();
        assert!(b.is_empty() && !b.is_cut());
        let mut b = Buf::new(32);
        assert!(b.number(u64::MAX) && b.signed(5));
        assert_eq!(b.as_bytes(), b"184467440737095516155");
    }
}
