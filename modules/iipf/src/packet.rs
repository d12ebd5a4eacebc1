// SPDX-License-Identifier: BSD-2-Clause
//! The hook: a packet comes, is judged in a read section, changed behind it, and goes on or not.

use core::sync::atomic::Ordering::Relaxed;

use iipf_abi as abi;
use kern::cx::Softint;
use kern::cx::Thread;
use kern::epoch;
use kern::mbuf::Mbuf;
use kern::mem::KArc;
use kern::pfil;
use kern::pfil::Dir;
use kern::pfil::Hook;
use kern::pfil::Rx;
use kern::verdict::Verdict;
use wire::packet;
use wire::packet::Bad;
use wire::packet::Packet;

use crate::decision::Answer;
use crate::decision::Decision;
use crate::frag::Fate;
use crate::frag::First;
use crate::ifmap::OTHER;
use crate::job::Job;
use crate::softc::FRAGS;
use crate::softc::Iipf;
use crate::stats::Ctr;
use crate::stats::Drop;
use crate::stats::Event;
use crate::step::Recorder;

/// As many bytes are made contiguous as headers can take.
const FRONT: u32 = 128;

impl Hook for Iipf {
    type Drop = Drop;

    fn packet(&self, cx: &mut Softint, m: Mbuf, rx: &Rx) -> Verdict<Drop> {
        if self.enabled.load(Relaxed) == 0 {
            return Verdict::Pass(m);
        }
        let mut m = m;
        if m.head().len() < FRONT as usize {
            let want = m.len().min(FRONT);
            m = match m.pullup(want) {
                Ok(m) => m,
                Err(e) => return Verdict::Drop(e.into()),
            };
        }
        let total = m.len() as usize;
        let p = match packet::parse(m.head(), total, family(rx)) {
            Ok(p) => p,
            Err(_) if self.skipped(cx, rx) => return Verdict::Pass(m),
            Err(bad) => return self.end(m, rx, reason(bad)),
        };
        if rx.dir == Dir::In && !packet::header_sum_ok(m.head(), &p) {
            return self.end(m, rx, Drop::BadChecksum);
        }
        if p.is_fragment() {
            return self.fragment(cx, m, &p, rx);
        }
        self.decide(cx, m, p, rx, None)
    }

    fn dropped(&self, why: Drop) {
        self.drops.inc(why);
    }

    fn ifchange(this: &KArc<Self>, cx: &mut Thread, _ifindex: u32) {
        this.refresh(cx);
    }
}

/// Whether a translated packet does not fit its way out. Where it is not translated the system says
/// so; but FreeBSD looks when it has been, and would tell the translated address, which is its own.
fn too_big(mtu: u32, p: &Packet, rx: &Rx, d: &Decision) -> bool {
    let translated = d.change.to.is_some() || d.change.npt.is_some();
    translated && rx.dir == Dir::Out && p.len > mtu && p.dont_fragment && !rx.gso
}

/// The family, as the parser calls it.
pub(crate) fn family(rx: &Rx) -> packet::Af {
    match rx.af {
        pfil::Af::V4 => packet::Af::V4,
        pfil::Af::V6 => packet::Af::V6,
    }
}

/// The reason for a packet that cannot be read.
pub(crate) fn reason(bad: Bad) -> Drop {
    match bad {
        Bad::Short | Bad::Beyond | Bad::Tiny => Drop::Short,
        Bad::HeaderSum => Drop::BadChecksum,
        Bad::Options | Bad::RoutingZero => Drop::Options,
        Bad::Fragment => Drop::FragmentOverlap,
        _ => Drop::BadHeader,
    }
}

impl Iipf {
    fn end(&self, m: Mbuf, rx: &Rx, why: Drop) -> Verdict<Drop> {
        let event = match rx.dir {
            Dir::In => Event::DropIn,
            Dir::Out => Event::DropOut,
        };
        let args = [why as u64, u64::from(rx.ifindex), u64::from(m.len())];
        self.trace.event(event, args);
        Verdict::Drop(why)
    }

    /// Whether an interface is not to be looked at.
    fn skipped(&self, cx: &mut Softint, rx: &Rx) -> bool {
        epoch::read(cx, |s| {
            let ifs = self.rules.peek(s).and_then(|r| r.live.ifs.peek(s));
            ifs.and_then(|i| i.get(rx.ifindex)).is_some_and(|i| i.skip)
        })
    }

