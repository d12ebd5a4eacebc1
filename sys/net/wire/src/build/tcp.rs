// SPDX-License-Identifier: BSD-2-Clause
//! TCP segments without data: resets, and what a proxy of SYNs says.

use super::{Ip, NoRoom};
use crate::bytes::{copy, plus};
use crate::packet::{Ids, Packet, Seg, Upper};
use crate::tcp::{Flags, HEADER_LEN, Header, IPPROTO_TCP, OPT_MSS};
use zerocopy::IntoBytes;
use zerocopy::network_endian::{U16, U32};

/// A segment without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The IP header.
    pub ip: Ip,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// Window.
    pub window: u16,
    /// A maximum segment size to offer.
    pub mss: Option<u16>,
}

impl Segment {
    /// Writes the packet.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, NoRoom> {
        let ip_len = self.ip.header_len();
        let option = self.mss.map(|mss| {
            let [high, low] = mss.to_be_bytes();
            [OPT_MSS, 4, high, low]
        });
        let option = option.as_ref().map_or(&[][..], |o| &o[..]);
        let len = plus(HEADER_LEN, option.len());
        let whole = plus(ip_len, len);
        let out = out.get_mut(..whole).ok_or(NoRoom)?;
        let (front, upper) = out.split_at_mut_checked(ip_len).ok_or(NoRoom)?;
        self.ip.emit(IPPROTO_TCP, len, front)?;
        let mut h = Header {
            sport: U16::new(self.sport),
            dport: U16::new(self.dport),
            seq: U32::new(self.seq),
            ack: U32::new(self.ack),
            offset: if option.is_empty() { 5 << 4 } else { 6 << 4 },
            flags: self.flags.0,
            window: U16::new(self.window),
            cksum: U16::ZERO,
            urgent: U16::ZERO,
        };
        // 24 at most.
        let sum = self.ip.pseudo(IPPROTO_TCP, len as u16);
        h.cksum = U16::new(sum.bytes(h.as_bytes()).bytes(option).finish());
        h.emit(upper).map_err(|_| NoRoom)?;
        copy(upper.get_mut(HEADER_LEN..).ok_or(NoRoom)?, option);
        Ok(whole)
    }
}

/// The reset that a closed port would answer a segment with (RFC 9293, 3.10.7.1). `None` for a
/// reset, which is never answered, and for what is no segment, or not all of one.
pub fn reset_for(p: &Packet, ttl: u8) -> Option<Segment> {
    let (Upper::Tcp(seg), Ids::Ports { src, dst }) = (p.upper, p.ids) else {
        return None;
    };
    if seg.flags.any(Flags::RST) || p.is_fragment() {
        return None;
    }
    let (seq, ack, flags) = numbers(&seg);
    Some(Segment {
        ip: Ip {
            af: p.af,
            src: p.dst,
            dst: p.src,
            ttl,
            tos: 0,
        },
        sport: dst,
        dport: src,
        seq,
        ack,
        flags,
        window: 0,
        mss: None,
    })
}

const fn numbers(seg: &Seg) -> (u32, u32, Flags) {
    if seg.flags.any(Flags::ACK) {
        (seg.ack, 0, Flags::RST)
    } else {
        let ack = seg.seq.wrapping_add(seg.seq_len());
        (0, ack, Flags(Flags::RST.0 | Flags::ACK.0))
    }
}

/// Writes [`reset_for`]. `Ok(None)` where there is none.
pub fn reset(p: &Packet, ttl: u8, out: &mut [u8]) -> Result<Option<usize>, NoRoom> {
    reset_for(p, ttl).map(|s| s.emit(out)).transpose()
}
