// SPDX-License-Identifier: BSD-2-Clause
//! Checksums, computed over all their bytes.

use super::{Af, Packet, proto};
use crate::bytes::get16;
use crate::cksum::Sum;
use crate::rewrite::sum_of;

/// Whether the header checksum of IPv4 is right; IPv6 has none. `p` is what [`super::parse`] made
/// of `head`.
#[inline]
pub fn header_sum_ok(head: &[u8], p: &Packet) -> bool {
    if p.af == Af::V6 {
        return true;
    }
    let start = usize::from(p.start);
    let Some(first) = head.get(start) else {
        return false;
    };
    let end = start.saturating_add(usize::from(first & 0x0f) << 2);
    head.get(start..end)
        .is_some_and(|header| Sum::new().bytes(header).finish() == 0)
}

/// Whether the checksum of TCP, UDP, UDP-Lite, DCCP or ICMP is right. `whole` is all of the
/// packet, which is not a fragment. `None` where there is nothing to check: another protocol, a
/// fragment, a datagram without checksum, bytes missing.
pub fn upper_sum_ok(whole: &[u8], p: &Packet) -> Option<bool> {
    let place = sum_of(p)?;
    if p.is_fragment() {
        return None;
    }
    let upper = whole.get(usize::from(p.at)..p.end())?;
    let at = place.at.checked_sub(p.at.into())?;
    if get16(upper, at)? == 0 && place.optional {
        return None;
    }
    // UDP covers what its length says, UDP-Lite what its coverage says.
    let says = usize::from(get16(upper, 4).unwrap_or(0));
    let covered = match p.proto {
        proto::UDP => upper.get(..says)?,
        proto::UDPLITE if says != 0 => upper.get(..says)?,
        _ => upper,
    };
    let len = match p.proto {
        proto::UDP => covered.len(),
        _ => upper.len(),
    };
    let sum = if place.pseudo {
        pseudo(p, len)?
    } else {
        Sum::new()
    };
    Some(sum.bytes(covered).finish() == 0)
}

/// The pseudo-header of a packet's transport checksum; `len` is the length that it counts.
pub fn pseudo(p: &Packet, len: usize) -> Option<Sum> {
    Some(match p.af {
        Af::V4 => Sum::pseudo4(
            (p.src as u32).to_be_bytes(),
            (p.dst as u32).to_be_bytes(),
            p.proto,
            u16::try_from(len).ok()?,
        ),
        Af::V6 => Sum::pseudo6(
            p.src.to_be_bytes(),
            p.dst.to_be_bytes(),
            p.proto,
            u32::try_from(len).ok()?,
        ),
    })
}
