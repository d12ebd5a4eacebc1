// SPDX-License-Identifier: BSD-2-Clause
//! The transport checksum of packets that change what is kept: those that begin a state, and ICMP
//! errors. Others pass with the checksum that they have; a wrong one stays wrong.

use wire::cksum::Sum;
use wire::packet;
use wire::packet::Af;
use wire::packet::proto;

use crate::job::Job;

/// Bytes that are looked at at once.
const PIECE: usize = 128;

impl Job<'_> {
    /// Whether the packet's transport checksum is right, or not there, or not ours to know: of
    /// fragments, and where the kernel has yet to finish it.
    pub fn sum_ok(&self) -> bool {
        let Some(m) = self.whole.filter(|_| !self.rx.csum_partial && !self.rx.gso) else {
            return true;
        };
        let p = self.p;
        if p.is_fragment() {
            return true;
        }
        let at = usize::from(p.at);
        let len = p.end().saturating_sub(at);
        let start = match (p.proto, p.af) {
            (proto::UDP, Af::V4)
                if self.head.get(at.saturating_add(6)..at.saturating_add(8)) == Some(&[0, 0]) =>
            {
                return true;
            }
            (proto::TCP | proto::UDP, _) | (proto::ICMPV6, Af::V6) => packet::pseudo(p, len),
            (proto::ICMP, Af::V4) => Some(Sum::new()),
            _ => return true,
        };
        let Some(mut sum) = start else {
            return false;
        };
        let mut done = 0usize;
        let mut piece = [0u8; PIECE];
        while done < len {
            let n = PIECE.min(len.saturating_sub(done));
            let Some(room) = piece.get_mut(..n) else {
                return false;
            };
            let off = u32::try_from(at.saturating_add(done)).unwrap_or(u32::MAX);
            if !m.copy_to(off, room) {
                return false;
            }
            sum = sum.bytes(room);
            done = done.saturating_add(n);
        }
        sum.finish() == 0
    }
}
