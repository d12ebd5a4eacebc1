// SPDX-License-Identifier: BSD-2-Clause
//! Two ends that talk TCP through a network that loses, repeats and reorders, and past somebody
//! in the middle who may drop.

use super::reference::peer;
use super::reference::unwrap;
use flow::tcp::End;
use flow::tcp::Seg;
use flow::tcp::flag::ACK;
use flow::tcp::flag::FIN;
use flow::tcp::flag::SYN;
use std::collections::BTreeMap;
use testkit::Noise;

/// One end; its numbers do not wrap.
pub struct Host {
    isn: i64,
    next: i64,
    una: i64,
    right: i64,
    /// What it has of its peer, up to here; None before the peer's SYN.
    got: Option<i64>,
    held: BTreeMap<i64, i64>,
    buf: i64,
    mss: i64,
    offer: Option<u8>,
    peer_offer: Option<u8>,
    /// The number behind its last byte, which is its FIN's.
    last: i64,
    fin: bool,
    peer_fin: Option<i64>,
    owes_ack: bool,
    opens: bool,
}

impl Host {
    pub fn new(noise: &mut Noise, opens: bool) -> Self {
        let corner = [0, 1, u32::MAX, u32::MAX - 70_000, 1 << 31][noise.below(5)];
        let isn = if noise.below(3) == 0 {
            noise.word() as u32
        } else {
            corner
        };
        let isn = (1 << 40) + i64::from(isn);
        let size = [0, 1, 500, 20_000, 100_000][noise.below(5)];
        let buf = [40, 700, 5000, 65_535, 1_000_000][noise.below(5)];
        // A shift that leaves something of the window.
        let offer = [None, Some(0), Some(3), Some(7), Some(14)][noise.below(5)];
        let offer = offer.filter(|&shift| buf >> shift >= 5);
        Host {
            isn,
            next: isn,
            una: isn,
            right: isn + 1,
            got: None,
            held: BTreeMap::new(),
            buf,
            mss: 50 + noise.below(1411) as i64,
            offer,
            peer_offer: None,
            last: isn + 1 + noise.below(size + 1) as i64,
            fin: false,
            peer_fin: None,
            owes_ack: false,
            opens,
        }
    }

    fn open(&self) -> bool {
        self.una > self.isn && self.got.is_some()
    }

    /// All sent and acknowledged, all received.
    pub fn done(&self) -> bool {
        self.una == self.last + 1 && self.peer_fin.is_some_and(|f| self.got == Some(f + 1))
    }

    fn seg(&self, seq: i64, len: i64, flags: u8) -> Seg {
        let scale = if flags & SYN == 0 && self.peer_offer.is_some() {
            self.offer
        } else {
            None
        };
        Seg {
            seq: seq as u32,
            ack: self.got.unwrap_or(0) as u32,
            len: len as u32,
            win: (self.buf >> scale.unwrap_or(0)).min(0xffff) as u16,
            flags: flags | if self.got.is_some() { ACK } else { 0 },
            wscale: if flags & SYN != 0 { self.offer } else { None },
        }
    }

    fn syn(&mut self) -> Seg {
        self.next = self.next.max(self.isn + 1);
        let mut seg = self.seg(self.isn, 0, SYN);
        // In answer to a SYN without the option there is none.
        if self.got.is_some() && self.peer_offer.is_none() {
            seg.wscale = None;
        }
        seg
    }

    /// A segment from `seq` on, with what fits, and the FIN if it reaches that far.
    fn data(&mut self, seq: i64, room: i64) -> Seg {
        let end = (seq + room.min(self.mss))
            .min(self.last)
            .min(self.right)
            .max(seq);
        let fin = end == self.last && self.right > self.last;
        self.fin |= fin;
        self.next = self.next.max(end + i64::from(fin));
        self.seg(seq, end - seq, if fin { FIN } else { 0 })
    }

    /// Something that it may do now.
    pub fn act(&mut self, noise: &mut Noise) -> Option<Seg> {
        if self.una == self.isn {
            return (self.opens || self.got.is_some()).then(|| self.syn());
        }
        if !self.open() {
            return None;
        }
        Some(match noise.below(8) {
            0 => self.seg(self.next - 1, 0, 0),
            1 | 2 if self.una < self.next && self.una <= self.last => {
                let back = noise.below((self.next - self.una) as usize) as i64;
                let seq = (self.una + back).min(self.last);
                self.data(seq, 1 + noise.below(3000) as i64)
            }
            3..=6 if self.next <= self.last => self.data(self.next, 1 + noise.below(3000) as i64),
            _ => self.seg(self.next, 0, 0),
        })
    }

