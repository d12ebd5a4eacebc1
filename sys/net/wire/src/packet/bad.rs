// SPDX-License-Identifier: BSD-2-Clause
//! Why a packet is refused.

use core::fmt;

/// Why bytes are not a packet that a filter may let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// The packet ends before a header does.
    Short,
    /// The headers go on behind the contiguous bytes that were given.
    Beyond,
    /// The version is not the family's.
    Version,
    /// A length of the IP header contradicts itself or the bytes.
    Length,
    /// The header checksum of IPv4 is wrong.
    HeaderSum,
    /// A chain of IPv6 extension headers that cannot be read to its end, is too long, or has one
    /// where it must not stand.
    Options,
    /// A type 0 routing header (RFC 5095).
    RoutingZero,
    /// A jumbogram (RFC 2675), which no interface here carries.
    Jumbo,
    /// A fragment that lies beyond 65,535 bytes, is empty, or is not a multiple of 8 in the middle.
    Fragment,
    /// A fragment that cuts the transport header (RFC 1858, RFC 3128, RFC 7112).
    Tiny,
    /// The data offset of TCP is less than 5, or beyond the segment.
    TcpOffset,
    /// The length of UDP is less than 8, or beyond the packet.
    UdpLength,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bad::Short => "the packet ends before its headers",
            Bad::Beyond => "headers longer than what is looked at",
            Bad::Version => "version of another protocol",
            Bad::Length => "a length that contradicts itself or the packet",
            Bad::HeaderSum => "wrong header checksum",
            Bad::Options => "malformed extension headers",
            Bad::RoutingZero => "type 0 routing header",
            Bad::Jumbo => "jumbogram",
            Bad::Fragment => "fragment beyond the largest packet, empty or not a multiple of 8",
            Bad::Tiny => "fragment that cuts the transport header",
            Bad::TcpOffset => "data offset of TCP",
            Bad::UdpLength => "length of UDP",
        })
    }
}

impl core::error::Error for Bad {}
