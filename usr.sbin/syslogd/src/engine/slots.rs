// SPDX-License-Identifier: BSD-2-Clause
//! The rings and outputs: which had a message already, what each got last, and what they got.

use crate::conf::Conf;
use crate::conf::OutputId;
use crate::conf::RingId;
use crate::engine::event::Sink;
use crate::engine::reload::Changes;
use crate::engine::repeat::Last;
use crate::engine::stats::Sent;
use crate::engine::text::Text;
use crate::engine::text::nanos;
use liblog::Msg;
use liblog::msg::Clocks;
use std::fmt::Write as _;

/// A slot is an output, or a ring: those have the numbers behind.
pub(super) struct Slots {
    slots: Vec<Slot>,
    outputs: usize,
    /// The number of the message, to know who had it.
    round: u32,
    repeats: Vec<u64>,
    /// Nothing is to be told before.
    pub wake: u64,
}

struct Slot {
    last: Last,
    seen: u32,
    sent: Sent,
}

impl Slot {
    fn new() -> Slot {
        Slot {
            last: Last::new(),
            seen: 0,
            sent: Sent::default(),
        }
    }
}

impl Slots {
    pub fn new(conf: &Conf) -> Slots {
        let count = conf.outputs.len() + conf.rings.len();
        Slots {
            slots: (0..count).map(|_| Slot::new()).collect(),
            outputs: conf.outputs.len(),
            round: 0,
            repeats: conf.settings.repeats.iter().map(|&t| nanos(t)).collect(),
            wake: u64::MAX,
        }
    }

    /// Goes on with another configuration; nothing must wait to be told.
    pub fn reload(&mut self, conf: &Conf, kept: &Changes) {
        let mut new = Slots::new(conf);
        let outputs = kept.outputs.iter().map(|id| id.map(|id| usize::from(id.0)));
        let rings = kept
            .rings
            .iter()
            .map(|id| id.map(|id| self.outputs + usize::from(id.0)));
        let from: Vec<_> = outputs.chain(rings).collect();
        for (slot, from) in new.slots.iter_mut().zip(from) {
            if let Some(old) = from.and_then(|n| self.slots.get_mut(n)) {
                std::mem::swap(slot, old);
                slot.seen = 0;
                if new.repeats.is_empty() {
                    slot.last.forget();
                }
            }
        }
        *self = new;
    }

    /// What the outputs, and what the rings got.
    pub fn sent(&self) -> (Vec<Sent>, Vec<Sent>) {
        let all = self.slots.iter().map(|slot| slot.sent);
        let outputs = all.clone().take(self.outputs).collect();
        (outputs, all.skip(self.outputs).collect())
    }

    /// Another message.
    pub fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.slots.iter_mut().for_each(|slot| slot.seen = 0);
            self.round = 1;
        }
    }

    /// Gives the message to a slot, unless it had it. A mark has an `idle`: it passes by what was
    /// written to within that time.
    pub fn put(
        &mut self,
        n: usize,
        at: Clocks,
        msg: &Msg<'_>,
        idle: Option<u64>,
        out: &mut impl Sink,
    ) {
        let target = Target::new(self.outputs, n);
        let Some(slot) = self.slots.get_mut(n) else {
            return;
        };
        if std::mem::replace(&mut slot.seen, self.round) == self.round {
            return;
        }
        let last = &mut slot.last;
        if idle.is_some_and(|idle| at.mono.saturating_sub(last.written) < idle) {
            return;
        }
        if self.repeats.is_empty() {
            last.written = at.mono;
        } else if idle.is_none() && last.is(msg) {
            last.again(at);
            slot.sent.repeated += 1;
            match last.due(&self.repeats) {
                Some(due) if at.mono < due => self.wake = self.wake.min(due),
                _ => slot.tell(at.mono, self.repeats.len(), target, out),
            }
            return;
        } else {
            if last.count > 0 {
                slot.tell(at.mono, self.repeats.len(), target, out);
            }
            slot.last.set(msg, at);
        }
        slot.sent.written += 1;
        target.give(msg, at, out);
    }

    /// Tells what is due, or all that waits.
    pub fn tick(&mut self, now: Clocks, all: bool, out: &mut impl Sink) {
        let mut wake = u64::MAX;
        for (n, slot) in self.slots.iter_mut().enumerate() {
            match slot.last.due(&self.repeats) {
                Some(due) if all || now.mono >= due => {
                    let target = Target::new(self.outputs, n);
                    slot.tell(now.mono, self.repeats.len(), target, out);
                }
                Some(due) => wake = wake.min(due),
                None => {}
            }
        }
        self.wake = wake;
    }
}

impl Slot {
    fn tell(&mut self, now: u64, steps: usize, target: Target, out: &mut impl Sink) {
        let mut text = Text::<64>::new();
        // It fits.
        let _ = write!(text, "last message repeated {} times", self.last.count);
        let (msg, at) = self.last.tell(now, steps, text.as_bytes());
        self.sent.written += 1;
        self.sent.told += 1;
        target.give(&msg, at, out);
    }
}

#[derive(Clone, Copy)]
enum Target {
    Output(OutputId),
    Ring(RingId),
}

impl Target {
    fn new(outputs: usize, n: usize) -> Target {
        let narrow = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        match n.checked_sub(outputs) {
            Some(ring) => Target::Ring(RingId(narrow(ring))),
            None => Target::Output(OutputId(narrow(n))),
        }
    }

    fn give(self, msg: &Msg<'_>, at: Clocks, out: &mut impl Sink) {
        match self {
            Target::Output(id) => out.write(id, msg, at),
            Target::Ring(id) => out.store(id, msg, at),
        }
    }
}
