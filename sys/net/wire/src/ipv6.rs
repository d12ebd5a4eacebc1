// SPDX-License-Identifier: BSD-2-Clause
//! The IPv6 header and the extension headers that hide the payload (RFC 8200).

use crate::error::{Error, Short};
use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes in the fixed header.
pub const HEADER_LEN: usize = 40;
/// How many extension headers [`parse`] walks over. RFC 8200 (4.1) knows seven at most.
pub const MAX_EXTENSIONS: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// The fixed header as it lies on the wire.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Version (4 bits), traffic class (8 bits), flow label (20 bits).
    pub version_flow: U32,
    /// Bytes behind this header.
    pub payload_len: U16,
    /// Type of what follows.
    pub next: u8,
    /// Hops left.
    pub hop_limit: u8,
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
}

/// A packet taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The fixed header.
    pub header: &'a Header,
    /// Protocol of the payload, behind the extension headers.
    pub proto: u8,
    /// Offset of a fragment in bytes; 0 for a first fragment and for a whole packet.
    pub frag_offset: u32,
    /// What follows, without link-layer padding. Shorter than the header says if the slice is.
    pub payload: &'a [u8],
}

/// What all extension headers start with.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Extension {
    next: u8,
    /// Units and origin depend on the type; reserved in a fragment header.
    len: u8,
    /// Of a fragment header: offset in units of 8 bytes (13 bits), reserved, more (1 bit).
    frag: U16,
}

impl Header {
    /// A header for `payload_len` bytes, traffic class and flow label 0. A payload beyond
    /// 65,535 bytes is [`Error::BadLength`].
    pub fn new(
        src: [u8; 16],
        dst: [u8; 16],
        next: u8,
        hop_limit: u8,
        payload_len: usize,
    ) -> Result<Header, Error> {
        let len = u16::try_from(payload_len).map_err(|_| Error::BadLength)?;
        let (version_flow, payload_len) = (U32::new(6 << 28), U16::new(len));
        Ok(Header {
            version_flow,
            payload_len,
            next,
            hop_limit,
            src,
            dst,
        })
    }

    /// Writes the header to the front of `out`.
    pub fn emit(&self, out: &mut [u8]) -> Result<(), Short> {
        self.write_to_prefix(out).map_err(|_| Short)
    }
}

/// Takes a packet apart, behind its extension headers.
///
/// A type that is not known to be an extension header is taken for the protocol. In a fragment
/// other than the first, the walk ends at the fragment header: what follows is from the middle.
pub fn parse(b: &[u8]) -> Result<Packet<'_>, Error> {
    let (header, rest) = Header::ref_from_prefix(b).map_err(|_| Error::Short)?;
    if header.version_flow.get() >> 28 != 6 {
        return Err(Error::BadVersion);
    }
    let mut payload = rest
        .get(..usize::from(header.payload_len.get()))
        .unwrap_or(rest);
    let mut proto = header.next;
    let mut frag_offset = 0;
    for _ in 0..MAX_EXTENSIONS {
        if frag_offset != 0 || !is_extension(proto) {
            return Ok(Packet {
                header,
                proto,
                frag_offset,
                payload,
            });
        }
        let (ext, _) = Extension::ref_from_prefix(payload).map_err(|_| Error::Short)?;
        let len = usize::from(ext.len);
        // At most 2048: neither sum nor shift can overflow.
        let len = match proto {
            FRAGMENT => 8,
            AUTHENTICATION => len.wrapping_add(2) << 2,
            _ => len.wrapping_add(1) << 3,
        };
        if proto == FRAGMENT {
            frag_offset = u32::from(ext.frag.get() & 0xfff8);
        }
        payload = payload.get(len..).ok_or(Error::Short)?;
        proto = ext.next;
    }
    // A chain this long serves only to hide what is behind it.
    if is_extension(proto) && frag_offset == 0 {
        return Err(Error::BadLength);
    }
    Ok(Packet {
        header,
        proto,
        frag_offset,
        payload,
    })
}

