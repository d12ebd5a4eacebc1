// SPDX-License-Identifier: BSD-2-Clause
//! "synproxy state": the handshake is done with the client first, without keeping anything of it;
//! then with the server. Floods of SYNs never get there, and take no memory here.
//!
//! ```text
//! client                    here                          server
//! SYN i            →
//!                  ←        SYN|ACK cookie, window 0
//! ACK cookie+1     →        state made       SYN i    →
//!                                            ←            SYN|ACK s
//!                  ←        window           ACK s+1  →
//! ```
//! From then on the server's numbers are shifted by cookie - s.

mod cookie;

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Id;
use flow::slab::Side;
use flow::table::Hit;
use flow::tcp;
use flow::tcp::End;
use flow::tcp::Outcome;
use flow::tcp::flag;
use flow::timeouts::Class;
use kern::cx::Softint;
use kern::epoch;
use kern::mbuf::Mbuf;
use kern::pfil::Rx;
use wire::build::Ip;
use wire::build::Segment;
use wire::packet::Af;
use wire::packet::Packet;
use wire::packet::Upper;
use wire::tcp::Flags;

use crate::change::TTL;
use crate::change::segment_packet;
use crate::decision::Answer;
use crate::decision::Decision;
use crate::entry::Flow;
use crate::entry::Word;
use crate::job::Job;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::stats::Ctr;
use crate::stats::Drop;

pub(crate) use cookie::Cookies;

/// The segment size of who does not say any (RFC 9293, 3.7.1).
const DEFAULT_MSS: u16 = 536;

/// A client whose answer proved it.
#[derive(Clone, Copy)]
pub(crate) struct Proven {
    pub cookie: u32,
    pub mss: u16,
    /// The window it offers.
    pub window: u16,
    /// The SYN that we did not keep.
    pub syn: tcp::Seg,
}

/// What becomes of a segment that no state has.
pub(crate) enum Shake {
    /// A SYN: answered with this.
    Answer(Answer),
    /// The handshake is done.
    Proven(Proven),
    Refused,
}

const SHAKE: u8 = flag::SYN | flag::ACK | flag::RST | flag::FIN;

impl Job<'_> {
    /// A segment without state that a rule with "synproxy" passes.
    pub fn shake(&self, t: &Tuple, most: u16) -> Shake {
        let Upper::Tcp(seg) = self.p.upper else {
            return Shake::Refused;
        };
        let cookies = &self.iipf.cookies;
        match seg.flags.0 & SHAKE {
            flag::SYN => {
                let says = self
                    .p
                    .tcp_options(self.head)
                    .mss
                    .map_or(DEFAULT_MSS, |m| m.0);
                let most = if most == 0 { says } else { says.min(most) };
                let (cookie, mss) = cookies.make(t, seg.seq, most);
                Shake::Answer(Answer::Cookie(cookie, mss))
            }
            flag::ACK => {
                let (isn, cookie) = (seg.seq.wrapping_sub(1), seg.ack.wrapping_sub(1));
                match cookies.check(t, isn, cookie) {
                    Some(mss) => Shake::Proven(Proven {
                        cookie,
                        mss,
                        window: seg.window,
                        syn: tcp::Seg {
                            seq: isn,
                            win: seg.window,
                            flags: flag::SYN,
                            ..tcp::Seg::default()
                        },
                    }),
                    None => Shake::Refused,
                }
            }
            _ => Shake::Refused,
        }
    }

    /// Whether it is a client's answer to a cookie.
    #[inline(never)]
    pub fn answers_cookie(&self, t: &Tuple) -> bool {
        let Upper::Tcp(seg) = self.p.upper else {
            return false;
        };
        let (isn, cookie) = (seg.seq.wrapping_sub(1), seg.ack.wrapping_sub(1));
        let plain = seg.flags.0 & SHAKE == flag::ACK && !self.out();
        plain && self.iipf.cookies.check(t, isn, cookie).is_some()
    }

    /// A segment of a connection whose server has not answered yet.
    pub fn proxied<const N: usize>(
        &mut self,
        family: &Family<N>,
        hit: &Hit<'_, N, Flow>,
    ) -> Decision
    where
        [u64; N]: Packed,
    {
        let Some(seg) = self.segment() else {
            return Decision::drop(Drop::BadState, self.mark);
        };
        let known = self.iipf.seq_of(self.s, hit.id, N == flow::key::V6);
        let Some(q) = known.filter(|_| !self.dry) else {
            return Decision::drop(Drop::Synproxy, self.mark);
        };
        let cookie = q.base(Side::B);
        let mut d = Decision::drop(Drop::Synproxy, self.mark);
        let flow = hit.entry;
        match (hit.side, seg.flags & SHAKE) {
            // It asks again, or probes the window: our SYN may be lost.
            (Side::A, flag::ACK) if seg.ack == cookie.wrapping_add(1) => {
                if flow.track.under_way(End::First, seg.seq.wrapping_sub(1)) {
                    d.answer = Answer::Syn(hit.id);
                }
                return d;
            }
            (Side::A, _) => return d,
            (Side::B, _) => {}
        }
        let Outcome::Ok { phase, .. } = flow.track.segment(End::Second, &seg, false) else {
            return Decision::drop(Drop::BadState, self.mark);
        };
        flow.count(Side::B, u64::from(self.p.len), self.now);
        if seg.flags & flag::RST != 0 {
            flow.set_class(Class::tcp(phase));
            d.answer = Answer::Refused(hit.id);
            return d;
        }
        if seg.flags & SHAKE != flag::SYN | flag::ACK {
            return Decision::drop(Drop::BadState, self.mark);
        }
        q.set_base(Side::B, cookie.wrapping_sub(seg.seq));
        flow.word.fetch_and(!Word::PROXY, Relaxed);
        let ack = tcp::Seg {
            seq: seg.ack,
            ack: seg.seq.wrapping_add(1),
            win: q.window(),
            flags: flag::ACK,
            ..tcp::Seg::default()
        };
        if let Outcome::Ok { phase, .. } = flow.track.segment(End::First, &ack, false) {
            flow.set_class(Class::tcp(phase));
            if phase == tcp::Phase::Established {
                self.established(family, flow);
            }
        }
        self.iipf.counters.inc(Ctr::SynProxied);
        d.answer = Answer::Opened(hit.id);
        d
    }
}

