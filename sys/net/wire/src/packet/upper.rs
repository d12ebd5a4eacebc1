// SPDX-License-Identifier: BSD-2-Clause
//! The transport header, as far as flows are told apart by it.

use super::{Af, Bad, Frag, Ids, Seg, Upper, View, proto};
use crate::bytes::plus;
use crate::{gre, icmp, tcp, udp};

type Found = Result<(Ids, Upper), Bad>;

/// The header at `at` of a packet that ends where `view` does.
#[inline]
pub(super) fn parse(view: View<'_>, af: Af, protocol: u8, at: usize, frag: Option<Frag>) -> Found {
    let found = match frag {
        None => return header(view, af, protocol, at, false),
        Some(frag) if !frag.is_first() => return Ok((Ids::None, Upper::None)),
        Some(frag) => header(view, af, protocol, at, frag.more),
    };
    match found {
        // The rest is in a later fragment.
        Err(Bad::Short) if view.whole => Err(Bad::Tiny),
        found => found,
    }
}

#[inline]
fn header(view: View<'_>, af: Af, protocol: u8, at: usize, more: bool) -> Found {
    match (protocol, af) {
        (proto::TCP, _) => segment(view, at),
        (proto::UDP, _) => datagram(view, at, more),
        (proto::ICMP, Af::V4) | (proto::ICMPV6, Af::V6) => message(view, af, at),
        (proto::SCTP | proto::DCCP | proto::UDPLITE, _) => {
            // The checksum of each stands within these.
            if view.whole {
                view.chunk::<8>(at)?;
            }
            let &[s0, s1, d0, d1] = view.chunk(at)?;
            Ok((ports([s0, s1], [d0, d1]), Upper::None))
        }
        (proto::GRE, _) => tunnel(view, at),
        (proto::ESP, _) => Ok((Ids::Spi(u32::from_be_bytes(*view.chunk(at)?)), Upper::None)),
        (proto::AH, _) => {
            let spi = *view.chunk(plus(at, 4))?;
            Ok((Ids::Spi(u32::from_be_bytes(spi)), Upper::None))
        }
        _ => Ok((Ids::None, Upper::None)),
    }
}

#[inline]
const fn ports(src: [u8; 2], dst: [u8; 2]) -> Ids {
    Ids::Ports {
        src: u16::from_be_bytes(src),
        dst: u16::from_be_bytes(dst),
    }
}

#[inline]
fn segment(view: View<'_>, at: usize) -> Found {
    let h: &[u8; tcp::HEADER_LEN] = match view.chunk(at) {
        Ok(h) => h,
        Err(Bad::Short) if !view.whole => {
            let &[s0, s1, d0, d1, q0, q1, q2, q3] = view.chunk(at)?;
            let seq = u32::from_be_bytes([q0, q1, q2, q3]);
            return Ok((ports([s0, s1], [d0, d1]), Upper::TcpPart { seq }));
        }
        Err(bad) => return Err(bad),
    };
    let &[
        s0,
        s1,
        d0,
        d1,
        q0,
        q1,
        q2,
        q3,
        a0,
        a1,
        a2,
        a3,
        offset,
        flags,
        w0,
        w1,
        ..,
    ] = h;
    let header_len = (offset >> 4) << 2;
    let data = view.end.checked_sub(plus(at, header_len.into()));
    let data_len = match data {
        Some(n) if usize::from(header_len) >= tcp::HEADER_LEN => {
            u32::try_from(n).map_err(|_| Bad::Length)?
        }
        None if usize::from(header_len) >= tcp::HEADER_LEN && !view.whole => 0,
        _ => return Err(Bad::TcpOffset),
    };
    let seg = Seg {
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        window: u16::from_be_bytes([w0, w1]),
        flags: tcp::Flags(flags),
        header_len,
        data_len,
    };
    Ok((ports([s0, s1], [d0, d1]), Upper::Tcp(seg)))
}

#[inline]
fn datagram(view: View<'_>, at: usize, more: bool) -> Found {
    let &[s0, s1, d0, d1, l0, l1, _, _] = view.chunk::<{ udp::HEADER_LEN }>(at)?;
    let len = u16::from_be_bytes([l0, l1]);
    let beyond = plus(at, len.into()) > view.end && view.whole && !more;
    if usize::from(len) < udp::HEADER_LEN || beyond {
        return Err(Bad::UdpLength);
    }
    Ok((ports([s0, s1], [d0, d1]), Upper::Udp { len }))
}

#[inline]
fn message(view: View<'_>, af: Af, at: usize) -> Found {
    let &[typ, code, _, _, i0, i1, _, _] = view.chunk::<{ icmp::HEADER_LEN }>(at)?;
    let kind = match af {
        Af::V4 => icmp::kind4(typ),
        Af::V6 => icmp::kind6(typ),
    };
    let ids = match kind {
        icmp::Kind::Request | icmp::Kind::Reply => Ids::Query(u16::from_be_bytes([i0, i1])),
        icmp::Kind::Error | icmp::Kind::Other => Ids::None,
    };
    Ok((ids, Upper::Icmp { typ, code, kind }))
}

/// GRE that cannot be read is no flow of PPTP; it is not refused.
fn tunnel(view: View<'_>, at: usize) -> Found {
    match view.chunk::<8>(at).map(|h| gre::Header::parse(h)) {
        Err(Bad::Beyond) => Err(Bad::Beyond),
        Ok(Ok(gre::Header::Pptp { call, .. })) => Ok((Ids::Call(call), Upper::Pptp)),
        _ => Ok((Ids::None, Upper::None)),
    }
}
