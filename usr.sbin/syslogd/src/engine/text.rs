// SPDX-License-Identifier: BSD-2-Clause
//! Short texts on the stack, hashes of names, and times as numbers.

use std::fmt;
use std::time::Duration;

/// A text of at most so many bytes; what does not fit is left out.
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub fn new() -> Text<N> {
        Text {
            bytes: [0; N],
            len: 0,
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(N - self.len);
        let to = self.bytes.get_mut(self.len..self.len + n);
        if let (Some(to), Some(from)) = (to, bytes.get(..n)) {
            to.copy_from_slice(from);
            self.len += n;
        }
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.push(s.as_bytes());
        Ok(())
    }
}

/// Whether two names are the same. Empty ones are common, and comparing their bytes is slow: a
/// masked load from an address where there is nothing costs more than all of a long name.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && (a.is_empty() || a == b)
}

/// A hash of two names that nobody can aim at who does not know the seed.
pub(super) fn hash(seed: u64, a: &[u8], b: &[u8]) -> u64 {
    let mut h = seed ^ 0x9e37_79b9_7f4a_7c15;
    for part in [a, b] {
        h = mix(h ^ part.len() as u64);
        for chunk in part.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            h = mix(h ^ u64::from_le_bytes(word));
        }
    }
    h
}

fn mix(x: u64) -> u64 {
    let wide = u128::from(x ^ 0x2d35_8dcc_aa6c_78a5) * 0x8bb8_4b93_962e_acc9;
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// A time in nanoseconds.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
