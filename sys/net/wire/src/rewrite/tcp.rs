// SPDX-License-Identifier: BSD-2-Clause
//! Changes of a TCP header: the segment size that a SYN offers, and shifted sequence numbers.

use super::Sums;
use super::delta::Delta;
use crate::bytes::{get32, plus};
use crate::packet::{Packet, Upper};
use crate::tcp::{At, CKSUM_AT, Flags, HEADER_LEN};

/// Where an option's value stands in the bytes that were parsed.
#[inline]
fn value_at(p: &Packet, option: At) -> usize {
    plus(plus(p.at.into(), HEADER_LEN), option.at.into())
}

/// Lowers the maximum segment size that a SYN offers to `max`; whether it was larger. Other
/// segments and those without the option are left.
pub fn clamp_mss(head: &mut [u8], p: &Packet, max: u16, sums: Sums) -> bool {
    match p.upper {
        Upper::Tcp(seg) if seg.flags.has(Flags::SYN) && seg.header_len > 20 => {}
        _ => return false,
    }
    let Some((mss, option)) = p.tcp_options(head).mss else {
        return false;
    };
    if mss <= max {
        return false;
    }
    let mut delta = Delta::default();
    delta.put16_any(head, value_at(p, option), option.at & 1 != 0, max);
    finish(head, p, delta, sums);
    true
}

/// Adds `seq` to the sequence number and `ack` to the acknowledgements, selective ones included,
/// modulo 2^32: for a stream whose length a translation has changed.
pub fn shift(head: &mut [u8], p: &mut Packet, seq: u32, ack: u32, sums: Sums) {
    let Upper::Tcp(mut seg) = p.upper else { return };
    let sack = p.tcp_options(head).sack.filter(|_| ack != 0);
    let at = usize::from(p.at);
    let mut delta = Delta::default();
    if seq != 0 {
        seg.seq = seg.seq.wrapping_add(seq);
        delta.put32(head, plus(at, 4), seg.seq);
    }
    if ack != 0 && seg.flags.has(Flags::ACK) {
        seg.ack = seg.ack.wrapping_add(ack);
        delta.put32(head, plus(at, 8), seg.ack);
    }
    if let Some(option) = sack {
        let from = value_at(p, option);
        for edge in (0..usize::from(option.len)).step_by(4) {
            let edge = plus(from, edge);
            if let Some(old) = get32(head, edge) {
                delta.put32_any(head, edge, option.at & 1 != 0, old.wrapping_add(ack));
            }
        }
    }
    finish(head, p, delta, sums);
    p.upper = Upper::Tcp(seg);
}

/// The checksum; a partial one does not cover the header.
fn finish(head: &mut [u8], p: &Packet, delta: Delta, sums: Sums) {
    if sums == Sums::Whole {
        delta.apply(head, plus(p.at.into(), CKSUM_AT), false);
    }
}
