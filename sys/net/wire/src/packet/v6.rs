// SPDX-License-Identifier: BSD-2-Clause
//! The IPv6 header and its extension headers (RFC 8200), strictly.

use super::{Af, Bad, Frag, Packet, View, proto, upper, v4};
use crate::bytes::plus;
use crate::ipv6::HEADER_LEN;

/// How many extension headers are walked over. RFC 8200 (4.1) knows seven at most.
pub const MAX_EXTENSIONS: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// The option of a jumbogram (RFC 2675).
const OPT_JUMBO: u8 = 0xc2;
const OPT_PAD1: u8 = 0;

/// What the extension headers say.
struct Chain {
    proto: u8,
    at: usize,
    frag: Option<Frag>,
    options: bool,
    authenticated: bool,
}

#[inline]
pub(super) fn parse(view: View<'_>, start: usize) -> Result<Packet, Bad> {
    let h: &[u8; HEADER_LEN] = view.chunk(start)?;
    let (front, addrs) = h.split_first_chunk::<8>().ok_or(Bad::Short)?;
    let &[v0, v1, _, _, l0, l1, next, ttl] = front;
    if v0 >> 4 != 6 {
        return Err(Bad::Version);
    }
    let payload_len = u16::from_be_bytes([l0, l1]);
    if payload_len == 0 && next == HOP_BY_HOP {
        return Err(Bad::Jumbo);
    }
    let len = plus(HEADER_LEN, payload_len.into());
    let end = plus(start, len);
    if view.whole && end > view.end {
        return Err(Bad::Length);
    }
    let inside = View {
        end: end.min(view.end),
        ..view
    };
    let at = plus(start, HEADER_LEN);
    let chain = if is_extension(next) {
        walk(inside, next, at, end)?
    } else {
        Chain {
            proto: next,
            at,
            frag: None,
            options: false,
            authenticated: false,
        }
    };
    let (src, dst) = addrs.split_first_chunk().ok_or(Bad::Short)?;
    let dst = dst.first_chunk().ok_or(Bad::Short)?;
    let (ids, upper) = upper::parse(inside, Af::V6, chain.proto, chain.at, chain.frag)?;
    Ok(Packet {
        src: u128::from_be_bytes(*src),
        dst: u128::from_be_bytes(*dst),
        af: Af::V6,
        proto: chain.proto,
        tos: v0 << 4 | v1 >> 4,
        ttl,
        has_options: chain.options,
        authenticated: chain.authenticated,
        dont_fragment: true,
        start: u16::try_from(start).map_err(|_| Bad::Beyond)?,
        at: u16::try_from(chain.at).map_err(|_| Bad::Beyond)?,
        len: u32::try_from(len).map_err(|_| Bad::Length)?,
        frag: chain.frag,
        ids,
        upper,
    })
}

/// The extension headers from `at`; `end` is where the header says that the packet ends.
fn walk(view: View<'_>, first: u8, at: usize, end: usize) -> Result<Chain, Bad> {
    let mut c = Chain {
        proto: first,
        at,
        frag: None,
        options: false,
        authenticated: false,
    };
    for n in 0..=MAX_EXTENSIONS {
        let later = matches!(c.frag, Some(frag) if !frag.is_first());
        if later || !is_extension(c.proto) {
            return Ok(c);
        }
        // A chain this long serves only to hide what is behind it.
        if n == MAX_EXTENSIONS {
            break;
        }
        // A first fragment must have the whole chain (RFC 7112).
        let short = |bad| match (bad, c.frag) {
            (Bad::Short, Some(frag)) if frag.more && view.whole => Bad::Tiny,
            _ => bad,
        };
        let &[next, units, b2, b3, i0, i1, i2, i3] = view.chunk::<8>(c.at).map_err(short)?;
        // At most 2048: neither sum nor shift can overflow.
        let len = match c.proto {
            FRAGMENT => 8,
            proto::AH => usize::from(units).wrapping_add(2) << 2,
            _ => usize::from(units).wrapping_add(1) << 3,
        };
        let behind = plus(c.at, len);
        if behind > view.end {
            return Err(short(Bad::Short));
        }
        match c.proto {
            // Only right behind the IPv6 header (RFC 8200, 4.1).
            HOP_BY_HOP if n != 0 => return Err(Bad::Options),
            HOP_BY_HOP => {
                if jumbo(view, c.at, len)? {
                    return Err(Bad::Jumbo);
                }
                c.options = true;
            }
            ROUTING if b2 == 0 => return Err(Bad::RoutingZero),
            ROUTING | DESTINATION => c.options = true,
            proto::AH => c.authenticated = true,
            _ if c.frag.is_some() => return Err(Bad::Options),
            _ => {
                let bits = u16::from_be_bytes([b2, b3]);
                let id = u32::from_be_bytes([i0, i1, i2, i3]);
                let piece = end.saturating_sub(behind);
                let frag = v4::fragment(id, bits & 0xfff8, piece, bits & 1 != 0, view.whole)?;
                c.frag = Some(frag);
            }
        }
        c.at = behind;
        c.proto = next;
    }
    Err(Bad::Options)
}

/// Whether hop-by-hop options have the one of a jumbogram.
fn jumbo(view: View<'_>, at: usize, len: usize) -> Result<bool, Bad> {
    let options = view.head.get(plus(at, 2)..plus(at, len));
    let mut options = options.ok_or(Bad::Beyond)?;
    loop {
        match *options {
            [] => return Ok(false),
            [OPT_PAD1, ..] => options = options.get(1..).unwrap_or(&[]),
            [OPT_JUMBO, ..] => return Ok(true),
            [_, n, ..] => {
                let next = plus(n.into(), 2);
                options = options.get(next..).ok_or(Bad::Options)?;
            }
            [_] => return Err(Bad::Options),
        }
    }
}

const fn is_extension(next: u8) -> bool {
    matches!(
        next,
        HOP_BY_HOP | ROUTING | FRAGMENT | proto::AH | DESTINATION
    )
}
