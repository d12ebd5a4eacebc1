// SPDX-License-Identifier: BSD-2-Clause
//! What names a flow: addresses, ports, protocol, direction and zone, packed into 64-bit words.
//!
//! IPv4 packs into 2 words, IPv6 into 5, so that comparing keys is comparing words.
//!
//! ```text
//! IPv4  w0 = src << 32 | dst                      IPv6  w0 w1 = src, w2 w3 = dst
//!       w1 = sport << 48 | dport << 32 | proto << 24 | dir << 16 | zone            (IPv6: w4)
//! ```

/// What names a flow, in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// Source address; IPv4 in the low 32 bits.
    pub src: u128,
    /// Destination address, likewise.
    pub dst: u128,
    /// Source port, or what stands for one: an ICMP id, a call id, half of an SPI.
    pub sport: u16,
    /// Destination port, likewise.
    pub dport: u16,
    /// IP protocol.
    pub proto: u8,
    /// Direction: 0 in, 1 out; see [`Tuple::flip`].
    pub dir: u8,
    /// Flows of different zones are different flows.
    pub zone: u16,
}

impl Tuple {
    /// The answer's name: ends swapped, and the other direction (the lowest bit of `dir`).
    #[must_use]
    pub const fn flip(self) -> Self {
        Tuple {
            src: self.dst,
            dst: self.src,
            sport: self.dport,
            dport: self.sport,
            dir: self.dir ^ 1,
            ..self
        }
    }

    const fn tail(&self) -> u64 {
        (self.sport as u64) << 48
            | (self.dport as u64) << 32
            | (self.proto as u64) << 24
            | (self.dir as u64) << 16
            | self.zone as u64
    }

    const fn with_tail(src: u128, dst: u128, w: u64) -> Self {
        Tuple {
            src,
            dst,
            sport: (w >> 48) as u16,
            dport: (w >> 32) as u16,
            proto: (w >> 24) as u8,
            dir: (w >> 16) as u8,
            zone: w as u16,
        }
    }
}

/// Words of an IPv4 key.
pub const V4: usize = 2;
/// Words of an IPv6 key.
pub const V6: usize = 5;

/// A packed [`Tuple`].
pub trait Packed: Copy + Eq {
    /// Packs; of an IPv4 key only the low 32 bits of the addresses count.
    fn pack(t: &Tuple) -> Self;

    /// Unpacks.
    fn unpack(&self) -> Tuple;

    /// As [`Tuple::flip`], without unpacking.
    #[must_use]
    fn flip(&self) -> Self;
}

/// [`Tuple::flip`] of the last word: ports swapped, direction inverted.
const fn flip_tail(w: u64) -> u64 {
    (w & 0xffff_0000_0000_0000) >> 16
        | (w & 0x0000_ffff_0000_0000) << 16
        | (w & 0xffff_ffff) ^ 1 << 16
}

impl Packed for [u64; V4] {
    #[inline]
    fn pack(t: &Tuple) -> Self {
        [(t.src as u64) << 32 | t.dst as u64 & 0xffff_ffff, t.tail()]
    }

    #[inline]
    fn unpack(&self) -> Tuple {
        let [w0, w1] = *self;
        Tuple::with_tail(u128::from(w0 >> 32), u128::from(w0 as u32), w1)
    }

    #[inline]
    fn flip(&self) -> Self {
        let [w0, w1] = *self;
        [w0.rotate_left(32), flip_tail(w1)]
    }
}

impl Packed for [u64; V6] {
    #[inline]
    fn pack(t: &Tuple) -> Self {
        [
            (t.src >> 64) as u64,
            t.src as u64,
            (t.dst >> 64) as u64,
            t.dst as u64,
            t.tail(),
        ]
    }

    #[inline]
    fn unpack(&self) -> Tuple {
        let [s0, s1, d0, d1, w] = *self;
        let join = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        Tuple::with_tail(join(s0, s1), join(d0, d1), w)
    }

    #[inline]
    fn flip(&self) -> Self {
        let [s0, s1, d0, d1, w] = *self;
        [d0, d1, s0, s1, flip_tail(w)]
    }
}
