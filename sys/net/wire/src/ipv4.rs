// SPDX-License-Identifier: BSD-2-Clause
//! The IPv4 header (RFC 791).

use crate::bytes::put16;
use crate::cksum::Sum;
use crate::error::{Error, Short};
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes in a header without options.
pub const HEADER_LEN: usize = 20;
/// Bytes in the longest header.
pub const MAX_HEADER_LEN: usize = 60;

/// Version 4 and five words of header: the first byte of a header without options.
const VERSION_IHL: u8 = 0x45;
const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// The fixed part of the header as it lies on the wire.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Version (4 bits), header length in words of 4 bytes (4 bits).
    pub version_ihl: u8,
    /// Differentiated services (6 bits), congestion notification (2 bits).
    pub tos: u8,
    /// Bytes in the packet, header included.
    pub total_len: U16,
    /// Identification of the packet that a fragment belongs to.
    pub id: U16,
    /// Flags (3 bits), fragment offset in units of 8 bytes (13 bits).
    pub frag: U16,
    /// Time to live, in hops.
    pub ttl: u8,
    /// Protocol of the payload.
    pub proto: u8,
    /// Checksum of the header, options included.
    pub cksum: U16,
    /// Source address.
    pub src: [u8; 4],
    /// Destination address.
    pub dst: [u8; 4],
}

/// A packet taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The fixed part.
    pub header: &'a Header,
    /// The options, at most 40 bytes.
    pub options: &'a [u8],
    /// What follows, without link-layer padding. Shorter than the header says if the slice is.
    pub payload: &'a [u8],
}

impl Header {
    /// A header without options for `payload_len` bytes, its checksum set; not a fragment, and
    /// not to be fragmented. A packet beyond 65,535 bytes is [`Error::BadLength`].
    pub fn new(
        src: [u8; 4],
        dst: [u8; 4],
        proto: u8,
        ttl: u8,
        payload_len: usize,
    ) -> Result<Header, Error> {
        let total = payload_len
            .checked_add(HEADER_LEN)
            .ok_or(Error::BadLength)?;
        let total = u16::try_from(total).map_err(|_| Error::BadLength)?;
        let mut header = Header {
            version_ihl: VERSION_IHL,
            tos: 0,
            total_len: U16::new(total),
            id: U16::ZERO,
            frag: U16::new(DONT_FRAGMENT),
            ttl,
            proto,
            cksum: U16::ZERO,
            src,
            dst,
        };
        header.cksum = U16::new(Sum::new().bytes(header.as_bytes()).finish());
        Ok(header)
    }

    /// Writes the fixed part to the front of `out`.
    pub fn emit(&self, out: &mut [u8]) -> Result<(), Short> {
        self.write_to_prefix(out).map_err(|_| Short)
    }

    /// Bytes in the header, options included, as the header says: 0 to 60.
    pub fn header_len(&self) -> usize {
        usize::from(self.version_ihl & 0x0f) << 2
    }

    /// Offset of a fragment, in bytes.
    pub fn frag_offset(&self) -> u32 {
        u32::from(self.frag.get() & OFFSET_MASK) << 3
    }

    /// Whether the packet is a piece of a larger one.
    pub fn is_fragment(&self) -> bool {
        self.frag.get() & (MORE_FRAGMENTS | OFFSET_MASK) != 0
    }
}

/// Takes a packet apart. The checksum is not looked at: see [`checksum_ok`].
pub fn parse(b: &[u8]) -> Result<Packet<'_>, Error> {
    let (header, _) = Header::ref_from_prefix(b).map_err(|_| Error::Short)?;
    if header.version_ihl >> 4 != 4 {
        return Err(Error::BadVersion);
    }
    let header_len = header.header_len();
    let total_len = usize::from(header.total_len.get());
    if header_len < HEADER_LEN || total_len < header_len {
        return Err(Error::BadLength);
    }
    let packet = b.get(..total_len).unwrap_or(b);
    let (front, payload) = packet.split_at_checked(header_len).ok_or(Error::Short)?;
    let options = front.get(HEADER_LEN..).ok_or(Error::Short)?;
    Ok(Packet {
        header,
        options,
        payload,
    })
}

