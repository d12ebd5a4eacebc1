// SPDX-License-Identifier: BSD-2-Clause
//! A frame between wire and tap: what stands before its IP header, and what the hooks are to know.
//!
//! *Contexts*: any.

use kpi_sys::{KPI_AF_INET, KPI_AF_INET6, KPI_PFILF_CSUM_PARTIAL, KPI_PFILF_GSO};

use crate::link::LinkHeader;
use crate::offload::vnet::VNET_HDR;

/// Both addresses of Ethernet.
const ADDRS: usize = 12;
/// Length of an Ethernet header, and of a VLAN tag.
const ETHER: usize = 14;
const TAG: usize = 4;
/// More tags than these are not looked through.
const TAGS: usize = 2;
const TYPE_IPV4: u16 = 0x0800;
const TYPE_IPV6: u16 = 0x86dd;
/// Hop-by-hop options, which may hold a length that the header has no room for.
const HOP_BY_HOP: u8 = 0;
const NEEDS_CSUM: u8 = 1;

/// A VLAN tag that the OS has taken out of a frame: type and what stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 0x8100, or another one.
    pub tpid: u16,
    /// Priority and number.
    pub tci: u16,
}

/// What the OS says about a frame besides its bytes: the head of a `struct virtio_net_hdr`, of
/// which only what the sender asks for is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint(pub [u8; VNET_HDR]);

impl Hint {
    /// From the bytes before a frame.
    pub fn new(vnet: &[u8; VNET_HDR]) -> Hint {
        let mut hint = *vnet;
        // "The checksum was found good" is for us, not for the next one.
        hint[0] &= NEEDS_CSUM;
        Hint(hint)
    }

    fn half(&self, at: usize) -> usize {
        usize::from(u16::from_ne_bytes([self.0[at], self.0[at + 1]]))
    }

    /// The frame is cut later.
    pub fn gso(&self) -> bool {
        self.0[1] != 0
    }

    /// Its checksum is completed later.
    pub fn partial(&self) -> bool {
        self.0[0] & NEEDS_CSUM != 0
    }

    /// `KPI_PFILF_*`
    pub fn flags(&self) -> u32 {
        let partial = if self.partial() {
            KPI_PFILF_CSUM_PARTIAL
        } else {
            0
        };
        partial | if self.gso() { KPI_PFILF_GSO } else { 0 }
    }

    /// So many bytes were put before what it speaks of.
    #[must_use]
    pub fn shifted(mut self, by: usize) -> Hint {
        for at in [2, 6] {
            let moved = if self.half(at) == 0 {
                0
            } else {
                self.half(at) + by
            };
            self.0[at..at + 2].copy_from_slice(&(moved as u16).to_ne_bytes());
        }
        self
    }

