// SPDX-License-Identifier: BSD-2-Clause
//! Addresses as numbers.

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Af {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Af {
    /// An address as 16 bytes in network order; an IPv4 address is the first four.
    #[inline]
    pub const fn bytes(self, addr: u128) -> [u8; 16] {
        match self {
            Af::V4 => (addr << 96).to_be_bytes(),
            Af::V6 => addr.to_be_bytes(),
        }
    }

    /// The address that [`Af::bytes`] has written so.
    #[inline]
    pub const fn addr(self, bytes: &[u8; 16]) -> u128 {
        let number = u128::from_be_bytes(*bytes);
        match self {
            Af::V4 => number >> 96,
            Af::V6 => number,
        }
    }

    /// Bits in an address.
    #[inline]
    pub const fn bits(self) -> u8 {
        match self {
            Af::V4 => 32,
            Af::V6 => 128,
        }
    }

    /// Whether an address is a group's: multicast, or the broadcast to all.
    #[inline]
    pub const fn is_group(self, addr: u128) -> bool {
        match self {
            Af::V4 => addr >> 28 & 0xf == 0xe || addr == 0xffff_ffff,
            Af::V6 => addr >> 120 == 0xff,
        }
    }

    /// Whether an address is the loopback's.
    #[inline]
    pub const fn is_loopback(self, addr: u128) -> bool {
        match self {
            Af::V4 => addr >> 24 & 0xff == 127,
            Af::V6 => addr == 1,
        }
    }

    /// Whether an address can name one host on a network: not unspecified, loopback or a group's,
    /// and of IPv4 not in network 0 or class E.
    #[inline]
    pub const fn is_host(self, addr: u128) -> bool {
        let special = match self {
            Af::V4 => addr >> 24 & 0xff == 0 || addr >> 28 & 0xf == 0xf,
            Af::V6 => addr == 0,
        };
        !special && !self.is_loopback(addr) && !self.is_group(addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_back() {
        let four = Af::V4.bytes(0x0a00_0102);
        assert_eq!(four[..4], [10, 0, 1, 2]);
        assert_eq!(
            (Af::V4.addr(&four), &four[4..]),
            (0x0a00_0102, &[0; 12][..])
        );
        let six = Af::V6.bytes(0x2001 << 112 | 1);
        assert_eq!((six[0], six[15]), (0x20, 1));
        assert_eq!(Af::V6.addr(&six), 0x2001 << 112 | 1);
    }

    #[test]
    fn kinds() {
        for (addr, group, host) in [
            (0, false, false),
            (0x00ff_ffff, false, false),
            (0x0100_0000, false, true),
            (0x7f00_0001, false, false),
            (0xdfff_ffff, false, true),
            (0xe000_0000, true, false),
            (0xefff_ffff, true, false),
            (0xf000_0000, false, false),
            (0xffff_ffff, true, false),
        ] {
            let got = (Af::V4.is_group(addr), Af::V4.is_host(addr));
            assert_eq!(got, (group, host), "{addr:x}");
        }
        assert!(!Af::V6.is_host(0) && !Af::V6.is_host(1) && Af::V6.is_host(2));
        assert!(Af::V6.is_group(0xff02 << 112 | 1) && !Af::V6.is_host(0xff02 << 112 | 1));
    }
}
