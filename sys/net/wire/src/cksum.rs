// SPDX-License-Identifier: BSD-2-Clause
//! The Internet checksum (RFC 1071) and the pseudo-headers that start it.

/// A running one's-complement sum of big-endian 16-bit words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// 64 bits hold the carries of 2^48 words: far beyond any packet, so folding waits for the end.
    words: u64,
}

impl Sum {
    /// The empty sum.
    pub const fn new() -> Self {
        Sum { words: 0 }
    }

    /// The pseudo-header of IPv4 (RFC 768). `len` is the upper-layer length in bytes.
    pub fn pseudo4(src: [u8; 4], dst: [u8; 4], proto: u8, len: u16) -> Self {
        Sum::new()
            .bytes(&src)
            .bytes(&dst)
            .word(u16::from(proto))
            .word(len)
    }

    /// The pseudo-header of IPv6 (RFC 8200, 8.1). `len` is the upper-layer length in bytes.
    pub fn pseudo6(src: [u8; 16], dst: [u8; 16], proto: u8, len: u32) -> Self {
        Sum::new()
            .bytes(&src)
            .bytes(&dst)
            .bytes(&len.to_be_bytes())
            .word(u16::from(proto))
    }

    /// Adds `bytes`. An odd last byte is padded with zero, so only the last piece may be odd.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let (pairs, odd) = bytes.as_chunks::<2>();
        let mut sum = self;
        for &pair in pairs {
            sum = sum.word(u16::from_be_bytes(pair));
        }
        match odd {
            [last] => sum.word(u16::from_be_bytes([*last, 0])),
            _ => sum,
        }
    }

    /// Adds one word, given in host order.
    #[must_use]
    pub const fn word(self, word: u16) -> Self {
        Sum {
            words: self.words.wrapping_add(word as u64),
        }
    }

    /// The checksum: the complement of the folded sum, in host order. Over data that include
    /// a right checksum it is 0.
    pub const fn finish(self) -> u16 {
        let mut s = self.words;
        while s > 0xffff {
            s = (s & 0xffff).wrapping_add(s >> 16);
        }
        !(s as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc1071_example() {
        // RFC 1071, section 3: the words sum to ddf2.
        let sum = Sum::new().bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.finish(), !0xddf2);
    }

    #[test]
    fn odd_tail_is_padded() {
        assert_eq!(
            Sum::new().bytes(&[1, 2, 3]).finish(),
            Sum::new().bytes(&[1, 2, 3, 0]).finish()
        );
    }

    #[test]
    fn carries_fold() {
        assert_eq!(Sum::new().bytes(&[0xff; 65_536]).finish(), 0);
        assert_eq!(Sum::new().finish(), 0xffff);
    }

    #[test]
    fn pseudo_headers() {
        let four = Sum::pseudo4([10, 0, 0, 1], [10, 0, 0, 2], 17, 8);
        let flat = [10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, 8];
        assert_eq!(four.finish(), Sum::new().bytes(&flat).finish());
        let six = Sum::pseudo6([0x11; 16], [0x22; 16], 17, 0x0001_0002);
        let sum = Sum::new().bytes(&[0x11; 16]).bytes(&[0x22; 16]);
        assert_eq!(six.finish(), sum.bytes(&[0, 1, 0, 2, 0, 0, 0, 17]).finish());
    }
}