/// A segment from one end of `t` to the other.
fn segment(af: Af, t: &Tuple, (seq, ack): (u32, u32), flags: Flags, window: u16) -> Segment {
    Segment {
        ip: Ip {
            af,
            src: t.src,
            dst: t.dst,
            ttl: TTL,
            tos: 0,
        },
        sport: t.sport,
        dport: t.dport,
        seq,
        ack,
        flags,
        window,
        mss: None,
    }
}

/// The packet's ends, as a name.
fn ends(p: &Packet) -> Tuple {
    let (sport, dport) = p.ids.pair();
    Tuple {
        src: p.src,
        dst: p.dst,
        sport,
        dport,
        proto: p.proto,
        ..Tuple::default()
    }
}

/// What a flow says for the answers.
struct Known {
    /// What the packet is on the other side.
    to: Tuple,
    /// Shift of the server's numbers.
    base: u32,
    window: u16,
    mss: u16,
}

impl Iipf {
    fn known<const N: usize>(
        &self,
        cx: &mut Softint,
        family: &Family<N>,
        id: Id,
        from: Side,
    ) -> Option<Known>
    where
        [u64; N]: Packed,
    {
        epoch::read(cx, |s| {
            let hit = family.flows.by_id(s, id)?;
            let q = self.seq_of(s, id, N == flow::key::V6)?;
            Some(Known {
                to: hit.entry.key(crate::shift::opposite(from)).unpack().flip(),
                base: q.base(Side::B),
                window: q.window(),
                mss: q.mss(),
            })
        })
    }

    /// Says on behalf of both ends what is to be said. `p` is the packet that made us.
    #[cold]
    #[inline(never)]
    pub(crate) fn speak(&self, cx: &mut Softint, m: &Mbuf, p: &Packet, rx: &Rx, answer: Answer) {
        let Upper::Tcp(seg) = p.upper else { return };
        let known = |cx: &mut Softint, id, from| match p.af {
            Af::V4 => self.known(cx, &self.v4, id, from),
            Af::V6 => self.known(cx, &self.v6, id, from),
        };
        match answer {
            Answer::Cookie(cookie, mss) => {
                let back = ends(p).flip();
                let numbers = (cookie, seg.seq.wrapping_add(1));
                let flags = Flags(Flags::SYN.0 | Flags::ACK.0);
                let answer = Segment {
                    mss: Some(mss),
                    ..segment(p.af, &back, numbers, flags, 0)
                };
                self.counters.inc(Ctr::SynCookies);
                self.reply_segment(cx, m, rx, &answer);
            }
            Answer::Syn(id) => {
                let Some(k) = known(cx, id, Side::A) else {
                    return;
                };
                let numbers = (seg.seq.wrapping_sub(1), 0);
                let syn = Segment {
                    mss: Some(k.mss),
                    ..segment(p.af, &k.to, numbers, Flags::SYN, k.window)
                };
                self.send_segment(cx, m, rx, &syn);
            }
            Answer::Opened(id) => {
                let Some(k) = known(cx, id, Side::B) else {
                    return;
                };
                let next = seg.seq.wrapping_add(1);
                let back = ends(p).flip();
                let ack = segment(p.af, &back, (seg.ack, next), Flags::ACK, k.window);
                self.reply_segment(cx, m, rx, &ack);
                let numbers = (next.wrapping_add(k.base), seg.ack);
                let update = segment(p.af, &k.to, numbers, Flags::ACK, seg.window);
                self.send_segment(cx, m, rx, &update);
            }
            Answer::Refused(id) => {
                let Some(k) = known(cx, id, Side::B) else {
                    return;
                };
                let flags = Flags(Flags::RST.0 | Flags::ACK.0);
                let numbers = (k.base.wrapping_add(1), seg.ack);
                self.counters.inc(Ctr::Resets);
                self.send_segment(cx, m, rx, &segment(p.af, &k.to, numbers, flags, 0));
            }
            Answer::None | Answer::Reset | Answer::TooBig(_) | Answer::Unreachable(_) => {}
        }
    }

    /// A segment goes where a packet goes.
    fn send_segment(&self, cx: &mut Softint, m: &Mbuf, rx: &Rx, segment: &Segment) {
        if let Some(packet) = segment_packet(segment) {
            let _ = self.gate.send(cx, rx, Some(m), packet);
        }
    }
}
