// SPDX-License-Identifier: BSD-2-Clause
//! The TCP header and its options (RFC 9293, RFC 7323, RFC 2018).

use crate::bytes::{get16, plus};
use crate::error::{Error, Short};
use core::ops::BitOr;
use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The protocol number of TCP.
pub const IPPROTO_TCP: u8 = 6;
/// Bytes in a header without options.
pub const HEADER_LEN: usize = 20;
/// Bytes in the longest header.
pub const MAX_HEADER_LEN: usize = 60;
/// Where the checksum stands.
pub const CKSUM_AT: usize = 16;

/// Kind of the option that ends the list.
pub const OPT_END: u8 = 0;
/// Kind of the option that fills one byte.
pub const OPT_NOP: u8 = 1;
/// Kind of the maximum segment size.
pub const OPT_MSS: u8 = 2;
/// Kind of the window scale.
pub const OPT_WSCALE: u8 = 3;
/// Kind of "selective acknowledgements are understood".
pub const OPT_SACK_OK: u8 = 4;
/// Kind of the selective acknowledgements themselves.
pub const OPT_SACK: u8 = 5;
/// Kind of the timestamps.
pub const OPT_TIMESTAMP: u8 = 8;
/// The largest shift that a window scale may ask for (RFC 7323, 2.3).
pub const MAX_WSCALE: u8 = 14;

/// The control bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No bit.
    pub const NONE: Flags = Flags(0);
    /// The sender has no more data.
    pub const FIN: Flags = Flags(0x01);
    /// Sequence numbers begin.
    pub const SYN: Flags = Flags(0x02);
    /// The connection is reset.
    pub const RST: Flags = Flags(0x04);
    /// To be given to the application at once.
    pub const PSH: Flags = Flags(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Flags = Flags(0x10);
    /// The urgent pointer counts.
    pub const URG: Flags = Flags(0x20);
    /// Congestion has been seen (RFC 3168).
    pub const ECE: Flags = Flags(0x40);
    /// The congestion window has been reduced (RFC 3168).
    pub const CWR: Flags = Flags(0x80);

    /// Whether all of `bits` are set.
    #[inline]
    pub const fn has(self, bits: Flags) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// Whether one of `bits` is set.
    #[inline]
    pub const fn any(self, bits: Flags) -> bool {
        self.0 & bits.0 != 0
    }

    /// What is wrong with the combination, if it is one that no stack sends.
    #[inline]
    pub const fn illegal(self) -> Option<Illegal> {
        const FIN: u8 = Flags::FIN.0;
        const SYN: u8 = Flags::SYN.0;
        const RST: u8 = Flags::RST.0;
        const ACK: u8 = Flags::ACK.0;
        match self.0 & (FIN | SYN | RST | ACK) {
            // PSH and URG may come with any of these, ECE and CWR too.
            ACK | SYN | RST => None,
            bits if bits == SYN | ACK || bits == RST | ACK || bits == FIN | ACK => None,
            0 if self.any(Flags(Flags::PSH.0 | Flags::URG.0)) => Some(Illegal::NoAck),
            0 => Some(Illegal::Null),
            bits if bits & (SYN | FIN) == SYN | FIN => Some(Illegal::SynFin),
            bits if bits & (SYN | RST) == SYN | RST => Some(Illegal::SynRst),
            bits if bits & (FIN | RST) == FIN | RST => Some(Illegal::FinRst),
            // FIN alone is left.
            _ if self.has(Flags(Flags::PSH.0 | Flags::URG.0)) => Some(Illegal::Xmas),
            _ => Some(Illegal::NoAck),
        }
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Why control bits cannot stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Illegal {
    /// None of them (a "null" scan).
    Null,
    /// FIN, PSH and URG without ACK (an "Xmas" scan).
    Xmas,
    /// SYN and FIN.
    SynFin,
    /// SYN and RST.
    SynRst,
    /// FIN and RST.
    FinRst,
    /// FIN, PSH or URG without ACK.
    NoAck,
}

/// The fixed part of the header as it lies on the wire.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Source port.
    pub sport: U16,
    /// Destination port.
    pub dport: U16,
    /// Sequence number of the first byte, or of SYN.
    pub seq: U32,
    /// Acknowledgement number.
    pub ack: U32,
    /// Header length in words of 4 bytes (4 bits), reserved (4 bits).
    pub offset: u8,
    /// The control bits.
    pub flags: u8,
    /// The window, unscaled.
    pub window: U16,
    /// Checksum over pseudo-header and segment.
    pub cksum: U16,
    /// The urgent pointer.
    pub urgent: U16,
}

impl Header {
    /// The header at the front of `b`, its options, and the data.
    pub fn parse(b: &[u8]) -> Result<(&Header, &[u8], &[u8]), Error> {
        let (header, _) = Header::ref_from_prefix(b).map_err(|_| Error::Short)?;
        let n = header.header_len();
        if n < HEADER_LEN {
            return Err(Error::BadLength);
        }
        let (front, data) = b.split_at_checked(n).ok_or(Error::Short)?;
        let options = front.get(HEADER_LEN..).ok_or(Error::Short)?;
        Ok((header, options, data))
    }

    /// Writes the fixed part to the front of `out`.
    pub fn emit(&self, out: &mut [u8]) -> Result<(), Short> {
        self.write_to_prefix(out).map_err(|_| Short)
    }

    /// Bytes in the header, options included, as the header says: 0 to 60.
    pub fn header_len(&self) -> usize {
        usize::from(self.offset >> 4) << 2
    }
}

/// Where an option's value stands, counted from the first option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The first byte of the value.
    pub at: u8,
    /// Bytes in the value.
    pub len: u8,
}