/// Whether the header at the front of `b`, options included, has the right checksum.
pub fn checksum_ok(b: &[u8]) -> Result<bool, Error> {
    let Packet {
        header, options, ..
    } = parse(b)?;
    Ok(Sum::new().bytes(header.as_bytes()).bytes(options).finish() == 0)
}

/// Sets the header's checksum, if all of the header is there.
pub fn make_sum(b: &mut [u8]) {
    const CKSUM_AT: usize = 10;
    let words = b.first().map_or(0, |first| first & 15);
    let Some(header) = b.get_mut(..usize::from(words) << 2) else {
        return;
    };
    put16(header, CKSUM_AT, 0);
    let sum = Sum::new().bytes(header).finish();
    put16(header, CKSUM_AT, sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    /// 172.16.10.99 to 172.16.10.12, TCP, 60 bytes, with the checksum that its sender gave it.
    const GOLDEN: [u8; 20] = [
        0x45, 0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0xb1, 0xe6, 0xac, 0x10, 0x0a,
        0x63, 0xac, 0x10, 0x0a, 0x0c,
    ];

    #[test]
    fn golden_header() {
        let p = parse(&GOLDEN).unwrap();
        assert_eq!(
            (p.header.ttl, p.header.proto, p.header.total_len.get()),
            (64, 6, 60)
        );
        assert_eq!(
            (p.header.src, p.header.dst),
            ([172, 16, 10, 99], [172, 16, 10, 12])
        );
        assert!(!p.header.is_fragment());
        assert!(p.payload.is_empty(), "the slice ends before the packet");
        assert_eq!(checksum_ok(&GOLDEN), Ok(true));
        for bit in 0..GOLDEN.len() * 8 {
            let mut b = GOLDEN;
            b[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum_ok(&b), Ok(true), "bit {bit}");
        }
    }

    #[test]
    fn every_truncation() {
        let mut b = [0u8; 40];
        b[..20].copy_from_slice(&GOLDEN);
        b[0] = 0x48;
        for n in 0..b.len() {
            match parse(&b[..n]) {
                Ok(p) => assert!(n >= 32 && p.options.len() == 12 && p.payload.len() == n - 32),
                Err(e) => assert!(n < 32 && e == Error::Short, "{n} {e}"),
            }
        }
    }

    #[test]
    fn lengths_that_lie() {
        for (first, want) in [
            (0x65, Error::BadVersion),
            (0x44, Error::BadLength),
            (0x40, Error::BadLength),
        ] {
            let mut b = GOLDEN;
            b[0] = first;
            assert_eq!(parse(&b).unwrap_err(), want);
        }
        let mut b = GOLDEN;
        b[2..4].copy_from_slice(&[0, 19]);
        assert_eq!(parse(&b).unwrap_err(), Error::BadLength);
    }

    #[test]
    fn a_sum_is_made() {
        let mut b = GOLDEN;
        b[10] ^= 0x55;
        make_sum(&mut b);
        assert_eq!(b, GOLDEN);
        let short = &mut b[..19];
        short[10] = 0;
        make_sum(short);
        assert_eq!(short[10], 0, "not all of the header is there");
        make_sum(&mut []);
    }

    #[test]
    fn padding_is_not_payload() {
        let h = Header::new([10, 0, 0, 1], [10, 0, 0, 2], 115, 64, 4).unwrap();
        let mut b = vec![0xee; 46];
        h.emit(&mut b).unwrap();
        assert_eq!(parse(&b).unwrap().payload, [0xee; 4]);
        assert_eq!(checksum_ok(&b), Ok(true));
        for n in 0..HEADER_LEN {
            assert_eq!(h.emit(&mut b[..n]), Err(Short));
        }
    }

    #[test]
    fn too_long_for_the_length_field() {
        let new = |n| Header::new([0; 4], [0; 4], 17, 1, n);
        assert!(new(65_515).is_ok());
        assert_eq!(new(65_516), Err(Error::BadLength));
        assert_eq!(new(usize::MAX), Err(Error::BadLength));
    }

    #[test]
    fn fragments() {
        let mut h = Header::new([1; 4], [2; 4], 17, 9, 8).unwrap();
        h.frag = U16::new(0x2000);
        assert!(h.is_fragment() && h.frag_offset() == 0);
        h.frag = U16::new(0x1fff);
        assert!(h.is_fragment() && h.frag_offset() == 65_528);
    }
}
