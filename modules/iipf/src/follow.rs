// SPDX-License-Identifier: BSD-2-Clause
//! The way of most packets: one that has a state.

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Side;
use flow::table::Hit;
use flow::tcp;
use flow::tcp::End;
use flow::tcp::Outcome;
use flow::timeouts::Class;
use iipf_abi as abi;
use wire::packet::Upper;
use wire::packet::proto;

use crate::decision::Decision;
use crate::decision::LogLine;
use crate::decision::Look;
use crate::entry::Flow;
use crate::entry::Word;
use crate::job::Job;
use crate::softc::Family;
use crate::stats::Ctr;
use crate::stats::Drop;

use core::sync::atomic::Ordering::Relaxed;

/// Who sent, as the tracker of windows calls it.
pub(crate) fn end(side: Side) -> End {
    match side {
        Side::A => End::First,
        Side::B => End::Second,
    }
}

impl<'a> Job<'a> {
    /// What of a segment matters for windows; None: not TCP, or only a piece of it.
    pub fn segment(&self) -> Option<tcp::Seg> {
        let Upper::Tcp(seg) = self.p.upper else {
            return None;
        };
        let syn = seg.flags.any(wire::tcp::Flags::SYN);
        let wscale = if syn {
            self.p.tcp_options(self.head).wscale
        } else {
            None
        };
        Some(tcp::Seg {
            seq: seg.seq,
            ack: seg.ack,
            len: seg.data_len,
            win: seg.window,
            flags: seg.flags.0,
            wscale,
        })
    }

    /// The packet belongs to a state. None: the state is over, or not for here.
    pub fn follow<const N: usize>(
        &mut self,
        family: &Family<N>,
        hit: Hit<'_, N, Flow>,
    ) -> Option<Decision>
    where
        [u64; N]: Packed,
    {
        let flow = hit.entry;
        let word = flow.word();
        if word.has(Word::IF_BOUND) && flow.ifindex.load(Relaxed) != self.rx.ifindex {
            return None;
        }
        if !self.dry && self.over(flow, word) {
            if family.flows.unlink(self.s, hit.id) {
                self.ended(family, &hit);
            }
            return None;
        }
        if self.p.has_options && !word.has(Word::OPTIONS) {
            return Some(Decision::drop(Drop::Options, self.mark));
        }
        if word.has(Word::PROXY) {
            return Some(self.proxied(family, &hit));
        }
        let mut syn = false;
        let mut shift = None;
        match self.segment() {
            Some(mut seg) => {
                if word.has(Word::SEQ)
                    && let Some(q) = self.iipf.seq_of(self.s, hit.id, N == flow::key::V6)
                {
                    let by = (q.seq(hit.side, seg.seq), q.ack(hit.side, seg.ack));
                    // Windows are followed in the numbers of those who send.
                    seg.ack = seg.ack.wrapping_add(by.1);
                    shift = Some(by);
                }
                syn = seg.flags & tcp::flag::SYN != 0;
                if let Some(drop) = self.window(family, &hit, word, &seg)? {
                    if let (Some(rec), Some(why)) = (self.rec.as_deref_mut(), drop.drop) {
                        rec.reason(abi::IIPF_STEP_STATE_REFUSED, why);
                    }
                    return Some(drop);
                }
            }
            None => self.heard(&hit, word),
        }
        if !self.dry {
            flow.count(hit.side, u64::from(self.p.len), self.now);
            self.iipf.counters.inc(Ctr::PassedState);
        }
        self.step(abi::IIPF_STEP_STATE_FOUND, 0, self.number(hit.id));
        let mut decision = Decision::pass(flow.mark.load(Relaxed) | self.mark);
        decision.change.seq = shift;
        if word.has(Word::NAT) {
            let to = other(&hit);
            decision.change.to = Some(self.ends(&to));
            self.step_at(abi::IIPF_STEP_TRANSLATED, 0, 0, &to);
        }
        if syn {
            decision.change.mss = flow.extra.load(Relaxed) as u16;
        }
        if word.alg() != 0 {
            decision.change.look = Some(Look {
                alg: word.alg(),
                id: hit.id,
                side: hit.side,
            });
        }
        if word.has(Word::LOG_ALL) {
            decision.log = Some(LogLine {
                rule: self.rules.index_of(flow.rule.load(Relaxed)),
            });
        }
        Some(decision)
    }

