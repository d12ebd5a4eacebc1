// SPDX-License-Identifier: BSD-2-Clause
//! What happened to a packet and why: steps, noted for whoever traces.

use flow::key::Tuple;
use iipf_abi as abi;
use kabi::Name;

use crate::cond::INET;
use crate::cond::INET6;
use crate::cond::octets;
use crate::decision::Answer;
use crate::decision::Decision;
use crate::stats::Drop;
use kern::cx::Cx;
use kern::errno::Result;
use kern::mem::KVec;
use kern::stats::Counter;
use wire::icmp::v4::UNREACH;
use wire::icmp::v4::UNREACH_NEEDFRAG;
use wire::icmp::v6::TOO_BIG;
use wire::icmp::v6::UNREACH as UNREACH6;

/// Steps of one packet.
pub(crate) struct Recorder {
    /// In order, in room that is made before.
    pub steps: KVec<abi::TraceStep>,
    proto: u8,
    six: bool,
}

impl Recorder {
    /// None yet.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: Cx>(cx: &mut C) -> Result<Recorder> {
        Ok(Recorder {
            steps: KVec::with_capacity(cx, abi::IIPF_TRACE_STEPS)?,
            proto: 0,
            six: false,
        })
    }

    fn push(&mut self, step: abi::TraceStep) {
        // What does not fit is left out.
        let _ = self.steps.push_within(step);
    }

    /// Writes the steps into a reply.
    pub fn fill(&self, reply: &mut abi::TraceReply) {
        for (to, from) in reply.steps.iter_mut().zip(self.steps.iter()) {
            *to = *from;
        }
        reply.count = u32::try_from(self.steps.len()).unwrap_or(0);
    }

    /// A step.
    pub fn step(&mut self, step: u16, rule: u32, value: u64) {
        self.push(abi::TraceStep {
            step,
            rule,
            value,
            ..abi::TraceStep::default()
        });
    }

    /// A step after which the packet is `t`.
    pub fn step_at(&mut self, step: u16, rule: u32, value: u64, six: bool, t: &Tuple) {
        self.proto = t.proto;
        self.six = six;
        self.push(abi::TraceStep {
            step,
            rule,
            value,
            af: if six { INET6 } else { INET },
            proto: t.proto,
            src: peer(six, t.src, t.sport),
            dst: peer(six, t.dst, t.dport),
            ..abi::TraceStep::default()
        });
    }

    /// A step with a name: a reason, an interface.
    pub fn named(&mut self, step: u16, value: u64, name: &str) {
        self.push(abi::TraceStep {
            step,
            value,
            name: Name::new(name).unwrap_or(Name::EMPTY),
            ..abi::TraceStep::default()
        });
    }

    /// A step with a drop reason.
    pub fn reason(&mut self, step: u16, why: Drop) {
        self.named(
            step,
            0,
            Drop::INFO.get(why.index()).map_or("", |info| info.name),
        );
    }

    /// What was decided, after all that led to it. `mark`: what it was before; `name`: the
    /// interface that a packet goes out by, or "".
    pub fn finish(&mut self, d: &Decision, mark: u32, name: &str) {
        if d.mark != mark && d.drop.is_none() {
            self.step(abi::IIPF_STEP_MARK, 0, u64::from(d.mark));
        }
        if d.change.mss != 0 && d.drop.is_none() {
            self.step(abi::IIPF_STEP_MSS, 0, u64::from(d.change.mss));
        }
        if let Some(look) = d.change.look {
            let known = ALGS.iter().find(|(bit, _)| look.alg & bit != 0);
            self.named(abi::IIPF_STEP_ALG, 0, known.map_or("", |(_, name)| name));
        }
        match d.answer {
            Answer::None => {}
            Answer::Cookie(..) | Answer::Syn(_) | Answer::Opened(_) | Answer::Refused(_) => {
                self.step(abi::IIPF_STEP_REPLY, 0, 0);
            }
            Answer::Reset => self.step(abi::IIPF_STEP_REPLY, 0, 0),
            Answer::TooBig(_) if self.six => {
                self.step(abi::IIPF_STEP_REPLY, 0, u64::from(TOO_BIG) << 8);
            }
            Answer::TooBig(_) => {
                let value = u64::from(UNREACH) << 8 | u64::from(UNREACH_NEEDFRAG);
                self.step(abi::IIPF_STEP_REPLY, 0, value);
            }
            Answer::Unreachable(code) => {
                let typ = u64::from(if self.six { UNREACH6 } else { UNREACH });
                self.step(abi::IIPF_STEP_REPLY, 0, typ << 8 | u64::from(code));
            }
        }
        match d.drop {
            Some(why) => self.reason(abi::IIPF_STEP_DROP, why),
            None => self.named(abi::IIPF_STEP_ON, 0, name),
        }
    }

    /// Whether such a step is among them.
    pub fn has(&self, step: u16) -> bool {
        self.steps.iter().any(|s| s.step == step)
    }
}

/// Helpers by the names that the configuration gives them.
const ALGS: [(u32, &str); 3] = [
    (abi::IIPF_ALG_FTP, "ftp"),
    (abi::IIPF_ALG_TFTP, "tftp"),
    (abi::IIPF_ALG_PPTP, "pptp"),
];

/// One end, as records have it.
pub(crate) fn peer(six: bool, addr: u128, port: u16) -> abi::Peer {
    abi::Peer {
        addr: octets(six, addr),
        port,
        pad: 0,
        spi: 0,
    }
}
