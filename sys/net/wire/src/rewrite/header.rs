// SPDX-License-Identifier: BSD-2-Clause
//! Fields of the IP header that a filter's rules may set.

use super::delta::Delta;
use crate::bytes::get16;
use crate::packet::{Af, Packet};

/// What is to be set; the default sets nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// A lower time to live or hop limit becomes this.
    pub min_ttl: u8,
    /// The differentiated services code point, 6 bits.
    pub dscp: Option<u8>,
    /// IPv4: "don't fragment" is cleared.
    pub no_df: bool,
    /// IPv4: the identification, of what is not a fragment.
    pub id: Option<u16>,
}

/// Sets fields of the header, with the checksum of IPv4. What is not in `head` stays.
pub fn header(head: &mut [u8], p: &mut Packet, set: &Header) {
    let start = usize::from(p.start);
    let at = |offset: usize| start.saturating_add(offset);
    let tos = set.dscp.map_or(p.tos, |dscp| dscp << 2 | p.tos & 3);
    let ttl = p.ttl.max(set.min_ttl);
    match p.af {
        Af::V4 => {
            let mut delta = Delta::default();
            if tos != p.tos
                && let Some(word) = get16(head, at(0))
            {
                delta.put16(head, at(0), word & 0xff00 | u16::from(tos));
            }
            if ttl != p.ttl
                && let Some(word) = get16(head, at(8))
            {
                delta.put16(head, at(8), word & 0x00ff | u16::from(ttl) << 8);
            }
            if set.no_df
                && let Some(word) = get16(head, at(6))
            {
                delta.put16(head, at(6), word & !0x4000);
                p.dont_fragment = false;
            }
            if let Some(id) = set.id
                && p.frag.is_none()
            {
                delta.put16(head, at(4), id);
            }
            delta.apply(head, at(10), false);
        }
        Af::V6 => {
            if let Some([first, second]) = head.get_mut(at(0)..at(2)) {
                *first = 0x60 | tos >> 4;
                *second = tos << 4 | *second & 0x0f;
            }
            if let Some(hops) = head.get_mut(at(7)) {
                *hops = ttl;
            }
        }
    }
    (p.tos, p.ttl) = (tos, ttl);
}
