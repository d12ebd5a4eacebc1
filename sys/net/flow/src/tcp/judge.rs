// SPDX-License-Identifier: BSD-2-Clause
//! The rules: what is known about two ends, and a segment, give what is known then, or why not.
//!
//! Pure, and for one segment at a time; the tracker applies it.
//!
//! `s` is the end that sent, `d` its peer:
//!
//! - data: the segment ends at or before `s.lim`, the highest `ack + window` of d; it begins no
//!   more than d's largest window before `s.end`, the highest that s has sent;
//! - acknowledgment: at most `d.end`; no more than s's largest window below s's highest one (as in
//!   RFC 5961, section 5);
//! - nothing follows a FIN, and a FIN precedes nothing.

use super::segment::Outcome;
use super::segment::Phase;
use super::segment::Seg;
use super::segment::Why;
use super::segment::flag::ACK;
use super::segment::flag::FIN;
use super::segment::flag::RST;
use super::segment::flag::SYN;

/// How far one end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// Not heard.
    #[default]
    None = 0,
    /// Sent SYN.
    SynSent = 1,
    /// Its SYN is acknowledged.
    Open = 2,
    /// Sent FIN.
    FinSent = 3,
    /// Its FIN is acknowledged.
    FinAcked = 4,
    /// Reset by either.
    Reset = 5,
}

impl State {
    /// From the number that it is; what none is, is a reset.
    pub(super) const fn from_bits(n: u8) -> Self {
        match n {
            0 => State::None,
            1 => State::SynSent,
            2 => State::Open,
            3 => State::FinSent,
            4 => State::FinAcked,
            _ => State::Reset,
        }
    }
}

/// What is known about one end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The number after the highest that it has sent.
    pub end: u32,
    /// The number after the highest that its peer lets it send.
    pub lim: u32,
    /// The highest acknowledgment that it has sent.
    pub ack: u32,
    /// Whether it has sent one.
    pub acked: bool,
    /// The largest window that it has offered, as in the header.
    pub win: u16,
    /// How far to shift that.
    pub scale: u8,
    /// Whether it sent the option.
    pub scaled: bool,
    /// `win` is a SYN's, which is not shifted.
    pub syn_win: bool,
    /// Data may have followed its SYN before that was acknowledged: `end` is not just behind it.
    pub beyond: bool,
    /// How far it is.
    pub state: State,
}

/// The largest shift (RFC 7323, section 2.3).
const MAX_SCALE: u8 = 14;

/// Whether `a` comes after `b`.
pub(super) const fn after(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) < 0
}

/// Whether `a` is at most `most` before `b`, or `b` itself.
const fn shortly_before(a: u32, b: u32, most: u32) -> bool {
    b.wrapping_sub(a) <= most
}

/// The later of two.
const fn later(a: u32, b: u32) -> u32 {
    if after(a, b) { a } else { b }
}

/// Where both ends together are.
pub(super) fn phase(a: State, b: State) -> Phase {
    let (low, high) = (a.min(b), a.max(b));
    match (low, high) {
        (_, State::Reset) | (State::FinAcked, State::FinAcked) => Phase::Closed,
        (State::None, _) => Phase::First,
        (State::FinSent | State::FinAcked, _) => Phase::FinWait,
        (_, State::FinSent | State::FinAcked) => Phase::Closing,
        (State::Open, State::Open) => Phase::Established,
        _ => Phase::Opening,
    }
}

impl Peer {
    /// Its largest window in bytes, at least 1: a window of 0 is probed with one byte.
    fn window(&self, peer: &Peer) -> u32 {
        let shift = if self.scaled && peer.scaled && !self.syn_win {
            u32::from(self.scale)
        } else {
            0
        };
        (u32::from(self.win) << shift).max(1)
    }

    /// Whether `seq` may be of a segment that it sent and that is under way.
    pub(super) fn sent(&self, seq: u32, peer: &Peer) -> bool {
        self.state != State::None && shortly_before(seq, self.end, peer.window(self))
    }

    /// Whether `ack` acknowledges its SYN, and no more than it has sent.
    fn syn_acked_by(&self, ack: u32) -> bool {
        shortly_before(ack, self.end, self.slack())
    }

