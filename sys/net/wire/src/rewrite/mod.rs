// SPDX-License-Identifier: BSD-2-Clause
//! Changing a packet in place, with its checksums (RFC 1624, equation 3).
//!
//! What is read here has been parsed before: `p` is what [`packet::parse`] made of the same `head`,
//! and says afterwards what the packet has become. Identification, time to live and payload stay.
//! A checksum that was wrong stays wrong by as much, so that the receiver still finds out.

mod delta;
mod error;
mod header;
mod npt;
mod splice;
mod tcp;

use crate::bytes::plus;
use crate::packet::{Af, Ids, Packet, Upper, proto};
use delta::Delta;

pub use error::error;
pub use header::{Header, header};
pub use npt::{Npt, Untranslatable};
pub use splice::splice;
pub use tcp::{clamp_mss, shift};

#[cfg(doc)]
use crate::packet;

/// What the checksum fields of TCP and UDP hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sums {
    /// The checksum.
    #[default]
    Whole,
    /// The folded sum of the pseudo-header, not complemented: whoever sends the packet finishes it.
    Partial,
}

/// What a translation wants a packet to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Source address.
    pub src: u128,
    /// Destination address.
    pub dst: u128,
    /// Ports, query identifier or call id; of the same kind as the packet's. [`Ids::None`] leaves
    /// them.
    pub ids: Ids,
}

/// Why a packet was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `head` does not have the bytes that would change.
    Short,
    /// The ids are of another kind than the packet's, or ones that cannot change: SCTP's ports,
    /// whose checksum covers the data, and SPIs, which both ends have agreed on.
    Ids,
    /// An authentication header covers the addresses.
    Authenticated,
    /// No room for what is to be written.
    NoRoom,
}

impl Packet {
    /// What a translation may change, as it is.
    #[inline]
    pub const fn ends(&self) -> Ends {
        Ends {
            src: self.src,
            dst: self.dst,
            ids: self.ids,
        }
    }
}

/// Where a transport checksum stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Offset in the bytes that were parsed.
    pub(crate) at: usize,
    /// A field of 0 says that there is no checksum.
    pub(crate) optional: bool,
    /// The pseudo-header is part of the sum.
    pub(crate) pseudo: bool,
}

/// The transport checksum of a packet, if it starts with a transport header that has one.
#[inline]
pub(crate) fn sum_of(p: &Packet) -> Option<Place> {
    if p.is_later_fragment() {
        return None;
    }
    let (offset, optional, pseudo) = match (p.proto, p.af) {
        (proto::TCP, _) => (crate::tcp::CKSUM_AT, false, true),
        (proto::UDP, _) => (6, true, true),
        (proto::UDPLITE | proto::DCCP, _) => (6, false, true),
        (proto::ICMP, Af::V4) => (crate::icmp::CKSUM_AT, false, false),
        (proto::ICMPV6, Af::V6) => (crate::icmp::CKSUM_AT, false, true),
        _ => return None,
    };
    Some(Place {
        at: plus(p.at.into(), offset),
        optional,
        pseudo,
    })
}

/// Gives a packet other addresses and ids. Every piece of a fragmented packet must get the same
/// addresses; ids are in the first only.
///
/// # Errors
/// Nothing has been changed.
#[inline]
pub fn ends(head: &mut [u8], p: &mut Packet, to: &Ends, sums: Sums) -> Result<(), Refused> {
    check(head, p, to, p.end())?;
    let mut addrs = Delta::default();
    let mut ids = Delta::default();
    put_addrs(head, p, to, &mut addrs);
    put_ids(head, p, to.ids, &mut ids);
    if let Some(place) = sum_of(p) {
        let mut all = ids;
        if place.pseudo {
            all = all.and(addrs);
        }
        match (sums, p.upper) {
            (Sums::Partial, Upper::Tcp(_) | Upper::Udp { .. }) => {
                addrs.apply_partial(head, place.at, place.optional);
            }
            _ => all.apply(head, place.at, place.optional),
        }
        if !place.pseudo {
            all_zero(head, p, place.at);
        }
    }
    took(p, to);
    Ok(())
}

