// SPDX-License-Identifier: BSD-2-Clause
//! Translating an ICMP error: itself, and the packet that it embeds (RFC 5508, 4.2).

use super::delta::Delta;
use super::{Ends, Refused, check, put_addrs, put_ids, sum_of, took};
use crate::bytes::{get16, plus};
use crate::packet::{Af, Ids, Packet};

/// Gives an ICMP error the addresses `src` and `dst`, and the packet in it the ends `inner_to`.
///
/// `outer` and `inner` are what [`crate::packet::parse`] and [`Packet::embedded`] made of the same
/// `head`. The embedded header's checksum is brought up to date, that of the embedded transport
/// header where it has not been cut off, and the checksum of the error itself.
///
/// # Errors
/// Nothing has been changed.
pub fn error(
    head: &mut [u8],
    outer: &mut Packet,
    inner: &mut Packet,
    (src, dst): (u128, u128),
    inner_to: &Ends,
) -> Result<(), Refused> {
    let outer_to = Ends {
        src,
        dst,
        ids: Ids::None,
    };
    let sum = sum_of(outer).filter(|_| outer.is_icmp_error());
    let sum = sum.ok_or(Refused::Ids)?;
    let end = outer.end();
    check(head, outer, &outer_to, end)?;
    check(head, inner, inner_to, end)?;
    // All that changes behind the ICMP header, and for ICMPv6 in the pseudo-header.
    let mut all = Delta::default();
    put_addrs(head, outer, &outer_to, &mut all);
    if outer.af == Af::V4 {
        all = Delta::default();
    }
    embedded(head, inner, inner_to, end, &mut all);
    all.apply(head, sum.at, false);
    took(outer, &outer_to);
    took(inner, inner_to);
    Ok(())
}

/// The embedded packet, which ends where the error does, at `end`.
fn embedded(head: &mut [u8], inner: &Packet, to: &Ends, end: usize, all: &mut Delta) {
    let mut addrs = Delta::default();
    let mut ids = Delta::default();
    let header_sum = plus(inner.start.into(), 10);
    let before = get16(head, header_sum);
    put_addrs(head, inner, to, &mut addrs);
    put_ids(head, inner, to.ids, &mut ids);
    *all = all.and(addrs).and(ids);
    if inner.af == Af::V4
        && let (Some(old), Some(new)) = (before, get16(head, header_sum))
    {
        all.changed(old, new);
    }
    let Some(place) = sum_of(inner) else { return };
    // Cut off (RFC 792 promises 8 bytes): then what lies there is not the checksum.
    if plus(place.at, 2) > end {
        return;
    }
    let change = if place.pseudo { ids.and(addrs) } else { ids };
    change.apply_within(head, place.at, place.optional, all);
}
