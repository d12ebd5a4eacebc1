// SPDX-License-Identifier: BSD-2-Clause
//! What lay before a packet's IP header: kept with the packet while hooks look at it.
//!
//! *Contexts*: any. *Locking*: none.

/// Longest header: Ethernet with two VLAN tags.
pub const LINK_MOST: usize = 22;
/// Bytes of a `struct virtio_net_hdr`, without the count of merged buffers.
pub const VNET_HDR: usize = 10;
/// Both addresses of Ethernet.
const ADDRS: usize = 12;

/// An Ethernet header with its VLAN tags, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkHeader {
    len: u8,
    bytes: [u8; LINK_MOST],
}

impl LinkHeader {
    /// No header.
    pub const NONE: LinkHeader = LinkHeader {
        len: 0,
        bytes: [0; LINK_MOST],
    };

    /// From its bytes: destination, source, tags, type. `None`: less than 14 or more than
    /// [`LINK_MOST`].
    pub fn new(header: &[u8]) -> Option<LinkHeader> {
        let mut bytes = [0; LINK_MOST];
        if header.len() < ADDRS + 2 {
            return None;
        }
        bytes.get_mut(..header.len())?.copy_from_slice(header);
        Some(LinkHeader {
            len: header.len() as u8,
            bytes,
        })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it is addressed to a group (broadcast is one).
    pub fn to_group(&self) -> bool {
        self.bytes().first().is_some_and(|first| first & 1 != 0)
    }

    /// The way back: addresses swapped, tags and type as they are.
    #[must_use]
    pub fn reversed(&self) -> LinkHeader {
        let mut back = *self;
        let (dst, rest) = back.bytes.split_at_mut(ADDRS / 2);
        if let Some(src) = rest.get_mut(..ADDRS / 2) {
            dst.swap_with_slice(src);
        }
        back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_its_tags_on_the_way_back() {
        let bytes: Vec<u8> = (2..24).collect();
        let there = LinkHeader::new(&bytes).expect("fits");
        let back = there.reversed();
        assert_eq!(back.bytes()[..12], [8, 9, 10, 11, 12, 13, 2, 3, 4, 5, 6, 7]);
        assert_eq!(back.bytes()[12..], bytes[12..]);
        assert_eq!(back.reversed(), there);
        assert!(!there.to_group() && LinkHeader::new(&[0xff; 14]).expect("fits").to_group());
    }

    #[test]
    fn lengths_that_none_has_are_refused() {
        assert_eq!(LinkHeader::new(&[0; 13]), None);
        assert_eq!(LinkHeader::new(&[0; 23]), None);
        assert!(LinkHeader::NONE.is_empty() && LinkHeader::NONE.reversed().is_empty());
    }
}
