// SPDX-License-Identifier: BSD-2-Clause
//! ICMP (RFC 792) and ICMPv6 (RFC 4443): types, codes, and what kind of message a type is.

/// The protocol number of ICMP.
pub const IPPROTO_ICMP: u8 = 1;
/// The protocol number of ICMPv6.
pub const IPPROTO_ICMPV6: u8 = 58;
/// Bytes in the header that all messages start with: type, code, checksum, four bytes of the type.
pub const HEADER_LEN: usize = 8;
/// Where the checksum stands.
pub const CKSUM_AT: usize = 2;
/// Where the identifier of a query stands.
pub const ID_AT: usize = 4;

/// Types and codes of ICMP.
pub mod v4 {
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACH: u8 = 3;
    /// Source quench (deprecated by RFC 6633).
    pub const QUENCH: u8 = 4;
    /// Redirect.
    pub const REDIRECT: u8 = 5;
    /// Echo request.
    pub const ECHO: u8 = 8;
    /// Router advertisement (RFC 1256).
    pub const ROUTER_ADVERT: u8 = 9;
    /// Router solicitation (RFC 1256).
    pub const ROUTER_SOLICIT: u8 = 10;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAM_PROBLEM: u8 = 12;
    /// Timestamp request.
    pub const TIMESTAMP: u8 = 13;
    /// Timestamp reply.
    pub const TIMESTAMP_REPLY: u8 = 14;
    /// Information request (deprecated by RFC 6918).
    pub const INFO: u8 = 15;
    /// Information reply.
    pub const INFO_REPLY: u8 = 16;
    /// Address mask request (deprecated by RFC 6918).
    pub const MASK: u8 = 17;
    /// Address mask reply.
    pub const MASK_REPLY: u8 = 18;

    /// Code of [`UNREACH`]: network.
    pub const UNREACH_NET: u8 = 0;
    /// Code of [`UNREACH`]: host.
    pub const UNREACH_HOST: u8 = 1;
    /// Code of [`UNREACH`]: protocol.
    pub const UNREACH_PROTO: u8 = 2;
    /// Code of [`UNREACH`]: port.
    pub const UNREACH_PORT: u8 = 3;
    /// Code of [`UNREACH`]: fragmentation needed; the next hop's MTU is in the message (RFC 1191).
    pub const UNREACH_NEEDFRAG: u8 = 4;
    /// Code of [`UNREACH`]: communication administratively prohibited (RFC 1812, 5.2.7.1).
    pub const UNREACH_ADMIN: u8 = 13;
}

/// Types and codes of ICMPv6.
pub mod v6 {
    /// Destination unreachable.
    pub const UNREACH: u8 = 1;
    /// Packet too big.
    pub const TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem.
    pub const PARAM_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Multicast listener query (RFC 2710).
    pub const MLD_QUERY: u8 = 130;
    /// Multicast listener report.
    pub const MLD_REPORT: u8 = 131;
    /// Multicast listener done.
    pub const MLD_DONE: u8 = 132;
    /// Router solicitation (RFC 4861).
    pub const ROUTER_SOLICIT: u8 = 133;
    /// Router advertisement.
    pub const ROUTER_ADVERT: u8 = 134;
    /// Neighbor solicitation.
    pub const NEIGHBOR_SOLICIT: u8 = 135;
    /// Neighbor advertisement.
    pub const NEIGHBOR_ADVERT: u8 = 136;
    /// Redirect.
    pub const REDIRECT: u8 = 137;
    /// Multicast listener report, version 2 (RFC 3810).
    pub const MLD2_REPORT: u8 = 143;

    /// Code of [`UNREACH`]: no route.
    pub const UNREACH_NOROUTE: u8 = 0;
    /// Code of [`UNREACH`]: administratively prohibited.
    pub const UNREACH_ADMIN: u8 = 1;
    /// Code of [`UNREACH`]: address.
    pub const UNREACH_ADDR: u8 = 3;
    /// Code of [`UNREACH`]: port.
    pub const UNREACH_PORT: u8 = 4;
}

/// What a type of message is to a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Says what went wrong with a packet, and has the front of that packet behind its header.
    Error,
    /// Asks for a reply with the same identifier.
    Request,
    /// Replies to a [`Kind::Request`].
    Reply,
    /// Anything else: discovery of neighbors and routers, group membership, unknown.
    Other,
}

/// The kind of an ICMP type.
#[inline]
pub const fn kind4(typ: u8) -> Kind {
    match typ {
        v4::UNREACH | v4::QUENCH | v4::REDIRECT | v4::TIME_EXCEEDED | v4::PARAM_PROBLEM => {
            Kind::Error
        }
        v4::ECHO | v4::TIMESTAMP | v4::INFO | v4::MASK => Kind::Request,
        v4::ECHO_REPLY | v4::TIMESTAMP_REPLY | v4::INFO_REPLY | v4::MASK_REPLY => Kind::Reply,
        _ => Kind::Other,
    }
}

/// The kind of an ICMPv6 type. Types below 128 are errors (RFC 4443, 2.1), those not known too.
#[inline]
pub const fn kind6(typ: u8) -> Kind {
    match typ {
        0..128 => Kind::Error,
        v6::ECHO => Kind::Request,
        v6::ECHO_REPLY => Kind::Reply,
        _ => Kind::Other,
    }
}
