// SPDX-License-Identifier: BSD-2-Clause
//! The windows of a TCP connection, followed from the middle of the path.
//!
//! A segment belongs when its data fit the window that the receiver has offered and its
//! acknowledgment covers only what was sent (G. van Rooij, *Real stateful TCP packet filtering*;
//! RFC 9293, RFC 7323). A reset is taken only with the very number that the receiver expects, and
//! a SYN never ends a connection that lives (RFC 5961): who cannot see the packets has to guess 32
//! bits. [`judge`] has the rules; here they are applied to what many CPUs share.
//!
//! *Contexts*: any. *Locking*: none. What is known about an end only grows: the highest number sent,
//! the highest allowed, the highest acknowledged, the largest window, the state. So each word is
//! merged by compare-and-swap, and of two segments at once neither is lost. A segment is judged by
//! what was known when it came. That suffices, since an end can answer only what has passed here
//! before, and the tracker has taken note of a segment before it goes on. Within an end the numbers
//! are written before the state and read after it, so a FIN that is known has its number known.

pub mod judge;
pub mod segment;

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use judge::Peer;
use judge::State;
use judge::after;

pub use segment::End;
pub use segment::Outcome;
pub use segment::Phase;
pub use segment::Seg;
pub use segment::Why;
pub use segment::flag;

/// What is known about one end, in two words.
#[derive(Debug, Default)]
struct Words {
    /// end << 32 | lim
    numbers: AtomicU64,
    /// ack << 32 | win << 16 | scale << 12 | bits | state
    rest: AtomicU64,
}

const SCALED: u64 = 1 << 11;
const SYN_WIN: u64 = 1 << 10;
const ACKED: u64 = 1 << 9;
const BEYOND: u64 = 1 << 8;

const fn bit(set: bool, bit: u64) -> u64 {
    if set { bit } else { 0 }
}

const fn numbers(p: &Peer) -> u64 {
    (p.end as u64) << 32 | p.lim as u64
}

const fn rest(p: &Peer) -> u64 {
    (p.ack as u64) << 32
        | (p.win as u64) << 16
        | (p.scale as u64 & 15) << 12
        | bit(p.scaled, SCALED)
        | bit(p.syn_win, SYN_WIN)
        | bit(p.acked, ACKED)
        | bit(p.beyond, BEYOND)
        | p.state as u64
}

fn peer(numbers: u64, rest: u64) -> Peer {
    Peer {
        end: (numbers >> 32) as u32,
        lim: numbers as u32,
        ack: (rest >> 32) as u32,
        win: (rest >> 16) as u16,
        scale: (rest >> 12) as u8 & 15,
        scaled: rest & SCALED != 0,
        syn_win: rest & SYN_WIN != 0,
        acked: rest & ACKED != 0,
        beyond: rest & BEYOND != 0,
        state: State::from_bits(rest as u8 & 15),
    }
}

/// The later of two sequence numbers.
const fn later(a: u32, b: u32) -> u32 {
    if after(a, b) { a } else { b }
}

const fn merge_numbers(old: u64, new: u64) -> u64 {
    if old == 0 {
        return new;
    }
    (later((old >> 32) as u32, (new >> 32) as u32) as u64) << 32
        | later(old as u32, new as u32) as u64
}

fn merge_rest(old: u64, new: u64) -> u64 {
    let (a, b) = (peer(0, old), peer(0, new));
    if a.state == State::None {
        return new;
    }
    rest(&Peer {
        ack: match (a.acked, b.acked) {
            (true, true) => later(a.ack, b.ack),
            (true, false) => a.ack,
            _ => b.ack,
        },
        acked: a.acked || b.acked,
        win: match (a.syn_win, b.syn_win) {
            // The window of a SYN is not scaled; what comes later takes its place.
            (true, false) => b.win,
            (false, true) => a.win,
            _ => a.win.max(b.win),
        },
        syn_win: a.syn_win && b.syn_win,
        beyond: a.beyond || b.beyond,
        state: a.state.max(b.state),
        ..a
    })
}

