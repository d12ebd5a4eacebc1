// SPDX-License-Identifier: BSD-2-Clause
//! Doing to a packet what was decided: addresses, ports, options; and answering for it.

use kern::cx::Softint;
use kern::epoch;
use kern::mbuf::Mbuf;
use kern::mem::KVec;
use kern::pfil::Rx;
use kern::verdict::Verdict;
use wire::build;
use wire::build::Problem;
use wire::icmp;
use wire::packet::Af;
use wire::packet::Packet;
use wire::rewrite;
use wire::rewrite::Ends;
use wire::rewrite::Sums;

use iipf_abi as abi;

use crate::decision::Answer;
use crate::decision::Change;
use crate::decision::Decision;
use crate::softc::Iipf;
use crate::stats::Ctr;
use crate::stats::Drop;

/// Hops of what we send.
pub(crate) const TTL: u8 = 64;

impl Change {
    /// Whether there is something to do.
    #[inline]
    pub fn any(&self) -> bool {
        self.to.is_some()
            || self.error.is_some()
            || self.npt.is_some()
            || self.mss != 0
            || self.min_ttl != 0
            || self.set & !abi::IIPF_SET_MARK != 0
            || self.seq.is_some()
            || self.inner_seq != 0
            || self.look.is_some()
    }
}

/// The reason for what the rewriter refuses.
fn refused(_: rewrite::Refused) -> Drop {
    Drop::BadHeader
}

impl Iipf {
    /// Changes the packet.
    #[inline(never)]
    pub(crate) fn change(
        &self,
        m: Mbuf,
        p: &mut Packet,
        rx: &Rx,
        d: &Decision,
    ) -> Result<Mbuf, Drop> {
        let front = m.len().min(128);
        let mut m = m.writable(front)?;
        let head = m.head_mut().ok_or(Drop::NoBufs)?;
        if self.rewrite(head, p, rx, &d.change)? {
            self.counters.inc(Ctr::Clamped);
        }
        Ok(m)
    }

    /// Changes a packet's headers; whether the MSS was lowered.
    pub(crate) fn rewrite(
        &self,
        head: &mut [u8],
        p: &mut Packet,
        rx: &Rx,
        c: &Change,
    ) -> Result<bool, Drop> {
        let sums = if rx.csum_partial {
            Sums::Partial
        } else {
            Sums::Whole
        };
        if let Some(to) = &c.to {
            rewrite::ends(head, p, to, sums).map_err(refused)?;
        }
        if let Some((outer, inner_to)) = &c.error {
            let mut inner = p.embedded(head).map_err(|_| Drop::IcmpBad)?;
            rewrite::error(head, p, &mut inner, *outer, inner_to).map_err(refused)?;
        }
        if c.inner_seq != 0 {
            // What changes is made up for in the embedded checksum: the error's own stays right.
            let mut inner = p.embedded(head).map_err(|_| Drop::IcmpBad)?;
            rewrite::shift(head, &mut inner, c.inner_seq, 0, Sums::Whole);
        }
        if let Some((npt, out)) = &c.npt {
            let (mut src, mut dst) = (p.src, p.dst);
            if *out {
                src = npt.outbound(src).map_err(|_| Drop::NatAddress)?;
            } else {
                dst = npt.inbound(dst).map_err(|_| Drop::NatAddress)?;
            }
            let to = Ends {
                src,
                dst,
                ids: p.ids,
            };
            // Sums stay right by themselves; a partial one is of the pseudo-header, and does too.
            rewrite::ends(head, p, &to, sums).map_err(refused)?;
        }
        if let Some((seq, ack)) = c.seq {
            rewrite::shift(head, p, seq, ack, sums);
        }
        let clamped = c.mss != 0 && rewrite::clamp_mss(head, p, c.mss, sums);
        if c.min_ttl != 0 || c.set & !abi::IIPF_SET_MARK != 0 {
            rewrite::header(
                head,
                p,
                &rewrite::Header {
                    min_ttl: c.min_ttl,
                    dscp: (c.set & abi::IIPF_SET_DSCP != 0).then_some(c.dscp),
                    no_df: c.set & abi::IIPF_SET_NO_DF != 0,
                    id: (c.set & abi::IIPF_SET_RANDOM_ID != 0).then(|| self.seed(p) as u16),
                },
            );
        }
        Ok(clamped)
    }