/// The options that a filter needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The maximum segment size, and where it stands.
    pub mss: Option<(u16, At)>,
    /// The window scale; more than [`MAX_WSCALE`] counts as that.
    pub wscale: Option<u8>,
    /// Whether selective acknowledgements are understood.
    pub sack_ok: bool,
    /// The selective acknowledgements: pairs of sequence numbers, one to four.
    pub sack: Option<At>,
    /// The timestamps: two numbers of 32 bits.
    pub timestamps: Option<At>,
    /// The list contradicts itself; what stands before that has been read.
    pub malformed: bool,
}

impl Options {
    /// Reads a list of options; of an option that comes twice, the first counts.
    pub fn parse(b: &[u8]) -> Options {
        let mut found = Options::default();
        let mut at = 0;
        while let Some(&kind) = b.get(at) {
            match kind {
                OPT_END => break,
                OPT_NOP => {
                    at = plus(at, 1);
                    continue;
                }
                _ => {}
            }
            let len = b.get(plus(at, 1)).copied().map_or(0, usize::from);
            let next = plus(at, len);
            if len < 2 || next > b.len() {
                found.malformed = true;
                break;
            }
            // A header has at most 40 bytes of options; a longer slice is not one's.
            let (Ok(value), Ok(n)) = (
                u8::try_from(plus(at, 2)),
                u8::try_from(len.saturating_sub(2)),
            ) else {
                found.malformed = true;
                break;
            };
            let place = At { at: value, len: n };
            match (kind, n) {
                (OPT_MSS, 2) => {
                    let mss = get16(b, value.into()).map(|mss| (mss, place));
                    found.mss = found.mss.or(mss);
                }
                (OPT_WSCALE, 1) => {
                    let shift = b.get(usize::from(value)).map(|&v| v.min(MAX_WSCALE));
                    found.wscale = found.wscale.or(shift);
                }
                (OPT_SACK_OK, 0) => found.sack_ok = true,
                (OPT_SACK, 8 | 16 | 24 | 32) => found.sack = found.sack.or(Some(place)),
                (OPT_TIMESTAMP, 8) => found.timestamps = found.timestamps.or(Some(place)),
                (OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_SACK | OPT_TIMESTAMP, _) => {
                    found.malformed = true;
                }
                _ => {}
            }
            at = next;
        }
        found
    }
}
