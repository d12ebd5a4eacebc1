// SPDX-License-Identifier: BSD-2-Clause
//! An IP packet as a filter sees it: both families in one form, up to the transport header.
//!
//! [`parse`] reads the contiguous front of a packet (128 bytes are enough for what is legal) and is
//! strict: what a host could read in another way than the filter does is refused, with the reason.
//! All offsets count from the front of the bytes that were given, also in the packet that an ICMP
//! error embeds ([`Packet::embedded`]).
//!
//! Addresses are numbers: an IPv4 address in the low 32 bits.

mod addr;
mod bad;
mod ids;
mod upper;
mod v4;
mod v6;
pub(crate) mod verify;

use crate::bytes::plus;
use crate::icmp;
use crate::tcp;

pub use addr::Af;
pub use bad::Bad;
pub use ids::{Ids, proto};
pub use v6::MAX_EXTENSIONS;
pub use verify::{header_sum_ok, pseudo, upper_sum_ok};

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seg {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; counts with [`tcp::Flags::ACK`].
    pub ack: u32,
    /// Window, unscaled.
    pub window: u16,
    /// Control bits; see [`tcp::Flags::illegal`].
    pub flags: tcp::Flags,
    /// Bytes in the header, 20 to 60; the options are what is beyond 20.
    pub header_len: u8,
    /// Bytes of data; of a first fragment, those in it.
    pub data_len: u32,
}

impl Seg {
    /// How far the segment takes the sequence number: data, SYN and FIN (RFC 9293, 3.4).
    #[inline]
    pub const fn seq_len(&self) -> u32 {
        let syn = self.flags.any(tcp::Flags::SYN) as u32;
        let fin = self.flags.any(tcp::Flags::FIN) as u32;
        self.data_len.wrapping_add(syn).wrapping_add(fin)
    }
}

/// What the transport header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upper {
    /// Not looked into, or a fragment other than the first.
    #[default]
    None,
    /// TCP.
    Tcp(Seg),
    /// The first 8 bytes of TCP, all that an ICMP error must have of it (RFC 792).
    TcpPart {
        /// Sequence number.
        seq: u32,
    },
    /// UDP.
    Udp {
        /// Bytes in the datagram, header included.
        len: u16,
    },
    /// ICMP and ICMPv6.
    Icmp {
        /// Type.
        typ: u8,
        /// Code.
        code: u8,
        /// What a message of this type is.
        kind: icmp::Kind,
    },
    /// GRE version 1 with PPP.
    Pptp,
}

/// A piece of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frag {
    /// Names the packet, together with addresses and, of IPv4, protocol.
    pub id: u32,
    /// Where the piece belongs, in bytes of the packet's payload.
    pub offset: u16,
    /// Bytes in the piece.
    pub len: u16,
    /// Whether others come behind it.
    pub more: bool,
}

impl Frag {
    /// Whether the piece starts with the transport header.
    #[inline]
    pub const fn is_first(&self) -> bool {
        self.offset == 0
    }

    /// Whether the piece is all (RFC 6946: an "atomic" fragment, of IPv6 only).
    #[inline]
    pub const fn is_whole(&self) -> bool {
        self.offset == 0 && !self.more
    }
}

/// A packet, taken apart up to the transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source address.
    pub src: u128,
    /// Destination address.
    pub dst: u128,
    /// Family.
    pub af: Af,
    /// Protocol, behind extension headers. Of a later fragment, what the fragment header says.
    pub proto: u8,
    /// Type of service, or traffic class: see [`Packet::dscp`].
    pub tos: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// IPv4 with options; IPv6 with hop-by-hop or destination options or a routing header.
    pub has_options: bool,
    /// IPv6 with an authentication header before the transport header: addresses cannot change.
    pub authenticated: bool,
    /// IPv4 with "don't fragment"; IPv6 always.
    pub dont_fragment: bool,
    /// Where the IP header starts: 0 but for an embedded packet.
    pub start: u16,
    /// Where the transport header starts; of a later fragment, its piece of payload.
    pub at: u16,
    /// Bytes in the packet, IP header included, without padding behind it; as the header says.
    pub len: u32,
    /// Set for fragments.
    pub frag: Option<Frag>,
    /// Ports, or what takes their place.
    pub ids: Ids,
    /// The transport header.
    pub upper: Upper,
}

