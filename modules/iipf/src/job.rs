// SPDX-License-Identifier: BSD-2-Clause
//! One packet on its way through the filter: what is known about it, and what is decided.

use classify::Fields;
use flow::key::Tuple;
use flow::slab::Id;
use iipf_abi as abi;
use kern::epoch::Section;
use kern::mbuf::Mbuf;
use kern::pfil::Af;
use kern::pfil::Dir;
use kern::pfil::Rx;
use wire::packet::Ids;
use wire::packet::Packet;
use wire::packet::Upper;
use wire::rewrite::Ends;

use crate::decision::LogLine;
use crate::frag::First;
use crate::ifmap::IfMap;
use crate::ruleset::Ruleset;
use crate::ruleset::View;
use crate::softc::Iipf;
use crate::step::Recorder;

/// A packet and all that it is judged by. Lives in one read section.
pub(crate) struct Job<'a> {
    pub iipf: &'a Iipf,
    pub s: &'a Section<'a>,
    pub rules: &'a Ruleset,
    pub ifs: &'a IfMap,
    pub p: &'a Packet,
    pub rx: &'a Rx,
    /// The contiguous front of the packet.
    pub head: &'a [u8],
    /// All of it, where there is more than a description.
    pub whole: Option<&'a Mbuf>,
    /// Of a fragment: what the first one says.
    pub first: Option<First>,
    pub slot: u8,
    pub now: u32,
    pub mark: u32,
    /// Random bits; 0: none drawn yet.
    pub rnd: u32,
    /// Nothing is to change: the packet is only described.
    pub dry: bool,
    pub rec: Option<&'a mut Recorder>,
    pub kick: bool,
}

impl<'a> Job<'a> {
    /// Whether it is IPv6.
    pub fn six(&self) -> bool {
        self.rx.af == Af::V6
    }

    pub fn out(&self) -> bool {
        self.rx.dir == Dir::Out
    }

    /// The protocol; of a fragment, as the first one says.
    pub fn proto(&self) -> u8 {
        self.first.map_or(self.p.proto, |f| f.proto)
    }

    /// What takes the place of ports.
    pub fn ids(&self) -> Ids {
        self.first.map_or(self.p.ids, |f| f.ids)
    }

    /// The packet's name. What both ends must agree on is left out of it: SPIs and call ids differ
    /// by direction, so flows that a helper did not announce go by their addresses.
    pub fn tuple(&self) -> Tuple {
        let (sport, dport) = match self.ids() {
            Ids::Spi(_) | Ids::Call(_) | Ids::None => (0, 0),
            ids => ids.pair(),
        };
        Tuple {
            src: self.p.src,
            dst: self.p.dst,
            sport,
            dport,
            proto: self.proto(),
            dir: u8::from(self.out()),
            zone: 0,
        }
    }

    /// The fields for rules, of a packet that has become `t`.
    pub fn fields(&self, t: &Tuple) -> Fields {
        let mut f = Fields::new(match self.rx.af {
            Af::V4 => classify::Af::V4,
            Af::V6 => classify::Af::V6,
        });
        f.dir = match self.rx.dir {
            Dir::In => classify::Dir::In,
            Dir::Out => classify::Dir::Out,
        };
        (f.src, f.dst) = (t.src, t.dst);
        f.proto = t.proto;
        f.iface = self.slot;
        f.mark = self.mark;
        f.dscp = self.p.dscp();
        if matches!(self.ids(), Ids::Ports { .. }) {
            (f.sport, f.dport) = (t.sport, t.dport);
        }
        match self.p.upper {
            Upper::Tcp(seg) => f.tcp_flags = seg.flags.0,
            Upper::Icmp { typ, code, .. } => (f.icmp_type, f.icmp_code) = (typ, code),
            _ => {}
        }
        f.frag = match self.p.frag {
            Some(frag) if !frag.is_whole() && frag.is_first() => classify::Frag::First,
            // One whose first has been seen is judged by its ports, as if it had them.
            Some(frag) if !frag.is_first() && self.first.is_none() => classify::Frag::Later,
            _ => classify::Frag::Whole,
        };
        f
    }

    /// The tables, for a search.
    pub fn view(&self) -> View<'a, 'a> {
        View {
            live: &self.rules.live,
            s: self.s,
            now: self.now,
            bytes: 0,
        }
    }

    /// The packet's ends as translated to `t`.
    pub fn ends(&self, t: &Tuple) -> Ends {
        Ends {
            src: t.src,
            dst: t.dst,
            ids: match self.p.ids {
                Ids::Spi(_) | Ids::None => Ids::None,
                Ids::Call(_) if t.sport == 0 && t.dport == 0 => Ids::None,
                ids => ids.with_pair(t.sport, t.dport),
            },
        }
    }

    /// Notes a step for whoever traces.
    #[inline]
    pub fn step(&mut self, step: u16, rule: u32, value: u64) {
        if let Some(rec) = self.rec.as_deref_mut() {
            rec.step(step, rule, value);
        }
    }

    /// The first step: what the packet is.
    #[inline]
    pub fn parsed(&mut self) {
        if self.rec.is_none() {
            return;
        }
        let value = match self.p.upper {
            Upper::Tcp(seg) => u64::from(seg.flags.0),
            Upper::Icmp { typ, code, .. } => u64::from(typ) << 8 | u64::from(code),
            _ => 0,
        };
        let t = self.tuple();
        self.step_at(abi::IIPF_STEP_PARSED, 0, value, &t);
    }

    /// A step with a name.
    #[inline]
    pub fn step_named(&mut self, step: u16, name: &str) {
        if let Some(rec) = self.rec.as_deref_mut() {
            rec.named(step, 0, name);
        }
    }

    /// The number of a state, for steps.
    pub fn number(&self, id: Id) -> u64 {
        crate::pick::state_id(self.six(), id)
    }

    /// A step after which the packet is `t`.
    #[inline]
    pub fn step_at(&mut self, step: u16, rule: u32, value: u64, t: &Tuple) {
        let six = self.six();
        if let Some(rec) = self.rec.as_deref_mut() {
            rec.step_at(step, rule, value, six, t);
        }
    }

    /// Random bits, others each time.
    pub fn random(&mut self) -> u32 {
        // xorshift32 over a seed from the packet: for choices, not for secrets. The seed is not.
        // Drawn when it is wanted: packets that have a state choose nothing.
        if self.rnd == 0 {
            self.rnd = self.iipf.seed(self.p);
        }
        let mut x = self.rnd | 1;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.rnd = x;
        x
    }

    /// The log line of a rule, if it wants one.
    pub fn log_line(&self, rule: u32) -> Option<LogLine> {
        let r = self.rules.rule(rule)?;
        (r.rec.flags & abi::IIPF_R_LOG != 0).then_some(LogLine { rule })
    }
}