    /// How far behind its SYN `end` may lie.
    const fn slack(&self) -> u32 {
        if self.beyond { 0xffff } else { 0 }
    }

    /// It sends its SYN.
    fn syn(seg: &Seg, end: u32, lim: u32) -> Peer {
        Peer {
            end,
            lim: later(lim, end.wrapping_add(1)),
            ack: seg.ack,
            acked: seg.flags & ACK != 0,
            win: seg.win,
            scale: seg.wscale.unwrap_or(0).min(MAX_SCALE),
            scaled: seg.wscale.is_some(),
            syn_win: true,
            beyond: seg.len != 0,
            state: State::SynSent,
        }
    }

    /// It is acknowledged up to `ack`, and may send `win` from there.
    fn acked_by(&self, ack: u32, win: u32) -> Peer {
        Peer {
            lim: later(self.lim, ack.wrapping_add(win.max(1))),
            state: match self.state {
                State::SynSent => State::Open,
                State::FinSent if ack == self.end => State::FinAcked,
                state => state,
            },
            ..*self
        }
    }

    /// It has sent an acknowledgment.
    fn acks(&self, ack: u32) -> Peer {
        Peer {
            ack: if self.acked {
                later(self.ack, ack)
            } else {
                ack
            },
            acked: true,
            ..*self
        }
    }

    const fn reset(self) -> Peer {
        Peer {
            state: State::Reset,
            ..self
        }
    }
}

/// What is known about both ends after the segment, or what became of it.
///
/// # Errors
/// [`Outcome::Bad`], [`Outcome::Reopen`]: nothing is to be changed.
#[inline]
pub(super) fn judge(s: &Peer, d: &Peer, seg: &Seg, loose: bool) -> Result<(Peer, Peer), Outcome> {
    let flags = seg.flags & (FIN | SYN | RST | ACK);
    let marks = flags & (FIN | SYN | RST);
    // Of FIN, SYN and RST at most one; without ACK a SYN or a RST.
    if marks & marks.wrapping_sub(1) != 0 || flags == 0 || flags == FIN {
        return Err(Outcome::Bad(Why::Flags));
    }
    let counted = u32::from(marks & (SYN | FIN) != 0);
    let end = seg.seq.wrapping_add(seg.len).wrapping_add(counted);
    let over = phase(s.state, d.state) == Phase::Closed;
    match marks {
        SYN if over && flags == SYN => Err(Outcome::Reopen),
        SYN => syn(s, d, seg, end).map_err(|why| why.map_or(Outcome::Reopen, Outcome::Bad)),
        RST => rst(s, d, seg).map_err(Outcome::Bad),
        _ => plain(s, d, seg, end, loose).map_err(Outcome::Bad),
    }
}

/// A SYN, with ACK or without; None as error is [`Outcome::Reopen`].
fn syn(s: &Peer, d: &Peer, seg: &Seg, end: u32) -> Result<(Peer, Peer), Option<Why>> {
    let ack = seg.flags & ACK != 0;
    if d.state == State::None {
        return match s.state {
            // Nobody can have been acknowledged yet.
            _ if ack => Err(Some(if s.state == State::None {
                Why::NotSyn
            } else {
                Why::Ack
            })),
            State::None => Ok((Peer::syn(seg, end, end), *d)),
            // Once more, with the data or without.
            _ if shortly_before(end, s.end, s.slack()) => Ok((*s, *d)),
            // Nobody has answered, so that is a new try.
            _ => Err(None),
        };
    }
    if ack && s.state < State::Open && !d.syn_acked_by(seg.ack) {
        return Err(Some(Why::Ack));
    }
    match s.state {
        State::None => {
            let lim = seg.seq.wrapping_add(1).wrapping_add(d.window(s));
            let s = Peer::syn(seg, end, lim);
            let answered = if ack {
                d.acked_by(seg.ack, u32::from(seg.win))
            } else {
                *d
            };
            Ok((s, answered))
        }
        State::SynSent if shortly_before(end, s.end, s.slack()) => {
            if ack {
                let d = d.acked_by(seg.ack, u32::from(seg.win));
                Ok((s.acks(seg.ack), d))
            } else {
                Ok((*s, *d))
            }
        }
        // Both opened at once, and ours was acknowledged first.
        _ if end == s.end && ack && d.state == State::SynSent && d.syn_acked_by(seg.ack) => {
            let d = d.acked_by(seg.ack, u32::from(seg.win));
            Ok((s.acks(seg.ack), d))
        }
        // The very SYN, again: the acknowledgment was lost beyond us.
        _ if end == s.end && (!ack || !after(seg.ack, d.end)) => Ok((*s, *d)),
        _ => Err(Some(Why::Syn)),
    }
}

