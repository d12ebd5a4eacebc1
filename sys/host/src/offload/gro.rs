// SPDX-License-Identifier: BSD-2-Clause
//! Which frames in a row make one large frame, so that a tap device takes them in one write.
//!
//! *Contexts*: any.
//!
//! Strict: frames join only if cutting the large one again gives them back bit for bit. So all
//! headers but lengths, checksums, the IPv4 id (which counts up) and the TCP sequence number
//! (which fits) are the same, checksums are valid, all are of one size but the last, and PSH, FIN
//! or a short frame ends a group. What does not fit goes up as it is.

use super::csum::{Sum, pseudo};
use super::layout::{L4, Layout};
use super::vnet::{VNET_HDR, Vnet};

/// Longest large frame, from the IP header on.
const IP_MOST: usize = 65_535;
/// Most frames in one; Linux takes no more UDP datagrams.
const PIECES_MOST: usize = 64;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

fn be16(b: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([b[at], b[at + 1]]))
}

fn be32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

/// A frame that may join others.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    layout: Layout,
    /// Bytes behind the headers.
    payload: usize,
}

impl Candidate {
    /// Judge a frame of `len` bytes whose headers lie in `head`, as `layout` says.
    pub fn new(layout: Layout, head: &[u8], len: usize) -> Option<Candidate> {
        if layout.options || layout.frame_len(head)? != len || len <= layout.payload {
            return None;
        }
        match layout.proto {
            // ACK and no other flag but PSH and FIN: all else ends a group and stays alone.
            L4::Tcp if head[layout.l4 + 13] & !(PSH | FIN) == ACK => {}
            L4::Udp if be16(head, layout.l4 + 4) == len - layout.l4 => {
                // Without a checksum we could not tell damaged ones.
                if be16(head, layout.l4 + 6) == 0 {
                    return None;
                }
            }
            _ => return None,
        }
        Some(Candidate {
            layout,
            payload: len - layout.payload,
        })
    }

    /// Where its headers lie.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether the checksums of IP and TCP or UDP are right; `pieces` is the whole frame.
    pub fn verify<'a>(&self, head: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> bool {
        let Layout {
            l3,
            l4,
            payload,
            v6,
            proto,
            ..
        } = self.layout;
        if !v6 && !Sum::new().with(&head[l3..l4]).is_valid() {
            return false;
        }
        let Some(addrs) = self.layout.addrs(head) else {
            return false;
        };
        let mut sum = pseudo(addrs, proto.number(), payload - l4 + self.payload);
        let mut skip = l4;
        for piece in pieces {
            match piece.get(skip..) {
                Some(rest) => {
                    sum.add(rest);
                    skip = 0;
                }
                None => skip -= piece.len(),
            }
        }
        sum.is_valid()
    }
}

/// Frames that have joined so far.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    first: Candidate,
    pieces: usize,
    /// Payload bytes of all.
    payload: usize,
    /// A frame that nothing may follow has joined.
    ended: bool,
    /// PSH and FIN of the last frame.
    last_flags: u8,
}

impl Group {
    /// A group of one: `head` is its frame.
    pub fn new(first: Candidate, head: &[u8]) -> Group {
        let last_flags = match first.layout.proto {
            L4::Tcp => head[first.layout.l4 + 13] & (PSH | FIN),
            L4::Udp => 0,
        };
        Group {
            first,
            pieces: 1,
            payload: first.payload,
            ended: last_flags != 0,
            last_flags,
        }
    }

    /// How many frames have joined.
    pub fn pieces(&self) -> usize {
        self.pieces
    }

    /// Bytes of headers before each payload.
    pub fn headers(&self) -> usize {
        self.first.layout.payload
    }

