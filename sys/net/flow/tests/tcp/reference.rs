// SPDX-License-Identifier: BSD-2-Clause
//! The rules once more, from the whole history: every segment that was let through is kept, numbers
//! do not wrap, and each question looks through all of it.

use flow::tcp::End;
use flow::tcp::Outcome;
use flow::tcp::Phase;
use flow::tcp::Seg;
use flow::tcp::Why;
use flow::tcp::flag::ACK;
use flow::tcp::flag::FIN;
use flow::tcp::flag::RST;
use flow::tcp::flag::SYN;

/// A segment that was let through.
#[derive(Clone, Copy)]
struct Past {
    from: End,
    seg: Seg,
    /// Not wrapped.
    seq: i64,
    end: i64,
    /// Where it counts.
    ack: Option<i64>,
    /// Its sender's SYN was not acknowledged when it came.
    early: bool,
}

/// The history of a connection.
#[derive(Default)]
pub struct Reference {
    past: Vec<Past>,
    reset: bool,
}

pub fn peer(e: End) -> End {
    match e {
        End::First => End::Second,
        End::Second => End::First,
    }
}

/// The number nearest to `near` that wraps to `n`.
pub fn unwrap(n: u32, near: i64) -> i64 {
    near + i64::from(n.wrapping_sub(near as u32) as i32)
}

impl Reference {
    fn of(&self, e: End) -> impl Iterator<Item = &Past> {
        self.past.iter().filter(move |p| p.from == e)
    }

    fn heard(&self, e: End) -> bool {
        self.of(e).next().is_some()
    }

    fn syn(&self, e: End) -> &Past {
        self.of(e).next().expect("heard")
    }

    fn sent(&self, e: End) -> i64 {
        self.of(e).map(|p| p.end).max().unwrap_or(1 << 40)
    }

    fn acked(&self, e: End) -> Option<i64> {
        self.of(e).filter_map(|p| p.ack).max()
    }

    fn is_open(&self, e: End) -> bool {
        self.heard(e) && (self.acked(peer(e)).is_some() || self.fin(e))
    }

    fn fin(&self, e: End) -> bool {
        self.of(e).any(|p| p.seg.flags & FIN != 0)
    }

    fn fin_acked(&self, e: End) -> bool {
        let fin = |p: &Past| p.from == e && p.seg.flags & FIN != 0;
        let since = self.past.iter().skip_while(|p| !fin(p));
        let mut acks = since.filter(|p| p.from != e).filter_map(|p| p.ack);
        acks.any(|ack| ack == self.sent(e))
    }

    fn shift(&self, e: End) -> u32 {
        let scale = |e| self.heard(e).then(|| self.syn(e).seg.wscale).flatten();
        match (scale(e), scale(peer(e))) {
            (Some(own), Some(_)) => u32::from(own.min(14)),
            _ => 0,
        }
    }

    /// The largest window that it has offered.
    fn window(&self, e: End) -> i64 {
        let later: Vec<i64> = self
            .of(e)
            .filter(|p| p.seg.flags & SYN == 0)
            .map(|p| i64::from(p.seg.win) << self.shift(e))
            .collect();
        let syn = i64::from(self.syn(e).seg.win);
        let unit = 1 << self.shift(e);
        match later.iter().max() {
            Some(&max) => max.max((syn + unit - 1) / unit * unit),
            None => syn,
        }
        .max(1)
    }

    /// How far it may send.
    fn limit(&self, e: End) -> i64 {
        let syn = self.syn(e);
        let first = match self.past.iter().find(|p| p.from != e) {
            Some(other) if self.past[0].from != e => syn.seq + 1 + i64::from(other.seg.win).max(1),
            _ => 0,
        };
        let offered = self.of(peer(e)).filter_map(|p| {
            let shift = if p.seg.flags & SYN != 0 {
                0
            } else {
                self.shift(peer(e))
            };
            Some(p.ack? + (i64::from(p.seg.win) << shift).max(1))
        });
        offered.max().unwrap_or(0).max(first).max(syn.end + 1)
    }

    /// How far behind its SYN the highest number sent may be.
    fn slack(&self, e: End) -> i64 {
        let syn = self.syn(e);
        let more = |p: &Past| p.early && p.end > syn.end;
        if syn.seg.len != 0 || self.of(e).any(more) {
            0xffff
        } else {
            0
        }
    }

