// SPDX-License-Identifier: BSD-2-Clause
//! ICMP errors, and when there must be none.

use super::{Ip, NoRoom};
use crate::bytes::{copy, plus, put16};
use crate::cksum::Sum;
use crate::icmp::{CKSUM_AT, HEADER_LEN, IPPROTO_ICMP, IPPROTO_ICMPV6, Kind, v4, v6};
use crate::packet::{Af, Packet, Upper};

/// As much of a packet goes into an error as makes 576 bytes (RFC 1812, 4.3.2.3) or the least MTU
/// of IPv6 (RFC 4443, 2.4 c).
const MAX_V4: usize = 576;
const MAX_V6: usize = 1280;
/// Errors go as internetwork control (RFC 1812, 4.3.2.5).
const TOS_CONTROL: u8 = 0xc0;

/// What an error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Type; see [`crate::icmp::v4`] and [`crate::icmp::v6`].
    pub typ: u8,
    /// Code.
    pub code: u8,
    /// The four bytes behind the checksum: an MTU, a pointer, or 0.
    pub arg: u32,
}

/// Why a packet must not be answered with an ICMP error (RFC 1122, 3.2.2; RFC 1812, 4.3.2.7;
/// RFC 4443, 2.4 e).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {
    /// It is an ICMP error or a redirect itself.
    Error,
    /// It was sent to a group or to all.
    Multicast,
    /// It came in a link-layer broadcast or multicast.
    LinkBroadcast,
    /// Its source does not name one host.
    Source,
    /// It is a fragment other than the first.
    Fragment,
}

/// Whether a packet may be answered with this type of ICMP error. `link_broadcast`: it came as a
/// broadcast or multicast of the link layer. Broadcast addresses of subnets are for the caller to
/// know.
pub fn may_answer(p: &Packet, typ: u8, link_broadcast: bool) -> Result<(), Never> {
    if p.is_later_fragment() {
        return Err(Never::Fragment);
    }
    match (p.af, p.upper) {
        (
            _,
            Upper::Icmp {
                kind: Kind::Error, ..
            },
        ) => return Err(Never::Error),
        (Af::V6, Upper::Icmp { typ, .. }) if typ == v6::REDIRECT => return Err(Never::Error),
        _ => {}
    }
    // Path MTU discovery must work for groups; so must "unrecognized option", whose code only the
    // caller knows.
    let exempt = p.af == Af::V6 && typ == v6::TOO_BIG;
    if p.af.is_group(p.dst) && !exempt {
        return Err(Never::Multicast);
    }
    if link_broadcast && !exempt {
        return Err(Never::LinkBroadcast);
    }
    if !p.af.is_host(p.src) {
        return Err(Never::Source);
    }
    Ok(())
}

/// Writes the error about the packet that `p` was parsed from, `orig`: all of it or its front.
/// `from` is the address that it is sent from. Ask [`may_answer`] first.
pub fn problem(
    p: &Packet,
    orig: &[u8],
    what: Problem,
    from: u128,
    ttl: u8,
    out: &mut [u8],
) -> Result<usize, NoRoom> {
    let max = match p.af {
        Af::V4 => MAX_V4,
        Af::V6 => MAX_V6,
    };
    let ip = Ip {
        af: p.af,
        src: from,
        dst: p.src,
        ttl,
        tos: if p.af == Af::V4 { TOS_CONTROL } else { 0 },
    };
    let room = max.saturating_sub(plus(ip.header_len(), HEADER_LEN));
    let orig = orig.get(p.start.into()..).unwrap_or(&[]);
    let len = usize::try_from(p.len).unwrap_or(0).min(room);
    let quote = orig.get(..len).unwrap_or(orig);
    message(&ip, what, quote, out)
}

/// Writes an echo request, or the reply to one.
pub fn echo(
    ip: &Ip,
    reply: bool,
    id: u16,
    seq: u16,
    data: &[u8],
    out: &mut [u8],
) -> Result<usize, NoRoom> {
    let typ = match (ip.af, reply) {
        (Af::V4, false) => v4::ECHO,
        (Af::V4, true) => v4::ECHO_REPLY,
        (Af::V6, false) => v6::ECHO,
        (Af::V6, true) => v6::ECHO_REPLY,
    };
    let arg = u32::from(id) << 16 | u32::from(seq);
    let what = Problem { typ, code: 0, arg };
    message(ip, what, data, out)
}

fn message(ip: &Ip, what: Problem, data: &[u8], out: &mut [u8]) -> Result<usize, NoRoom> {
    let proto = match ip.af {
        Af::V4 => IPPROTO_ICMP,
        Af::V6 => IPPROTO_ICMPV6,
    };
    let len = plus(HEADER_LEN, data.len());
    let whole = plus(ip.header_len(), len);
    let out = out.get_mut(..whole).ok_or(NoRoom)?;
    let (front, upper) = out.split_at_mut_checked(ip.header_len()).ok_or(NoRoom)?;
    ip.emit(proto, len, front)?;
    let (h, rest) = upper.split_first_chunk_mut::<8>().ok_or(NoRoom)?;
    let [a0, a1, a2, a3] = what.arg.to_be_bytes();
    *h = [what.typ, what.code, 0, 0, a0, a1, a2, a3];
    copy(rest, data);
    let start = match ip.af {
        Af::V4 => Sum::new(),
        Af::V6 => ip.pseudo(proto, u16::try_from(len).map_err(|_| NoRoom)?),
    };
    let sum = start.bytes(upper).finish();
    put16(upper, CKSUM_AT, sum);
    Ok(whole)
}