    /// Answers a packet that is blocked.
    #[cold]
    #[inline(never)]
    pub(crate) fn answer(&self, cx: &mut Softint, m: &Mbuf, p: &Packet, rx: &Rx, answer: Answer) {
        // Too large for the stack.
        let Ok(mut room) = KVec::from_fn(cx, build::MAX_LEN, |_| 0) else {
            return;
        };
        let len = match answer {
            Answer::None => return,
            Answer::Cookie(..) | Answer::Syn(_) | Answer::Opened(_) | Answer::Refused(_) => {
                return self.speak(cx, m, p, rx, answer);
            }
            Answer::Reset => {
                self.counters.inc(Ctr::Resets);
                build::reset_for(p, TTL).and_then(|s| s.emit(&mut room).ok())
            }
            Answer::Unreachable(_) | Answer::TooBig(_) => {
                let what = problem(p.af, answer);
                let never = build::may_answer(p, what.typ, m.is_multicast()).is_err();
                if never || !self.may_send_error() {
                    return;
                }
                self.counters.inc(Ctr::Unreachables);
                let Ok(front) = front(cx, m, p) else { return };
                // As from the host that was meant: so a host takes it for an answer, and it needs
                // no address of ours.
                let from = match answer {
                    Answer::TooBig(_) => self.beside(cx, p).unwrap_or(p.dst),
                    _ => p.dst,
                };
                build::problem(p, &front, what, from, TTL, &mut room).ok()
            }
        };
        let Some(bytes) = len.and_then(|n| room.get(..n)) else {
            return;
        };
        let reply = Mbuf::get(bytes.len() as u32, 64).and_then(|mut reply| {
            reply.append(bytes)?;
            Ok(reply)
        });
        if let Ok(reply) = reply {
            let _ = self.gate.reply(cx, rx, m, reply);
        }
    }

    /// Our own address in the network of who sent the packet: what a router speaks as.
    fn beside(&self, cx: &mut Softint, p: &Packet) -> Option<u128> {
        epoch::read(cx, |s| {
            let ifs = self.rules.peek(s)?.live.ifs.peek(s)?;
            let mut own = ifs.addrs.iter();
            let near = own.find(|a| a.six == (p.af == Af::V6) && a.near(p.src));
            near.map(|a| a.addr)
        })
    }

    /// Sends a segment back to where a packet came from.
    pub(crate) fn reply_segment(
        &self,
        cx: &mut Softint,
        m: &Mbuf,
        rx: &Rx,
        segment: &build::Segment,
    ) {
        if let Some(reply) = segment_packet(segment) {
            let _ = self.gate.reply(cx, rx, m, reply);
        }
    }

    /// Looks into the payload for a helper, where one wants it.
    pub(crate) fn look(
        &self,
        cx: &mut Softint,
        m: Mbuf,
        p: Packet,
        rx: &Rx,
        d: &Decision,
    ) -> Verdict<Drop> {
        match d.change.look {
            None => Verdict::Pass(m),
            Some(look) => self.helped(cx, m, p, rx, look, d),
        }
    }
}

/// What an answer says is wrong.
fn problem(af: Af, answer: Answer) -> Problem {
    let (unreach, too_big) = match af {
        Af::V4 => (
            icmp::v4::UNREACH,
            (icmp::v4::UNREACH, icmp::v4::UNREACH_NEEDFRAG),
        ),
        Af::V6 => (icmp::v6::UNREACH, (icmp::v6::TOO_BIG, 0)),
    };
    let (typ, code, arg) = match answer {
        Answer::TooBig(mtu) => (too_big.0, too_big.1, mtu),
        Answer::Unreachable(code) => (unreach, code, 0),
        _ => (unreach, 0, 0),
    };
    Problem { typ, code, arg }
}

/// The front of the packet, for an error about it. The sum of its header is right: NetBSD makes it
/// behind the hooks only.
fn front(cx: &mut Softint, m: &Mbuf, p: &Packet) -> kern::errno::Result<KVec<u8>> {
    let head = m.head();
    let mut front = KVec::from_fn(cx, head.len(), |i| head.get(i).copied().unwrap_or(0))?;
    if p.af == Af::V4 {
        wire::ipv4::make_sum(&mut front);
    }
    Ok(front)
}

/// A segment as a packet.
pub(crate) fn segment_packet(segment: &build::Segment) -> Option<Mbuf> {
    let mut room = [0; 128];
    let len = segment.emit(&mut room).ok()?;
    let mut m = Mbuf::get(len as u32, 64).ok()?;
    m.append(room.get(..len)?).ok()?;
    Some(m)
}
