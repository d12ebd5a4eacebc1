// SPDX-License-Identifier: BSD-2-Clause
//! Whole packets as answers: TCP segments without data, and ICMP errors.
//!
//! Every function writes an IP packet with all its checksums to the front of `out` and returns its
//! length. Room for 1,280 bytes is enough for each.

mod icmp;
mod tcp;

use crate::packet::Af;
use crate::{ipv4, ipv6};
use zerocopy::IntoBytes;

pub use icmp::{Never, Problem, echo, may_answer, problem};
pub use tcp::{Segment, reset, reset_for};

/// Room that is enough for every packet built here.
pub const MAX_LEN: usize = 1280;

/// There is no room in `out`, or a length beyond what the header can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// The IP header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Family.
    pub af: Af,
    /// Source address.
    pub src: u128,
    /// Destination address.
    pub dst: u128,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
}

impl Ip {
    /// Bytes in the header.
    pub const fn header_len(&self) -> usize {
        match self.af {
            Af::V4 => ipv4::HEADER_LEN,
            Af::V6 => ipv6::HEADER_LEN,
        }
    }

    /// Writes the header for `len` bytes of `proto` to the front of `out`.
    fn emit(&self, proto: u8, len: usize, out: &mut [u8]) -> Result<(), NoRoom> {
        match self.af {
            Af::V4 => {
                let (src, dst) = (self.src as u32, self.dst as u32);
                let (src, dst) = (src.to_be_bytes(), dst.to_be_bytes());
                let h = ipv4::Header::new(src, dst, proto, self.ttl, len);
                let mut h = h.map_err(|_| NoRoom)?;
                h.tos = self.tos;
                h.cksum.set(0);
                let sum = crate::cksum::Sum::new().bytes(h.as_bytes()).finish();
                h.cksum.set(sum);
                h.emit(out).map_err(|_| NoRoom)
            }
            Af::V6 => {
                let (src, dst) = (self.src.to_be_bytes(), self.dst.to_be_bytes());
                let h = ipv6::Header::new(src, dst, proto, self.ttl, len);
                let mut h = h.map_err(|_| NoRoom)?;
                let class = u32::from(self.tos) << 20;
                h.version_flow.set(h.version_flow.get() | class);
                h.emit(out).map_err(|_| NoRoom)
            }
        }
    }

    /// The pseudo-header for `len` bytes of `proto`.
    fn pseudo(&self, proto: u8, len: u16) -> crate::cksum::Sum {
        use crate::cksum::Sum;
        match self.af {
            Af::V4 => {
                let (src, dst) = (self.src as u32, self.dst as u32);
                Sum::pseudo4(src.to_be_bytes(), dst.to_be_bytes(), proto, len)
            }
            Af::V6 => {
                let (src, dst) = (self.src.to_be_bytes(), self.dst.to_be_bytes());
                Sum::pseudo6(src, dst, proto, len.into())
            }
        }
    }
}