/// A reset: taken with the number that d expects, which is the highest that it has acknowledged
/// or, when that acknowledgment is on its way, all that s has sent.
fn rst(s: &Peer, d: &Peer, seg: &Seg) -> Result<(Peer, Peer), Why> {
    let expected = match (s.state, d.state) {
        (State::None, State::None) => return Err(Why::NotSyn),
        // A port that is closed: it has no numbers of its own, but it must name ours.
        (State::None, _) => seg.flags & ACK != 0 && d.syn_acked_by(seg.ack),
        _ => seg.seq == s.end || d.acked && seg.seq == d.ack,
    };
    if expected {
        Ok((s.reset(), d.reset()))
    } else {
        Err(Why::Reset)
    }
}

/// Neither SYN nor RST; with ACK.
fn plain(s: &Peer, d: &Peer, seg: &Seg, end: u32, loose: bool) -> Result<(Peer, Peer), Why> {
    if s.state == State::None || d.state == State::None {
        return match (s.state, d.state) {
            (State::None, State::None) if loose && seg.flags & FIN == 0 => Ok(pick_up(seg, end)),
            (State::None, _) => Err(Why::NotSyn),
            // Its SYN was not answered: there is nothing to acknowledge.
            _ => Err(Why::Ack),
        };
    }
    let fin = seg.flags & FIN != 0;
    let done = s.state == State::FinSent || s.state == State::FinAcked;
    // Counted from the lowest, not compared: a segment half round the circle ends before it begins.
    let lowest = s.end.wrapping_sub(d.window(s));
    let last = u64::from(seg.seq.wrapping_sub(lowest)) + u64::from(end.wrapping_sub(seg.seq));
    let room = last <= u64::from(s.lim.wrapping_sub(lowest));
    // A FIN may end where we have seen its sender already: a bare ACK behind it came first.
    if !room || done && after(end, s.end) || fin && after(s.end, end) {
        return Err(Why::Seq);
    }
    let base = if s.acked { s.ack } else { d.end };
    let low = base.wrapping_sub(s.window(d));
    if after(seg.ack, d.end) || after(low, seg.ack) {
        return Err(Why::Ack);
    }
    let mut new = s.acks(seg.ack);
    new.beyond |= s.state == State::SynSent && after(end, s.end);
    new.end = later(s.end, end);
    let shift = if s.scaled && d.scaled {
        u32::from(s.scale)
    } else {
        0
    };
    let before = if s.syn_win {
        // What the SYN offered, in the unit of what follows.
        let rounded = u32::from(s.win).wrapping_add((1 << shift) - 1);
        (rounded >> shift) as u16
    } else {
        s.win
    };
    new.win = before.max(seg.win);
    new.syn_win = false;
    if fin {
        new.state = new.state.max(State::FinSent);
    }
    Ok((new, d.acked_by(seg.ack, u32::from(seg.win) << shift)))
}

/// A connection whose beginning was not seen: nobody knows the shifts, so they are the largest.
fn pick_up(seg: &Seg, end: u32) -> (Peer, Peer) {
    let known = Peer {
        scale: MAX_SCALE,
        scaled: true,
        state: State::Open,
        ..Peer::default()
    };
    let s = Peer {
        end,
        lim: end.wrapping_add(u32::from(u16::MAX) << MAX_SCALE),
        ack: seg.ack,
        acked: true,
        win: u16::MAX,
        ..known
    };
    let d = Peer {
        end: seg.ack,
        lim: seg.ack.wrapping_add(u32::from(u16::MAX) << MAX_SCALE),
        win: u16::MAX,
        ..known
    };
    (s, d)
}