/// A message of zeros alone (an echo reply can be one) has the checksum ffff, where the difference
/// says 0: only there do the two forms of zero differ to a receiver.
#[inline]
fn all_zero(head: &mut [u8], p: &Packet, sum_at: usize) {
    if crate::bytes::get16(head, sum_at) == Some(0)
        && let Some(message) = head.get(usize::from(p.at)..p.end())
        && message.iter().all(|&b| b == 0)
    {
        crate::bytes::put16(head, sum_at, 0xffff);
    }
}

/// Whether all that `to` asks for can be written. What is behind `end` is not there.
#[inline]
fn check(head: &[u8], p: &Packet, to: &Ends, end: usize) -> Result<(), Refused> {
    let moved = to.src != p.src || to.dst != p.dst;
    if moved && p.authenticated {
        return Err(Refused::Authenticated);
    }
    match (p.ids, to.ids) {
        (_, Ids::None) => {}
        (a, b) if a == b => {}
        (Ids::Ports { .. }, Ids::Ports { .. }) if p.proto != proto::SCTP => {}
        (Ids::Query(_), Ids::Query(_)) | (Ids::Call(_), Ids::Call(_)) => {}
        _ => return Err(Refused::Ids),
    }
    let header = match p.af {
        Af::V4 => crate::ipv4::HEADER_LEN,
        Af::V6 => crate::ipv6::HEADER_LEN,
    };
    let ids = match p.ids {
        Ids::None => 0,
        Ids::Ports { .. } | Ids::Spi(_) => 4,
        Ids::Query(_) | Ids::Call(_) => 8,
    };
    let ip = plus(p.start.into(), header);
    // A checksum that an ICMP error has cut off does not count.
    let sum = sum_of(p).map_or(0, |place| plus(place.at, 2));
    let sum = if sum > end { 0 } else { sum };
    if ip.max(plus(p.at.into(), ids)).max(sum) > head.len() {
        return Err(Refused::Short);
    }
    Ok(())
}

/// Writes the addresses, and the header checksum of IPv4. `delta` is what has changed but for that.
#[inline]
fn put_addrs(head: &mut [u8], p: &Packet, to: &Ends, delta: &mut Delta) {
    let start = usize::from(p.start);
    match p.af {
        Af::V4 => {
            if to.src != p.src {
                delta.put32(head, plus(start, 12), to.src as u32);
            }
            if to.dst != p.dst {
                delta.put32(head, plus(start, 16), to.dst as u32);
            }
            delta.apply(head, plus(start, 10), false);
        }
        Af::V6 => {
            if to.src != p.src {
                delta.put128(head, plus(start, 8), to.src);
            }
            if to.dst != p.dst {
                delta.put128(head, plus(start, 24), to.dst);
            }
        }
    }
}

/// Writes the ids.
#[inline]
fn put_ids(head: &mut [u8], p: &Packet, to: Ids, delta: &mut Delta) {
    let at = usize::from(p.at);
    match (p.ids, to) {
        (Ids::Ports { src, dst }, Ids::Ports { src: s, dst: d }) if (src, dst) != (s, d) => {
            delta.put32(head, at, u32::from(s) << 16 | u32::from(d));
        }
        (Ids::Query(was), Ids::Query(id)) if was != id => {
            delta.put16(head, plus(at, crate::icmp::ID_AT), id);
        }
        (Ids::Call(was), Ids::Call(call)) if was != call => {
            delta.put16(head, plus(at, crate::gre::CALL_AT), call);
        }
        _ => {}
    }
}

/// The packet has been given these.
#[inline]
fn took(p: &mut Packet, to: &Ends) {
    (p.src, p.dst) = (to.src, to.dst);
    if p.af == Af::V4 {
        (p.src, p.dst) = (p.src & 0xffff_ffff, p.dst & 0xffff_ffff);
    }
    if to.ids != Ids::None {
        p.ids = to.ids;
    }
}
