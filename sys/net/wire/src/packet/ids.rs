// SPDX-License-Identifier: BSD-2-Clause
//! Protocols, and what in them takes the place of ports.

/// Protocol numbers that are looked into, and some that are only named.
pub mod proto {
    pub use crate::gre::IPPROTO_GRE as GRE;
    pub use crate::icmp::IPPROTO_ICMP as ICMP;
    pub use crate::icmp::IPPROTO_ICMPV6 as ICMPV6;
    pub use crate::ip::IPPROTO_UDP as UDP;
    pub use crate::tcp::IPPROTO_TCP as TCP;
    /// Encapsulating Security Payload (RFC 4303).
    pub const ESP: u8 = 50;
    /// Authentication Header (RFC 4302).
    pub const AH: u8 = 51;
    /// DCCP (RFC 4340).
    pub const DCCP: u8 = 33;
    /// SCTP (RFC 9260).
    pub const SCTP: u8 = 132;
    /// UDP-Lite (RFC 3828).
    pub const UDPLITE: u8 = 136;
}

/// What tells the flows between two addresses apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ids {
    /// Nothing that is known, or a fragment other than the first.
    #[default]
    None,
    /// The ports of TCP, UDP, UDP-Lite, DCCP and SCTP.
    Ports {
        /// Source port.
        src: u16,
        /// Destination port.
        dst: u16,
    },
    /// The identifier of an ICMP query.
    Query(u16),
    /// The call id in PPTP's GRE: the receiver's.
    Call(u16),
    /// The security parameters index of ESP and AH: the receiver's.
    Spi(u32),
}

impl Ids {
    /// The ids in the place of ports, source first: a query's identifier is both, for both
    /// directions have it; a call id is the destination's; an SPI fills both, high half first.
    #[inline]
    pub const fn pair(self) -> (u16, u16) {
        match self {
            Ids::None => (0, 0),
            Ids::Ports { src, dst } => (src, dst),
            Ids::Query(id) => (id, id),
            Ids::Call(id) => (0, id),
            Ids::Spi(spi) => ((spi >> 16) as u16, spi as u16),
        }
    }

    /// Ids of the same kind from such a pair. Of a query the source's counts.
    #[inline]
    #[must_use]
    pub const fn with_pair(self, src: u16, dst: u16) -> Ids {
        match self {
            Ids::None => Ids::None,
            Ids::Ports { .. } => Ids::Ports { src, dst },
            Ids::Query(_) => Ids::Query(src),
            Ids::Call(_) => Ids::Call(dst),
            Ids::Spi(_) => Ids::Spi((src as u32) << 16 | dst as u32),
        }
    }
}