    /// Whether it speaks of bytes that a frame of `len` has.
    pub fn fits(&self, len: usize) -> bool {
        !self.partial() || self.half(6) + self.half(8) + 2 <= len
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An IP packet.
    Ip {
        /// `KPI_AF_*`
        af: u32,
        /// All before it.
        link: LinkHeader,
        /// Where it begins.
        at: usize,
        /// Where it ends; Ethernet padding lies behind it.
        end: usize,
    },
    /// Something else, which passes untouched: so many bytes, then the tag, then the rest.
    Other {
        /// 12, or 0 without a tag.
        at: usize,
    },
    /// It says that it is IP, and cannot be.
    Bad,
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// The bytes of a tag.
pub fn tag_bytes(tag: Tag) -> [u8; TAG] {
    let ([a, b], [c, d]) = (tag.tpid.to_be_bytes(), tag.tci.to_be_bytes());
    [a, b, c, d]
}

fn is_tag(kind: u16) -> bool {
    kind == 0x8100 || kind == 0x88a8
}

impl Frame {
    /// Look at `frame`, out of which the OS may have taken a tag.
    pub fn parse(frame: &[u8], tag: Option<Tag>, hint: &Hint) -> Frame {
        let other = Frame::Other {
            at: if tag.is_some() { ADDRS } else { 0 },
        };
        Frame::ip(frame, tag, hint).unwrap_or(other)
    }

    fn ip(frame: &[u8], tag: Option<Tag>, hint: &Hint) -> Option<Frame> {
        let mut tags = usize::from(tag.is_some());
        let mut at = ETHER;
        let mut kind = be16(frame, at - 2)?;
        while is_tag(kind) && tags < TAGS {
            (at, tags) = (at + TAG, tags + 1);
            kind = be16(frame, at - 2)?;
        }
        let packet = frame.get(at..)?;
        let (af, least, len) = match kind {
            TYPE_IPV4 => (KPI_AF_INET, 20, be16(packet, 2).map(usize::from)),
            TYPE_IPV6 => {
                let payload = be16(packet, 4).map(|len| 40 + usize::from(len));
                let jumbo = payload == Some(40) && packet.get(6) == Some(&HOP_BY_HOP);
                (KPI_AF_INET6, 40, payload.filter(|_| !jumbo))
            }
            _ => return None,
        };
        let version = if af == KPI_AF_INET { 4 } else { 6 };
        if packet.len() < least || packet.first()? >> 4 != version {
            return Some(Frame::Bad);
        }
        // A length that cannot be is the hooks' to judge; that of a large frame says nothing.
        let len = len.filter(|len| (least..=packet.len()).contains(len) && !hint.gso());
        let mut header = [0; crate::link::LINK_MOST];
        let (addrs, rest) = frame.get(..at)?.split_at_checked(ADDRS)?;
        let tag = tag.map(tag_bytes);
        let tag = tag.as_ref().map_or(&[][..], |tag| tag);
        let mut used = 0;
        for part in [addrs, tag, rest] {
            header
                .get_mut(used..used + part.len())?
                .copy_from_slice(part);
            used += part.len();
        }
        Some(Frame::Ip {
            af,
            link: LinkHeader::new(&header[..used])?,
            at,
            end: at + len.unwrap_or(packet.len()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(types: &[u16], packet: &[u8]) -> Vec<u8> {
        let mut frame: Vec<u8> = (0..12).collect();
        for (n, kind) in types.iter().enumerate() {
            if n != 0 {
                frame.extend([0, n as u8]);
            }
            frame.extend(kind.to_be_bytes());
        }
        frame.extend_from_slice(packet);
        frame
    }

    fn v4(total: u16, len: usize) -> Vec<u8> {
        let mut packet = vec![0; len];
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet
    }

    fn parse(frame: &[u8], tag: Option<Tag>) -> Frame {
        Frame::parse(frame, tag, &Hint::default())
    }

    const TAGGED: Option<Tag> = Some(Tag {
        tpid: 0x88a8,
        tci: 7,
    });

    #[test]
    fn ip_is_found_behind_two_tags_and_padding_is_cut() {
        for (types, at) in [
            (&[0x0800][..], 14),
            (&[0x8100, 0x0800], 18),
            (&[0x88a8, 0x8100, 0x0800], 22),
        ] {
            let bytes = frame(types, &v4(28, 46));
            let Frame::Ip {
                af,
                link,
                at: l3,
                end,
            } = parse(&bytes, None)
            else {
                panic!("{types:?}");
            };
            assert_eq!((af, l3, end), (KPI_AF_INET, at, at + 28));
            assert_eq!(link.bytes(), &bytes[..at]);
        }
        let three = frame(&[0x8100, 0x8100, 0x8100, 0x0800], &v4(28, 46));
        assert_eq!(parse(&three, None), Frame::Other { at: 0 });
        let mut v6 = vec![0; 60];
        (v6[0], v6[5], v6[6]) = (0x60, 8, 17);
        let found = parse(&frame(&[0x86dd], &v6), None);
        assert!(matches!(
            found,
            Frame::Ip {
                af: KPI_AF_INET6,
                at: 14,
                end: 62,
                ..
            }
        ));
        // A jumbogram has its length elsewhere.
        (v6[5], v6[6]) = (0, HOP_BY_HOP);
        let found = parse(&frame(&[0x86dd], &v6), None);
        assert!(matches!(found, Frame::Ip { end: 74, .. }));
    }

    #[test]
    fn a_tag_that_the_os_took_is_put_back() {
        let bytes = frame(&[0x8100, 0x0800], &v4(28, 28));
        let Frame::Ip { link, at, .. } = parse(&bytes, TAGGED) else {
            panic!("IP");
        };
        assert_eq!(at, 18);
        assert_eq!(link.bytes()[12..], [0x88, 0xa8, 0, 7, 0x81, 0, 0, 1, 8, 0]);
        let two = frame(&[0x8100, 0x8100, 0x0800], &v4(28, 28));
        assert_eq!(parse(&two, TAGGED), Frame::Other { at: 12 });
        let arp = frame(&[0x0806], &[0; 46]);
        assert_eq!(parse(&arp, TAGGED), Frame::Other { at: 12 });
        assert_eq!(parse(&arp, None), Frame::Other { at: 0 });
    }

    #[test]
    fn what_cannot_be_ip_is_bad_and_odd_lengths_are_left() {
        assert_eq!(parse(&frame(&[0x0800], &v4(20, 19)), None), Frame::Bad);
        assert_eq!(parse(&frame(&[0x86dd], &v4(20, 60)), None), Frame::Bad);
        assert_eq!(parse(&frame(&[0x0800], &[]), None), Frame::Bad);
        for total in [0, 19, 47] {
            let found = parse(&frame(&[0x0800], &v4(total, 46)), None);
            assert!(matches!(found, Frame::Ip { end: 60, .. }), "{total}");
        }
        let gso = Hint([1, 1, 54, 0, 0, 5, 34, 0, 16, 0]);
        let found = Frame::parse(&frame(&[0x0800], &v4(28, 46)), None, &gso);
        assert!(matches!(found, Frame::Ip { end: 60, .. }));
        for len in 0..14 {
            assert_eq!(parse(&[8; 14][..len], None), Frame::Other { at: 0 });
        }
    }

    #[test]
    fn hints_keep_what_is_asked_for_and_move_with_a_tag() {
        let half = |n: u16| n.to_ne_bytes();
        let mut vnet = [3, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        vnet[2..4].copy_from_slice(&half(54));
        vnet[6..8].copy_from_slice(&half(34));
        vnet[8..10].copy_from_slice(&half(16));
        let hint = Hint::new(&vnet);
        assert_eq!(hint.0[0], 1);
        assert_eq!(hint.flags(), KPI_PFILF_CSUM_PARTIAL | KPI_PFILF_GSO);
        let moved = hint.shifted(4);
        assert_eq!((moved.half(2), moved.half(6), moved.half(8)), (58, 38, 16));
        assert!(hint.fits(52) && !hint.fits(51) && !moved.fits(55));
        assert_eq!(Hint::default().shifted(4), Hint::default());
        assert!(Hint::default().fits(0));
    }
}
