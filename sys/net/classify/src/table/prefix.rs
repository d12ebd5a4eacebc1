// SPDX-License-Identifier: BSD-2-Clause
//! Prefixes, and entries as they are shown.

use crate::fields::Af;

/// An address prefix; bits behind it are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    af: Af,
    len: u8,
    addr: u128,
}

impl Prefix {
    /// The prefix of `len` bits; `None` when the family has no such. Bits behind it are dropped.
    pub const fn new(af: Af, addr: u128, len: u8) -> Option<Self> {
        let (bits, all) = match af {
            Af::V4 => (32, u32::MAX as u128),
            Af::V6 => (128, u128::MAX),
        };
        if len > bits || addr > all {
            return None;
        }
        Some(Self::cut(af, addr, len))
    }

    /// As `new`, of a length that the family has.
    pub(crate) const fn cut(af: Af, addr: u128, len: u8) -> Self {
        let (bits, all): (u8, u128) = match af {
            Af::V4 => (32, u32::MAX as u128),
            Af::V6 => (128, u128::MAX),
        };
        let mask = match all.checked_shl(bits.saturating_sub(len) as u32) {
            Some(mask) => mask & all,
            None => 0,
        };
        Prefix {
            af,
            len,
            addr: addr & mask,
        }
    }

    /// Its family.
    pub const fn af(&self) -> Af {
        self.af
    }

    /// Its address; IPv4 in the low 32 bits.
    pub const fn addr(&self) -> u128 {
        self.addr
    }

    /// Its length in bits.
    pub const fn bits(&self) -> u8 {
        self.len
    }
}

/// One entry, as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which addresses.
    pub prefix: Prefix,
    /// They are not in the table, though a shorter prefix may say so: `! 10.0.0.1`.
    pub not: bool,
    /// When it stops to count, in the caller's seconds; 0: never.
    pub expires: u32,
    /// When it was added, or its counters cleared, in seconds of uptime.
    pub since: u32,
    /// It was marked, and not added again since.
    pub old: bool,
    /// Packets counted.
    pub packets: u64,
    /// Bytes counted.
    pub bytes: u64,
}
