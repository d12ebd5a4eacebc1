// SPDX-License-Identifier: BSD-2-Clause
//! Helpers: protocols that announce other connections in their payload.
//!
//! A flow that has a helper shows it every payload. The helper answers with what is to stand there
//! instead, and notes what it expects ([`expect`]). Where that changes the length of a TCP stream,
//! all that follows is shifted ([`seq`]).

mod announce;
mod control;
pub(crate) mod expect;
mod ftp;
mod plan;
mod pptp;
mod seq;
mod tftp;
pub(crate) mod tunnel;

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Side;
use flow::table::Hit;
use iipf_abi as abi;
use kern::cx::Softint;
use kern::epoch;
use kern::mbuf::Mbuf;
use kern::mem::KVec;
use kern::pfil;
use kern::pfil::Rx;
use kern::verdict::Verdict;
use wire::build;
use wire::packet;
use wire::packet::Packet;
use wire::packet::Upper;
use wire::tcp::Flags;

use self::plan::Plan;
use self::plan::rebuild;
use crate::decision::Decision;
use crate::decision::Look;
use crate::entry::Flow;
use crate::job::Job;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::stats::Ctr;
use crate::stats::Drop;

pub(crate) use control::Control;
pub(crate) use control::Controls;

/// The longest payload that is looked into.
const MAX_PAYLOAD: usize = 2_048;
/// Room for it, the headers, what a helper held back, and what grows.
const ROOM: usize = MAX_PAYLOAD + 128 + control::HELD + wire::alg::ftp::MAX_TEXT;
/// A payload, as a helper sees it.
struct Heard<'h, 'j, const N: usize> {
    job: &'h mut Job<'j>,
    family: &'h Family<N>,
    hit: Hit<'h, N, Flow>,
    /// Who sent it.
    side: Side,
    payload: &'h [u8],
    /// TCP: the sender's number of its first byte.
    seq: u32,
    /// TCP: FIN or RST.
    last: bool,
}

/// A protocol with a helper.
trait Helper {
    /// Whether it is spoken between these ends; the first is who began.
    fn speaks(t: &Tuple) -> bool;

    /// Looks into a payload.
    fn look<const N: usize>(
        heard: &mut Heard<'_, '_, N>,
        control: &mut Control,
        plan: &mut Plan,
    ) -> Result<(), Drop>
    where
        [u64; N]: Packed;
}

impl Job<'_> {
    /// The helper of a new connection: `IIPF_ALG_*`, of those that the rules allow.
    pub fn helper(&self, allowed: u32, t: &Tuple, to: &Tuple) -> u32 {
        if allowed == 0 {
            return 0;
        }
        let speaks = |f: fn(&Tuple) -> bool| f(t) || f(to);
        let mut alg = 0;
        let mut add = |bit: u32, on: bool| alg |= if on { bit & allowed } else { 0 };
        add(abi::IIPF_ALG_FTP, speaks(ftp::Ftp::speaks));
        add(abi::IIPF_ALG_TFTP, speaks(tftp::Tftp::speaks));
        add(abi::IIPF_ALG_PPTP, speaks(pptp::Pptp::speaks));
        alg
    }
}

impl Iipf {
    /// Looks into the payload. Apart, for its frame is large.
    #[cold]
    #[inline(never)]
    pub(crate) fn helped(
        &self,
        cx: &mut Softint,
        m: Mbuf,
        mut p: Packet,
        rx: &Rx,
        look: Look,
        d: &Decision,
    ) -> Verdict<Drop> {
        let Some(at) = p.data_at().filter(|&at| at < p.end()) else {
            return Verdict::Pass(m);
        };
        let size = p.end().saturating_sub(at);
        let end = p.end();
        // Too large for the stack.
        let Ok(mut room) = KVec::from_fn(cx, ROOM, |_| 0u8) else {
            return Verdict::Drop(Drop::NoBufs);
        };
        let whole = room
            .get_mut(..end)
            .filter(|_| size <= MAX_PAYLOAD && !rx.gso);
        let copied = whole.is_some_and(|b| m.copy_to(0, b));
        let (seq_add, ack_add) = d.change.seq.unwrap_or_default();
        let (seq, ack, last) = match p.upper {
            Upper::Tcp(seg) => (
                seg.seq.wrapping_sub(seq_add),
                seg.ack.wrapping_sub(ack_add),
                seg.flags.any(Flags(Flags::FIN.0 | Flags::RST.0)),
            ),
            _ => (0, 0, false),
        };
        if !copied || p.is_fragment() {
            let next = seq.wrapping_add(size as u32);
            self.controls
                .skip(look.id, rx.af == pfil::Af::V6, look.side, next);
            self.counters.inc(Ctr::AlgPassed);
            return Verdict::Pass(m);
        }
        let whole = room.get(..end).unwrap_or_default();
        if !rx.csum_partial && packet::upper_sum_ok(whole, &p) == Some(false) {
            // Whoever receives it will not believe it either.
            return Verdict::Pass(m);
        }
        let Ok(mut plan) = Plan::new(cx) else {
            return Verdict::Drop(Drop::NoBufs);
        };
        let payload = (at, seq, last);
        let planned = match rx.af {
            pfil::Af::V4 => self.ask(cx, &self.v4, whole, &p, rx, look, payload, &mut plan),
            pfil::Af::V6 => self.ask(cx, &self.v6, whole, &p, rx, look, payload, &mut plan),
        };
        let t = match planned {
            Ok(Some(t)) => t,
            Ok(None) => return Verdict::Pass(m),
            Err(why) => {
                if why == Drop::Alg && self.may_log() {
                    kern::log!(
                        kern::log::Level::Notice,
                        "iipf: a payload asks for what it may not have; dropped"
                    );
                }
                return Verdict::Drop(why);
            }
        };
        if plan.ack {
            let ack = (ack, seq.wrapping_add(size as u32));
            self.acknowledge(cx, &m, &p, rx, &t, ack);
        }
        if plan.swallow {
            self.counters.inc(Ctr::AlgHeld);
            return Verdict::Stolen;
        }
        if !plan.changes() {
            return Verdict::Pass(m);
        }
        match rebuild(&mut room, &mut p, rx, at, &plan) {
            Some(len) => self.replaced(m, at, room.get(..len).unwrap_or_default(), end),
            None => Verdict::Drop(Drop::NoBufs),
        }
    }