const fn is_extension(proto: u8) -> bool {
    matches!(
        proto,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn packet(next: u8, rest: &[u8]) -> Vec<u8> {
        let h = Header::new([0x11; 16], [0x22; 16], next, 64, rest.len()).unwrap();
        let mut b = std::vec![0; HEADER_LEN];
        h.emit(&mut b).unwrap();
        b.extend_from_slice(rest);
        b
    }

    #[test]
    fn golden_header() {
        let b = packet(115, &[1, 2, 3, 4]);
        assert_eq!(b[..8], [0x60, 0, 0, 0, 0, 4, 115, 64]);
        assert_eq!((&b[8..24], &b[24..40]), (&[0x11; 16][..], &[0x22; 16][..]));
        let p = parse(&b).unwrap();
        assert_eq!(
            (p.proto, p.frag_offset, p.payload),
            (115, 0, &[1, 2, 3, 4][..])
        );
    }

    #[test]
    fn extension_chain_and_every_truncation() {
        let mut rest = Vec::new();
        rest.extend_from_slice(&[60, 0, 1, 4, 0, 0, 0, 0]); // hop by hop
        rest.extend_from_slice(&[51, 1, 1, 12]); // destination options, 16 bytes
        rest.extend_from_slice(&[0; 12]);
        rest.extend_from_slice(&[44, 1, 0, 0]); // authentication, 12 bytes
        rest.extend_from_slice(&[0; 8]);
        rest.extend_from_slice(&[17, 0, 0, 1, 0, 0, 0, 9]); // first fragment
        rest.extend_from_slice(&[0xaa; 6]);
        let b = packet(0, &rest);
        let behind = b.len() - 6;
        for n in 0..=b.len() {
            match parse(&b[..n]) {
                Ok(p) => {
                    assert!(n >= behind);
                    assert_eq!((p.proto, p.frag_offset), (17, 0));
                    assert_eq!(p.payload, &b[behind..n]);
                }
                Err(e) => assert!(n < behind && e == Error::Short, "{n} {e}"),
            }
        }
    }

    #[test]
    fn later_fragment_ends_the_walk() {
        // The fragment says that destination options follow, but these bytes are from the middle.
        let b = packet(44, &[60, 0, 0x05, 0xa8, 0, 0, 0, 9, 0xff, 0xff]);
        let p = parse(&b).unwrap();
        assert_eq!(
            (p.proto, p.frag_offset, p.payload),
            (60, 0x5a8, &[0xff, 0xff][..])
        );
    }

    #[test]
    fn endless_chain_is_refused() {
        let link = [60, 0, 1, 4, 0, 0, 0, 0];
        let mut rest = link.repeat(MAX_EXTENSIONS + 1);
        assert_eq!(parse(&packet(60, &rest)).unwrap_err(), Error::BadLength);
        // One fewer, the last pointing to UDP, is still walked.
        rest.truncate(link.len() * MAX_EXTENSIONS);
        rest[link.len() * (MAX_EXTENSIONS - 1)] = 17;
        assert_eq!(parse(&packet(60, &rest)).unwrap().proto, 17);
    }

    #[test]
    fn version_padding_and_limits() {
        let mut b = packet(17, &[1, 2]);
        b.extend_from_slice(&[0xee; 9]);
        assert_eq!(parse(&b).unwrap().payload, [1, 2]);
        b[0] = 0x45;
        assert_eq!(parse(&b).unwrap_err(), Error::BadVersion);
        let h = Header::new([0; 16], [0; 16], 17, 1, 65_535).unwrap();
        assert_eq!(
            Header::new([0; 16], [0; 16], 17, 1, 65_536),
            Err(Error::BadLength)
        );
        for n in 0..HEADER_LEN {
            assert_eq!(h.emit(&mut b[..n]), Err(Short));
        }
    }
}