    /// Whether the state's time is over, though the wheel has not come by yet.
    fn over(&self, flow: &Flow, word: Word) -> bool {
        let idle = self.now.wrapping_sub(flow.last.load(Relaxed));
        if !(2..=u32::MAX / 2).contains(&idle) {
            return false;
        }
        let rule = self.rules.numbered(flow.rule.load(Relaxed));
        let secs = self.rules.timeouts(rule).map(|t| t.get(word.class()));
        secs.is_some_and(|secs| idle >= secs)
    }

    /// Checks the windows. None: the connection is over, and this begins the next one between the
    /// same ends.
    fn window<const N: usize>(
        &mut self,
        family: &Family<N>,
        hit: &Hit<'_, N, Flow>,
        word: Word,
        seg: &tcp::Seg,
    ) -> Option<Option<Decision>>
    where
        [u64; N]: Packed,
    {
        if self.dry {
            return Some(None);
        }
        let flow = hit.entry;
        match flow.track.segment(end(hit.side), seg, false) {
            Outcome::Ok { phase, changed } => {
                if changed {
                    flow.set_class(Class::tcp(phase));
                    if phase == tcp::Phase::Established {
                        self.established(family, flow);
                    }
                }
                Some(None)
            }
            Outcome::Reopen => {
                if family.flows.unlink(self.s, hit.id) {
                    self.ended(family, hit);
                }
                None
            }
            Outcome::Bad(_) if word.has(Word::SLOPPY) => Some(None),
            Outcome::Bad(why) => {
                let drop = match why {
                    tcp::Why::Reset | tcp::Why::Syn => Drop::BadReset,
                    tcp::Why::Flags => Drop::BadFlags,
                    _ => Drop::BadState,
                };
                Some(Some(Decision::drop(drop, self.mark)))
            }
        }
    }

    /// The class of what is not TCP.
    fn heard<const N: usize>(&self, hit: &Hit<'_, N, Flow>, word: Word) {
        if self.dry {
            return;
        }
        let class = word.class();
        let back = hit.side == Side::B;
        let next = match class {
            Class::UdpFirst if back => Class::UdpMultiple,
            Class::UdpFirst => Class::UdpSingle,
            Class::UdpSingle if back => Class::UdpMultiple,
            Class::IcmpFirst if back => Class::IcmpMultiple,
            Class::TunnelFirst if back => Class::TunnelMultiple,
            Class::EspFirst if back => Class::EspMultiple,
            Class::OtherFirst if back => Class::OtherMultiple,
            Class::OtherFirst => Class::OtherSingle,
            Class::OtherSingle if back => Class::OtherMultiple,
            _ => return,
        };
        // In a hairpin both sides come in by the A key of their own; ports tell them apart.
        hit.entry.set_class(next);
    }
}

/// What the packet becomes: the other key, seen from the other side.
pub(crate) fn other<const N: usize>(hit: &Hit<'_, N, Flow>) -> Tuple
where
    [u64; N]: Packed,
{
    let side = match hit.side {
        Side::A => Side::B,
        Side::B => Side::A,
    };
    hit.entry.key(side).unpack().flip()
}

/// The class of a flow's first packet.
pub(crate) fn first_class(p: u8, call: bool) -> Class {
    match p {
        proto::TCP => Class::TcpFirst,
        proto::UDP => Class::UdpFirst,
        proto::ICMP | proto::ICMPV6 => Class::IcmpFirst,
        proto::GRE if call => Class::TunnelFirst,
        proto::ESP => Class::EspFirst,
        _ => Class::OtherFirst,
    }
}
