// SPDX-License-Identifier: BSD-2-Clause
//! Sequence numbers that prove that a SYN was answered, so that nothing need be kept of it
//! (D. J. Bernstein, *SYN cookies*; RFC 4987, 3.6).
//!
//! ```text
//! 28 bits of a keyed hash of both ends and the client's number | 3: segment size | 1: which key
//! ```
//! A new key each [`LIFE`] seconds; the one before it still counts.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use flow::key::Tuple;

/// Seconds that cookies are made with one key.
pub(crate) const LIFE: u32 = 64;
/// Segment sizes that a cookie can say, in order.
const SIZES: [u16; 8] = [536, 1_024, 1_220, 1_360, 1_400, 1_440, 1_452, 1_460];
const HASH: u32 = !0xf;

/// The keys.
pub(crate) struct Cookies {
    keys: [[AtomicU64; 2]; 2],
    /// Counts keys; the lowest bit says which one cookies are made with.
    age: AtomicU32,
}

impl Cookies {
    /// With two keys, of which the second is for later.
    pub fn new(keys: [u64; 4]) -> Cookies {
        let [a, b, c, d] = keys.map(AtomicU64::new);
        Cookies {
            keys: [[a, b], [c, d]],
            age: AtomicU32::new(0),
        }
    }

    /// A new key, at second `now`, if it is time: `key` makes one.
    pub fn renew(&self, now: u32, key: impl FnOnce() -> [u64; 2]) {
        let age = now / LIFE;
        let last = self.age.load(Ordering::Relaxed);
        if age == last {
            return;
        }
        // After a long sleep the lowest bit may not have turned: then both would be one.
        let next = if age & 1 == last & 1 {
            age.wrapping_add(1)
        } else {
            age
        };
        let [even, odd] = &self.keys;
        let slot = if next & 1 == 0 { even } else { odd };
        slot.iter()
            .zip(key())
            .for_each(|(k, v)| k.store(v, Ordering::Relaxed));
        self.age.store(next, Ordering::Release);
    }

    fn hash(&self, which: u32, t: &Tuple, isn: u32, size: u32) -> u32 {
        let [even, odd] = &self.keys;
        let [k0, k1] = if which == 0 { even } else { odd };
        let key = [k0.load(Ordering::Relaxed), k1.load(Ordering::Relaxed)];
        let ends = u64::from(t.sport) << 48 | u64::from(t.dport) << 32 | u64::from(isn);
        let words = [
            (t.src >> 64) as u64,
            t.src as u64,
            (t.dst >> 64) as u64,
            t.dst as u64,
            ends,
            u64::from(size),
        ];
        siphash(key, words) as u32 & HASH
    }

    /// The number to answer a SYN with, and the segment size to say: at most `most`.
    pub fn make(&self, t: &Tuple, isn: u32, most: u16) -> (u32, u16) {
        let which = self.age.load(Ordering::Acquire) & 1;
        let fits = SIZES.iter().rposition(|&s| s <= most).unwrap_or(0);
        let size = fits as u32;
        let cookie = self.hash(which, t, isn, size) | size << 1 | which;
        (cookie, SIZES.get(fits).copied().unwrap_or(536))
    }

    /// The segment size that a cookie of ours says; None: it is none.
    pub fn check(&self, t: &Tuple, isn: u32, cookie: u32) -> Option<u16> {
        let size = cookie >> 1 & 7;
        let good = self.hash(cookie & 1, t, isn, size) == cookie & HASH;
        SIZES.get(size as usize).copied().filter(|_| good)
    }
}

const fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

/// SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein) of whole words.
fn siphash<const N: usize>([k0, k1]: [u64; 2], words: [u64; N]) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let last = ((N as u64) << 3) << 56;
    for m in words.into_iter().chain([last]) {
        let [a, b, c, d] = v;
        let [a, b, c, d] = round(round([a, b, c, d ^ m]));
        v = [a ^ m, b, c, d];
    }
    let [a, b, c, d] = v;
    let [a, b, c, d] = round(round(round(round([a, b, c ^ 0xff, d]))));
    a ^ b ^ c ^ d
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> Tuple {
        Tuple {
            src: 0xc633_6401,
            dst: 0xcb00_7101,
            sport: 4_000,
            dport: 80,
            proto: 6,
            ..Tuple::default()
        }
    }

    #[test]
    fn the_hash_is_siphash() {
        // The reference's vectors: key 00..0f, input 00..07 and the empty one.
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(siphash(key, [0x0706_0504_0302_0100]), 0x93f5_f579_9a93_2462);
        assert_eq!(siphash(key, []), 0x726f_db47_dd0e_0e31);
    }

    #[test]
    fn a_cookie_says_the_size() {
        let c = Cookies::new([1, 2, 3, 4]);
        for (most, says) in [
            (0, 536),
            (536, 536),
            (1_459, 1_452),
            (1_460, 1_460),
            (9_000, 1_460),
        ] {
            let (cookie, size) = c.make(&ends(), 77, most);
            assert_eq!(size, says);
            assert_eq!(c.check(&ends(), 77, cookie), Some(says));
        }
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        let c = Cookies::new([1, 2, 3, 4]);
        let (cookie, _) = c.make(&ends(), 77, 1_460);
        assert_eq!(c.check(&ends(), 78, cookie), None);
        let others = [
            Tuple {
                sport: 4_001,
                ..ends()
            },
            Tuple {
                dport: 81,
                ..ends()
            },
            Tuple { src: 1, ..ends() },
            Tuple { dst: 1, ..ends() },
        ];
        assert!(others.iter().all(|t| c.check(t, 77, cookie).is_none()));
        let bits = (0..32).filter(|bit| c.check(&ends(), 77, cookie ^ 1 << bit).is_some());
        assert_eq!(bits.count(), 0);
    }

    #[test]
    fn a_cookie_lives_through_one_change_of_keys() {
        let c = Cookies::new([1, 2, 3, 4]);
        let (cookie, _) = c.make(&ends(), 77, 1_460);
        let mut next = 10;
        let mut renew = |now| {
            c.renew(now, || {
                next += 2;
                [next, next + 1]
            });
        };
        renew(LIFE - 1);
        renew(LIFE);
        assert!(c.check(&ends(), 77, cookie).is_some());
        assert_ne!(c.make(&ends(), 77, 1_460).0, cookie);
        renew(2 * LIFE);
        assert!(c.check(&ends(), 77, cookie).is_none());
        // After a long sleep too.
        let (cookie, _) = c.make(&ends(), 77, 1_460);
        renew(200 * LIFE);
        assert!(c.check(&ends(), 77, cookie).is_some());
        renew(202 * LIFE);
        assert!(c.check(&ends(), 77, cookie).is_none());
    }
}
