// SPDX-License-Identifier: BSD-2-Clause
//! What a classifier looks at in a packet.

/// The protocol number of TCP.
pub const TCP: u8 = 6;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Af {
    /// IPv4.
    V4 = 0,
    /// IPv6.
    V6 = 1,
}

/// Where a packet is going, seen from the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Dir {
    /// It came in.
    In = 0,
    /// It goes out.
    Out = 1,
}

/// What part of a datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Frag {
    /// All of it.
    Whole = 1,
    /// The first fragment, with the transport header.
    First = 2,
    /// A later fragment: it has no ports, flags and types, whatever the fields say.
    Later = 4,
}

/// The fields of one packet. What a packet does not have is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Source address; IPv4 in the low 32 bits.
    pub src: u128,
    /// Destination address.
    pub dst: u128,
    /// The packet's mark.
    pub mark: u32,
    /// Source port, or what stands for it.
    pub sport: u16,
    /// Destination port, or what stands for it.
    pub dport: u16,
    /// Address family.
    pub af: Af,
    /// Direction.
    pub dir: Dir,
    /// Slot of the interface, as in [`IfSet`](crate::IfSet).
    pub iface: u8,
    /// Protocol after extension headers.
    pub proto: u8,
    /// TCP flags.
    pub tcp_flags: u8,
    /// ICMP or ICMPv6 type.
    pub icmp_type: u8,
    /// ICMP or ICMPv6 code.
    pub icmp_code: u8,
    /// Differentiated services code point, 6 bits.
    pub dscp: u8,
    /// Whole or fragment.
    pub frag: Frag,
}

impl Fields {
    /// A packet of `af` with nothing in it, coming in on slot 0.
    pub const fn new(af: Af) -> Self {
        Fields {
            src: 0,
            dst: 0,
            mark: 0,
            sport: 0,
            dport: 0,
            af,
            dir: Dir::In,
            iface: 0,
            proto: 0,
            tcp_flags: 0,
            icmp_type: 0,
            icmp_code: 0,
            dscp: 0,
            frag: Frag::Whole,
        }
    }
}