    /// A piece of a packet, and what it sets free.
    #[inline(never)]
    fn fragment(&self, cx: &mut Softint, m: Mbuf, p: &Packet, rx: &Rx) -> Verdict<Drop> {
        if self.skipped(cx, rx) {
            return Verdict::Pass(m);
        }
        self.counters.inc(Ctr::Fragments);
        let now = self.now.load(Relaxed);
        let (wait, most) = self.fragment_limits(cx);
        match self.frags.take(m, p, rx, now, wait, most) {
            Fate::Drop(why) => Verdict::Drop(why),
            Fate::Held => {
                self.counters.inc(Ctr::FragmentsHeld);
                Verdict::Stolen
            }
            Fate::Go(m, first, mut behind) => {
                let verdict = self.decide(cx, m, *p, rx, Some(first));
                if behind.is_empty() {
                    return verdict;
                }
                // The first goes before what follows it: it is sent on from here.
                match verdict {
                    Verdict::Pass(m) => {
                        let _ = self.gate.resume(cx, rx, m);
                    }
                    Verdict::Stolen => {}
                    Verdict::Drop(why) => {
                        self.drops.inc(why);
                    }
                }
                while let Some(m) = behind.pop() {
                    self.later(cx, m, rx, first);
                }
                Verdict::Stolen
            }
        }
    }

    /// A fragment that has waited for its first.
    fn later(&self, cx: &mut Softint, m: Mbuf, rx: &Rx, first: First) {
        let Ok(p) = packet::parse(m.head(), m.len() as usize, family(rx)) else {
            self.drops.inc(Drop::BadHeader);
            return;
        };
        match self.decide(cx, m, p, rx, Some(first)) {
            Verdict::Pass(m) => {
                let _ = self.gate.resume(cx, rx, m);
            }
            Verdict::Stolen => {}
            Verdict::Drop(why) => self.drops.inc(why),
        }
    }

    fn fragment_limits(&self, cx: &mut Softint) -> (u32, u32) {
        epoch::read(cx, |s| {
            let Some(rules) = self.rules.peek(s) else {
                return (30, FRAGS);
            };
            let wait = rules
                .timeouts(None)
                .map_or(30, |t| t.get(flow::timeouts::Class::Fragment));
            (wait, rules.limit(iipf_abi::IIPF_LIMIT_FRAGS, FRAGS))
        })
    }

    /// Judges a packet, and does what was decided.
    fn decide(
        &self,
        cx: &mut Softint,
        m: Mbuf,
        mut p: Packet,
        rx: &Rx,
        first: Option<First>,
    ) -> Verdict<Drop> {
        let mark = m.mark();
        let d = if self.watch.wants(&p, rx, mark) {
            self.judge_watched(cx, &m, &p, rx, first, mark)
        } else {
            epoch::read(cx, |s| {
                self.judge_in(s, m.head(), &p, rx, first, mark, None, Some(&m))
            })
        };
        if d.kick {
            self.kick(cx);
        }
        if let Some(line) = d.log {
            self.log_packet(cx, &m, rx, &line, d.drop);
        }
        if let Some(why) = d.drop {
            if d.answer != Answer::None {
                self.answer(cx, &m, &p, rx, d.answer);
            }
            return self.end(m, rx, why);
        }
        let args = [
            u64::from(rx.ifindex),
            u64::from(p.proto),
            u64::from(m.len()),
        ];
        self.trace.event(Event::Pass, args);
        let mut m = m;
        if d.mark != mark && m.set_mark(d.mark).is_err() {
            return Verdict::Drop(Drop::NoBufs);
        }
        if d.change.any() {
            return match self.change(m, &mut p, rx, &d) {
                Ok(m) => self.look(cx, m, p, rx, &d),
                Err(why) => Verdict::Drop(why),
            };
        }
        Verdict::Pass(m)
    }

