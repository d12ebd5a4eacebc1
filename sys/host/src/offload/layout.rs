// SPDX-License-Identifier: BSD-2-Clause
//! Where the headers of a frame lie: Ethernet, VLAN tags, IP, then TCP or UDP.
//!
//! *Contexts*: any.

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4 {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

impl L4 {
    /// Its IP protocol number.
    pub fn number(self) -> u8 {
        match self {
            L4::Tcp => 6,
            L4::Udp => 17,
        }
    }

    /// Where in its header the checksum is.
    pub fn csum_offset(self) -> usize {
        match self {
            L4::Tcp => 16,
            L4::Udp => 6,
        }
    }
}

/// Offsets from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The IP header.
    pub l3: usize,
    /// The TCP or UDP header.
    pub l4: usize,
    /// What follows it.
    pub payload: usize,
    /// IPv6, else IPv4.
    pub v6: bool,
    /// What is at `l4`.
    pub proto: L4,
    /// IP options or extension headers stand between the IP and the transport header.
    pub options: bool,
}

/// Length of an Ethernet header.
const ETHER: usize = 14;
/// Length of a VLAN tag.
const TAG: usize = 4;
/// More tags than these are not looked through.
const TAGS: usize = 2;

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

impl Layout {
    /// Find the headers; `None` when the frame is not whole TCP or UDP over IP, is a fragment, or
    /// its headers do not all lie in `head`.
    pub fn parse(head: &[u8]) -> Option<Layout> {
        let mut l3 = ETHER;
        let mut kind = be16(head, l3 - 2)?;
        for _ in 0..TAGS {
            if kind == 0x8100 || kind == 0x88a8 {
                l3 += TAG;
                kind = be16(head, l3 - 2)?;
            }
        }
        let (l4, proto, v6, options) = match kind {
            0x0800 => {
                let (l4, proto) = ipv4(head, l3)?;
                (l4, proto, false, l4 - l3 != 20)
            }
            0x86dd => {
                let (l4, proto) = ipv6(head, l3)?;
                (l4, proto, true, l4 - l3 != 40)
            }
            _ => return None,
        };
        let (proto, payload) = match proto {
            6 => {
                let len = usize::from(*head.get(l4 + 12)? >> 4) * 4;
                (L4::Tcp, l4 + (len >= 20).then_some(len)?)
            }
            17 => (L4::Udp, l4 + 8),
            _ => return None,
        };
        (payload <= head.len()).then_some(Layout {
            l3,
            l4,
            payload,
            v6,
            proto,
            options,
        })
    }

    /// Source and destination address, as the checksum of the transport takes them.
    pub fn addrs(self, head: &[u8]) -> Option<&[u8]> {
        if self.v6 {
            head.get(self.l3 + 8..self.l3 + 40)
        } else {
            head.get(self.l3 + 12..self.l3 + 20)
        }
    }

    /// Length of the frame by its IP header; Ethernet padding lies behind it.
    pub fn frame_len(self, head: &[u8]) -> Option<usize> {
        if self.v6 {
            Some(self.l3 + 40 + usize::from(be16(head, self.l3 + 4)?))
        } else {
            Some(self.l3 + usize::from(be16(head, self.l3 + 2)?))
        }
    }
}

fn ipv4(head: &[u8], l3: usize) -> Option<(usize, u8)> {
    let first = *head.get(l3)?;
    let len = usize::from(first & 0xf) * 4;
    if first >> 4 != 4 || len < 20 {
        return None;
    }
    // More fragments, or an offset.
    if be16(head, l3 + 6)? & 0x3fff != 0 {
        return None;
    }
    Some((l3 + len, *head.get(l3 + 9)?))
}

fn ipv6(head: &[u8], l3: usize) -> Option<(usize, u8)> {
    if *head.get(l3)? >> 4 != 6 {
        return None;
    }
    let mut next = *head.get(l3 + 6)?;
    let mut at = l3 + 40;
    // Hop-by-hop, routing, destination options. A fragment header ends the search.
    while matches!(next, 0 | 43 | 60) {
        next = *head.get(at)?;
        at += (usize::from(*head.get(at + 1)?) + 1) * 8;
    }
    Some((at, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_frames_have_no_layout() {
        assert_eq!(Layout::parse(&[]), None);
        assert_eq!(Layout::parse(&[0; 13]), None);
        let mut arp = [0; 60];
        arp[12..14].copy_from_slice(&[0x08, 0x06]);
        assert_eq!(Layout::parse(&arp), None);
    }

    #[test]
    fn every_prefix_of_a_frame_is_refused_quietly() {
        let mut frame = vec![0; 14 + 4 + 20 + 20];
        frame[12..14].copy_from_slice(&[0x81, 0x00]);
        frame[16..18].copy_from_slice(&[0x08, 0x00]);
        frame[18] = 0x45;
        frame[27] = 6;
        frame[38 + 12] = 0x50;
        let whole = Layout::parse(&frame).expect("TCP");
        assert_eq!((whole.l3, whole.l4, whole.payload), (18, 38, 58));
        for len in 0..frame.len() {
            assert_eq!(Layout::parse(&frame[..len]), None, "{len}");
        }
        // The second of two fragments.
        frame[18 + 7] = 1;
        assert_eq!(Layout::parse(&frame), None);
    }
}
