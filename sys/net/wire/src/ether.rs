// SPDX-License-Identifier: BSD-2-Clause
//! Ethernet headers (IEEE 802.3) and VLAN tags (802.1Q, 802.1ad).

use crate::error::Short;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes in an untagged header.
pub const HEADER_LEN: usize = 14;
/// Bytes that one tag adds.
pub const TAG_LEN: usize = 4;
/// How many tags [`parse`] looks behind: a service tag and a customer tag.
pub const MAX_TAGS: usize = 2;

/// EtherType of IPv4.
pub const TYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const TYPE_ARP: u16 = 0x0806;
/// Tag protocol identifier of a customer VLAN tag (802.1Q).
pub const TYPE_VLAN: u16 = 0x8100;
/// EtherType of IPv6.
pub const TYPE_IPV6: u16 = 0x86dd;
/// Tag protocol identifier of a service VLAN tag (802.1ad).
pub const TYPE_QINQ: u16 = 0x88a8;

/// A link-layer address.
pub type Addr = [u8; 6];

/// The header as it lies on the wire, without tags.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Destination address.
    pub dst: Addr,
    /// Source address.
    pub src: Addr,
    /// EtherType, a tag protocol identifier, or below 1536 an 802.3 length.
    pub ethertype: U16,
}

/// What follows a tag protocol identifier.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Tag {
    /// Priority (3 bits), drop eligibility (1 bit), VLAN id (12 bits).
    pub tci: U16,
    /// What the tag stands before, as in [`Header::ethertype`].
    pub ethertype: U16,
}

/// A frame taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The addresses, and the EtherType before any tag.
    pub header: &'a Header,
    /// The outermost tag.
    pub tag: Option<&'a Tag>,
    /// The EtherType behind at most [`MAX_TAGS`] tags.
    pub ethertype: u16,
    /// Everything behind the tags, padding included.
    pub payload: &'a [u8],
}

impl Header {
    /// The header at the front of `b`, and what follows it.
    pub fn parse(b: &[u8]) -> Result<(&Header, &[u8]), Short> {
        Header::ref_from_prefix(b).map_err(|_| Short)
    }

    /// Writes the header to the front of `out`.
    pub fn emit(&self, out: &mut [u8]) -> Result<(), Short> {
        self.write_to_prefix(out).map_err(|_| Short)
    }

    /// Whether the frame is for a group, broadcast included.
    pub fn is_multicast(&self) -> bool {
        self.dst[0] & 1 != 0
    }
}

impl Tag {
    /// The tag at the front of `b`, which lies behind a tag protocol identifier.
    pub fn parse(b: &[u8]) -> Result<(&Tag, &[u8]), Short> {
        Tag::ref_from_prefix(b).map_err(|_| Short)
    }

    /// Writes the tag to the front of `out`.
    pub fn emit(&self, out: &mut [u8]) -> Result<(), Short> {
        self.write_to_prefix(out).map_err(|_| Short)
    }

    /// The VLAN id, 0 to 4095; 0 means priority only.
    pub fn vid(&self) -> u16 {
        self.tci.get() & 0x0fff
    }

    /// The priority code point, 0 to 7.
    pub fn pcp(&self) -> u8 {
        let [high, _] = self.tci.to_bytes();
        high >> 5
    }
}

/// Whether an EtherType is a tag protocol identifier.
pub const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, TYPE_VLAN | TYPE_QINQ)
}