    /// As [`Iipf::judge_in`], for somebody who wants to know why. Apart, for its frame is large.
    #[cold]
    #[inline(never)]
    fn judge_watched(
        &self,
        cx: &mut Softint,
        m: &Mbuf,
        p: &Packet,
        rx: &Rx,
        first: Option<First>,
        mark: u32,
    ) -> Decision {
        let mut made = Recorder::new(cx);
        // Without memory it is judged all the same.
        let mut rec = made.as_mut().ok();
        let (d, generation) = epoch::read(cx, |s| {
            let d = self.judge_in(s, m.head(), p, rx, first, mark, rec.as_deref_mut(), Some(m));
            let rules = self.rules.peek(s);
            let ifs = rules.and_then(|r| r.live.ifs.peek(s));
            let iface = ifs
                .and_then(|i| i.get(rx.ifindex))
                .filter(|_| rx.dir == Dir::Out);
            if let Some(rec) = rec {
                rec.finish(&d, mark, iface.map_or("", |i| i.name.as_str()));
            }
            (d, rules.map_or(0, |r| r.generation))
        });
        if let Ok(rec) = made {
            self.watch.note(rec, m, rx, d.drop, generation);
        }
        d
    }

    /// Judges a packet within a section. `whole` is None for one that is only described: then
    /// nothing changes.
    #[expect(clippy::too_many_arguments, reason = "what a packet is judged by")]
    pub(crate) fn judge_in(
        &self,
        s: &epoch::Section<'_>,
        head: &[u8],
        p: &Packet,
        rx: &Rx,
        first: Option<First>,
        mark: u32,
        mut rec: Option<&mut Recorder>,
        whole: Option<&Mbuf>,
    ) -> Decision {
        let dry = whole.is_none();
        let Some(rules) = self.rules.peek(s) else {
            return Decision::pass(mark);
        };
        let Some(ifs) = rules.live.ifs.peek(s) else {
            return Decision::pass(mark);
        };
        let iface = ifs.get(rx.ifindex);
        if iface.is_some_and(|i| i.skip) {
            if !dry {
                self.counters.inc(Ctr::Skipped);
            }
            if let Some(rec) = rec.as_deref_mut() {
                rec.step(abi::IIPF_STEP_SKIP, 0, 0);
            }
            return Decision::pass(mark);
        }
        let mut job = Job {
            iipf: self,
            s,
            rules,
            ifs,
            p,
            rx,
            head,
            whole,
            first,
            slot: iface.map_or(OTHER, |i| i.slot),
            now: self.now.load(Relaxed),
            mark,
            rnd: 0,
            dry,
            rec,
            kick: false,
        };
        job.parsed();
        let mut d = match rx.af {
            pfil::Af::V4 => job.judge(&self.v4),
            pfil::Af::V6 => job.judge(&self.v6),
        };
        d.kick |= job.kick;
        if let Some(iface) = iface.filter(|i| d.drop.is_none() && too_big(i.mtu, p, rx, &d)) {
            d = Decision {
                answer: Answer::TooBig(iface.mtu),
                ..Decision::drop(Drop::TooBig, mark)
            };
            d.kick = job.kick;
        }
        if let Some(iface) = iface.filter(|_| !dry) {
            iface.count(rx, d.drop.is_some());
        }
        d
    }

    /// A packet that was judged, to be looked at once more.
    pub(crate) fn job<'a>(
        &'a self,
        s: &'a epoch::Section<'_>,
        head: &'a [u8],
        p: &'a Packet,
        rx: &'a Rx,
    ) -> Option<Job<'a>> {
        let rules = self.rules.peek(s)?;
        let ifs = rules.live.ifs.peek(s)?;
        Some(Job {
            iipf: self,
            s,
            rules,
            ifs,
            p,
            rx,
            head,
            whole: None,
            first: None,
            slot: ifs.get(rx.ifindex).map_or(OTHER, |i| i.slot),
            now: self.now.load(Relaxed),
            mark: 0,
            rnd: 0,
            dry: false,
            rec: None,
            kick: false,
        })
    }

    /// Random bits for one packet: of a secret that the worker renews, and of the packet.
    pub(crate) fn seed(&self, p: &Packet) -> u32 {
        let mut h = self.secret.load(Relaxed) ^ crate::cond::fold(p.src);
        let (a, b) = p.ids.pair();
        h = (h ^ crate::cond::fold(p.dst)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h ^= u64::from(a) << 16 | u64::from(b) | u64::from(p.len) << 32;
        h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        (h >> 32) as u32
    }

    /// Has the worker come now.
    pub(crate) fn kick(&self, cx: &mut Softint) {
        epoch::read(cx, |s| {
            if let Some(task) = self.worker.peek(s) {
                task.schedule(0);
            }
        });
    }
}
