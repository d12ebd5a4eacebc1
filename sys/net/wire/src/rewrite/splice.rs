// SPDX-License-Identifier: BSD-2-Clause
//! Replacing a piece of the payload by one of another length.

use super::{Refused, Sums, sum_of};
use crate::bytes::{copy, plus, put16, slide};
use crate::cksum::Sum;
use crate::packet::{Af, Packet, Upper, verify};

/// Replaces the `old_len` bytes at `at` by `new`, in a whole TCP or UDP packet that is not a
/// fragment; the bytes behind move. `b` has room to grow: the packet is its first [`Packet::end`]
/// bytes. Lengths and checksums become right.
///
/// Returns the packet's new length; `p` says afterwards what the packet has become.
///
/// # Errors
/// Nothing has been changed.
pub fn splice(
    b: &mut [u8],
    p: &mut Packet,
    at: usize,
    old_len: usize,
    new: &[u8],
    sums: Sums,
) -> Result<usize, Refused> {
    let data = p.data_at().ok_or(Refused::Ids)?;
    let place = sum_of(p).ok_or(Refused::Ids)?;
    if p.start != 0 || p.is_fragment() || matches!(p.upper, Upper::Icmp { .. }) {
        return Err(Refused::Ids);
    }
    let end = p.end();
    let tail = plus(at, old_len);
    if at < data || tail > end || end > b.len() {
        return Err(Refused::Short);
    }
    let behind = plus(at, new.len());
    let grown = plus(end.saturating_sub(old_len), new.len());
    let room = match p.af {
        Af::V4 => 65_535,
        Af::V6 => 65_575,
    };
    if grown > b.len() || grown > room {
        return Err(Refused::NoRoom);
    }
    let len = u32::try_from(grown).map_err(|_| Refused::NoRoom)?;
    slide(b, tail, end, behind);
    copy(b.get_mut(at..behind).ok_or(Refused::NoRoom)?, new);
    p.len = len;
    // An atomic fragment has its length there too (RFC 6946).
    if let Some(frag) = &mut p.frag {
        let piece = usize::from(frag.len).saturating_sub(old_len);
        frag.len = u16::try_from(plus(piece, new.len())).unwrap_or(u16::MAX);
    }
    let upper_len = grown.saturating_sub(p.at.into());
    set_lengths(b, p, grown, upper_len);
    put16(b, place.at, 0);
    let bytes = b.get(usize::from(p.at)..grown).unwrap_or(&[]);
    let pseudo = verify::pseudo(p, upper_len).unwrap_or_default();
    let sum = match sums {
        Sums::Partial => !pseudo.finish(),
        Sums::Whole => match pseudo.bytes(bytes).finish() {
            0 if place.optional => 0xffff,
            sum => sum,
        },
    };
    put16(b, place.at, sum);
    Ok(grown)
}

/// The length fields of a packet of `len` bytes, and what `p` says of them.
fn set_lengths(b: &mut [u8], p: &mut Packet, len: usize, upper_len: usize) {
    let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    match p.af {
        Af::V4 => {
            put16(b, 2, short(len));
            put16(b, 10, 0);
            let options = b.first().map_or(0, |first| usize::from(first & 0x0f) << 2);
            let header = b.get(..options).unwrap_or(&[]);
            put16(b, 10, Sum::new().bytes(header).finish());
        }
        Af::V6 => put16(b, 4, short(len.saturating_sub(crate::ipv6::HEADER_LEN))),
    }
    match &mut p.upper {
        Upper::Tcp(seg) => {
            let data = upper_len.saturating_sub(seg.header_len.into());
            seg.data_len = u32::try_from(data).unwrap_or(0);
        }
        Upper::Udp { len } => {
            *len = short(upper_len);
            put16(b, plus(p.at.into(), 4), *len);
        }
        _ => {}
    }
}
