// SPDX-License-Identifier: BSD-2-Clause
//! ICMP errors: matched to the flow that they speak of, and translated outside and inside
//! (RFC 5508, 4; RFC 4787, REQ-10; RFC 5382, REQ-4; RFC 4890).

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Side;
use iipf_abi as abi;
use wire::packet;
use wire::packet::Af;
use wire::packet::Ids;
use wire::packet::Packet;
use wire::packet::Upper;
use wire::rewrite::Ends;

use crate::decision::Decision;
use crate::entry::Word;
use crate::follow::end;
use crate::follow::other;
use crate::job::Job;
use crate::softc::Family;
use crate::stats::Ctr;
use crate::stats::Drop;

impl<'a> Job<'a> {
    /// What becomes of an ICMP error.
    #[inline(never)]
    pub fn icmp_error<const N: usize>(&mut self, family: &Family<N>) -> Decision
    where
        [u64; N]: Packed,
    {
        let Ok(inner) = self.p.embedded(self.head) else {
            return Decision::drop(Drop::IcmpBad, self.mark);
        };
        // RFC 5508, REQ-3: a broken error, or one about a broken packet, is nobody's.
        let quoted = inner.af == Af::V6 || packet::header_sum_ok(self.head, &inner);
        if !quoted || !self.sum_ok() {
            return Decision::drop(Drop::BadChecksum, self.mark);
        }
        let tunnel = matches!(inner.ids, Ids::Spi(_) | Ids::Call(_));
        let (sport, dport) = inner.ids.pair();
        let sent = Tuple {
            src: inner.src,
            dst: inner.dst,
            sport,
            dport,
            proto: inner.proto,
            dir: u8::from(!self.out()),
            zone: 0,
        };
        // The error goes the way of the flow's answers.
        let way = sent.flip();
        let mut hit = family.flows.get(self.s, &Packed::pack(&way));
        if hit.is_none() && tunnel {
            let addresses = Tuple {
                sport: 0,
                dport: 0,
                ..way
            };
            hit = family.flows.get(self.s, &Packed::pack(&addresses));
        }
        let Some(hit) = hit else {
            return self.unmatched(family);
        };
        let flow = hit.entry;
        let word = flow.word();
        if word.has(Word::IF_BOUND) && flow.ifindex.load(Relaxed) != self.rx.ifindex {
            return self.unmatched(family);
        }
        // Its sender has numbers of its own.
        let by = match inner.upper {
            Upper::Tcp(seg) if word.has(Word::SEQ) => {
                let q = self.iipf.seq_of(self.s, hit.id, N == flow::key::V6);
                q.map_or(0, |q| q.ack(hit.side, seg.seq))
            }
            _ => 0,
        };
        // Who sent the packet spoken of must get it, and nobody else.
        if self.p.dst != inner.src || !self.plausible(&inner, flow, hit.side, by) {
            return Decision::drop(Drop::IcmpUnmatched, self.mark);
        }
        self.step(abi::IIPF_STEP_ICMP_ERROR, 0, self.number(hit.id));
        if !self.dry {
            self.iipf.counters.inc(Ctr::IcmpErrors);
            self.iipf.counters.inc(Ctr::PassedState);
        }
        let mut d = Decision::pass(flow.mark.load(Relaxed) | self.mark);
        d.change.inner_seq = by;
        if !word.has(Word::NAT) {
            return d;
        }
        let to = other(&hit);
        // A router on the inside speaks for itself, but under the outside address (RFC 5508, REQ-5).
        let src = if to.src != way.src {
            to.src
        } else {
            self.p.src
        };
        let back = to.flip();
        let ends = Ends {
            src: back.src,
            dst: back.dst,
            ids: match inner.ids {
                Ids::Spi(_) | Ids::Call(_) | Ids::None => Ids::None,
                ids => ids.with_pair(back.sport, back.dport),
            },
        };
        d.change.error = Some(((src, to.dst), ends));
        self.step_at(abi::IIPF_STEP_TRANSLATED, 0, 0, &to);
        d
    }

    /// An error about nothing that we know: as the rules say, but never past a translation.
    fn unmatched<const N: usize>(&mut self, family: &Family<N>) -> Decision
    where
        [u64; N]: Packed,
    {
        let t = self.tuple();
        if self.out() {
            let f = self.fields(&t);
            let (rules, chance) = (self.rules, self.chance());
            let found = rules.nat.first(&f, &self.view(), chance);
            let rule = found.and_then(|at| self.rules.rule(at));
            if rule.is_some_and(|r| r.rec.action == abi::IIPF_ACT_NAT) {
                return Decision::drop(Drop::IcmpUnmatched, self.mark);
            }
        }
        self.filter_only(family, t)
    }

    /// Whether the packet in the error can be one of the flow: its sequence number was sent, and
    /// is not acknowledged yet or only just (blind attacks: RFC 5927).
    fn plausible(&self, inner: &Packet, flow: &crate::entry::Flow, side: Side, by: u32) -> bool {
        let seq = match inner.upper {
            Upper::Tcp(seg) => seg.seq,
            Upper::TcpPart { seq } => seq,
            _ => return true,
        };
        if flow.word().has(Word::SLOPPY) {
            return true;
        }
        let sender = end(match side {
            Side::A => Side::B,
            Side::B => Side::A,
        });
        flow.track.under_way(sender, seq.wrapping_add(by))
    }
}
