// SPDX-License-Identifier: BSD-2-Clause
//! Cutting a large TCP or UDP frame into frames of the size that the sender asked for.
//!
//! *Contexts*: any.
//!
//! Only headers are made here: the caller puts each one before its piece of the payload, which
//! stays where it is.

use std::ops::Range;

use super::csum::{Sum, pseudo};
use super::layout::{L4, Layout};
use super::vnet::Gso;

/// Longest headers that we cut behind: Ethernet, two tags, IP and TCP with all options.
pub const HEADERS_MOST: usize = 14 + 8 + 60 + 60;

/// Segments are not made smaller than this.
const SIZE_LEAST: usize = 500;
/// Don't fragment, in the byte that holds it.
const DF: u8 = 0x40;
const CWR: u8 = 0x80;
const FIN_PSH: u8 = 0x09;

/// How to cut one frame.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    layout: Layout,
    size: usize,
    payload: usize,
    id: u16,
    seq: u32,
    flags: u8,
    /// TCP, and the ids mean nothing.
    resizable: bool,
}

impl Plan {
    /// How to cut `frame`; `None` when it is not what `gso` says it is.
    pub fn new(frame: &[u8], gso: Gso) -> Option<Plan> {
        let layout = Layout::parse(frame)?;
        if layout.proto != gso.proto || gso.size == 0 || layout.payload > HEADERS_MOST {
            return None;
        }
        let ip_tcp = |at: usize| frame.get(at..at + 4)?.try_into().ok();
        Some(Plan {
            layout,
            size: gso.size,
            payload: frame.len() - layout.payload,
            resizable: layout.proto == L4::Tcp
                && (layout.v6 || frame.get(layout.l3 + 6)? & DF != 0),
            id: u16::from_be_bytes(frame.get(layout.l3 + 4..layout.l3 + 6)?.try_into().ok()?),
            seq: u32::from_be_bytes(ip_tcp(layout.l4 + 4)?),
            flags: match layout.proto {
                L4::Tcp => *frame.get(layout.l4 + 13)?,
                L4::Udp => 0,
            },
        })
    }

    /// Let no frame be longer than `most` bytes, if TCP allows: a sender that leaves the cutting
    /// to us has to live with smaller segments, as it has on a path with a smaller MTU. UDP keeps
    /// its datagrams, and IPv4 without DF its ids, of which the sender counts one for a segment.
    pub fn fit(&mut self, most: usize) {
        let Some(size) = most.checked_sub(self.layout.payload) else {
            return;
        };
        if self.resizable && size >= SIZE_LEAST {
            self.size = self.size.min(size);
        }
    }

    /// Bytes of headers before each piece.
    pub fn headers(&self) -> usize {
        self.layout.payload
    }

    /// How many frames it makes; 1 for a frame without payload.
    pub fn pieces(&self) -> usize {
        self.payload.div_ceil(self.size).max(1)
    }

    /// Where piece `n` of the payload lies in the large frame.
    pub fn range(&self, n: usize) -> Range<usize> {
        let start = (n * self.size).min(self.payload);
        let end = (start + self.size).min(self.payload);
        self.layout.payload + start..self.layout.payload + end
    }

    /// Write the headers of piece `n`, whose bytes are `payload`, to `out`; `large` is the frame
    /// that is cut, or its headers. Both have [`Plan::headers`] bytes at least: false otherwise.
    pub fn write(&self, n: usize, large: &[u8], payload: &[u8], out: &mut [u8]) -> bool {
        let Layout {
            l3,
            l4,
            payload: hdr,
            v6,
            proto,
            ..
        } = self.layout;
        let (Some(out), Some(from)) = (out.get_mut(..hdr), large.get(..hdr)) else {
            return false;
        };
        out.copy_from_slice(from);
        let put16 = |out: &mut [u8], at: usize, v: usize| {
            out[at..at + 2].copy_from_slice(&(v as u16).to_be_bytes());
        };
        if v6 {
            put16(out, l3 + 4, hdr - l3 - 40 + payload.len());
        } else {
            put16(out, l3 + 2, hdr - l3 + payload.len());
            put16(out, l3 + 4, usize::from(self.id.wrapping_add(n as u16)));
            put16(out, l3 + 10, 0);
            let csum = Sum::new().with(&out[l3..l4]).checksum();
            out[l3 + 10..l3 + 12].copy_from_slice(&csum);
        }
        match proto {
            L4::Tcp => {
                let seq = self.seq.wrapping_add((n * self.size) as u32);
                out[l4 + 4..l4 + 8].copy_from_slice(&seq.to_be_bytes());
                let mut flags = self.flags;
                if n != 0 {
                    flags &= !CWR;
                }
                if n + 1 != self.pieces() {
                    flags &= !FIN_PSH;
                }
                out[l4 + 13] = flags;
            }
            L4::Udp => put16(out, l4 + 4, 8 + payload.len()),
        }
        let at = l4 + proto.csum_offset();
        put16(out, at, 0);
        let Some(addrs) = self.layout.addrs(out) else {
            return false;
        };
        let sum = pseudo(addrs, proto.number(), hdr - l4 + payload.len());
        let mut csum = sum.with(&out[l4..]).with(payload).checksum();
        if csum == [0, 0] {
            csum = [0xff, 0xff];
        }
        out[at..at + 2].copy_from_slice(&csum);
        true
    }
}
