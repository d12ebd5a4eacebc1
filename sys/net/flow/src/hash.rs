// SPDX-License-Identifier: BSD-2-Clause
//! A keyed hash of a few words: who does not know the seed cannot aim at a bucket.
//!
//! Pairs of words are folded through a 64 by 64 bit multiplication, each operand hidden behind
//! secret words. No output of it ever leaves the kernel, so nobody can learn the seed from it but
//! by timing.

use kern::misc;

/// Secret words of one table.
#[derive(Clone, Copy)]
pub struct Seed([u64; 4]);

/// The high and the low half of a product, folded.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let p = (a as u128).wrapping_mul(b as u128);
    (p >> 64) as u64 ^ p as u64
}

impl Seed {
    /// A new secret.
    pub fn random() -> Self {
        Seed([0; 4].map(|_: u64| {
            let mut word = [0; 8];
            misc::random(&mut word);
            u64::from_ne_bytes(word)
        }))
    }

    /// The hash of `key`.
    #[inline]
    pub fn hash<const N: usize>(&self, key: &[u64; N]) -> u64 {
        let [s0, s1, s2, s3] = self.0;
        let mut h = s2;
        let (pairs, rest) = key.as_chunks::<2>();
        for [a, b] in pairs {
            h = fold(a ^ s0 ^ h, b ^ s1).wrapping_add(h.rotate_left(23));
        }
        for a in rest {
            h = fold(a ^ s0 ^ h, s1).wrapping_add(h.rotate_left(23));
        }
        fold(h ^ s3, s1 | 1)
    }
}
