// SPDX-License-Identifier: BSD-2-Clause
//! The IPv4 header (RFC 791), strictly.

use super::{Af, Bad, Frag, Packet, View, proto, upper};
use crate::bytes::plus;
use crate::ipv4::HEADER_LEN;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

#[inline]
pub(super) fn parse(view: View<'_>, start: usize) -> Result<Packet, Bad> {
    let h: &[u8; HEADER_LEN] = view.chunk(start)?;
    let &[
        first,
        tos,
        l0,
        l1,
        i0,
        i1,
        f0,
        f1,
        ttl,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = h;
    if first >> 4 != 4 {
        return Err(Bad::Version);
    }
    let header_len = usize::from(first & 0x0f) << 2;
    let len = u16::from_be_bytes([l0, l1]);
    if header_len < HEADER_LEN || usize::from(len) < header_len {
        return Err(Bad::Length);
    }
    let end = plus(start, len.into());
    if view.whole && end > view.end {
        return Err(Bad::Length);
    }
    // An embedded packet may be cut off, a whole one may be followed by padding.
    let inside = View {
        end: end.min(view.end),
        ..view
    };
    let at = plus(start, header_len);
    if at > inside.end {
        return Err(Bad::Short);
    }
    let bits = u16::from_be_bytes([f0, f1]);
    let frag = if bits & (MORE_FRAGMENTS | OFFSET_MASK) == 0 {
        None
    } else {
        let piece = usize::from(len).saturating_sub(header_len);
        let id = u16::from_be_bytes([i0, i1]).into();
        let offset = (bits & OFFSET_MASK) << 3;
        Some(fragment(
            id,
            offset,
            piece,
            bits & MORE_FRAGMENTS != 0,
            view.whole,
        )?)
    };
    // The offset that overwrites the flags of TCP (RFC 3128).
    if matches!(frag, Some(Frag { offset: 8, .. }) if protocol == proto::TCP) {
        return Err(Bad::Tiny);
    }
    let src = u32::from_be_bytes([s0, s1, s2, s3]);
    let dst = u32::from_be_bytes([d0, d1, d2, d3]);
    let (ids, upper) = upper::parse(inside, Af::V4, protocol, at, frag)?;
    Ok(Packet {
        src: src.into(),
        dst: dst.into(),
        af: Af::V4,
        proto: protocol,
        tos,
        ttl,
        has_options: header_len > HEADER_LEN,
        authenticated: false,
        dont_fragment: bits & DONT_FRAGMENT != 0,
        start: u16::try_from(start).map_err(|_| Bad::Beyond)?,
        at: u16::try_from(at).map_err(|_| Bad::Beyond)?,
        len: len.into(),
        frag,
        ids,
        upper,
    })
}

/// A piece of `len` bytes at `offset`. The rules hold for both families.
pub(super) fn fragment(
    id: u32,
    offset: u16,
    len: usize,
    more: bool,
    strict: bool,
) -> Result<Frag, Bad> {
    let len = u16::try_from(len).map_err(|_| Bad::Fragment)?;
    let beyond = offset.checked_add(len).is_none();
    // A whole packet with a fragment header may be empty.
    let empty = len == 0 && (more || offset != 0);
    if strict && (beyond || empty || (more && len & 7 != 0)) {
        return Err(Bad::Fragment);
    }
    Ok(Frag {
        id,
        offset,
        len,
        more,
    })
}