    /// Whether the frame with `next_head` belongs to the same flow as the group that begins with
    /// `head`, so that it must not overtake it.
    pub fn same_flow(&self, head: &[u8], next: Layout, next_head: &[u8]) -> bool {
        let Layout { l3, l4, v6, .. } = self.first.layout;
        let addrs = if v6 {
            l3 + 8..l3 + 40
        } else {
            l3 + 12..l3 + 20
        };
        next == (Layout {
            payload: next.payload,
            ..self.first.layout
        }) && head[..l3] == next_head[..l3]
            && head[addrs.clone()] == next_head[addrs]
            && head[l4..l4 + 4] == next_head[l4..l4 + 4]
    }

    /// Whether `next`, of the same flow and with a valid checksum, continues the group.
    pub fn fits(&self, head: &[u8], next: &Candidate, next_head: &[u8]) -> bool {
        let Layout {
            l3,
            l4,
            payload: hdr,
            v6,
            proto,
            ..
        } = self.first.layout;
        if self.ended
            || next.layout != self.first.layout
            || next.payload > self.first.payload
            || self.pieces == PIECES_MOST
            || hdr - l3 + self.payload + next.payload > IP_MOST
        {
            return false;
        }
        let same = |from: usize, to: usize| head[from..to] == next_head[from..to];
        let ip = if v6 {
            // All but the length.
            same(l3, l3 + 4) && same(l3 + 6, l3 + 40)
        } else {
            let id = be16(head, l3 + 4) as u16;
            let next_id = be16(next_head, l3 + 4) as u16;
            same(l3, l3 + 2)
                && next_id == id.wrapping_add(self.pieces as u16)
                && same(l3 + 6, l3 + 10)
                && same(l3 + 12, l3 + 20)
        };
        ip && match proto {
            // Ports; acknowledgement and header length; window; urgent pointer and options.
            L4::Tcp => {
                let seq = be32(head, l4 + 4).wrapping_add(self.payload as u32);
                be32(next_head, l4 + 4) == seq
                    && same(l4, l4 + 4)
                    && same(l4 + 8, l4 + 13)
                    && same(l4 + 14, l4 + 16)
                    && same(l4 + 18, hdr)
            }
            L4::Udp => same(l4, l4 + 4),
        }
    }

    /// `next`, which [`Group::fits`], joins.
    pub fn join(&mut self, next: &Candidate, next_head: &[u8]) {
        self.pieces += 1;
        self.payload += next.payload;
        if self.first.layout.proto == L4::Tcp {
            self.last_flags = next_head[self.first.layout.l4 + 13] & (PSH | FIN);
        }
        self.ended = self.last_flags != 0 || next.payload != self.first.payload;
    }

    /// Write the headers of the large frame: `head` is the first frame, `out` has
    /// [`Group::headers`] bytes. The checksum is left partial, as the returned header says.
    pub fn write(&self, head: &[u8], out: &mut [u8]) -> [u8; VNET_HDR] {
        let Layout {
            l3,
            l4,
            payload: hdr,
            v6,
            proto,
            ..
        } = self.first.layout;
        out.copy_from_slice(&head[..hdr]);
        let put16 = |out: &mut [u8], at: usize, v: usize| {
            out[at..at + 2].copy_from_slice(&(v as u16).to_be_bytes());
        };
        if v6 {
            put16(out, l3 + 4, hdr - l3 - 40 + self.payload);
        } else {
            put16(out, l3 + 2, hdr - l3 + self.payload);
            put16(out, l3 + 10, 0);
            let csum = Sum::new().with(&out[l3..l4]).checksum();
            out[l3 + 10..l3 + 12].copy_from_slice(&csum);
        }
        match proto {
            L4::Tcp => out[l4 + 13] |= self.last_flags,
            L4::Udp => put16(out, l4 + 4, 8 + self.payload),
        }
        let addrs = if v6 {
            &head[l3 + 8..l3 + 40]
        } else {
            &head[l3 + 12..l3 + 20]
        };
        let sum = pseudo(addrs, proto.number(), hdr - l4 + self.payload);
        let at = l4 + proto.csum_offset();
        out[at..at + 2].copy_from_slice(&sum.partial());
        Vnet::large(proto, v6, self.first.payload, l4, hdr)
    }
}
