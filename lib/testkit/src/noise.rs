// SPDX-License-Identifier: BSD-2-Clause
//! Noise that is the same for the same seed: mutated bytes and arbitrary choices.

/// A splitmix64 generator.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// The noise of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Noise(seed)
    }

    /// 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.word() % n as u64) as usize
    }

    /// A few small changes: bits flipped, bytes set to what parsers stumble over, pieces removed,
    /// repeated or cut off.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const ODD: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x03, 0x40];
        for _ in 0..1 + self.below(4) {
            if bytes.is_empty() {
                bytes.push(self.word() as u8);
                continue;
            }
            let at = self.below(bytes.len());
            let n = (1 + self.below(8)).min(bytes.len() - at);
            match self.below(7) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = ODD[self.below(ODD.len())],
                2 => bytes[at] = self.word() as u8,
                3 => drop(bytes.drain(at..at + n)),
                4 => {
                    let piece = bytes[at..at + n].to_vec();
                    bytes.splice(at..at, piece);
                }
                5 => bytes.truncate(at),
                _ => {
                    let piece = self.word().to_le_bytes();
                    bytes.splice(at..at, piece[..n].iter().copied());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_changes() {
        let run = |seed| {
            let mut noise = Noise::new(seed);
            let mut bytes = vec![0; 32];
            (0..20).for_each(|_| noise.mutate(&mut bytes));
            bytes
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
