// SPDX-License-Identifier: BSD-2-Clause
//! Prefix translation of IPv6 that leaves checksums as they are (RFC 6296).

/// A pair of prefixes of the same length, and what makes up for their difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Npt {
    inside: u128,
    outside: u128,
    mask: u128,
    /// Where the adjusted word starts: 48 for a prefix that leaves those bits, else one of the
    /// words of the interface identifier, the first that is not ffff.
    short: bool,
    /// Added to a word on the way out, in one's complement.
    adjust: u16,
}

/// Why an address has no counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untranslatable {
    /// It does not have the prefix.
    Prefix,
    /// The word to adjust is ffff, which means the same as 0 and would not come back; or the
    /// interface identifier is one that RFC 6296 (3.6) has no word for.
    Word,
}

/// The folded sum of an address's words.
fn sum(addr: u128) -> u16 {
    !crate::cksum::Sum::new().bytes(&addr.to_be_bytes()).finish()
}

/// One's complement addition; of the two zeros, 0.
const fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    match sum.wrapping_add(carry as u16) {
        0xffff => 0,
        sum => sum,
    }
}

impl Npt {
    /// The pair; bits behind the prefixes are ignored. `None` for lengths other than 1 to 112: there
    /// must be a word to adjust.
    pub fn new(inside: u128, outside: u128, len: u8) -> Option<Npt> {
        if !(1..=112).contains(&len) {
            return None;
        }
        let mask = u128::MAX.checked_shl(128u32.wrapping_sub(len.into()))?;
        let (inside, outside) = (inside & mask, outside & mask);
        Some(Npt {
            inside,
            outside,
            mask,
            short: len <= 48,
            adjust: add(sum(inside), !sum(outside)),
        })
    }

    /// The outside address of an inside one: for sources of packets that go out, destinations of those embedded.
    pub fn outbound(&self, addr: u128) -> Result<u128, Untranslatable> {
        self.map(addr, self.inside, self.outside, self.adjust)
    }

    /// The inside address of an outside one.
    pub fn inbound(&self, addr: u128) -> Result<u128, Untranslatable> {
        self.map(addr, self.outside, self.inside, !self.adjust)
    }

    fn map(&self, addr: u128, from: u128, to: u128, adjust: u16) -> Result<u128, Untranslatable> {
        if addr & self.mask != from {
            return Err(Untranslatable::Prefix);
        }
        let shift = self.word(addr).ok_or(Untranslatable::Word)?;
        let word = (addr >> shift) as u16;
        let adjusted = add(word, adjust);
        let moved = to | addr & !self.mask;
        Ok(moved & !(0xffff << shift) | u128::from(adjusted) << shift)
    }

    /// How far from the right the word to adjust stands (RFC 6296, 3.4 and 3.5).
    fn word(&self, addr: u128) -> Option<u32> {
        let usable = |shift: &u32| (addr >> shift) as u16 != 0xffff;
        if self.short {
            return Some(64).filter(usable);
        }
        [48u32, 32, 16, 0]
            .into_iter()
            .filter(|shift| self.mask >> shift & 0xffff == 0)
            .find(usable)
    }
}