/// Merges `new` in where it says more than `seen` did; most segments change one word or two.
#[inline]
fn put(word: &AtomicU64, seen: u64, new: u64, merge: impl Fn(u64, u64) -> u64) {
    if new == seen {
        return;
    }
    let orders = (Ordering::AcqRel, Ordering::Acquire);
    let _ = word.fetch_update(orders.0, orders.1, |old| {
        // Nobody was faster: as judged.
        let merged = if old == seen { new } else { merge(old, new) };
        (merged != old).then_some(merged)
    });
}

impl Words {
    #[inline]
    fn load(&self) -> Peer {
        let rest = self.rest.load(Ordering::Acquire);
        peer(self.numbers.load(Ordering::Acquire), rest)
    }
}

/// What is known about both ends: 32 bytes, all zero at first.
#[derive(Debug, Default)]
pub struct Track {
    ends: [Words; 2],
}

impl Track {
    /// Looks at a segment that `from` sent, and takes note of it.
    ///
    /// `loose`: a connection whose beginning was not seen is picked up in its midst; its windows
    /// are then assumed to be large.
    #[inline]
    pub fn segment(&self, from: End, seg: &Seg, loose: bool) -> Outcome {
        let (src, dst) = self.ends(from);
        let (s, d) = (src.load(), dst.load());
        let (new_s, new_d) = match judge::judge(&s, &d, seg, loose) {
            Ok(new) => new,
            Err(outcome) => return outcome,
        };
        put(&src.numbers, numbers(&s), numbers(&new_s), merge_numbers);
        put(&dst.numbers, numbers(&d), numbers(&new_d), merge_numbers);
        put(&src.rest, rest(&s), rest(&new_s), merge_rest);
        put(&dst.rest, rest(&d), rest(&new_d), merge_rest);
        let phase = judge::phase(new_s.state, new_d.state);
        Outcome::Ok {
            phase,
            changed: phase != judge::phase(s.state, d.state),
        }
    }

    const fn ends(&self, from: End) -> (&Words, &Words) {
        let [first, second] = &self.ends;
        match from {
            End::First => (first, second),
            End::Second => (second, first),
        }
    }

    /// Where the connection is.
    pub fn phase(&self) -> Phase {
        let [a, b] = &self.ends;
        judge::phase(a.load().state, b.load().state)
    }

    /// Whether a segment of `from` with that number may be under way: what an ICMP error quotes must
    /// be (RFC 5927, section 4.1).
    pub fn under_way(&self, from: End, seq: u32) -> bool {
        let (s, d) = self.ends(from);
        s.load().sent(seq, &d.load())
    }

    /// Sequence and acknowledgment number of a bare ACK, or a reset, that `from` could send now:
    /// what its peer expects. None before both ends were heard.
    pub fn bare(&self, from: End) -> Option<(u32, u32)> {
        let (s, d) = self.ends(from);
        let (s, d) = (s.load(), d.load());
        let heard = s.state != State::None && d.state != State::None;
        let seq = if d.acked { d.ack } else { s.end };
        heard.then_some((seq, if s.acked { s.ack } else { d.end }))
    }

    /// Forgets all: for an entry that begins a new life.
    pub fn reset(&self) {
        self.import([0; 4]);
    }

    /// All that is known, to hand to another kernel of the same version.
    pub fn export(&self) -> [u64; 4] {
        let [a, b] = &self.ends;
        [&a.numbers, &a.rest, &b.numbers, &b.rest].map(|w| w.load(Ordering::Acquire))
    }

    /// What is known about each end, to show it, or to write it in another form.
    pub fn peers(&self) -> [Peer; 2] {
        let [a, b] = &self.ends;
        [a.load(), b.load()]
    }

    /// Takes over what `peers` gave, of whatever origin; as [`Track::import`].
    pub fn set_peers(&self, [a, b]: [Peer; 2]) {
        self.import([numbers(&a), rest(&a), numbers(&b), rest(&b)]);
    }

    /// Takes over what `export` gave. Any words are as good as a segment from elsewhere: they
    /// make segments pass or not, nothing else.
    pub fn import(&self, words: [u64; 4]) {
        let [a, b] = &self.ends;
        let to = [&a.numbers, &a.rest, &b.numbers, &b.rest];
        to.iter()
            .zip(words)
            .for_each(|(to, w)| to.store(w, Ordering::Release));
    }
}
