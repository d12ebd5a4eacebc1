// SPDX-License-Identifier: BSD-2-Clause
//! Addresses as keys of a search: 32 bits for IPv4, 128 for IPv6.

use crate::fields::Af;

/// What a tree is searched by.
pub trait Key: Copy + Ord + From<u8> + From<u16> + From<u32> {
    /// The family whose addresses these are.
    const AF: Af;
    const ZERO: Self;
    const MAX: Self;

    /// The low bits of `wide`.
    fn cut(wide: u128) -> Self;
    fn wide(self) -> u128;
    fn succ(self) -> Self;
    /// Which of the buckets of 2^`shift` keys from `base` on it is in; `base` is not above it.
    fn bucket(self, base: Self, shift: u8) -> u32;
    /// The first key of a bucket.
    fn at_bucket(base: Self, shift: u8, bucket: u32) -> Self;
}

macro_rules! key {
    ($type:ty, $af:expr) => {
        impl Key for $type {
            const AF: Af = $af;
            const ZERO: Self = 0;
            const MAX: Self = <$type>::MAX;

            #[inline]
            fn cut(wide: u128) -> Self {
                wide as $type
            }

            #[inline]
            fn wide(self) -> u128 {
                u128::from(self)
            }

            #[inline]
            fn succ(self) -> Self {
                self.wrapping_add(1)
            }

            #[inline]
            fn bucket(self, base: Self, shift: u8) -> u32 {
                let b = self.wrapping_sub(base).wrapping_shr(u32::from(shift));
                b.min(<$type>::from(u32::MAX)) as u32
            }

            fn at_bucket(base: Self, shift: u8, bucket: u32) -> Self {
                base.wrapping_add(<$type>::from(bucket).wrapping_shl(u32::from(shift)))
            }
        }
    };
}

key!(u32, Af::V4);
key!(u128, Af::V6);
