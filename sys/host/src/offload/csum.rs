// SPDX-License-Identifier: BSD-2-Clause
//! The Internet checksum over bytes that lie in several pieces.
//!
//! *Contexts*: any.

/// A one's complement sum that grows piece by piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Sum of 16-bit words in the machine's byte order, carries not yet folded in.
    acc: u64,
    /// An odd number of bytes has been added: the next one is the low half of a word.
    odd: bool,
}

/// The sum of the 16-bit words of `bytes`, folded; an odd byte at the end is a high half.
fn words(bytes: &[u8]) -> u16 {
    let mut lanes = [0u64; 4];
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        let (quads, _) = block.as_chunks::<8>();
        for (lane, quad) in lanes.iter_mut().zip(quads) {
            let quad = u64::from_ne_bytes(*quad);
            // Halves of 32 bits: 2^31 of them fit a lane, so carries need no care.
            *lane += (quad & 0xffff_ffff) + (quad >> 32);
        }
    }
    let mut acc = lanes
        .iter()
        .fold(0u64, |acc, lane| acc + (lane & 0xffff_ffff) + (lane >> 32));
    let (pairs, last) = rest.as_chunks::<2>();
    acc += pairs
        .iter()
        .map(|pair| u64::from(u16::from_ne_bytes(*pair)))
        .sum::<u64>();
    if let [last] = last {
        acc += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    fold(acc)
}

fn fold(mut acc: u64) -> u16 {
    acc = (acc & 0xffff_ffff) + (acc >> 32);
    acc = (acc & 0xffff_ffff) + (acc >> 32);
    acc = (acc & 0xffff) + (acc >> 16);
    acc = (acc & 0xffff) + (acc >> 16);
    ((acc & 0xffff) + (acc >> 16)) as u16
}

impl Sum {
    /// Nothing added yet.
    pub fn new() -> Sum {
        Sum::default()
    }

    /// Add the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        let sum = words(bytes);
        self.acc += u64::from(if self.odd { sum.swap_bytes() } else { sum });
        self.odd ^= bytes.len() % 2 == 1;
    }

    /// With the next bytes added.
    pub fn with(mut self, bytes: &[u8]) -> Sum {
        self.add(bytes);
        self
    }

    /// The sum itself as it stands in a packet whose checksum is partial.
    pub fn partial(self) -> [u8; 2] {
        fold(self.acc).to_ne_bytes()
    }

    /// The checksum as it stands in a packet.
    pub fn checksum(self) -> [u8; 2] {
        (!fold(self.acc)).to_ne_bytes()
    }

    /// Whether bytes that hold their own checksum add up.
    pub fn is_valid(self) -> bool {
        fold(self.acc) == 0xffff
    }
}

/// The pseudo-header of TCP and UDP over IPv4 or IPv6: `addrs` is source and destination, 8 or 32
/// bytes, `len` counts from the transport header on.
pub fn pseudo(addrs: &[u8], proto: u8, len: usize) -> Sum {
    Sum::new()
        .with(addrs)
        .with(&[0, proto])
        .with(&(len as u32).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As RFC 1071 writes it, byte by byte.
    fn slow(bytes: &[u8]) -> u16 {
        let mut acc = 0u32;
        for (at, byte) in bytes.iter().enumerate() {
            acc += u32::from(*byte) << if at % 2 == 0 { 8 } else { 0 };
            acc = (acc & 0xffff) + (acc >> 16);
        }
        acc as u16
    }

    #[test]
    fn example_of_rfc_1071() {
        let sum = Sum::new().with(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.partial(), [0xdd, 0xf2]);
        assert_eq!(sum.checksum(), [0x22, 0x0d]);
    }

    #[test]
    fn all_ones_carry() {
        let bytes = [0xff; 70_001];
        assert_eq!(
            Sum::new().with(&bytes).partial(),
            slow(&bytes).to_be_bytes()
        );
    }

    proptest! {
        #[test]
        fn pieces_add_up(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300,
            second in 0usize..300)
        {
            let (first, rest) = bytes.split_at(cut.min(bytes.len()));
            let (middle, last) = rest.split_at(second.min(rest.len()));
            let sum = Sum::new().with(first).with(middle).with(last);
            prop_assert_eq!(sum.partial(), slow(&bytes).to_be_bytes());
        }
    }
}
