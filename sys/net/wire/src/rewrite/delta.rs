// SPDX-License-Identifier: BSD-2-Clause
//! By how much words have changed, as one's complement sum.

use crate::bytes::{chunk_mut, get16, put16};

/// The sum of `~old + new` over the words written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delta {
    /// 64 bits hold the carries of any packet.
    sum: u64,
    any: bool,
}

impl Delta {
    /// Both changes.
    #[inline]
    #[must_use]
    pub(super) const fn and(self, other: Delta) -> Delta {
        Delta {
            sum: self.sum.wrapping_add(other.sum),
            any: self.any || other.any,
        }
    }

    #[inline]
    const fn word(&mut self, old: u16, new: u16) {
        self.sum = self.sum.wrapping_add(!old as u64).wrapping_add(new as u64);
        self.any = true;
    }

    /// Two words at once.
    #[inline]
    const fn word32(&mut self, old: u32, new: u32) {
        // 2^16 is 1 in this arithmetic: the halves fold into the same sum.
        self.sum = self.sum.wrapping_add(!old as u64).wrapping_add(new as u64);
        self.any = true;
    }

    /// Writes 16 bits at an even offset of the sum.
    #[inline]
    pub(super) fn put16(&mut self, b: &mut [u8], at: usize, new: u16) {
        if let Some(place) = chunk_mut(b, at) {
            self.word(u16::from_be_bytes(*place), new);
            *place = new.to_be_bytes();
        }
    }

    /// Writes 32 bits at an even offset of the sum.
    #[inline]
    pub(super) fn put32(&mut self, b: &mut [u8], at: usize, new: u32) {
        if let Some(place) = chunk_mut(b, at) {
            self.word32(u32::from_be_bytes(*place), new);
            *place = new.to_be_bytes();
        }
    }

    /// Writes 128 bits at an even offset of the sum.
    #[inline]
    pub(super) fn put128(&mut self, b: &mut [u8], at: usize, new: u128) {
        let Some(place) = chunk_mut::<16>(b, at) else {
            return;
        };
        let (old, _) = place.as_chunks::<4>();
        let bytes = new.to_be_bytes();
        let (words, _) = bytes.as_chunks::<4>();
        for (old, new) in old.iter().zip(words) {
            self.word32(u32::from_be_bytes(*old), u32::from_be_bytes(*new));
        }
        *place = bytes;
    }

    /// Writes 16 bits that may stand at an odd offset of the sum: `odd` says so.
    #[inline]
    pub(super) fn put16_any(&mut self, b: &mut [u8], at: usize, odd: bool, new: u16) {
        let Some(place) = chunk_mut(b, at) else {
            return;
        };
        let old = u16::from_be_bytes(*place);
        // Each byte counts in the other half of its word (RFC 1071, 2.B).
        if odd {
            self.word(old.swap_bytes(), new.swap_bytes());
        } else {
            self.word(old, new);
        }
        *place = new.to_be_bytes();
    }

    /// As [`Delta::put16_any`], 32 bits.
    #[inline]
    pub(super) fn put32_any(&mut self, b: &mut [u8], at: usize, odd: bool, new: u32) {
        let [h0, h1, l0, l1] = new.to_be_bytes();
        self.put16_any(b, at, odd, u16::from_be_bytes([h0, h1]));
        let low = at.saturating_add(2);
        self.put16_any(b, low, odd, u16::from_be_bytes([l0, l1]));
    }

    #[inline]
    const fn fold(mut sum: u64) -> u16 {
        sum = (sum & 0xffff_ffff).wrapping_add(sum >> 32);
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
        sum as u16
    }

    /// Brings the checksum at `at` up to date: `HC' = ~(~HC + ~m + m')`. An `optional` one that is
    /// 0 is not there and stays 0; one that would become 0 is written as its other form.
    #[inline]
    pub(super) fn apply(self, b: &mut [u8], at: usize, optional: bool) {
        if !self.any {
            return;
        }
        let Some(old) = get16(b, at) else { return };
        if optional && old == 0 {
            return;
        }
        let new = match !Self::fold(self.sum.wrapping_add(!old as u64)) {
            0 if optional => 0xffff,
            new => new,
        };
        put16(b, at, new);
    }

    /// Brings the sum of a pseudo-header at `at` up to date, which is not complemented. It is never
    /// 0: the protocol is part of it.
    #[inline]
    pub(super) fn apply_partial(self, b: &mut [u8], at: usize, optional: bool) {
        if !self.any {
            return;
        }
        if let Some(old) = get16(b, at).filter(|&old| old != 0 || !optional) {
            put16(b, at, Self::fold(self.sum.wrapping_add(old as u64)));
        }
    }

    /// As [`Delta::apply`], for a checksum that another checksum covers: `outer` gets the change.
    #[inline]
    pub(super) fn apply_within(self, b: &mut [u8], at: usize, optional: bool, outer: &mut Delta) {
        let Some(old) = get16(b, at) else { return };
        self.apply(b, at, optional);
        if let Some(new) = get16(b, at) {
            outer.changed(old, new);
        }
    }

    /// A word was written elsewhere.
    #[inline]
    pub(super) const fn changed(&mut self, old: u16, new: u16) {
        if old != new {
            self.word(old, new);
        }
    }
}
