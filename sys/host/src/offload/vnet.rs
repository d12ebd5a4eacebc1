// SPDX-License-Identifier: BSD-2-Clause
//! `struct virtio_net_hdr`, which stands before each frame that a tap device gives or takes.
//!
//! *Contexts*: any.

use super::csum::Sum;
use super::layout::L4;

pub use crate::link::VNET_HDR;

const NEEDS_CSUM: u8 = 1;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// What a frame is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// Transport of the frame.
    pub proto: L4,
    /// Payload bytes of each piece but the last.
    pub size: usize,
}

/// What the header says about the frame behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vnet {
    /// The checksum of the bytes from `.0` on belongs at `.0 + .1`; so far only the
    /// pseudo-header's sum is there.
    pub partial: Option<(usize, usize)>,
    /// The frame is to be cut.
    pub gso: Option<Gso>,
}

impl Vnet {
    /// Parse; `None` for a kind of segmentation that we never offered.
    pub fn parse(b: &[u8; VNET_HDR]) -> Option<Vnet> {
        let le16 = |at: usize| usize::from(u16::from_ne_bytes([b[at], b[at + 1]]));
        let proto = match b[1] & !GSO_ECN {
            0 => None,
            GSO_TCPV4 | GSO_TCPV6 => Some(L4::Tcp),
            GSO_UDP_L4 => Some(L4::Udp),
            _ => return None,
        };
        Some(Vnet {
            partial: (b[0] & NEEDS_CSUM != 0).then(|| (le16(6), le16(8))),
            gso: proto.map(|proto| Gso {
                proto,
                size: le16(4),
            }),
        })
    }

    /// The header of a frame that the kernel is to cut itself: its headers take `hdr` bytes, the
    /// transport header begins at `l4`.
    pub fn large(proto: L4, v6: bool, size: usize, l4: usize, hdr: usize) -> [u8; VNET_HDR] {
        let mut b = [0; VNET_HDR];
        b[0] = NEEDS_CSUM;
        b[1] = match (proto, v6) {
            (L4::Tcp, false) => GSO_TCPV4,
            (L4::Tcp, true) => GSO_TCPV6,
            (L4::Udp, _) => GSO_UDP_L4,
        };
        b[2..4].copy_from_slice(&(hdr as u16).to_ne_bytes());
        b[4..6].copy_from_slice(&(size as u16).to_ne_bytes());
        b[6..8].copy_from_slice(&(l4 as u16).to_ne_bytes());
        b[8..10].copy_from_slice(&(proto.csum_offset() as u16).to_ne_bytes());
        b
    }
}

/// Complete a partial checksum in place; false when it lies outside the frame.
pub fn complete(frame: &mut [u8], start: usize, offset: usize) -> bool {
    let at = start + offset;
    let Some(covered) = frame.get(start..) else {
        return false;
    };
    if offset + 2 > covered.len() {
        return false;
    }
    let mut csum = Sum::new().with(covered).checksum();
    // UDP says "no checksum" with 0. The other form of 0 is as good for the rest.
    if csum == [0, 0] {
        csum = [0xff, 0xff];
    }
    frame[at..at + 2].copy_from_slice(&csum);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for (proto, v6) in [
            (L4::Tcp, false),
            (L4::Tcp, true),
            (L4::Udp, false),
            (L4::Udp, true),
        ] {
            let b = Vnet::large(proto, v6, 1448, 34, 66);
            let vnet = Vnet::parse(&b).expect("our own");
            assert_eq!(vnet.gso, Some(Gso { proto, size: 1448 }));
            assert_eq!(vnet.partial, Some((34, proto.csum_offset())));
        }
        assert_eq!(Vnet::parse(&[0; VNET_HDR]), Some(Vnet::default()));
        // UFO, which we do not offer.
        assert_eq!(Vnet::parse(&[0, 3, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn checksum_is_completed_within_the_frame_only() {
        let mut frame = [1, 2, 3, 4, 0, 6, 7, 8];
        assert!(complete(&mut frame, 2, 2));
        // 0304 + 0006 + 0708, where 0006 stands for the pseudo-header.
        assert_eq!(frame, [1, 2, 3, 4, 0xf5, 0xed, 7, 8]);
        assert!(!complete(&mut frame, 2, 5));
        assert!(!complete(&mut frame, 9, 0));
        assert!(complete(&mut frame, 2, 4));
    }
}
