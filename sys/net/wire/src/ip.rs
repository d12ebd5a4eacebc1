// SPDX-License-Identifier: BSD-2-Clause
//! What an Ethernet frame carries, seen from outside: is it one of our own outer packets?
//!
//! A pseudowire whose outer packets are routed into itself wraps each packet again, until the
//! path or the memory is full. The frame that is about to be sent tells: it holds an L2TP
//! message with the addresses and the session id that it would get itself.
//!
//! All functions are total: whatever cannot be read is `None`, and a frame that cannot be read is
//! not one that we have made.

use crate::l2tp::{Encap, IPPROTO_L2TP, Message, SessionId};
use crate::{ether, ipv4, ipv6, udp};
use core::net::IpAddr;

/// The protocol number of UDP.
pub const IPPROTO_UDP: u8 = 17;

/// Bytes of a frame that suffice to see the session id: two tags, the longest IPv4 header (or an
/// IPv6 header with 20 bytes of extensions), UDP, and the header up to the session id.
pub const LOOK: usize = 98;

/// The IP packet in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol, for IPv6 behind the extension headers.
    pub proto: u8,
    /// The payload, as far as the frame has it; `None` in a fragment other than the first,
    /// which does not start with a header.
    pub payload: Option<&'a [u8]>,
}

/// The UDP ports of a tunnel, as its packets have them on their way to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Source port: ours.
    pub src: u16,
    /// Destination port: the peer's.
    pub dst: u16,
}

/// An L2TP data message in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Source address of the packet that carries it.
    pub src: IpAddr,
    /// Destination address of that packet.
    pub dst: IpAddr,
    /// Over IP or over UDP.
    pub encap: Encap,
    /// The session id, which is the receiver's.
    pub session: SessionId,
}

/// The IP packet in an Ethernet frame, behind at most two VLAN tags.
pub fn inner(frame: &[u8]) -> Option<Inner<'_>> {
    let frame = ether::parse(frame).ok()?;
    match frame.ethertype {
        ether::TYPE_IPV4 => {
            let ipv4::Packet {
                header, payload, ..
            } = ipv4::parse(frame.payload).ok()?;
            Some(Inner {
                src: header.src.into(),
                dst: header.dst.into(),
                proto: header.proto,
                payload: (header.frag_offset() == 0).then_some(payload),
            })
        }
        ether::TYPE_IPV6 => {
            let p = ipv6::parse(frame.payload).ok()?;
            Some(Inner {
                src: p.header.src.into(),
                dst: p.header.dst.into(),
                proto: p.proto,
                payload: (p.frag_offset == 0).then_some(p.payload),
            })
        }
        _ => None,
    }
}

/// The L2TP data message in an Ethernet frame: over IP/115, or over UDP if `ports` are given and
/// both are the datagram's. Control messages and later fragments are `None`.
pub fn carried(frame: &[u8], ports: Option<Ports>) -> Option<Carried> {
    let Inner {
        src,
        dst,
        proto,
        payload,
    } = inner(frame)?;
    let payload = payload?;
    let (encap, bytes) = match (proto, ports) {
        (IPPROTO_L2TP, _) => (Encap::Ip, payload),
        (IPPROTO_UDP, Some(ports)) => {
            let (header, datagram) = udp::Header::parse(payload).ok()?;
            if header.sport.get() != ports.src || header.dport.get() != ports.dst {
                return None;
            }
            (Encap::Udp, datagram)
        }
        _ => return None,
    };
    match Message::parse(bytes, encap) {
        Ok(Message::Data { session, .. }) => Some(Carried {
            src,
            dst,
            encap,
            session,
        }),
        _ => None,
    }
}