    /// What must be sent (again) now.
    pub fn push(&mut self, to: &mut Vec<Seg>) {
        if self.una == self.isn {
            if self.opens || self.got.is_some() {
                to.push(self.syn());
            }
            return;
        }
        if self.open() && self.una <= self.last {
            let mut seq = self.una;
            // A closed window is probed.
            self.right = self.right.max(self.una + 1);
            for _ in 0..40 {
                let seg = self.data(seq, self.mss);
                seq += i64::from(seg.len);
                to.push(seg);
                if seq >= self.right.min(self.last) {
                    break;
                }
            }
        }
        if std::mem::take(&mut self.owes_ack) {
            to.push(self.seg(self.next, 0, 0));
        }
    }

    pub fn receive(&mut self, seg: &Seg) {
        let has = |flag: u8| seg.flags & flag != 0;
        if has(SYN) {
            self.owes_ack = true;
            if self.got.is_none() {
                self.got = Some((1 << 40) + i64::from(seg.seq) + 1);
                self.peer_offer = seg.wscale;
            }
        }
        let Some(got) = self.got else { return };
        if has(ACK) {
            let ack = unwrap(seg.ack, self.next);
            if ack <= self.next && ack >= self.una {
                self.una = ack;
                let scaled = !has(SYN) && self.offer.is_some();
                let shift = if scaled {
                    self.peer_offer.unwrap_or(0)
                } else {
                    0
                };
                self.right = self.right.max(ack + (i64::from(seg.win) << shift));
            }
        }
        if has(SYN) {
            return;
        }
        let seq = unwrap(seg.seq, got);
        let end = seq + i64::from(seg.len);
        self.owes_ack |= seg.len != 0 || has(FIN) || seq != got;
        if has(FIN) {
            self.peer_fin = Some(end);
        }
        if end <= got + self.buf && end > seq {
            let held = self.held.entry(seq).or_insert(end);
            *held = end.max(*held);
        }
        let mut got = got;
        while let Some((&seq, &end)) = self.held.first_key_value() {
            if seq > got {
                break;
            }
            got = got.max(end);
            self.held.remove(&seq);
        }
        if self.peer_fin == Some(got) {
            got += 1;
        }
        self.got = Some(got);
    }
}

/// The ends and what is between them: to the middle, and from there on.
pub struct World {
    pub hosts: [Host; 2],
    to_middle: [Vec<Seg>; 2],
    from_middle: [Vec<Seg>; 2],
    pub noise: Noise,
    /// Out of 100: lost, repeated, out of order.
    pub faults: [usize; 3],
}

impl World {
    pub fn new(seed: u64, faults: [usize; 3]) -> Self {
        let mut noise = Noise::new(seed);
        let both = noise.below(6) == 0;
        let hosts = [Host::new(&mut noise, true), Host::new(&mut noise, both)];
        World {
            hosts,
            to_middle: Default::default(),
            from_middle: Default::default(),
            noise,
            faults,
        }
    }

    fn chance(&mut self, which: usize) -> bool {
        self.noise.below(100) < self.faults[which]
    }

    /// Takes one off a queue, or None: it was lost, or there is none.
    fn take(&mut self, middle: bool, n: usize) -> Option<Seg> {
        let random = self.chance(2);
        let queue = if middle {
            &self.to_middle[n]
        } else {
            &self.from_middle[n]
        };
        if queue.is_empty() {
            return None;
        }
        let i = if random {
            self.noise.below(queue.len())
        } else {
            0
        };
        let again = self.chance(1);
        let lost = self.chance(0);
        let queue = if middle {
            &mut self.to_middle[n]
        } else {
            &mut self.from_middle[n]
        };
        let seg = if again { queue[i] } else { queue.remove(i) };
        (!lost).then_some(seg)
    }

    /// Something happens: an end acts, or a segment moves; `middle` sees it, and says whether it
    /// goes on.
    pub fn step(&mut self, middle: &mut impl FnMut(End, &Seg) -> bool) {
        let n = self.noise.below(2);
        match self.noise.below(5) {
            0 => {
                let seg = self.hosts[n].act(&mut self.noise);
                self.to_middle[n].extend(seg);
            }
            1 | 2 => {
                let from = [End::First, End::Second][n];
                if let Some(seg) = self.take(true, n)
                    && middle(from, &seg)
                {
                    self.from_middle[n].push(seg);
                }
            }
            _ => {
                if let Some(seg) = self.take(false, n) {
                    self.hosts[peer([End::First, End::Second][n]) as usize].receive(&seg);
                }
            }
        }
    }

    /// From now on nothing is lost, and all that must be sent is sent; whether both ends finish.
    pub fn finish(&mut self, middle: &mut impl FnMut(End, &Seg) -> bool) -> bool {
        self.faults = [0; 3];
        for _ in 0..10_000 {
            if self.hosts.iter().all(Host::done) {
                return true;
            }
            for n in 0..2 {
                let mut segs = std::mem::take(&mut self.to_middle[n]);
                self.hosts[n].push(&mut segs);
                for seg in segs {
                    if middle([End::First, End::Second][n], &seg) {
                        self.from_middle[n].push(seg);
                    }
                }
                for seg in std::mem::take(&mut self.from_middle[n]) {
                    self.hosts[1 - n].receive(&seg);
                }
            }
        }
        false
    }
}