    /// Asks the helper. None: there is nothing to ask. Else the packet's name, as its sender has it.
    #[expect(clippy::too_many_arguments, reason = "called once a family")]
    fn ask<const N: usize>(
        &self,
        cx: &mut Softint,
        family: &Family<N>,
        whole: &[u8],
        p: &Packet,
        rx: &Rx,
        look: Look,
        (at, seq, last): (usize, u32, bool),
        plan: &mut Plan,
    ) -> Result<Option<Tuple>, Drop>
    where
        [u64; N]: Packed,
    {
        let (done, kick) = epoch::read(cx, |s| {
            let Some(mut job) = self.job(s, whole, p, rx) else {
                return (Ok(None), false);
            };
            let Some(hit) = family.flows.by_id(s, look.id) else {
                return (Ok(None), false);
            };
            let mut heard = Heard {
                job: &mut job,
                family,
                hit,
                side: look.side,
                payload: whole.get(at..).unwrap_or_default(),
                seq,
                last,
            };
            let done = self
                .controls
                .with(look.id, rx.af == pfil::Af::V6, |control| {
                    let done = match look.alg {
                        abi::IIPF_ALG_FTP => ftp::Ftp::look(&mut heard, control, plan),
                        abi::IIPF_ALG_TFTP => tftp::Tftp::look(&mut heard, control, plan),
                        abi::IIPF_ALG_PPTP => pptp::Pptp::look(&mut heard, control, plan),
                        _ => Ok(()),
                    };
                    plan.keep(control.held(look.side));
                    done
                });
            let done = match done {
                Some(done) => done.map(|()| Some(hit.entry.key(look.side).unpack())),
                None => {
                    self.counters.inc(Ctr::AlgPassed);
                    Ok(None)
                }
            };
            (done, job.kick)
        });
        if kick {
            self.kick(cx);
        }
        done
    }

    /// Tells the sender of a segment that was held back that it has come: one that waits for that
    /// before it sends the rest (RFC 896) would wait for ever.
    fn acknowledge(
        &self,
        cx: &mut Softint,
        m: &Mbuf,
        p: &Packet,
        rx: &Rx,
        t: &Tuple,
        (seq, ack): (u32, u32),
    ) {
        let segment = build::Segment {
            ip: build::Ip {
                af: p.af,
                src: t.dst,
                dst: t.src,
                ttl: crate::change::TTL,
                tos: 0,
            },
            sport: t.dport,
            dport: t.sport,
            seq,
            ack,
            flags: Flags::ACK,
            window: 8_192,
            mss: None,
        };
        self.reply_segment(cx, m, rx, &segment);
    }

    /// The same packet with another payload and other headers.
    fn replaced(&self, m: Mbuf, at: usize, new: &[u8], old_end: usize) -> Verdict<Drop> {
        let mut m = m;
        let extra = m.len().saturating_sub(old_end as u32);
        m.trim_back(extra);
        let payload = old_end.saturating_sub(at) as u32;
        m.trim_back(payload);
        let mut m = match m.writable(at as u32) {
            Ok(m) => m,
            Err(e) => return Verdict::Drop(e.into()),
        };
        let (Some(front), Some(rest)) = (new.get(..at), new.get(at..)) else {
            return Verdict::Drop(Drop::NoBufs);
        };
        match m.head_mut().and_then(|h| h.get_mut(..at)) {
            Some(head) => wire::copy(head, front),
            None => return Verdict::Drop(Drop::NoBufs),
        }
        if m.append(rest).is_err() {
            return Verdict::Drop(Drop::NoBufs);
        }
        Verdict::Pass(m)
    }
}