/// Takes a packet apart. `head` is its contiguous front, `total_len` how many bytes there are of it
/// in all. The header checksum is not looked at: see [`header_sum_ok`].
///
/// # Errors
/// The packet must not pass. [`Bad::Beyond`] only where `head` is shorter than `total_len`.
#[inline]
pub fn parse(head: &[u8], total_len: usize, af: Af) -> Result<Packet, Bad> {
    let view = View {
        head,
        end: total_len,
        whole: true,
    };
    match af {
        Af::V4 => v4::parse(view, 0),
        Af::V6 => v6::parse(view, 0),
    }
}

/// The family that the first byte says.
#[inline]
pub fn family(head: &[u8]) -> Result<Af, Bad> {
    match head.first().map(|first| first >> 4) {
        None => Err(Bad::Short),
        Some(4) => Ok(Af::V4),
        Some(6) => Ok(Af::V6),
        Some(_) => Err(Bad::Version),
    }
}

impl Packet {
    /// The differentiated services code point.
    #[inline]
    pub const fn dscp(&self) -> u8 {
        self.tos >> 2
    }

    /// Whether this is an ICMP error, which embeds a packet.
    #[inline]
    pub const fn is_icmp_error(&self) -> bool {
        matches!(
            self.upper,
            Upper::Icmp {
                kind: icmp::Kind::Error,
                ..
            }
        )
    }

    /// Whether this is a piece that does not start with the transport header.
    #[inline]
    pub const fn is_later_fragment(&self) -> bool {
        matches!(self.frag, Some(frag) if !frag.is_first())
    }

    /// Whether this is a piece of a packet, and not all of it.
    #[inline]
    pub const fn is_fragment(&self) -> bool {
        matches!(self.frag, Some(frag) if !frag.is_whole())
    }

    /// Where the payload of the transport header starts: the data of TCP and UDP, the embedded
    /// packet of an ICMP error. `None` where the header is not known.
    #[inline]
    pub fn data_at(&self) -> Option<usize> {
        let header = match self.upper {
            Upper::Tcp(seg) => usize::from(seg.header_len),
            Upper::Udp { .. } | Upper::Icmp { .. } => 8,
            Upper::None | Upper::TcpPart { .. } | Upper::Pptp => return None,
        };
        Some(plus(self.at.into(), header))
    }

    /// Where the packet ends.
    #[inline]
    pub fn end(&self) -> usize {
        plus(self.start.into(), usize::try_from(self.len).unwrap_or(0))
    }

    /// The options of a TCP segment, as far as `head` has them.
    #[inline]
    pub fn tcp_options(&self, head: &[u8]) -> tcp::Options {
        let Upper::Tcp(seg) = self.upper else {
            return tcp::Options::default();
        };
        let from = plus(self.at.into(), tcp::HEADER_LEN);
        let to = plus(self.at.into(), seg.header_len.into());
        tcp::Options::parse(head.get(from..to).or(head.get(from..)).unwrap_or(&[]))
    }

    /// The packet that an ICMP error embeds: `self` is what [`parse`] made of the same `head`.
    ///
    /// It may be cut off behind 8 bytes of its transport header; its lengths are not held against
    /// the bytes that are there, for routers differ in what they quote.
    ///
    /// # Errors
    /// [`Bad::Short`] also where `self` is not an ICMP error.
    pub fn embedded(&self, head: &[u8]) -> Result<Packet, Bad> {
        if !self.is_icmp_error() {
            return Err(Bad::Short);
        }
        let at = self.data_at().ok_or(Bad::Short)?;
        let view = View {
            head,
            end: self.end(),
            whole: false,
        };
        match self.af {
            Af::V4 => v4::parse(view, at),
            Af::V6 => v6::parse(view, at),
        }
    }
}

/// The bytes of a packet: those that can be read, and where the packet ends.
#[derive(Clone, Copy)]
struct View<'a> {
    head: &'a [u8],
    end: usize,
    /// Not cut off: lengths must agree with `end`.
    whole: bool,
}

impl<'a> View<'a> {
    /// The `N` bytes at `at`.
    #[inline]
    fn chunk<const N: usize>(&self, at: usize) -> Result<&'a [u8; N], Bad> {
        if plus(at, N) > self.end {
            return Err(Bad::Short);
        }
        crate::bytes::chunk(self.head, at).ok_or(Bad::Beyond)
    }
}