    pub fn phase(&self) -> Phase {
        let (a, b) = (End::First, End::Second);
        let both = |f: &dyn Fn(End) -> bool| f(a) && f(b);
        if self.reset || both(&|e| self.fin_acked(e)) {
            Phase::Closed
        } else if !both(&|e| self.heard(e)) {
            Phase::First
        } else if both(&|e| self.fin(e)) {
            Phase::FinWait
        } else if self.fin(a) || self.fin(b) {
            Phase::Closing
        } else if both(&|e| self.is_open(e)) {
            Phase::Established
        } else {
            Phase::Opening
        }
    }

    pub fn segment(&mut self, s: End, seg: &Seg) -> Outcome {
        let before = self.phase();
        match self.judge(s, seg) {
            Err(outcome) => outcome,
            Ok(past) => {
                self.past.extend(past);
                let phase = self.phase();
                Outcome::Ok {
                    phase,
                    changed: phase != before,
                }
            }
        }
    }

    /// What to remember, if anything.
    fn judge(&mut self, s: End, seg: &Seg) -> Result<Option<Past>, Outcome> {
        let bad = |why| Err(Outcome::Bad(why));
        let d = peer(s);
        let has = |flag: u8| seg.flags & flag != 0;
        let marks = [FIN, SYN, RST].into_iter().filter(|&f| has(f)).count();
        if marks > 1 || !(has(ACK) || has(SYN) || has(RST)) {
            return bad(Why::Flags);
        }
        let seq = unwrap(seg.seq, self.sent(s));
        let end = seq + i64::from(seg.len) + i64::from(has(SYN) || has(FIN));
        let ack = has(ACK).then(|| unwrap(seg.ack, self.sent(d)));
        let early = !self.is_open(s);
        let from = s;
        let seg = *seg;
        let past = Past {
            from,
            seg,
            seq,
            end,
            ack,
            early,
        };
        if has(SYN) && !has(ACK) && self.phase() == Phase::Closed {
            return Err(Outcome::Reopen);
        }
        let acks_syn = |r: &Self| ack.is_some_and(|a| (0..=r.slack(d)).contains(&(r.sent(d) - a)));
        if has(RST) {
            let expected = match (self.heard(s), self.heard(d)) {
                (false, false) => return bad(Why::NotSyn),
                (false, true) => acks_syn(self),
                _ => seq == self.sent(s) || self.acked(d).is_some_and(|a| a as u32 == seg.seq),
            };
            if !expected {
                return bad(Why::Reset);
            }
            self.reset = true;
            return Ok(None);
        }
        if has(SYN) {
            let known = self.heard(s);
            let again = known && (0..=self.slack(s)).contains(&(self.sent(s) - end));
            if !self.heard(d) {
                return match (has(ACK), known) {
                    (true, false) => bad(Why::NotSyn),
                    (true, true) => bad(Why::Ack),
                    (false, false) => Ok(Some(past)),
                    (false, true) if again => Ok(None),
                    _ => Err(Outcome::Reopen),
                };
            }
            if !self.is_open(s) && has(ACK) && !acks_syn(self) {
                return bad(Why::Ack);
            }
            return match known {
                false => Ok(Some(past)),
                // A SYN again is remembered for what it acknowledges.
                true if !self.is_open(s) && again => Ok(has(ACK).then_some(past)),
                true if self.is_open(s) && end == self.sent(s) => {
                    let first = has(ACK) && !self.is_open(d) && acks_syn(self);
                    match ack {
                        Some(_) if first => Ok(Some(past)),
                        Some(a) if a > self.sent(d) => bad(Why::Syn),
                        _ => Ok(None),
                    }
                }
                _ => bad(Why::Syn),
            };
        }
        let Some(ack) = ack else {
            return bad(Why::Flags);
        };
        match (self.heard(s), self.heard(d)) {
            (false, _) => return bad(Why::NotSyn),
            (_, false) => return bad(Why::Ack),
            _ => (),
        }
        let beyond = end > self.limit(s) || seq < self.sent(s) - self.window(d);
        if beyond || self.fin(s) && end > self.sent(s) || has(FIN) && end < self.sent(s) {
            return bad(Why::Seq);
        }
        let base = self.acked(s).unwrap_or(self.sent(d));
        if ack > self.sent(d) || ack < base - self.window(s) {
            return bad(Why::Ack);
        }
        Ok(Some(past))
    }
}