/// Takes a frame apart, behind at most [`MAX_TAGS`] tags. A third tag is left in the payload, with
/// its identifier as the EtherType.
pub fn parse(b: &[u8]) -> Result<Frame<'_>, Short> {
    let (header, mut payload) = Header::parse(b)?;
    let mut ethertype = header.ethertype.get();
    let mut outermost = None;
    for _ in 0..MAX_TAGS {
        if !is_tag(ethertype) {
            break;
        }
        let (tag, rest) = Tag::parse(payload)?;
        outermost = outermost.or(Some(tag));
        ethertype = tag.ethertype.get();
        payload = rest;
    }
    Ok(Frame {
        header,
        tag: outermost,
        ethertype,
        payload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const PLAIN: [u8; 16] = [
        0x02, 0, 0, 0, 0, 0x0b, 0x02, 0, 0, 0, 0, 0x0a, 0x08, 0x00, 0xaa, 0xbb, //
    ];

    fn tagged(tags: &[[u8; 4]]) -> Vec<u8> {
        let mut f = PLAIN[..12].to_vec();
        tags.iter().for_each(|t| f.extend_from_slice(t));
        f.extend_from_slice(&PLAIN[12..]);
        f
    }

    #[test]
    fn untagged() {
        let f = parse(&PLAIN).unwrap();
        assert_eq!(f.header.dst, [0x02, 0, 0, 0, 0, 0x0b]);
        assert_eq!(f.header.src, [0x02, 0, 0, 0, 0, 0x0a]);
        assert!(!f.header.is_multicast());
        assert_eq!((f.ethertype, f.payload), (TYPE_IPV4, &[0xaa, 0xbb][..]));
        assert!(f.tag.is_none());
    }

    #[test]
    fn one_tag_two_tags_three_tags() {
        let one = tagged(&[[0x81, 0x00, 0x6f, 0xfe]]);
        let f = parse(&one).unwrap();
        let tag = f.tag.unwrap();
        assert_eq!((tag.vid(), tag.pcp()), (0xffe, 3));
        assert_eq!((f.ethertype, f.payload), (TYPE_IPV4, &[0xaa, 0xbb][..]));

        let two = tagged(&[[0x88, 0xa8, 0x00, 0x05], [0x81, 0x00, 0x00, 0x06]]);
        let f = parse(&two).unwrap();
        assert_eq!(f.tag.unwrap().vid(), 5);
        assert_eq!((f.ethertype, f.payload), (TYPE_IPV4, &[0xaa, 0xbb][..]));

        let three = tagged(&[[0x81, 0, 0, 1], [0x81, 0, 0, 2], [0x81, 0, 0, 3]]);
        let f = parse(&three).unwrap();
        assert_eq!(f.ethertype, TYPE_VLAN);
        assert_eq!(f.payload, [0, 3, 0x08, 0x00, 0xaa, 0xbb]);
    }

    #[test]
    fn every_truncation() {
        let two = tagged(&[[0x88, 0xa8, 0x00, 0x05], [0x81, 0x00, 0x00, 0x06]]);
        for n in 0..two.len() {
            assert_eq!(
                parse(&two[..n]).is_ok(),
                n >= HEADER_LEN + 2 * TAG_LEN,
                "{n}"
            );
        }
        for n in 0..PLAIN.len() {
            assert_eq!(parse(&PLAIN[..n]).is_ok(), n >= HEADER_LEN, "{n}");
        }
    }

    #[test]
    fn emit_writes_what_parse_reads() {
        let mut out = [0xee; 18];
        let tpid = U16::new(TYPE_VLAN);
        let h = Header {
            dst: [1; 6],
            src: [2; 6],
            ethertype: tpid,
        };
        h.emit(&mut out).unwrap();
        let t = Tag {
            tci: U16::new(0x2007),
            ethertype: U16::new(TYPE_ARP),
        };
        t.emit(&mut out[HEADER_LEN..]).unwrap();
        assert_eq!(
            out,
            [
                1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x81, 0, 0x20, 7, 0x08, 0x06
            ]
        );
        assert!(parse(&out).unwrap().header.is_multicast());
        for n in 0..HEADER_LEN {
            assert_eq!(h.emit(&mut out[..n]), Err(Short));
        }
        for n in 0..TAG_LEN {
            assert_eq!(t.emit(&mut out[..n]), Err(Short));
        }
    }
}
